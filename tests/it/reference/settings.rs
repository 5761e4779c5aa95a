//! The tables of settings in docs/configuration.md, out of the flags of `vinzy serve`.

use clap::{Arg, ArgAction, Command};

use super::markdown::{cell, head, row};

/// Settings that development generates when they are missing.
const GENERATED: [&str; 5] = [
    "VINZY_SECRET_KEY",
    "VINZY_HMAC_KEY",
    "VINZY_SIGNING_KEY",
    "VINZY_API_KEY",
    "VINZY_SUPER_ADMIN_KEY",
];

/// A table for each heading of the command's help.
pub(super) fn tables(command: &Command) -> String {
    let serve = command
        .find_subcommand("serve")
        .expect("the server is one of the commands");
    let mut tables: Vec<(&str, String)> = vec![];
    for argument in serve.get_arguments() {
        let Some(variable) = variable(argument) else {
            continue;
        };
        let heading = argument
            .get_help_heading()
            .expect("each setting stands below a heading");
        let help = help(argument);
        let row = row(&[
            &format!("`{variable}`"),
            &default(argument, &variable),
            &cell(&help),
        ]);
        match tables.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, rows)) => rows.push_str(&row),
            None => tables.push((heading, row)),
        }
    }
    let tables = tables
        .iter()
        .map(|(heading, rows)| format!("\n### {heading}\n\n{}{rows}", head(&["Variable", "Default", ""])));
    tables.collect::<String>() + "\n"
}

/// The variable that an argument can come from.
pub(super) fn variable(argument: &Arg) -> Option<String> {
    Some(argument.get_env()?.to_string_lossy().into_owned())
}

/// What an argument is for, and what it can be if that is one of a few.
pub(super) fn help(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
    let kinds = argument.get_value_names().unwrap_or_default();
    if !takes_value || kinds.iter().any(|kind| kind == "BOOL") {
        return help;
    }
    let values = argument.get_possible_values();
    let choices = values.iter().filter(|value| !value.is_hide_set()).map(|value| {
        let meaning = value.get_help().map(ToString::to_string).unwrap_or_default();
        let meaning = meaning.trim_end_matches('.');
        if meaning.is_empty() {
            format!("`{}`", value.get_name())
        } else {
            format!("`{}` ({meaning})", value.get_name())
        }
    });
    let choices = choices.collect::<Vec<_>>().join(", ");
    if choices.is_empty() {
        help
    } else {
        format!("{help}: {choices}")
    }
}

fn default(argument: &Arg, variable: &str) -> String {
    let values: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy())
        .filter(|value| !value.is_empty())
        .collect();
    if GENERATED.contains(&variable) {
        "generated".to_owned()
    } else if values.is_empty() {
        "empty".to_owned()
    } else {
        format!("`{}`", values.join(","))
    }
}
