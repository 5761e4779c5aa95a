//! docs/reference/cli.md, out of the tree of commands.

use clap::{Arg, ArgAction, Command};

use super::markdown::{cell, head, prose, row};
use super::settings::{help, variable};

const BEGINNING: &str = "\
# Commands

<!-- Made by `cargo xtask docs` out of the program's own help: do not edit. -->

`vinzy` is the server and its tools. Exit code 0 means yes, 1 no, 2 that it could not be found out. Settings come from
flags, else from `VINZY_*` variables, else from `vinzy.toml` in the working directory or the file that `--config` names
([configuration](../configuration.md)). `vinzy COMMAND --help` says the same as this page, and `vinzy man DIR` writes it
as manual pages.
";

/// The page.
pub(super) fn page(command: &Command) -> String {
    let mut command = command.clone();
    command.build();
    let serve = command.find_subcommand("serve").cloned();
    let settings: Vec<Arg> = serve.iter().flat_map(Command::get_arguments).cloned().collect();
    let mut page = BEGINNING.to_owned();
    page.push('\n');
    page.push_str(&head(&["Command", ""]));
    for sub in named(&command) {
        let name = sub.get_bin_name().unwrap_or_default();
        let link = format!("[`{name}`](#{})", super::markdown::anchor(name));
        page.push_str(&row(&[&link, &cell(&about(sub))]));
    }
    for sub in named(&command) {
        describe(sub, &settings, &mut page);
    }
    page
}

/// Its subcommands, without the help that clap adds.
fn named(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| sub.get_name() != "help")
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    about.map(ToString::to_string).unwrap_or_default()
}

/// `settings` are the server's.
fn describe(command: &Command, settings: &[Arg], page: &mut String) {
    let name = command.get_bin_name().unwrap_or_default();
    let about = prose(&about(command));
    page.push_str(&format!("\n## {name}\n\n{}.\n", about.trim_end_matches('.')));
    let usage = command.clone().render_usage().to_string();
    let usage = usage
        .trim_start_matches("Usage:")
        .trim()
        .replace("\n       ", "\n");
    page.push_str(&format!("\n```text\n{usage}\n```\n"));
    if name == "vinzy serve" {
        page.push_str("\nIts flags are all the settings: see [configuration](../configuration.md).\n");
    } else {
        arguments(command, settings, page);
    }
    if let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        page.push_str(&format!("\n```text\n{}\n```\n", wrapped(&after.to_string())));
    }
    for sub in named(command) {
        describe(sub, settings, page);
    }
}

/// A table of what is peculiar to the command, and the names of what it has in common with the server.
fn arguments(command: &Command, settings: &[Arg], page: &mut String) {
    let hidden = ["help", "version", "config"];
    let is_setting = |argument: &&Arg| {
        let same = |setting: &Arg| setting.get_env() == argument.get_env() && help(setting) == help(argument);
        argument.get_env().is_some() && settings.iter().any(same)
    };
    let shown = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set() && !hidden.contains(&argument.get_id().as_str()));
    let (common, own): (Vec<&Arg>, Vec<&Arg>) = shown.partition(is_setting);
    if !own.is_empty() {
        page.push('\n');
        page.push_str(&head(&["Argument", "Variable", "Default", ""]));
    }
    for argument in own {
        let variable = variable(argument).map_or_else(String::new, |name| format!("`{name}`"));
        page.push_str(&row(&[
            &spelling(argument),
            &variable,
            &default(argument),
            &cell(&help(argument)),
        ]));
    }
    if !common.is_empty() {
        let names: Vec<String> = common
            .iter()
            .filter_map(|argument| Some(format!("`--{}`", argument.get_long()?)))
            .collect();
        page.push_str(&format!(
            "\n[Settings](../configuration.md) that it shares with the server: {}.\n",
            names.join(", ")
        ));
    }
}

/// A text in lines that can be read without scrolling.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut lines = vec![];
    for line in text.trim_end().lines() {
        let mut short = String::new();
        for word in line.split_inclusive(' ') {
            if !short.is_empty() && short.chars().count() + word.trim_end().chars().count() > WIDTH {
                lines.push(short.trim_end().to_owned());
                short.clear();
            }
            short.push_str(word);
        }
        lines.push(short.trim_end().to_owned());
    }
    lines.join("\n")
}

/// How an argument is written.
fn spelling(argument: &Arg) -> String {
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let names = argument.get_value_names().unwrap_or_default();
    let value = names
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    let value = if value.is_empty() {
        argument.get_id().as_str().to_uppercase()
    } else {
        value
    };
    if argument.is_positional() {
        return format!("`{value}`");
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let mut text = [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
    if takes_value {
        text = format!("{text} {value}");
    }
    format!("`{}`", text.replace('|', "\\|"))
}

fn default(argument: &Arg) -> String {
    if !matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
        return String::new();
    }
    let values: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .filter(|value| !value.is_empty())
        .collect();
    match (values.is_empty(), argument.is_required_set()) {
        (false, _) => format!("`{}`", values.join(",")),
        (true, true) => "required".to_owned(),
        (true, false) => String::new(),
    }
}
