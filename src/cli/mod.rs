//! The command line: one binary, one file a subcommand. What stays true: the subcommands other than `serve`, `store`, `restore` and
//! `backup --offline` know the server only through its API, so they work against any server that can be reached.

mod again;
mod backup;
mod bench;
mod completions;
mod config;
mod contract;
mod dialect;
mod dialect_diff;
mod dialect_exchange;
mod doctor;
mod error;
mod groups;
mod guard;
mod health;
mod listen;
mod login;
mod man;
mod mock;
mod moving;
mod named;
mod openapi;
mod plan;
mod receive;
mod replay;
mod send;
mod server;
mod shown;
mod started;
mod stats;
mod status;
mod store;
mod tail;
mod terminal;
mod tools;
mod top;
mod trial;
mod verify;
mod version;
mod wanted;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use zeroize::Zeroizing;

use crate::clock::Dice;
use crate::config::{Config, ConfigError, load};
use crate::domain::secret::Secret;
use error::CliError;
use server::{ServerArgs, ServerFlags};

/// Runs what the command line says. `serve` is the server itself; it returns once the server has stopped. `document`
/// describes its API.
pub fn run<E: std::fmt::Display>(
    serve: impl FnOnce(Config) -> Result<(), E>,
    document: impl FnOnce() -> serde_json::Value,
) -> ExitCode {
    let read = groups::told(Cli::command()).try_get_matches().and_then(|said| Cli::from_arg_matches(&said));
    let cli = match read {
        Ok(cli) => cli,
        Err(told) => return told_by_reader(&told),
    };
    let (flags, server) = (&cli.server, || cli.server.server());
    let configured = || configuration(cli.config, cli.dev).map_err(CliError::from);
    let done = match cli.command.unwrap_or(Command::Serve(ServeArgs::default())) {
        Command::Serve(args) if args.check => {
            configured().map(|config| args.over(config)).and_then(|config| plan::run(&config))
        }
        Command::Serve(args) => configured()
            .map(|config| args.over(config))
            .and_then(|config| serve(config).map_err(|error| CliError::Failed(error.to_string()))),
        Command::Send(args) => with_server(server(), async |server| send::run(args, &server).await),
        Command::Verify(args) => configured().and_then(|config| verify::run(args, &config.deliver.dialects)),
        Command::Receive(args) => configured().and_then(|config| {
            with_server(server(), async |server| receive::run(args, &config.deliver.dialects, &server).await)
        }),
        Command::Listen(args) => {
            let dev = cli.dev;
            configured().and_then(|config| {
                let dialects = &config.deliver.dialects;
                with_server(server(), async |server| listen::run(args, dialects, &server, dev).await)
            })
        }
        Command::Dialect(args) if args.judges() => {
            configured().and_then(|config| dialect::run(args, &config, &server()?)).map_err(CliError::unless_verdict)
        }
        Command::Dialect(args) => configured().and_then(|config| dialect::run(args, &config, &server()?)),
        Command::Mock(args) => {
            configured().and_then(|config| actix_rt::System::new().block_on(mock::run(args, &config)))
        }
        Command::Guard(args) if flags.is_said() => {
            with_server(server(), async |server| guard::ask(args, &server).await)
        }
        Command::Guard(args) => {
            configured().and_then(|config| actix_rt::System::new().block_on(guard::run(args, &config)))
        }
        Command::Doctor(args) => configured()
            .and_then(|config| actix_rt::System::new().block_on(doctor::run(args, &config, flags)))
            .map_err(CliError::unless_verdict),
        Command::Version(args) => version::run(&args),
        Command::Config(args) => config::run(args, configured),
        Command::Store(args) => configured().and_then(|config| store::run(args, &config)),
        Command::Bench(args) => with_server(server(), async |server| bench::run(args, &server).await),
        Command::Backup(backup::BackupArgs { new_identity: Some(file), .. }) => backup::new_identity(&file),
        Command::Backup(args) if args.offline => configured()
            .and_then(|config| actix_rt::System::new().block_on(backup::run(args, backup::Of::Stopped(&config)))),
        Command::Backup(args) => {
            with_server(server(), async |server| backup::run(args, backup::Of::Running(&server)).await)
        }
        Command::Restore(args) => configured().and_then(|config| backup::restore(&args, config)),
        Command::Export(args) => with_server(server(), async |server| moving::export(args, &server).await),
        Command::Import(args) => with_server(server(), async |server| moving::import(args, &server).await),
        Command::Openapi(args) => openapi::run(&args, document()),
        Command::Login => actix_rt::System::new().block_on(login::login(flags)),
        Command::Logout(args) => login::logout(&args, flags),
        Command::Tool(args) => with_server(server(), async |server| tools::run(args, &server).await),
        Command::Tail(args) => with_server(server(), async |server| tail::run(args, &server).await),
        Command::Replay(args) => with_server(server(), async |server| replay::run(args, &server).await),
        Command::Stats(args) => with_server(server(), async |server| stats::run(args, &server).await),
        Command::Top(args) => with_server(server(), async |server| top::run(args, &server).await),
        Command::Status(args) => with_server(server(), async |server| status::run(args, &server).await),
        Command::Health(args) => with_server(server(), async |server| health::run(args, &server).await),
        Command::MasterKey => {
            let mut random = Zeroizing::new([0; 32]);
            Dice::from_system().fill(&mut *random);
            terminal::print(&format!("{}\n", Secret::master_key(&random).reveal()))
        }
        Command::Schema => terminal::print(crate::SCHEMA),
        Command::Man(args) => man::run(&args, Cli::command()),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Relay(args) => actix_rt::System::new().block_on(bench::serve_relay(args)),
    };
    done.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

/// Says why, unless it is only that nobody reads on; the exit code says it too.
fn failed(error: &CliError) -> ExitCode {
    if error.is_nobody_reading() {
        return ExitCode::SUCCESS;
    }
    terminal::note(format_args!("hookwheel: {error}"));
    ExitCode::from(error.code())
}

/// What the reader of the command line says instead of a command: a help, the version, or what is wrong.
fn told_by_reader(told: &clap::Error) -> ExitCode {
    match told.print() {
        Err(error) if !told.use_stderr() => failed(&CliError::io("standard output")(error)),
        _ => ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2)),
    }
}

