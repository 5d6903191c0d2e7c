//! `lockbox help`, and the reference of commands and settings in `docs/reference`.

use clap::{Arg, Args, Command};
use runtime::outcome::Failure;
use runtime::output::line;

/// Help to print.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  lockbox help settings\n  lockbox help request approve")]
pub struct Help {
    /// Words of a command, or `settings`.
    topic: Vec<String>,
}

impl Help {
    /// Prints the help.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an unknown command.
    pub fn run(&self, mut root: Command) -> Result<(), Failure> {
        root.build();
        if self.topic.first().is_some_and(|topic| topic == "settings") {
            return line(&settings_text(&root));
        }
        let mut command = &mut root;
        for word in &self.topic {
            command = command.find_subcommand_mut(word).ok_or_else(|| {
                Failure::Usage(format!("there is no command {:?}; see `lockbox help`", self.topic.join(" ")))
            })?;
        }
        Ok(command.print_long_help()?)
    }
}

/// Options of the root that help hides in every command: the settings.
fn settings(root: &Command) -> impl Iterator<Item = &Arg> {
    root.get_arguments().filter(|arg| arg.is_hide_set() && arg.get_env().is_some())
}

fn name(arg: &Arg) -> String {
    arg.get_long().map(|long| format!("--{long}")).unwrap_or_default()
}

fn environment(arg: &Arg) -> String {
    arg.get_env().map(|env| env.to_string_lossy().into_owned()).unwrap_or_default()
}

fn description(arg: &Arg) -> String {
    let text = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let text = text.trim_end_matches('.').to_owned();
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let is_flag = !arg.get_action().takes_values();
    let possible =
        if values.is_empty() || is_flag { String::new() } else { format!(" [values: {}]", values.join(", ")) };
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let default =
        if defaults.is_empty() || is_flag { String::new() } else { format!(" [default: {}]", defaults.join(", ")) };
    format!("{text}{possible}{default}")
}

/// The settings for a terminal.
fn settings_text(root: &Command) -> String {
    let mut text =
        "Settings of every command. An option overrides the environment, which overrides the file of --config \
                    (YAML, keys are the long names without the dashes).\n"
            .to_owned();
    for arg in settings(root) {
        text += &format!("\n  {}, {}\n      {}\n", name(arg), environment(arg), description(arg));
    }
    text
}

#[cfg(test)]
pub mod tests {
    use std::path::Path;

    use super::*;

    /// Heads of generated pages.
    const GENERATED: &str = "<!-- Generated. Print it again with `LOCKBOX_BLESS=1 cargo test --bin lockbox`. -->\n";

    fn cell(text: &str) -> String {
        text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
    }

    fn settings_page(root: &Command) -> String {
        let mut page = format!(
            "{GENERATED}\n# Settings\n\nFor operators: the settings that every command knows. An option overrides the \
             environment variable, which overrides the settings file (`--config`). The file is YAML; its keys are the long \
             names without the dashes. It can also hold the sections `targets` and `sign-in`.\n\n\
             | Option | Environment variable | Description |\n|---|---|---|\n"
        );
        for arg in settings(root) {
            page += &format!("| `{}` | `{}` | {} |\n", name(arg), environment(arg), cell(&description(arg)));
        }
        page
    }

    fn usage(command: &Command) -> String {
        let usage = command.clone().render_usage().to_string();
        usage.trim_start_matches("Usage: ").replace("\n       ", "\n")
    }

    fn section(command: &Command, path: &str, page: &mut String) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name());
            let about = sub.get_long_about().or_else(|| sub.get_about()).map(ToString::to_string).unwrap_or_default();
            *page += &format!("\n## {path}\n\n{about}\n");
            if sub.has_subcommands() {
                section(sub, &path, page);
                continue;
            }
            *page += &format!("\n```text\n{}\n```\n", usage(sub));
            let own: Vec<&Arg> = sub
                .get_arguments()
                .filter(|arg| !arg.is_hide_set() && !["help", "output", "json", "utc"].contains(&arg.get_id().as_str()))
                .collect();
            if !own.is_empty() {
                *page += "\n| Argument | Description |\n|---|---|\n";
            }
            for arg in own {
                let shown = if arg.is_positional() { format!("<{}>", arg.get_id()) } else { name(arg) };
                let env = arg.get_env().map(|_| format!(" [environment: {}]", environment(arg))).unwrap_or_default();
                *page += &format!("| `{shown}` | {}{env} |\n", cell(&description(arg)));
            }
            if let Some(example) = sub.get_after_help() {
                *page += &format!("\n```text\n{example}\n```\n");
            }
        }
    }

    fn commands_page(root: &Command) -> String {
        let mut page = format!(
            "{GENERATED}\n# Commands\n\nFor people and operators: the commands of `lockbox`. Every command also has \
             `-o table|json|csv`, `--json`, `--utc`, `--help` and the [settings](settings.md).\n"
        );
        section(root, "lockbox", &mut page);
        page
    }

    /// Compares the pages with the program, or prints them again.
    pub fn check_reference(root: &Command) {
        let mut root = root.clone();
        root.build();
        for (file, page) in [("commands.md", commands_page(&root)), ("settings.md", settings_page(&root))] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(file);
            if std::env::var_os("LOCKBOX_BLESS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &page).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(stored == page, "docs/reference/{file} differs; print it again with LOCKBOX_BLESS=1");
        }
    }

    #[test]
    fn the_settings_name_every_variable_of_the_environment() {
        let root = Command::new("lockbox")
            .arg(Arg::new("log").long("log").env("LOCKBOX_LOG").hide(true).help("Log filter."))
            .arg(Arg::new("all").long("all").help("All."));
        let text = settings_text(&root);
        assert!(text.contains("--log, LOCKBOX_LOG") && !text.contains("--all"), "{text}");
    }
}
