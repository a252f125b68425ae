//! Moving from server to server, and from other webhook servers, by the commands that people move with: what is moved is there as it
//! was, an import that is made again changes nothing, and receivers go on with the secrets that they have.

mod convoy;
mod doubtful;
mod fake;
mod ours;
#[path = "../support/mod.rs"]
mod support;
mod svix;

use std::path::Path;
use std::process::Command;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use support::Server;

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// Standard output of a command that ended so.
    #[track_caller]
    fn ended(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.out
    }
}

/// Runs a command against a server.
fn hookwheel(server: &Server, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    command.env("HOOKWHEEL_URL", server.url("")).env("HOOKWHEEL_KEY", server.key).args(arguments);
    let output = command.output().expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// The rows of a list, acting for an account.
fn rows(server: &Server, account: &str, path: &str) -> Vec<Value> {
    let page = server.client().acting_for(account).get(path).json();
    page["data"].as_array().unwrap_or_else(|| panic!("{path}: {page}")).clone()
}

/// Lines that say this of something.
fn lines<'o>(out: &'o str, end: &str) -> Vec<&'o str> {
    out.lines().filter(|line| !line.starts_with(' ') && line.ends_with(end)).collect()
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}
