//! How the server behaves where something about it is amiss: nobody reads what it prints, it is started twice, or what it needs
//! is not there. What stays true: it goes on where it can, and where it cannot each message names the place and the remedy.

mod support;

use std::fs::{self, Permissions};
use std::io::{PipeReader, PipeWriter, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hookwheel::clock::Stopwatch;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::process::KEY;
use support::{Client, DEADLINE, Running, Server};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Starts a server that is to fail and gives what it says.
fn refused(dir: &Path, env: &[(&str, &str)]) -> String {
    let ended = Server::start_process(dir, env).end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    ended.output
}

/// A server of whose outputs something is amiss. It is killed when dropped.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the server there takes an event.
fn takes_an_event(port: u16) -> bool {
    let (watch, address) = (Stopwatch::start(), ([127, 0, 0, 1], port).into());
    while watch.elapsed() < DEADLINE {
        let event = json!({"type": "task.created", "data": {}}).to_string();
        let mut client = Client::new(address, KEY);
        if client.try_request("POST", "/api/v1/events", event.as_bytes()).is_ok_and(|reply| reply.status == 202) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

#[test]
fn outputs_that_nobody_reads_end_no_server() {
    for format in ["text", "json"] {
        for outputs in [">&-", ">/dev/full", "2>&-", ">&- 2>&-", ">/dev/full 2>/dev/full"] {
            let (dir, port) = (folder(), free_port());
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("exec \"$0\" serve --dev {outputs}"), env!("CARGO_BIN_EXE_hookwheel")]);
            let listen = format!("127.0.0.1:{port}");
            shell.env("HOOKWHEEL__SERVER__LISTEN", listen).env("HOOKWHEEL__AUTH__ADMIN_KEY", KEY);
            shell.env("HOOKWHEEL__STORE__PATH", Server::data(dir.path())).env("HOOKWHEEL__LOG__FORMAT", format);
            shell.env("HOOKWHEEL__LOG__ACCESS", "on").current_dir(dir.path());
            let shell = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut server = Ours(shell.spawn().expect("a shell"));
            assert!(takes_an_event(port), "{format} {outputs}");
            assert!(server.0.try_wait().expect("it is ours").is_none(), "{format} {outputs}: it goes on");
        }
    }
}

/// A pipe that takes nothing more, and whose other end is there and does not read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("it has flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("it has flags");
    while writer.write(&[b'.'; 4096]).is_ok() {}
    fcntl_setfl(&writer, flags).expect("it has flags");
    (reader, writer)
}

#[test]
fn outputs_that_somebody_has_and_does_not_read_hold_up_no_server() {
    for access in ["off", "on"] {
        let (dir, port) = (folder(), free_port());
        let (_reader, writer) = full_pipe();
        let mut serve = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
        serve.args(["serve", "--dev"]).current_dir(dir.path());
        serve.env("HOOKWHEEL__SERVER__LISTEN", format!("127.0.0.1:{port}")).env("HOOKWHEEL__AUTH__ADMIN_KEY", KEY);
        serve.env("HOOKWHEEL__STORE__PATH", Server::data(dir.path())).env("HOOKWHEEL__LOG__ACCESS", access);
        serve.env("HOOKWHEEL__LOG__LEVEL", "debug").stdin(Stdio::null());
        serve.stdout(writer.try_clone().expect("a descriptor")).stderr(writer);
        let mut server = Ours(serve.spawn().expect("it can be started"));
        assert!(takes_an_event(port), "access {access}");
        kill_process(Pid::from_child(&server.0), Signal::TERM).expect("it runs");
        let watch = Stopwatch::start();
        let ended = loop {
            if let Some(status) = server.0.try_wait().expect("it is ours") {
                break status;
            }
            assert!(watch.elapsed() < DEADLINE, "access {access}: it is still there");
            std::thread::yield_now();
        };
        assert!(ended.success(), "access {access}: {ended}");
    }
}

#[test]
fn with_json_lines_nothing_plain_is_said() {
    let dir = folder();
    let env = [("HOOKWHEEL__LOG__FORMAT", "json"), ("HOOKWHEEL__LOG__LEVEL", "info")];
    let mut server = Server::run(dir.path(), &["serve", "--dev"], &env);
    server.line(" listens on http");
    let ended = server.terminate();
    assert!(ended.status.success(), "{}", ended.output);
    for line in ended.output.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
    assert!(ended.output.contains("data directory: "), "{}", ended.output);
}

