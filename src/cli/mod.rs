//! The command line: one binary, one file a subcommand. What stays true: the subcommands other than `serve`, `store` and `restore`
//! know the server only through its API, so they work against any server that can be reached.

mod backup;
mod bench;
mod contract;
mod dialect;
mod dialect_diff;
mod dialect_exchange;
mod error;
mod guard;
mod named;
mod openapi;
mod receive;
mod send;
mod server;
mod store;
mod trial;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use zeroize::Zeroizing;

use crate::clock::Dice;
use crate::config::{self, Config, ConfigError};
use crate::domain::secret::Secret;
use error::CliError;
use server::ServerArgs;

/// Runs what the command line says. `serve` is the server itself; it returns once the server has stopped. `document`
/// describes its API.
pub fn run<E: std::fmt::Display>(
    serve: impl FnOnce(Config) -> Result<(), E>,
    document: impl FnOnce() -> serde_json::Value,
) -> ExitCode {
    let cli = Cli::parse();
    let server = &cli.server;
    let configured = || configuration(cli.config, cli.dev).map_err(CliError::from);
    let done = match cli.command.unwrap_or(Command::Serve(ServeArgs::default())) {
        Command::Serve(args) => configured()
            .map(|config| args.over(config))
            .and_then(|config| serve(config).map_err(|error| CliError::Failed(error.to_string()))),
        Command::Send(args) => actix_rt::System::new().block_on(send::run(args, server)),
        Command::Verify(args) => configured().and_then(|config| verify::run(args, &config.deliver.dialects)),
        Command::Receive(args) => configured()
            .and_then(|config| actix_rt::System::new().block_on(receive::run(args, &config.deliver.dialects, server))),
        Command::Dialect(args) if args.judges() => {
            configured().and_then(|config| dialect::run(args, &config, server)).map_err(CliError::unless_verdict)
        }
        Command::Dialect(args) => configured().and_then(|config| dialect::run(args, &config, server)),
        Command::Guard(args) => {
            configured().and_then(|config| actix_rt::System::new().block_on(guard::run(args, &config)))
        }
        Command::Store(args) => configured().and_then(|config| store::run(args, &config)),
        Command::Backup(args) => actix_rt::System::new().block_on(backup::run(args, server)),
        Command::Restore(args) => configured().and_then(|config| backup::restore(&args, config)),
        Command::Bench(args) => actix_rt::System::new().block_on(bench::run(args, server)),
        Command::Openapi(args) => openapi::run(&args, document()),
        Command::MasterKey => {
            let mut random = Zeroizing::new([0; 32]);
            Dice::from_system().fill(&mut *random);
            println!("{}", Secret::master_key(&random).reveal());
            Ok(())
        }
        Command::Relay(args) => actix_rt::System::new().block_on(bench::serve_relay(args)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hookwheel: {error}");
            ExitCode::from(error.code())
        }
    }
}

fn configuration(path: Option<PathBuf>, dev: bool) -> Result<Config, ConfigError> {
    let mut config = config::load(path.as_deref())?;
    if dev {
        config.for_development();
    }
    Ok(config)
}

/// A webhook delivery server in one binary.
#[derive(Debug, Parser)]
#[command(name = "hookwheel", version, about, after_help = "Without a command, hookwheel serves.")]
struct Cli {
    /// The configuration file [default: config.toml in the working directory, if it is there]
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Allow http:// endpoints and endpoints on this machine
    #[arg(long, global = true)]
    dev: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What a start says beside the configuration.
#[derive(Debug, Default, Args)]
struct ServeArgs {
    /// The dialect of the account `default` from now on [default: deliver.default_dialect, else what it has]
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
}

impl ServeArgs {
    /// The configuration with what is said here.
    fn over(self, mut config: Config) -> Config {
        config.deliver.default_dialect = self.dialect.or(config.deliver.default_dialect);
        config
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(ServeArgs),
    /// Post events: one from arguments, or many from a file or standard input
    Send(send::SendArgs),
    /// Check the signature of a request that was saved
    Verify(verify::VerifyArgs),
    /// Receive requests, show them and check their signatures
    Receive(receive::ReceiveArgs),
    /// List, show, check, start and compare dialect files, write them as documents, and test receivers
    Dialect(dialect::DialectArgs),
    /// Say which addresses deliveries may go to, and why
    Guard(guard::GuardArgs),
    /// Mend a data directory while no server has it
    Store(store::StoreArgs),
    /// Take a backup of a running server's store, into a file
    ///
    /// The file holds everything as of one moment, while the server goes on: accounts, webhooks, events, deliveries, attempts. It
    /// does not hold master.key, config.toml or dialect files. To encrypt it: `hookwheel backup - | age -r RECIPIENT > FILE`.
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup, or check one with --check; no server need run
    ///
    /// The directory must be empty; a master.key may lie in it. Nothing is there unless the whole backup was read and every row
    /// is as it was.
    Restore(backup::RestoreArgs),
    /// Measure a server: producers and a receiver in one process
    Bench(bench::BenchArgs),
    /// Print the OpenAPI document of the API, as /openapi.json shows it
    Openapi(openapi::OpenapiArgs),
    /// Print a new master key
    MasterKey,
    /// What `bench --relay` measures
    #[command(hide = true)]
    Relay(bench::RelayArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["hookwheel"]).expect("serves").command.is_none());
        let cli = Cli::try_parse_from(["hookwheel", "serve", "--dev", "--config", "x.toml"]).expect("global options");
        assert_eq!((cli.dev, cli.config), (true, Some(PathBuf::from("x.toml"))));
        let dialect_of = |arguments: &[&str], configured: Option<&str>| {
            let cli = Cli::try_parse_from(arguments).expect("serves");
            let Some(Command::Serve(args)) = cli.command else { panic!("it serves") };
            let mut config = Config::default();
            config.deliver.default_dialect = configured.map(String::from);
            args.over(config).deliver.default_dialect
        };
        let named = &["hookwheel", "serve", "--dialect", "hub"];
        assert_eq!(dialect_of(named, Some("cathcr")).as_deref(), Some("hub"));
        assert_eq!(dialect_of(&["hookwheel", "serve"], Some("cathcr")).as_deref(), Some("cathcr"));
        for wrong in [
            &["hookwheel", "send"][..],
            &["hookwheel", "send", "a.b", "--ndjson", "x"],
            &["hookwheel", "send", "--ndjson", "x", "--data", "{}"],
            &["hookwheel", "bench", "--events", "1", "--seconds", "1"],
            &["hookwheel", "bench", "--bytes", "10"],
            &["hookwheel", "bench", "--relay", "--webhooks", "2"],
            &["hookwheel", "bench", "--backlog", "200"],
            &["hookwheel", "bench", "--row", "none"],
            &["hookwheel", "bench", "--neighbours", "--own"],
            &["hookwheel", "bench", "--seed", "1"],
        ] {
            assert!(Cli::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
