//! A noun and a verb as they were said, read from the command line of the table.

use clap::{ArgMatches, Command, FromArgMatches, Subcommand};

use super::command;
use super::nouns::NOUNS;
use super::table::{Noun, Verb};

/// A noun and a verb, with what was said to them.
#[derive(Debug)]
pub struct ToolArgs {
    /// The noun.
    pub noun: &'static Noun,
    /// What is done with it.
    pub verb: &'static Verb,
    /// What was said to it.
    pub given: ArgMatches,
}

impl FromArgMatches for ToolArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, below) = matches.subcommand().ok_or_else(missing)?;
        let (verb, given) = below.subcommand().ok_or_else(missing)?;
        let noun = NOUNS.iter().find(|noun| noun.name == name).ok_or_else(missing)?;
        let verb = noun.verbs.iter().find(|one| one.name == verb).ok_or_else(missing)?;
        Ok(Self { noun, verb, given: given.clone() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for ToolArgs {
    fn augment_subcommands(command: Command) -> Command {
        command.subcommands(NOUNS.iter().map(|noun| command::noun(noun)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        NOUNS.iter().any(|noun| noun.name == name)
    }
}
