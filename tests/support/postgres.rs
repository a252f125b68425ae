//! A PostgreSQL of a test's own, on a free port of this machine, over a directory of its own. It is ended when dropped.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};

use hookwheel::clock::Stopwatch;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::{Certified, DEADLINE, say};

/// Whom it runs as where the test is root, as which it does not run: nobody.
const NOBODY: u32 = 65_534;
/// Its name for who may do everything.
const SUPERUSER: &str = "postgres";

/// A cluster, and the process over it while there is one.
pub struct Postgres {
    /// Where it listens.
    pub port: u16,
    programs: PathBuf,
    dir: tempfile::TempDir,
    running: Option<Child>,
    runtime: tokio::runtime::Runtime,
}

impl Postgres {
    /// Starts one; none where PostgreSQL is not installed, but never in CI.
    pub fn start(what_for: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "PostgreSQL is not installed: run scripts/test");
            say(&format!("SKIPPED: {what_for}; scripts/test installs PostgreSQL"));
            return None;
        };
        let is_new =
            ["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync", "-D"];
        Some(Self::over(programs, "initdb", &is_new))
    }

    /// Starts another one that follows this one. From then on each commit of this one waits for that.
    pub fn follow(&self) -> Self {
        let own = format!("host=127.0.0.1 port={} user={SUPERUSER} application_name=standby", self.port);
        let copied =
            ["--dbname", &own, "--wal-method", "stream", "--checkpoint", "fast", "--write-recovery-conf", "-D"];
        let standby = Self::over(self.programs.clone(), "pg_basebackup", &copied);
        self.ask("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        self.ask("postgres", "SELECT pg_reload_conf()");
        let watch = Stopwatch::start();
        while self.ask("postgres", "SELECT sync_state FROM pg_stat_replication") != ["sync"] {
            assert!(watch.elapsed() < DEADLINE, "it is not followed");
        }
        standby
    }

    /// It follows nobody any more, and can be written to.
    pub fn promote(&self) {
        assert_eq!(self.ask("postgres", "SELECT pg_promote()"), ["t"]);
    }

    /// One over a cluster that a program makes, which is told where at the end.
    fn over(programs: PathBuf, program: &str, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        if geteuid().is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("root may give it away");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut postgres = Self { port: free_port(), programs, dir, running: None, runtime };
        let made = postgres.command(program).args(arguments).arg(postgres.data()).stdout(Stdio::null()).status();
        assert!(made.expect("it can be started").success(), "{program} fails");
        // Somebody may have taken the port since it was free.
        while !postgres.is_begun() {
            postgres.port = free_port();
        }
        postgres
    }

    /// Starts the process over the cluster again, where it was.
    pub fn go_on(&mut self) {
        assert!(self.is_begun(), "somebody has taken its port");
    }

    /// Starts the process over the cluster, and waits until it takes connections; not if it ends before that.
    fn is_begun(&mut self) -> bool {
        let mut child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-k", "", "-p", &self.port.to_string()])
            // Nothing here outlives the machine; and lines are told as they are.
            .args([
                "-c",
                "fsync=off",
                "-c",
                "logging_collector=off",
                "-c",
                "log_destination=stderr",
                "-c",
                "lc_messages=C",
            ])
            .args(["-c", "max_connections=50", "-c", "shared_buffers=32MB"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("postgres can be started");
        let (tell, is_ready) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.contains("database system is ready to accept ") {
                    let _ = tell.send(());
                }
            }
        });
        self.running = Some(child);
        match is_ready.recv_timeout(DEADLINE) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => panic!("PostgreSQL is not ready in time"),
            Err(RecvTimeoutError::Disconnected) => {
                let _ = self.running.take().map(|mut ended| ended.wait());
                false
            }
        }
    }

    /// From now on it speaks TLS with this certificate, and lets this user in by that alone, with a password.
    pub fn guard(&mut self, certified: &Certified, user: &str) {
        let file = |name: &str, text: &str| {
            let path = self.data().join(name);
            std::fs::write(&path, text).expect("a file");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
            if geteuid().is_root() {
                chown(&path, Some(NOBODY), Some(NOBODY)).expect("root may give it away");
            }
        };
        file("server.crt", &certified.certificate);
        file("server.key", &certified.key);
        file(
            "pg_hba.conf",
            &format!("hostssl all {user} 127.0.0.1/32 scram-sha-256\nhost all {SUPERUSER} 127.0.0.1/32 trust\n"),
        );
        self.ask("postgres", "ALTER SYSTEM SET ssl = on");
        self.crash();
        self.go_on();
    }

    /// Ends it at once, as a crash does; its cluster stays.
    pub fn crash(&mut self) {
        self.end(Signal::QUIT);
    }

    /// Holds it with all that it has begun, or lets it go on: whoever is connected waits meanwhile.
    pub fn signal_all(&self, signal: Signal) {
        let Some(child) = &self.running else { return };
        let own = child.id();
        let begun = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).expect("it runs");
        // Who serves a connection is gone with it.
        begun.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).for_each(|pid| {
            let _ = kill_process(pid, signal);
        });
        kill_process(Pid::from_child(child), signal).expect("it runs");
    }

    fn end(&mut self, signal: Signal) {
        if self.running.is_some() {
            // Who is held hears nothing.
            self.signal_all(Signal::CONT);
        }
        let Some(mut child) = self.running.take() else { return };
        let _ = kill_process(Pid::from_child(&child), signal);
        let _ = child.wait();
    }

    /// The URL of a new and empty database in it.
    pub fn database(&self, name: &str) -> String {
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name, SUPERUSER)
    }

    /// The URL of a database for a user.
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// What a database answers as who may do everything: the columns of each row with blanks between them.
    pub fn ask(&self, database: &str, sql: &str) -> Vec<String> {
        let url = self.url(database, SUPERUSER);
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("it takes connections");
            let connected = tokio::spawn(connection);
            let told = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            drop(client);
            let _ = connected.await;
            told.iter().filter_map(row).collect()
        })
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.dir.path()).env("LC_ALL", "C").stdin(Stdio::null());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end(Signal::QUIT);
    }
}

fn row(message: &SimpleQueryMessage) -> Option<String> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    let columns = (0..row.len()).map(|n| row.get(n).unwrap_or_default());
    Some(columns.collect::<Vec<_>>().join(" "))
}

/// Where Debian puts them, of the newest that is there.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let with_server = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("postgres").exists());
    let number = |bin: &PathBuf| bin.parent().and_then(Path::file_name).and_then(|of| of.to_str()?.parse::<u32>().ok());
    with_server.max_by_key(number)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