#[test]
fn a_first_key_is_told_whatever_the_log_leaves_out() {
    let dir = folder();
    let env =
        [("HOOKWHEEL__LOG__FORMAT", "json"), ("HOOKWHEEL__LOG__LEVEL", "error"), ("HOOKWHEEL__AUTH__ADMIN_KEY", "")];
    let mut server = Server::run(dir.path(), &["serve", "--dev"], &env);
    let told = server.line("admin key: hw_");
    let told: Value = serde_json::from_str(&told).expect("it is JSON");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("shown this once")), "{told}");
}

#[test]
fn each_start_that_fails_names_the_place_and_the_remedy() {
    let dir = folder();
    let first = Server::start(dir.path(), &[]);
    let twice = refused(dir.path(), &[]);
    let data = Server::data(dir.path());
    assert!(twice.contains(text(&data)) && twice.contains("set another HOOKWHEEL__STORE__PATH"), "{twice}");
    let address = first.address.to_string();
    let other = folder();
    let taken = refused(other.path(), &[("HOOKWHEEL__SERVER__LISTEN", &address)]);
    assert!(taken.contains(&address) && taken.contains("set another HOOKWHEEL__SERVER__LISTEN"), "{taken}");
    assert!(first.terminate().success());

    // Nobody, not even root, can make a directory there.
    let file = other.path().join("file");
    fs::write(&file, "").expect("written");
    let path = file.join("data");
    let unwritable = refused(other.path(), &[("HOOKWHEEL__STORE__PATH", text(&path))]);
    assert!(unwritable.contains(text(&path)), "{unwritable}");
    assert!(unwritable.contains("set another HOOKWHEEL__STORE__PATH"), "{unwritable}");
}

#[test]
fn whoever_asks_what_is_wrong_with_a_configuration_hears_all_of_it_at_once() {
    let dir = folder();
    let dialects = dir.path().join("dialects");
    fs::create_dir(&dialects).expect("made");
    fs::write(dialects.join("own.toml"), "nonsense").expect("written");
    let env = [
        ("HOOKWHEEL__DELIVER__DIALECTS", text(&dialects)),
        ("HOOKWHEEL__SERVER__TLS_CERTIFICATE", "/nowhere.pem"),
        ("HOOKWHEEL__SERVER__TLS_KEY", "/nowhere.key"),
    ];
    for arguments in [&["serve"][..], &["serve", "--check"], &["config", "check"]] {
        let ended = Server::run(dir.path(), arguments, &env).end();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", ended.output);
        for part in ["own.toml", "nowhere.pem"] {
            assert!(ended.output.contains(part), "{arguments:?}: no {part} in\n{}", ended.output);
        }
    }
    assert!(!Server::data(dir.path()).exists(), "nothing is made");
}

#[test]
fn a_lost_key_is_named_with_where_it_belongs() {
    let dir = folder();
    let server = Server::start(dir.path(), &[]);
    let webhook = json!({"url": "https://example.com/", "events": ["none.such"]});
    server.client().post("/api/v1/webhooks", &webhook).data(201);
    assert!(server.terminate().success());
    let (data, lost) = (Server::data(dir.path()), dir.path().join("lost"));
    fs::rename(data.join("master.key"), &lost).expect("moved");
    let output = refused(dir.path(), &[]);
    assert!(output.contains(text(&data)) && output.contains("Put the copy of it back"), "{output}");
    fs::rename(&lost, data.join("master.key")).expect("moved");
    assert!(Server::start(dir.path(), &[]).terminate().success(), "nothing was lost");
}

#[test]
fn what_others_may_read_is_mended_in_words() {
    let dir = folder();
    assert!(Server::start(dir.path(), &[]).terminate().success());
    let data = Server::data(dir.path());
    let key = data.join("master.key");
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    set(&data, 0o755);
    set(&key, 0o644);
    let ended = Server::start(dir.path(), &[]).process.terminate();
    assert!(ended.output.contains("others could read the data directory: its mode is 700 now"), "{}", ended.output);
    assert!(ended.output.contains("others could read the master keys: their mode is 600 now"), "{}", ended.output);
    assert_eq!((mode(&data), mode(&key)), (0o700, 0o600));
}

#[test]
fn who_listens_in_the_clear_for_strangers_is_told() {
    let dir = folder();
    let said = |listen: &str| Server::run(dir.path(), &["serve"], &[("HOOKWHEEL__SERVER__LISTEN", listen)]);
    let mut open = said("0.0.0.0:0");
    open.line("listens in the clear");
    open.line(" listens on http");
    assert!(open.terminate().status.success());
    let mut closed = said("127.0.0.1:0");
    closed.line(" listens on http");
    let ended = closed.terminate();
    assert!(ended.status.success() && !ended.output.contains("listens in the clear"), "{}", ended.output);
}

