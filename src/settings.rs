//! What the server is set to, for whoever runs it: every setting with where it comes from, and no secret.

use std::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum};
use ipnet::IpNet;
use serde_json::Value;

use crate::config::{LogFormat, ValidationAudit};
use crate::secrets::Secrets;
use crate::webhooks::schedule::Schedule;

/// What stands where something is not shown.
const HIDDEN: &str = "***";

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The file of settings.
    File,
    /// The program; also of what is not set.
    Default,
    /// The data directory, where secrets are kept in development.
    Generated,
}

impl Source {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
            Self::Generated => "generated",
        }
    }
}

/// A setting that can be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Name of its environment variable.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its value; nothing for secrets, and for what is not set.
    pub value: Option<Value>,
    /// Whether it is a secret.
    pub secret: bool,
    /// Where it comes from.
    pub source: Source,
}

/// What a command was told, by flags, environment, file and defaults. Holds no secret.
#[derive(Debug, Clone, Default)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// The settings of `command`, in the order of its help, as `matches` have them. `in_file` are the settings that the
    /// file holds, by the names that they have there.
    pub fn of(command: &Command, matches: &ArgMatches, in_file: &BTreeSet<String>) -> Self {
        let settings = command.get_arguments().filter_map(|argument| {
            let name = argument.get_env()?.to_string_lossy().into_owned();
            let (value, secret) = match shown(argument, matches) {
                Shown::Value(value) => (value, false),
                Shown::Secret => (None, true),
            };
            Some(Setting {
                name,
                description: argument.get_help().map(ToString::to_string).unwrap_or_default(),
                value,
                secret,
                source: source(argument.get_id().as_str(), matches, in_file),
            })
        });
        Self(settings.collect())
    }

    /// The same with what is known once the server starts: where its data are, and which secrets it found there.
    #[must_use]
    pub fn with(mut self, data_dir: &Path, secrets: &Secrets) -> Self {
        for setting in &mut self.0 {
            if setting.name == "VINZY_DATA_DIR" {
                setting.value = Some(data_dir.to_string_lossy().into());
            }
            if secrets.kept.contains(&setting.name.as_str()) {
                setting.source = Source::Generated;
            }
        }
        self
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }
}

fn source(id: &str, matches: &ArgMatches, in_file: &BTreeSet<String>) -> Source {
    match matches.value_source(id) {
        Some(ValueSource::CommandLine) => Source::Flag,
        Some(ValueSource::EnvVariable) => Source::Environment,
        // What the file holds has become the default.
        Some(_) if in_file.contains(id) => Source::File,
        _ => Source::Default,
    }
}

/// What can be shown of a setting.
enum Shown {
    /// The value, if it is set.
    Value(Option<Value>),
    /// That there is something.
    Secret,
}

/// By its type, of which a new kind is a secret until it is listed here.
fn shown(argument: &Arg, matches: &ArgMatches) -> Shown {
    let kind = argument.get_value_parser().type_id();
    let given = Given { argument, matches };
    let is = |id: TypeId| kind == id;
    Shown::Value(if is(TypeId::of::<u32>()) {
        given.value(|number: &u32| (*number).into())
    } else if is(TypeId::of::<u16>()) {
        given.value(|number: &u16| (*number).into())
    } else if is(TypeId::of::<bool>()) {
        given.value(|flag: &bool| (*flag).into())
    } else if is(TypeId::of::<String>()) {
        given.value(|text: &String| without_credentials(text).into())
    } else if is(TypeId::of::<PathBuf>()) {
        given.value(|path: &PathBuf| path.to_string_lossy().into())
    } else if is(TypeId::of::<IpAddr>()) {
        given.value(|address: &IpAddr| address.to_string().into())
    } else if is(TypeId::of::<IpNet>()) {
        given.value(|net: &IpNet| net.to_string().into())
    } else if is(TypeId::of::<RangeInclusive<u16>>()) {
        given.value(ports)
    } else if is(TypeId::of::<Schedule>()) {
        given.as_written()
    } else if is(TypeId::of::<ValidationAudit>()) {
        given.value(name::<ValidationAudit>)
    } else if is(TypeId::of::<LogFormat>()) {
        given.value(name::<LogFormat>)
    } else {
        return Shown::Secret;
    })
}

/// A setting and what it was given.
struct Given<'a> {
    argument: &'a Arg,
    matches: &'a ArgMatches,
}

impl Given<'_> {
    /// An array where there may be several, also of one.
    fn value<T: Any + Clone + Send + Sync>(&self, shown: impl Fn(&T) -> Value) -> Option<Value> {
        let values = self.matches.get_many::<T>(self.argument.get_id().as_str())?;
        let mut values: Vec<Value> = values.map(shown).collect();
        match self.argument.get_action() {
            ArgAction::Append => Some(values.into()),
            _ => values.pop(),
        }
    }

    fn as_written(&self) -> Option<Value> {
        let mut raw = self.matches.get_raw(self.argument.get_id().as_str())?;
        raw.next().map(|text| text.to_string_lossy().into())
    }
}

fn name<T: ValueEnum>(value: &T) -> Value {
    Value::from(value.to_possible_value().map(|value| value.get_name().to_owned()))
}

fn ports(ports: &RangeInclusive<u16>) -> Value {
    let (first, last) = (ports.start(), ports.end());
    if first == last {
        first.to_string().into()
    } else {
        format!("{first}-{last}").into()
    }
}

/// A text without what a URL in it may say to whom it leads: what stands before its host, and its query.
///
/// Taken apart by hand, because a URL that no parser takes must not show a password either.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{HIDDEN}@{rest}"),
        None => rest.to_owned(),
    };
    let shown = match rest.find(['?', '#']) {
        Some(end) => format!("{}{HIDDEN}", &rest[..=end]),
        None => rest,
    };
    format!("{scheme}://{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_hidden() {
        for (text, shown) in [
            ("http://localhost:4318", "http://localhost:4318"),
            ("https://u:p@host/x", "https://***@host/x"),
            ("https://u:p/a@ss@host", "https://***@host"),
            ("https://token@host/x?key=secret#x", "https://***@host/x?***"),
            ("https://host/?key=a@b", "https://***@b"),
            ("info,vinzy=debug", "info,vinzy=debug"),
        ] {
            assert_eq!(without_credentials(text), shown, "{text}");
        }
    }
}
