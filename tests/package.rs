//! What is given to others beside the binary: manual pages, completions, units, the container. Each is read by the program that
//! it is for, where that is here; scripts/test installs them. The package itself is walked through by scripts/package-test.

mod support;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{Running, Server, say};

const BINARY: &str = env!("CARGO_BIN_EXE_hookwheel");
/// Where packages put it, and so what units call.
const INSTALLED: &str = "/usr/bin/hookwheel";
const UNITS: [&str; 4] =
    ["hookwheel.service", "hookwheel.socket", "hookwheel-backup.service", "hookwheel-backup.timer"];

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn file(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

fn output(program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// What the binary prints for these arguments.
fn printed(arguments: &[&str]) -> String {
    let output = output(BINARY, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Whether a program is here; in CI it must be.
fn has(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().expect("a shell");
    if !there.status.success() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{program} is not here: run scripts/test");
        say(&format!("SKIPPED: what {program} says; scripts/test installs it"));
    }
    there.status.success()
}

/// A program that reads `subject` finds nothing to say.
#[track_caller]
fn is_content(subject: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{subject}: {said}{}", String::from_utf8_lossy(&output.stdout));
}

/// The commands that `--help` names.
fn commands() -> BTreeSet<String> {
    let help = printed(&["--help"]);
    let named = help.lines().skip_while(|line| *line != "Serve:").take_while(|line| *line != "Global options:");
    let names = named.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn each_command_has_a_manual_page_that_can_be_read() {
    let dir = folder();
    let pages = dir.path().join("made/for/it");
    printed(&["man", pages.to_str().expect("a plain path")]);
    let made: BTreeSet<String> = fs::read_dir(&pages)
        .expect("it is made")
        .map(|page| page.expect("can be read").file_name().into_string().expect("UTF-8"))
        .collect();
    let commands = commands();
    assert!(commands.contains("serve") && commands.contains("health"), "{commands:?}");
    for command in &commands {
        assert!(made.contains(&format!("hookwheel-{command}.1")), "{command}: {made:?}");
    }
    assert!(made.contains("hookwheel.1") && made.contains("hookwheel-dialect-check.1"), "{made:?}");
    assert!(
        !made.iter().any(|page| page.contains("relay") || page.contains("-man.")),
        "hidden ones have none: {made:?}"
    );
    assert!(file(pages.join("hookwheel-send.1")).contains("HOOKWHEEL_URL"));
    if has("man") {
        for page in &made {
            let page = pages.join(page);
            let read =
                ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"].iter().map(OsStr::new).chain([page.as_os_str()]);
            is_content(&page.display().to_string(), &output("man", read));
        }
    }
}

#[test]
fn each_shell_reads_its_completions() {
    let dir = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = dir.path().join(shell);
        fs::write(&script, printed(&["completions", shell])).expect("written");
        if has(shell) {
            is_content(shell, &output(shell, [OsStr::new("-n"), script.as_os_str()]));
        }
    }
    if has("bash") {
        let ask = "source \"$0\"; COMP_WORDS=(hookwheel mast); COMP_CWORD=1; \
                   _hookwheel hookwheel mast hookwheel; printf '%s' \"${COMPREPLY[*]}\"";
        let asked = output("bash", [OsStr::new("-c"), OsStr::new(ask), dir.path().join("bash").as_os_str()]);
        is_content("bash completes", &asked);
        assert_eq!(String::from_utf8_lossy(&asked.stdout), "master-key");
    }
    let ended = Running::start(dir.path(), &["completions", "sh"], &[]).end();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.output.contains("bash") && ended.output.contains("fish"), "{}", ended.output);
}

/// The commands that a unit starts, without the program.
fn started(unit: &str) -> Vec<Vec<String>> {
    let text = file(in_repository("scripts/systemd").join(unit));
    let commands = text.lines().filter_map(|line| line.strip_prefix("ExecStart="));
    commands
        .map(|command| {
            let mut words = command.split(' ').map(str::to_owned);
            assert_eq!(words.next().as_deref(), Some(INSTALLED), "{unit}");
            words.collect()
        })
        .collect()
}

#[test]
fn systemd_takes_the_units_and_finds_little_exposed() {
    let starts: Vec<_> = UNITS.iter().flat_map(|unit| started(unit)).collect();
    assert_eq!(starts.len(), 2, "{starts:?}");
    for words in &starts {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        printed(&arguments);
    }
    if !has("systemd-analyze") {
        return;
    }
    let dir = folder();
    let units: Vec<PathBuf> = UNITS.iter().map(|unit| dir.path().join(unit)).collect();
    for unit in &units {
        let text = file(in_repository("scripts/systemd").join(unit.file_name().expect("a name")));
        fs::write(unit, text.replace(INSTALLED, BINARY)).expect("written");
    }
    let arguments = ["verify", "--man=no"].iter().map(OsStr::new).chain(units.iter().map(|unit| unit.as_os_str()));
    is_content("systemd-analyze verify", &output("systemd-analyze", arguments));
    for unit in units.iter().filter(|unit| unit.extension() == Some(OsStr::new("service"))) {
        let arguments = ["security", "--offline=true", "--threshold=20", "--no-pager"].iter().map(OsStr::new);
        let judged = output("systemd-analyze", arguments.chain([unit.as_os_str()]));
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    }
}

#[test]
fn whoever_stops_a_server_waits_longer_than_it_takes() {
    let config: toml::Value = toml::from_str(&file(in_repository("config.toml"))).expect("TOML");
    let seconds = |key: &str| config["server"][key].as_integer().expect("seconds");
    let needed = seconds("shutdown_seconds") + seconds("shutdown_attempt_seconds");
    for (path, key) in [
        ("scripts/systemd/hookwheel.service", "TimeoutStopSec="),
        ("compose.yaml", "stop_grace_period: "),
        ("scripts/nodes/compose.yaml", "stop_grace_period: "),
        ("scripts/nodes/kubernetes.yaml", "terminationGracePeriodSeconds: "),
    ] {
        let text = file(in_repository(path));
        let given = text.lines().find_map(|line| line.trim().strip_prefix(key)).expect("it is said");
        let given: i64 = given.trim_end_matches('s').parse().expect("seconds");
        assert!(given > needed, "{path}: {given} s, but a stop may take {needed}");
    }
}

#[test]
fn what_several_nodes_are_told_is_what_there_is_to_set() {
    let config = file(in_repository("config.toml"));
    let (mut section, mut known) = ("", BTreeSet::new());
    for line in config.lines() {
        section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(section);
        let key = line.trim_start_matches("# ").split_once(" = ").map(|(key, _)| key);
        known.extend(key.map(|key| format!("HOOKWHEEL__{section}__{key}").to_uppercase()));
    }
    for (path, ports) in
        [("scripts/nodes/compose.yaml", &[":7080"][..]), ("scripts/nodes/kubernetes.yaml", &[": 7080", ": 7081"])]
    {
        let text = file(in_repository(path));
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let named = text.match_indices("HOOKWHEEL__").map(|(at, _)| text[at..].split(|c| !is_of_name(c)).next());
        let named: BTreeSet<_> = named.flatten().map(str::to_owned).collect();
        assert!(named.len() > 3, "{named:?}");
        assert_eq!(named.difference(&known).collect::<Vec<_>>(), [""; 0], "{path}");
        assert!(ports.iter().all(|port| text.contains(port)), "{path}");
    }
    // The ports are those that nodes have where nothing else is said.
    assert!(config.contains("listen = \"127.0.0.1:7080\"") && config.contains("listen = \"0.0.0.0:7081\""));
    for script in ["primary.sh", "standby.sh"] {
        is_content(script, &output("bash", [Path::new("-n"), &in_repository("scripts/nodes").join(script)]));
    }
}

#[test]
fn the_guide_shows_no_units_but_these() {
    let shipped: Vec<String> = UNITS.iter().map(|unit| file(in_repository("scripts/systemd").join(unit))).collect();
    let is_shipped = |line: &str| shipped.iter().any(|unit| unit.lines().any(|there| there == line));
    let mut shown = 0;
    for page in fs::read_dir(in_repository("src/docs/guide")).expect("it is there") {
        let path = page.expect("can be read").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = file(&path);
        let blocks = text.split("```ini\n").skip(1).filter_map(|rest| rest.split("```").next());
        let is_unit = |block: &&str| ["[Service]", "[Socket]", "[Timer]"].iter().any(|section| block.contains(section));
        // One that empties a list is a drop-in, which says something else on purpose.
        let is_drop_in = |block: &&str| block.lines().any(|line| line.ends_with('='));
        for line in blocks.filter(is_unit).filter(|block| !is_drop_in(block)).flat_map(str::lines) {
            shown += 1;
            assert!(line.is_empty() || is_shipped(line), "{}: {line}", path.display());
        }
    }
    assert!(shown > 0, "none is shown");
}

#[test]
fn what_is_built_carries_no_debug_information_and_what_is_packaged_is_there() {
    let manifest: toml::Value = toml::from_str(&file(in_repository("Cargo.toml"))).expect("TOML");
    let profile = |name: &str| manifest["profile"][name].as_table().expect("a profile").clone();
    assert!(!profile("release").contains_key("debug"), "a release build's own default is none");
    assert!(profile("dist").contains_key("debug"), "symbols are split from it, so it has some");
    for name in ["release", "dist"] {
        assert!(
            !profile(name).contains_key("panic"),
            "{name}: a panic unwinds, since it is an outcome of one delivery"
        );
    }
    let package = &manifest["package"]["metadata"]["deb"];
    let assets = package["assets"].as_array().expect("a list");
    let of = |asset: &toml::Value, n: usize| asset[n].as_str().expect("words").to_owned();
    for asset in assets {
        let source = of(asset, 0);
        // What lies under target is made by scripts/release.
        assert!(source.starts_with("target/package/") || in_repository(&source).exists(), "{source}");
    }
    for unit in UNITS {
        let source = format!("scripts/systemd/{unit}");
        assert!(assets.iter().any(|asset| of(asset, 0) == source), "{unit} is not packaged");
    }
    for script in ["postinst", "prerm", "postrm"] {
        let script = in_repository("scripts/debian").join(script);
        is_content(&script.display().to_string(), &output("sh", [OsStr::new("-n"), script.as_os_str()]));
    }
}

/// A machine on which maintainer scripts run: everything that they would change is in one folder, and what they call for it tells
/// its words in a file.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// What is not here for everybody, or would change this machine.
    const STUBS: [(&str, &str); 6] = [
        ("adduser", ""),
        ("chown", ""),
        ("install", "for last; do :; done; mkdir -p \"$last\""),
        ("deb-systemd-helper", "[ \"$1\" != debian-installed ]"),
        ("deb-systemd-invoke", ""),
        ("hookwheel", "echo a-master-key"),
    ];

    fn new() -> Self {
        let machine = Self { dir: folder() };
        for name in ["bin", "etc", "system"] {
            fs::create_dir(machine.path(name)).expect("made");
        }
        fs::write(machine.path("etc/config.toml"), "").expect("written");
        for (name, does) in Self::STUBS {
            machine.stub(name, does);
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn stub(&self, name: &str, does: &str) {
        let (path, calls) = (self.path("bin").join(name), self.path("calls"));
        fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>'{}'\n{does}\n", calls.display())).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }

    /// Runs a script while the service is `enabled`, as systemd calls it; gives what was called and what it said.
    fn run(&self, script: &str, arguments: &[&str], enabled: &str) -> (String, String) {
        self.stub("systemctl", &format!("[ \"$1\" != is-enabled ] || echo {enabled}"));
        let mut text = file(in_repository("scripts/debian").join(script));
        for (there, here) in [
            ("/etc/hookwheel", "etc"),
            ("/var/lib/hookwheel", "state"),
            ("/var/backups/hookwheel", "backups"),
            ("/var/lib/systemd/timers", "timers"),
            ("/run/systemd/system", "system"),
        ] {
            text = text.replace(there, self.path(here).to_str().expect("a plain path"));
        }
        fs::write(self.path("calls"), "").expect("written");
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let ran = Command::new("sh").args(["-c", &text, script]).args(arguments).env("PATH", path).output();
        let ran = ran.expect("a shell");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{script} {arguments:?}: {said}");
        (file(self.path("calls")), said)
    }
}

#[test]
fn an_installation_makes_keys_once_and_starts_what_a_removal_has_stopped() {
    const START: &str = "deb-systemd-invoke start hookwheel.socket hookwheel.service\n";
    const RESTART: &str = "deb-systemd-invoke try-restart hookwheel.service\n";
    let machine = Machine::new();
    let (calls, said) = machine.run("postinst", &["configure", ""], "disabled");
    assert!(calls.contains(START) && !calls.contains(RESTART) && said.is_empty(), "{calls}{said}");
    assert_eq!(file(machine.path("etc/master.key")), "a-master-key\n");
    let env = file(machine.path("etc/env"));
    assert!(env.contains("HOOKWHEEL__AUTH__ADMIN_KEY=") && env.contains("\nHOOKWHEEL_KEY="), "{env}");
    for key in ["etc/master.key", "etc/env"] {
        let mode = fs::metadata(machine.path(key)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }

    let (calls, said) = machine.run("postinst", &["configure", "0.1.0-1"], "enabled");
    assert!(calls.contains(RESTART) && !calls.contains(START) && said.is_empty(), "{calls}{said}");
    assert_eq!(file(machine.path("etc/env")), env, "an upgrade makes no key");

    let (calls, _) = machine.run("prerm", &["remove"], "enabled");
    assert!(calls.contains("stop") && calls.contains("hookwheel-backup.service"), "{calls}");
    let (calls, _) = machine.run("postrm", &["remove"], "enabled");
    assert!(calls.contains("mask hookwheel.socket hookwheel.service hookwheel-backup.timer"), "{calls}");
    let (calls, _) = machine.run("postinst", &["configure", "0.1.0-1"], "masked");
    assert!(calls.contains(START) && !calls.contains(RESTART), "what was removed is started, not restarted: {calls}");
    for unit in ["hookwheel.socket", "hookwheel.service", "hookwheel-backup.timer"] {
        assert!(calls.contains(&format!("deb-systemd-helper unmask {unit}\n")), "{unit}: {calls}");
    }

    // Whoever has taken the keys elsewhere keeps them there.
    fs::remove_file(machine.path("etc/env")).expect("it is there");
    fs::rename(machine.path("etc/master.key"), machine.path("etc/master.key.sealed")).expect("it is there");
    let (_, said) = machine.run("postinst", &["configure", "0.1.0-1"], "enabled");
    assert!(said.is_empty() && !machine.path("etc/env").exists() && !machine.path("etc/master.key").exists(), "{said}");
    fs::remove_file(machine.path("etc/master.key.sealed")).expect("it is there");
    let (_, said) = machine.run("postinst", &["configure", "0.1.0-1"], "enabled");
    assert!(said.contains("put the copy back") && !machine.path("etc/master.key").exists(), "{said}");
}

#[test]
fn a_purge_leaves_backups_with_their_key_and_nothing_else() {
    let machine = Machine::new();
    machine.run("postinst", &["configure", ""], "disabled");
    fs::write(machine.path("backups/one"), "").expect("written");
    fs::remove_file(machine.path("etc/config.toml")).expect("dpkg takes it");
    fs::create_dir(machine.path("timers")).expect("made");
    fs::write(machine.path("timers/stamp-hookwheel-backup.timer"), "").expect("written");
    let (calls, said) = machine.run("postrm", &["purge"], "masked");
    assert!(
        calls.contains("deb-systemd-helper purge hookwheel.socket hookwheel.service hookwheel-backup.timer"),
        "{calls}"
    );
    assert!(said.contains("stay in"), "{said}");
    assert!(!machine.path("etc").exists() && !machine.path("state").exists());
    assert!(!machine.path("timers/stamp-hookwheel-backup.timer").exists());
    assert_eq!(file(machine.path("backups/master.key")), "a-master-key\n");
}

/// The words of an instruction in its JSON form, such as `CMD ["a", "b"]`.
fn words(instruction: &str) -> Vec<String> {
    let list = instruction.find('[').map(|at| &instruction[at..]).expect("its JSON form");
    serde_json::from_str(list).expect("a list of words")
}

#[test]
fn the_container_runs_as_nobody_and_calls_what_there_is() {
    let text = file(in_repository("Dockerfile"));
    let image = text.rsplit("\nFROM ").next().expect("a last stage");
    assert!(image.starts_with("scratch\n"), "{image}");
    let instruction = |name: &str| {
        let mut found = image.lines().filter(|line| line.trim_start().starts_with(name));
        let line = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "two of {name}");
        line.trim()
    };
    let user = instruction("USER ").trim_start_matches("USER ");
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number: there is no list of names")).collect();
    assert!(ids.len() == 2 && !ids.contains(&0), "{user}");
    assert!(image.contains(&format!("COPY --from=build --chown={user} ")), "the volume is its own");
    assert_eq!(instruction("VOLUME "), "VOLUME /data");
    assert_eq!(words(instruction("ENTRYPOINT ")), [INSTALLED]);
    let check = words(instruction("HEALTHCHECK "));
    assert_eq!(check[0], INSTALLED);
    for command in [&check[1..], &words(instruction("CMD "))] {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        printed(&arguments);
    }
    let dir = folder();
    let env: Vec<(&str, &str)> = image
        .split_whitespace()
        .filter(|word| word.starts_with("HOOKWHEEL__"))
        .filter_map(|word| word.split_once('='))
        .collect();
    assert_eq!(env.len(), 3, "{env:?}");
    let names: Vec<&str> = env.iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"HOOKWHEEL__STORE__PATH"), "{names:?}");
    // A key that is not known would be refused before anything is asked of the address, which leads nowhere.
    let ended = Running::start(dir.path(), &["guard", "explain", "https://127.0.0.1/"], &env).end();
    assert!(ended.output.contains("refused") && !ended.output.contains("unknown key"), "{}", ended.output);
}

#[test]
fn health_tells_a_server_that_works_from_one_that_does_not() {
    let dir = folder();
    let health = |url: &str| Running::start(dir.path(), &["health", "--url", url, "--timeout", "1"], &[]).end();
    let server = Server::start(dir.path(), &[]);
    let well = health(&server.url(""));
    assert_eq!((well.status.code(), well.output.as_str()), (Some(0), "ready"));
    let gone = server.url("");
    assert!(server.terminate().success());
    let ended = health(&gone);
    assert_eq!(ended.status.code(), Some(3));
    assert!(ended.output.contains("cannot be reached"), "{}", ended.output);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it has one"));
    // Nobody takes the connection, so it stands and nothing is answered.
    let ended = health(&url);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.output.contains("did not answer within 1 s"), "{}", ended.output);
    drop(listener);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it has one"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it is asked");
        let mut asked = [0; 1024];
        let read = stream.read(&mut asked).expect("a request");
        let body = r#"{"error":{"code":"unavailable","message":"the store is closed"}}"#;
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).expect("it reads");
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    let ended = health(&url);
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.output.contains("the store is closed"), "{}", ended.output);
    let asked = answering.join().expect("it answered");
    assert!(asked.starts_with("GET /health/ready HTTP/1.1\r\n"), "{asked}");
}
