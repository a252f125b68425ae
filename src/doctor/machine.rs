//! The machine: its clock, open files, and whether a resolver answers.

use rustix::process::{Resource, getrlimit};
use url::Url;

use crate::checked::EARLIEST;
use crate::config::Config;
use crate::domain::finding::{Finding, Severity};
use crate::domain::time::{self, UnixMs};

/// A name that is there for examples and stays: asking for it reaches the resolver that is configured, and nobody else is dialled.
const ASKED: &str = "https://example.com/";
/// Fewer open files are too few for any server.
const FILES_MIN: u64 = 1024;

/// What is wrong with clock and limits.
pub fn findings(config: &Config, now: UnixMs) -> Vec<Finding> {
    let files = getrlimit(Resource::Nofile).maximum;
    let of_listener = config.server.connections_max.saturating_mul(2) as u64;
    let wanted = of_listener.saturating_add(config.deliver.in_flight_max as u64);
    [clock(now), open_files(files, wanted)].into_iter().flatten().collect()
}

fn clock(now: UnixMs) -> Option<Finding> {
    let what = || format!("the machine's clock shows {}, which is before this program was made", time::rfc3339(now));
    let remedy = "set it, or start after it is set (time-sync.target): the server does not start before";
    (now < EARLIEST).then(|| Finding::new(Severity::Error, "clock", what(), remedy))
}

fn open_files(most: Option<u64>, wanted: u64) -> Option<Finding> {
    let most = most.filter(|most| *most < wanted)?;
    let severity = if most < FILES_MIN { Severity::Warning } else { Severity::Note };
    let what = format!(
        "{most} files may be open, and {wanted} could be: server.connections_max takes two for each, deliver.in_flight_max one"
    );
    Some(Finding::new(severity, "files", what, "raise the limit (LimitNOFILE= of the unit, ulimit -n), or lower those"))
}

/// Whether a name leads anywhere, and may be dialled by the guard's rules. Nothing is dialled.
pub async fn resolver(config: &Config) -> Option<Finding> {
    if config.deliver.proxy_resolves && config.deliver.proxy.is_some() {
        return None;
    }
    let url = Url::parse(ASKED).expect("it is a URL");
    let explained = crate::explain(config, &url, &[]).await;
    if explained.addresses.is_empty() {
        let why = explained.note.unwrap_or_else(|| "no address is known".into());
        let what = format!("no name is found: {} leads nowhere ({why})", explained.host);
        let remedy = "look at deliver.name_servers, or /etc/resolv.conf: no webhook with a name can be reached";
        return Some(Finding::new(Severity::Warning, "dns", what, remedy));
    }
    let refused: Vec<_> = explained.addresses.iter().filter(|one| !one.may_dial).collect();
    (refused.len() == explained.addresses.len()).then(|| {
        let what = format!("{} leads to addresses that are not dialled: {}", explained.host, refused[0].reason);
        let remedy =
            "look at deliver.deny and deliver.ports; where a resolver lies about public names, name another one";
        Finding::new(Severity::Warning, "egress", what, remedy).at(refused[0].address.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_not_set_and_few_files_are_found() {
        assert!(clock(EARLIEST).is_none() && clock(EARLIEST - 1).is_some_and(|one| one.severity == Severity::Error));
        let severity = |found: Option<Finding>| found.map(|found| found.severity);
        let files = |most| severity(open_files(most, 5_000));
        assert_eq!([files(None), files(Some(5_000))], [None, None]);
        assert_eq!([files(Some(1_024)), files(Some(1_023))], [Some(Severity::Note), Some(Severity::Warning)]);
    }
}
