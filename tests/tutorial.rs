//! The tutorial, done as it is printed: each stage of its file is checked, its commands say what it says that they say, and
//! what it delivers in the end is verified.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use hookwheel::dialect::Dialect;
use support::{Running, Server};

const TUTORIAL: &str = include_str!("../src/docs/tutorial.md");

/// The code in it, each with its language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut parts = TUTORIAL.split("\n```");
    parts.next();
    // Every second part is what stands between two.
    let code = parts.step_by(2).map(|block| block.split_once('\n').expect("a language, then code"));
    code.collect()
}

/// Runs a command as it is printed.
fn run(command: &str, dir: &Path, env: &[(&str, String)]) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_hookwheel")).parent().expect("a directory");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    bash.args(["-euc", command]).current_dir(dir).env("PATH", path).envs(env.iter().cloned());
    let ran = bash.output().expect("bash runs");
    assert!(ran.status.success(), "{command}\n{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("UTF-8")
}

fn arguments(line: &str) -> Vec<&str> {
    line.split_whitespace().skip(1).collect()
}

#[test]
fn each_stage_is_a_dialect_and_the_last_one_delivers() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("dialects/parcels.toml");
    fs::create_dir(file.parent().expect("it has one")).expect("made");
    let (mut written, mut stages, mut told) = (String::new(), 0, String::new());
    let (mut server, mut receiver) = (None::<Server>, None::<(Running, String)>);
    for (language, text) in blocks() {
        let url = server.as_ref().map(|server| server.url("")).unwrap_or_default();
        match language {
            "toml" => {
                written.push_str(&format!("{text}\n\n"));
                fs::write(&file, &written).expect("written");
                Dialect::parse("parcels.toml", &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
                assert!(
                    run("hookwheel dialect check dialects/parcels.toml", dir.path(), &[]).starts_with("ok: parcels ")
                );
                stages += 1;
            }
            "text" if text.starts_with("hookwheel serve") => {
                server = Some(Server::start_by_arguments(dir.path(), &arguments(text)));
            }
            "text" if text.starts_with("hookwheel receive") => {
                let all = [arguments(text), vec!["--listen", "127.0.0.1:0"]].concat();
                let mut receiving = Running::start(dir.path(), &all, &[]);
                let line = receiving.line("receiving on http://");
                let address = line.trim_start_matches("receiving on ").to_owned();
                receiver = Some((receiving, address));
            }
            "text" => assert_eq!(told.trim(), text, "what the command before it says"),
            "bash" => {
                let endpoint = receiver.as_ref().map_or("", |(_, address)| address.as_str());
                let command = text.replace("http://127.0.0.1:7080", &url).replace("http://127.0.0.1:9000/", endpoint);
                let key = server.as_ref().map(|server| server.key.to_owned()).unwrap_or_default();
                let mut env = vec![("HOOKWHEEL_KEY", key)];
                env.extend(server.is_some().then(|| ("HOOKWHEEL_URL", url.clone())));
                told = run(&command, dir.path(), &env);
                if command.starts_with("curl") {
                    assert!(told.contains("\"topics\":[\"parcel.*\"]") && told.contains("\"id\":\"wh_"), "{told}");
                }
            }
            other => panic!("{other}: nobody would run it"),
        }
    }
    assert!(stages > 4, "only {stages} stages");
    let (mut receiving, _) = receiver.expect("the tutorial starts one");
    receiving.line("X-Parcels-Event: parcel.delivered");
    receiving.line("signature valid");
    receiving.line("\"number\": \"PX-1001\"");
}
