//! `hookwheel config`: whether a configuration is right, what of it is in force and from where, and what each key is for. What
//! stays true: no server need run, no secret is shown, and no file is written over.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::error::CliError;
use super::terminal::print;
use crate::config::{Config, DEFAULT_FILE, Documented, commented, documented, is_live, nearest, variable};

/// The arguments of `hookwheel config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the file, the environment and the files that they name are right
    ///
    /// Reads dialects, certificate, keys and authorities too, tells all mistakes at once and changes nothing. Ends with 0 if a
    /// server would take all of it, else with 1.
    #[command(
        after_help = "Example: hookwheel config check --config /etc/hookwheel/config.toml && systemctl reload hookwheel"
    )]
    Check,
    /// Show each setting in force, and where it was set
    ///
    /// Secrets are only "set".
    #[command(after_help = "Example: hookwheel config show --changed")]
    Show {
        /// Only what is not as it is by default
        #[arg(long)]
        changed: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what a key is for, what it may be, its default and its name in the environment
    #[command(after_help = "Examples:\n  hookwheel config explain server.listen\n  hookwheel config explain retention")]
    Explain {
        /// The key, a section, or a variable of the environment
        key: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a file to begin with: every key with what it is for, behind a `#`
    Init {
        /// Where; nothing may be there
        #[arg(value_name = "PATH", default_value = DEFAULT_FILE)]
        path: PathBuf,
    },
}

/// Does what is asked for; `configured` reads the configuration.
pub fn run<E: Into<CliError>>(
    args: ConfigArgs,
    configured: impl FnOnce() -> Result<Config, E>,
) -> Result<(), CliError> {
    match args.command {
        ConfigCommand::Check => configured().map_err(Into::into).and_then(|config| check(&config)),
        ConfigCommand::Show { changed, json } => {
            let config = configured().map_err(Into::into)?;
            let rows = shown(&config, changed);
            print(&if json { pretty(&rows) } else { rows.iter().map(line).collect() })
        }
        ConfigCommand::Explain { key, json } => {
            let found = found(&key)?;
            let rows: Vec<Value> = found.iter().map(explained).collect();
            print(&if json { pretty(&rows) } else { found.iter().map(in_words).collect::<Vec<_>>().join("\n") })
        }
        ConfigCommand::Init { path } => init(&path),
    }
}

fn check(config: &Config) -> Result<(), CliError> {
    let mistakes = crate::checked::mistakes(config);
    if !mistakes.is_empty() {
        return Err(CliError::Failed(mistakes.join("\n")));
    }
    let file = config.read_from.as_ref().map_or("no file".into(), |path| path.display().to_string());
    print(&format!("{file}: a server takes it; {} settings are set\n", config.set_in.len()))
}

/// Each knob with where it comes from.
fn shown(config: &Config, only_changed: bool) -> Vec<Value> {
    let knobs = config.knobs().into_iter().filter(|(_, value, default)| !only_changed || value != default);
    let row = |(name, value, default): (&str, Value, Value)| {
        let usual = if value == default { "default" } else { "--dev" };
        let from = config.set_in.get(name).map_or(usual, String::as_str);
        let applied = if is_live(name) { "reload" } else { "restart" };
        json!({"name": name, "value": value, "default": default, "from": from, "applied_by": applied})
    };
    knobs.map(row).collect()
}

fn line(row: &Value) -> String {
    let text = |field: &str| row[field].as_str().unwrap_or_default();
    let value = if row["value"].is_null() { "(not set)".into() } else { row["value"].to_string() };
    format!("{} = {value}  # {}\n", text("name"), text("from"))
}

/// The key, or those of the section.
fn found(key: &str) -> Result<Vec<Documented>, CliError> {
    let (all, key) = (documented(), key.trim());
    let is_it = |one: &Documented| one.name == key || variable(&one.name) == key;
    let is_in_it = |one: &Documented| one.name.split_once('.').is_some_and(|(section, _)| section == key);
    let found: Vec<Documented> = all.into_iter().filter(|one| is_it(one) || is_in_it(one)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let meant = key.strip_prefix("HOOKWHEEL__").map(|rest| rest.to_lowercase().replace("__", "."));
    let meant = nearest(meant.as_deref().unwrap_or(key));
    Err(CliError::Failed(format!("there is no key `{key}`; did you mean `{meant}`?")))
}

/// The unit that a key's name says.
fn unit(key: &str) -> Option<&'static str> {
    let name = key.split('.').next_back().unwrap_or_default();
    let units = ["bytes", "seconds", "days", "hours"];
    if key == "limits.timeout" {
        return Some("seconds");
    }
    // "events_per_second" and their like are numbers.
    units.into_iter().find(|unit| name.split('_').any(|word| word == *unit))
}

fn explained(key: &Documented) -> Value {
    json!({
        "name": key.name,
        "meaning": key.meaning,
        "takes": key.takes,
        "unit": unit(&key.name),
        "default": key.default,
        "variable": variable(&key.name),
        "applied_by": if key.is_live { "reload" } else { "restart" },
    })
}

fn in_words(key: &Documented) -> String {
    let unit = unit(&key.name).map_or(String::new(), |unit| format!("  unit:         {unit}\n"));
    let applied = if key.is_live { "SIGHUP, while the server runs" } else { "a restart" };
    format!(
        "{}\n  {}\n  takes:        {}\n{unit}  default:      {}\n  environment:  {}\n  applied by:   {applied}\n",
        key.name,
        key.meaning,
        key.takes,
        key.default.as_deref().unwrap_or("not set"),
        variable(&key.name),
    )
}

/// Secrets may be put in it, so nobody else reads it.
fn init(path: &PathBuf) -> Result<(), CliError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                CliError::Failed(format!("{path} is there already, and is not written over"))
            }
            _ => CliError::Io(path.to_string(), error),
        }
    })?;
    file.write_all(commented().as_bytes()).map_err(CliError::io(path.display().to_string()))?;
    print(&format!("{} is written: every key is in it, behind a #\n", path.display()))
}

fn pretty(rows: &[Value]) -> String {
    format!("{:#}\n", Value::from(rows.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_explained_by_its_name_and_by_its_variable() {
        for (name, ..) in Config::default().knobs() {
            for asked in [name.to_owned(), variable(name), format!(" {name} ")] {
                let found = found(&asked).unwrap_or_else(|error| panic!("{asked}: {error}"));
                let [one] = &found[..] else { panic!("{asked}: {} are found", found.len()) };
                assert_eq!(one.name, name);
                let told = in_words(one);
                assert!(
                    told.starts_with(&format!("{name}\n  {}\n", one.meaning)) && told.contains(&variable(name)),
                    "{told}"
                );
                let row = explained(one);
                assert!(
                    !one.meaning.is_empty() && row["takes"] == one.takes && row["variable"] == variable(name),
                    "{row}"
                );
            }
            let section = name.split_once('.').expect("a section").0;
            assert!(found(section).is_ok_and(|all| all.iter().any(|one| one.name == name)), "{section} has {name}");
            let lost = found(&format!("{name}x")).err().map(|error| error.to_string());
            assert!(lost.is_some_and(|why| why.contains("did you mean `")), "{name}");
        }
    }
}
