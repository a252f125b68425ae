//! Webhooks of runs that were killed. What stays true: each is marked with its machine and its process, and only one whose
//! process is no more is taken away by a later run there.

use std::collections::BTreeMap;

use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use serde_json::Value;

use crate::client::{Client, Error};

/// The tag of all of them, by which they are found.
pub const TAG: &str = "hookwheel-listen";
/// Where one was made, in its metadata.
const MACHINE: &str = "listen-machine";
/// By which process.
const PROCESS: &str = "listen-process";
/// As many as are looked at: the next run goes on.
const LOOKED_AT_MAX: usize = 1000;

/// What the metadata of this run's webhook says.
pub fn mark() -> BTreeMap<&'static str, String> {
    BTreeMap::from([(MACHINE, machine()), (PROCESS, getpid().as_raw_nonzero().to_string())])
}

/// The name of the machine, and what tells containers of the same name apart.
fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let processes = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{name} {}", processes.display())
}

/// Takes away what earlier runs on this machine have left. How many it was. To be done before this run's own is made.
pub async fn clear(client: &Client) -> Result<usize, Error> {
    let (mut webhooks, mut left) = (client.webhooks().list(&[("tag", TAG), ("limit", "250")]), Vec::new());
    let machine = machine();
    for _ in 0..LOOKED_AT_MAX {
        let Some(webhook) = webhooks.next().await? else { break };
        if is_left(&webhook["metadata"], &machine) {
            left.extend(webhook["id"].as_str().map(str::to_owned));
        }
    }
    let mut count = 0;
    for id in left {
        match client.webhooks().delete(&id).await {
            Ok(_) => count += 1,
            // Another run that begins now was first.
            Err(Error::Refused { status, .. }) if status == 404 => (),
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Whether who made it, on this machine, is no more.
fn is_left(metadata: &Value, machine: &str) -> bool {
    let process = metadata[PROCESS]
        .as_str()
        .and_then(|text| text.parse::<u32>().ok())
        .and_then(|raw| Pid::from_raw(raw.try_into().ok()?));
    metadata[MACHINE] == machine && process.is_some_and(|process| !is_running(process))
}

/// Whether it is another process that runs. In a container each run may have the same number.
fn is_running(process: Pid) -> bool {
    process != getpid() && test_kill_process(process) != Err(Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_of_this_machine_and_of_a_process_that_is_no_more() {
        let of = |machine: &str, process: &str| json!({MACHINE: machine, PROCESS: process});
        let parent = rustix::process::getppid().expect("a parent").as_raw_nonzero().to_string();
        let (gone, own) = (i32::MAX.to_string(), getpid().as_raw_nonzero().to_string());
        assert!(is_left(&of("here", &gone), "here") && is_left(&of("here", &own), "here"));
        for (machine, process) in
            [("here", parent.as_str()), ("there", &gone), ("here", ""), ("here", "0"), ("here", "-1")]
        {
            assert!(!is_left(&of(machine, process), "here"), "{machine} {process}");
        }
        assert!(!is_left(&Value::Null, "here"));
    }
}