/// Runs `hookwheel config` in `dir`; gives its exit code and output.
fn config(dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = Running::start(dir, &[&["config"], arguments].concat(), env).end();
    (ended.status.code(), ended.output)
}

#[test]
fn a_configuration_is_begun_checked_and_shown() {
    let dir = folder();
    let path = dir.path().join("config.toml");
    let (code, output) = config(dir.path(), &["init"], &[]);
    assert_eq!(code, Some(0), "{output}");
    let begun = fs::read_to_string(&path).expect("written");
    let (code, output) = config(dir.path(), &["init"], &[]);
    assert!(code == Some(1) && output.contains("config.toml is there already"), "{output}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), begun);
    let (code, output) = config(dir.path(), &["check"], &[]);
    assert!(code == Some(0) && output.contains("a server takes it; 0 settings are set"), "{output}");
    assert_eq!(config(dir.path(), &["show", "--changed", "--json"], &[]), (Some(0), "[]".into()));

    fs::write(&path, "[server]\nworkers = 3\n[auth]\nadmin_key = 'hunter2-hunter2-hunter2'\n").expect("written");
    let env = [("HOOKWHEEL__LOG__LEVEL", "warn")];
    let (code, output) = config(dir.path(), &["show", "--changed"], &env);
    let lines: Vec<&str> = output.lines().collect();
    let expected = [
        "server.workers = 3  # config.toml:2",
        "auth.admin_key = \"set\"  # config.toml:4",
        "log.level = \"warn\"  # HOOKWHEEL__LOG__LEVEL",
    ];
    // `deliver.dialects` lies beside the file.
    let lines: Vec<&str> = lines.into_iter().filter(|line| !line.starts_with("deliver.dialects")).collect();
    assert_eq!((code, lines), (Some(0), expected.to_vec()));
    let (_, all) = config(dir.path(), &["show"], &env);
    assert!(all.contains("server.idle_seconds = 60  # default") && !all.contains("hunter2"), "{all}");

    fs::create_dir(dir.path().join("dialects")).expect("made");
    fs::write(dir.path().join("dialects/own.toml"), "nonsense").expect("written");
    fs::write(&path, "[server]\ntls_certificate = 'chain.pem'\ntls_key = 'key.pem'\n[store]\nmaster_key = 'short'\n")
        .expect("written");
    let (code, output) = config(dir.path(), &["check"], &[]);
    assert_eq!(code, Some(1), "{output}");
    for part in ["own.toml", "chain.pem", "32 bytes in base64"] {
        assert!(output.contains(part), "no {part} in\n{output}");
    }
    fs::write(&path, "[server]\nworkers = -1\nlisten_on = 3\n").expect("written");
    let (code, output) = config(dir.path(), &["check"], &[("HOOKWHEEL_SERVER_LISTEN", "x")]);
    assert_eq!(code, Some(1), "{output}");
    for part in ["config.toml:2: ", "config.toml:3: ", "did you mean `HOOKWHEEL__SERVER__LISTEN`?"] {
        assert!(output.contains(part), "no {part} in\n{output}");
    }
    assert!(!Server::data(dir.path()).exists(), "nothing is made");
}

#[test]
fn a_configuration_that_leads_nowhere_is_not_taken_for_none() {
    let dir = folder();
    std::os::unix::fs::symlink("nowhere.toml", dir.path().join("config.toml")).expect("a link");
    let (code, output) = config(dir.path(), &["check"], &[]);
    assert!(code == Some(1) && output.contains("cannot read the configuration file config.toml"), "{output}");
}

#[test]
fn a_key_is_explained_and_a_mistyped_one_is_led_to_it() {
    let dir = folder();
    let (code, output) = config(dir.path(), &["explain", "retention.bytes_max"], &[]);
    assert_eq!(code, Some(0), "{output}");
    for part in
        ["takes:        a whole number from 0", "unit:         bytes", "HOOKWHEEL__RETENTION__BYTES_MAX", "SIGHUP"]
    {
        assert!(output.contains(part), "no {part} in\n{output}");
    }
    let (_, one) = config(dir.path(), &["explain", "HOOKWHEEL__SERVER__LISTEN", "--json"], &[]);
    let one: Value = serde_json::from_str(&one).expect("it is JSON");
    assert_eq!((&one[0]["name"], &one[0]["applied_by"]), (&json!("server.listen"), &json!("restart")));
    let (_, section) = config(dir.path(), &["explain", "log"], &[]);
    assert!(section.contains("log.level") && section.contains("log.access"), "{section}");
    let (code, output) = config(dir.path(), &["explain", "server.lisen"], &[]);
    assert!(code == Some(1) && output.contains("did you mean `server.listen`?"), "{output}");
}
