//! Processes of the binary under test: the server, and any other subcommand.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::DEADLINE;
use super::http::Client;

/// The admin key of every server here.
pub const KEY: &str = "an-admin-key-of-the-tests";

/// A running process of the binary, whose output is read line by line. It is killed when dropped.
pub struct Running {
    /// The process.
    pub child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All of its lines, of both outputs.
    pub output: String,
}

impl Running {
    /// Starts the binary with `arguments` in the directory `dir`. Nothing of the test's own environment that the binary
    /// would read gets through.
    pub fn start(dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
        Self::start_by(command, Stdio::null(), dir, arguments, env)
    }

    /// The same by a command that starts the binary, or by that of another program.
    pub fn start_by(mut command: Command, input: Stdio, dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HOOKWHEEL") {
                command.env_remove(name);
            }
        }
        // Nor do the profiles of whoever runs the tests.
        command.env("XDG_CONFIG_HOME", dir);
        command.args(arguments).current_dir(dir).envs(env.iter().copied());
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let (tell, lines) = mpsc::channel();
        read_lines(child.stdout.take().expect("it is piped"), tell.clone());
        read_lines(child.stderr.take().expect("it is piped"), tell);
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line of either output that holds `part`.
    #[track_caller]
    pub fn line(&mut self, part: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
            let last = self.seen.last().expect("just pushed");
            if last.contains(part) {
                return last.clone();
            }
        }
        panic!("no line with {part:?} came in time:\n{}", self.seen.join("\n"));
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                // Both outputs are closed: it has ended, or does so now.
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.seen.join("\n")),
            }
        }
        let status = self.child.wait().expect("it can be waited for");
        Ended { status, output: self.seen.join("\n") }
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub fn kill(mut self) {
        self.kill_now();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Kills it at once (SIGKILL) and waits until it is gone; what it said stays.
    pub fn kill_now(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_now();
        if std::thread::panicking() {
            let rest: Vec<String> = self.lines.try_iter().collect();
            eprintln!("what the process said:\n{}\n{}", self.seen.join("\n"), rest.join("\n"));
        }
    }
}

fn read_lines(from: impl Read + Send + 'static, tell: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Goes on reading when nobody listens any more, so that the process never waits for a reader.
            let _ = tell.send(line);
        }
    });
}

/// A running server, which takes endpoints on this machine. It is killed when dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its admin key.
    pub key: &'static str,
    /// The process.
    pub process: Running,
}

impl Server {
    /// Starts it over `dir`/data, on a free port, and waits until it can be used. `env` goes over what is set here.
    pub fn start(dir: &Path, env: &[(&str, &str)]) -> Self {
        Self::of(Self::start_process(dir, env))
    }

    /// The same without what `--dev` allows.
    pub fn start_strict(dir: &Path, env: &[(&str, &str)]) -> Self {
        Self::of(Self::run(dir, &["serve"], env))
    }

    /// The same by these arguments.
    pub fn start_by_arguments(dir: &Path, arguments: &[&str]) -> Self {
        Self::of(Self::run(dir, arguments, &[]))
    }

    /// A process that becomes one, once it can be used.
    pub fn of(mut process: Running) -> Self {
        let line = process.line(" listens on http");
        // In a line of JSON something comes behind it.
        let is_of_address = |c: char| c.is_ascii_hexdigit() || "[]:.".contains(c);
        let text = line.rsplit("://").next().unwrap_or_default();
        let address = text.split(|c| !is_of_address(c)).next().and_then(|text| text.parse().ok());
        Self { address: address.expect("an address"), key: KEY, process }
    }

    /// The same without waiting for it: for a start that is to fail.
    pub fn start_process(dir: &Path, env: &[(&str, &str)]) -> Running {
        Self::run(dir, &["serve", "--dev"], env)
    }

    /// The same for a process that may open so many files.
    pub fn start_limited(dir: &Path, open_files: usize, env: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {open_files} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_hookwheel")]);
        Self::of(Self::run_by(shell, Stdio::null(), dir, &["serve", "--dev"], env))
    }

    /// The same on a socket that is given to it as systemd does. Whoever holds `listener` keeps it.
    pub fn start_given(dir: &Path, listener: &TcpListener, env: &[(&str, &str)]) -> Self {
        Self::of(Self::start_process_given(dir, listener, env))
    }

    /// The same without waiting for it.
    pub fn start_process_given(dir: &Path, listener: &TcpListener, env: &[(&str, &str)]) -> Running {
        let mut shell = Command::new("sh");
        let given = r#"exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;
        shell.args(["-c", given, env!("CARGO_BIN_EXE_hookwheel")]);
        let socket: OwnedFd = listener.as_fd().try_clone_to_owned().expect("a socket");
        Self::run_by(shell, socket.into(), dir, &["serve", "--dev"], env)
    }

    /// The same in the place of the one that runs over `dir`.
    pub fn take_over(dir: &Path, env: &[(&str, &str)]) -> Self {
        Self::of(Self::start_taking_over(dir, env))
    }

    /// The same without waiting for it.
    pub fn start_taking_over(dir: &Path, env: &[(&str, &str)]) -> Running {
        Self::run(dir, &["serve", "--dev", "--take-over"], env)
    }

    /// Starts the binary as a server over `dir` by these arguments, without waiting for it.
    pub fn run(dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        Self::run_by(Command::new(env!("CARGO_BIN_EXE_hookwheel")), Stdio::null(), dir, arguments, env)
    }

    fn run_by(command: Command, input: Stdio, dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Running {
        let data = Self::data(dir);
        let base = [
            ("HOOKWHEEL__SERVER__LISTEN", "127.0.0.1:0"),
            ("HOOKWHEEL__STORE__PATH", data.to_str().expect("a plain path")),
            ("HOOKWHEEL__AUTH__ADMIN_KEY", KEY),
            ("HOOKWHEEL__LOG__LEVEL", "warn"),
            // Tests read it.
            ("HOOKWHEEL__LOG__FORMAT", "text"),
            // Tests ask again and again until something has happened.
            ("HOOKWHEEL__SERVER__CALLS_PER_MINUTE", "10000000"),
        ];
        Running::start_by(command, input, dir, arguments, &[&base, env].concat())
    }

    /// The data directory of a server over `dir`.
    pub fn data(dir: &Path) -> PathBuf {
        dir.join("data")
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A client with the admin key.
    pub fn client(&self) -> Client {
        Client::new(self.address, self.key)
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn terminate(self) -> ExitStatus {
        self.process.terminate().status
    }
}