/// Does something with the server that is meant.
fn with_server(
    server: Result<ServerArgs, CliError>,
    act: impl AsyncFnOnce(ServerArgs) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let server = server?;
    actix_rt::System::new().block_on(act(server))
}

fn configuration(path: Option<PathBuf>, dev: bool) -> Result<Config, ConfigError> {
    let mut config = load(path.as_deref())?;
    if dev {
        config.for_development();
    }
    Ok(config)
}

/// A webhook delivery server in one binary.
#[derive(Debug, Parser)]
#[command(name = "hookwheel", version, about, after_help = groups::AFTER)]
struct Cli {
    /// The configuration file [default: config.toml in the working directory, if it is there]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Allow http:// endpoints and endpoints on this machine
    #[arg(long, global = true, help_heading = "Global options")]
    dev: bool,
    #[command(flatten)]
    server: ServerFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What a start says beside the configuration.
#[derive(Debug, Default, Args)]
struct ServeArgs {
    /// The dialect of the account `default` from now on [default: deliver.default_dialect, else what it has]
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// Go on in the place of the server that runs over the same data directory, on its socket, so that nobody is refused; start
    /// as usual if there is none
    #[arg(long)]
    take_over: bool,
    /// Say what a start would find and do: configuration, dialects, keys, the store's format. Nothing is changed
    #[arg(long)]
    check: bool,
}

impl ServeArgs {
    /// The configuration with what is said here.
    fn over(self, mut config: Config) -> Config {
        config.is_dialect_said = self.dialect.is_some();
        config.deliver.default_dialect = self.dialect.or(config.deliver.default_dialect);
        config.takes_over = self.take_over;
        config
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(ServeArgs),
    /// Post events: one from arguments, or many from a file or standard input
    Send(send::SendArgs),
    /// Check the signature of a request that was saved (a backup: `restore FILE --check`)
    Verify(verify::VerifyArgs),
    /// Receive requests, show them and check their signatures
    Receive(receive::ReceiveArgs),
    /// Have events delivered to this machine, whatever stands between: no tunnel
    Listen(listen::ListenArgs),
    /// List, show, check, start and compare dialect files, write them as documents, and test receivers
    Dialect(dialect::DialectArgs),
    /// Play a product: send its documented events to a receiver, with what goes wrong on their way
    Mock(mock::MockArgs),
    /// Say which addresses deliveries may go to, and why
    Guard(guard::GuardArgs),
    /// Say what is wrong with a store, the machine and the configuration, and what to do
    ///
    /// Ends with 0 where nothing is wrong, with 1 where something is, and with 2 where it could not look. A store that no server
    /// has is looked through row by row, each index against its records; a server that has it is asked (--url, --key).
    Doctor(doctor::DoctorArgs),
    /// Say what this build is: version, commit, features, format of the store
    Version(version::VersionArgs),
    /// Check, show, explain and begin a configuration
    Config(config::ConfigArgs),
    /// Mend a data directory while no server has it
    Store(store::StoreArgs),
    /// Take a backup of a store, into a file: of a running server's, or with --offline of one that no server has
    ///
    /// The file holds everything as of one moment, while the server goes on: accounts, webhooks, events, deliveries, attempts. It
    /// does not hold master.key, config.toml or dialect files. Payloads are readable in it unless it is encrypted (--encrypt-to).
    /// Ends with 1 where it is made and something is wrong with the store, which it says; older ones then stay, whatever --keep says.
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup, or check one with --check; no server need run
    ///
    /// The directory must be empty; a master.key may lie in it. Nothing is there unless the whole backup was read and every row
    /// is as it was. Ids that the old server may have given afterwards are not given again.
    Restore(backup::RestoreArgs),
    /// Export accounts, webhooks, dialects and events of a running server as NDJSON
    ///
    /// A JSON object a line, each with its kind. It is for moving from server to server, in whole or in part; a copy of all that a
    /// server has, history included, is a backup. Secrets are in it only with --secrets.
    Export(moving::ExportArgs),
    /// Import an export, or what Svix or Convoy have, into a running server
    ///
    /// What is there is changed where it differs, and an import that is made again makes nothing twice. It says of each line what
    /// became of it, goes on behind one that is refused, and names at the end what is not carried over. Ends with 0 where all is
    /// there, with 1 where something was refused or has to be completed, with 3 where the server cannot be reached.
    Import(moving::ImportArgs),
    /// Measure a server: producers and a receiver in one process
    Bench(bench::BenchArgs),
    /// Print the OpenAPI document of the API, as /openapi.json shows it
    Openapi(openapi::OpenapiArgs),
    /// Keep the address and the key of a server in a profile, so that no other command needs them
    ///
    /// Asks for the key unseen, or reads it from standard input, and keeps it only if the server takes it. The file is the
    /// owner's alone: profiles.toml in $XDG_CONFIG_HOME/hookwheel, else in ~/.config/hookwheel. --profile names the profile.
    Login,
    /// Forget a profile
    Logout(login::LogoutArgs),
    #[command(flatten)]
    Tool(tools::ToolArgs),
    /// Follow what happens, a line each
    Tail(tail::TailArgs),
    /// Deliver again: a delivery, an event, or what a webhook was sent
    Replay(replay::ReplayArgs),
    /// Show what events and deliveries came to, in small charts
    Stats(stats::StatsArgs),
    /// Show whether all is well, on one screen
    Status(status::StatusArgs),
    /// Watch whether all is well: `status`, live
    Top(top::TopArgs),
    /// Ask a server whether it takes events and delivers them; ends with 0 if it does, 1 if not, 3 if it cannot be reached
    Health(health::HealthArgs),
    /// Print a new master key
    MasterKey,
    /// Print the tables that a database needs which keeps the store (`store.url`), in SQL: for who makes them by hand
    Schema,
    /// Write the manual pages
    #[command(hide = true)]
    Man(man::ManArgs),
    /// Print what a shell completes the command line with
    #[command(hide = true)]
    Completions(completions::CompletionsArgs),
    /// What `bench --relay` measures
    #[command(hide = true)]
    Relay(bench::RelayArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        groups::told(Cli::command()).debug_assert();
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
            &["hookwheel", "replay"],
            &["hookwheel", "replay", "d1", "--event", "e1"],
            &["hookwheel", "replay", "--event", "e1", "--state", "dead"],
            &["hookwheel", "webhooks"],
            &["hookwheel", "webhooks", "list", "--all", "--limit", "3"],
            &["hookwheel", "keys", "delete"],
        ] {
            assert!(Cli::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
