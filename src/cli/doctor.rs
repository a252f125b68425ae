//! `hookwheel doctor`: what is wrong with a store, a machine and a configuration, and what to do about it. What stays true: it ends
//! with 0 where nothing is, with 1 where something is, and with 2 where it could not look.

use std::net::{Ipv4Addr, Ipv6Addr};

use awc::http::Method;
use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::server::{ServerArgs, ServerFlags};
use super::terminal::print;
use crate::client::{self, Call, Client};
use crate::config::Config;
use crate::doctor::{self, Repaired};
use crate::domain::finding::{Finding, Severity, worst_first};

/// A server's page of metrics has far fewer bytes.
const METRICS_BYTES_MAX: usize = 16 << 20;

/// The arguments of `hookwheel doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Build again what follows from other rows, with the server stopped; a copy of the store is made first
    #[arg(long)]
    repair: bool,
    /// Make no copy first: what a repair does then cannot be taken back
    #[arg(long, requires = "repair")]
    no_copy: bool,
    /// Ask no resolver
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Looks, mends where it is asked to, looks again, and says what is wrong.
pub async fn run(args: DoctorArgs, config: &Config, flags: &ServerFlags) -> Result<(), CliError> {
    let repaired = args.repair.then(|| doctor::repair(config, !args.no_copy)).transpose();
    let repaired = repaired.map_err(|error| CliError::Failed(error.to_string()))?;
    let looked = doctor::look(config, !args.offline).await.map_err(|error| CliError::Failed(error.to_string()))?;
    let (mut findings, place) = (looked.findings, looked.place);
    let (of, unasked) = match looked.rows {
        Some(rows) => (format!("{rows} rows of {place}"), None),
        None => match ask_server_of(config, flags).await {
            Ok((url, more)) => {
                findings.extend(more);
                worst_first(&mut findings);
                (format!("the server at {url}, which has {place}"), None)
            }
            // A node may be looked at before it is started, and its database was asked.
            Err(CliError::Call(client::Error::Unreachable { url, why }))
                if config.store.url.is_some() && !flags.is_said() && !why.contains("certificate") =>
            {
                let server = url.trim_end_matches("/health/ready");
                (format!("machine, configuration and {place}; no server answers at {server} ({why})"), None)
            }
            // What is known without it may say why.
            Err(error) => (format!("machine and configuration alone, since a server has {place}"), Some(error)),
        },
    };
    let count = findings.iter().filter(|finding| finding.counts()).count();
    // The verdict counts even where nobody reads why.
    let printed = print(&match args.json {
        true => in_json(&of, repaired, &findings),
        false => in_words(&of, repaired.as_ref(), &findings, count == 0 && unasked.is_none()),
    });
    if let Some(error) = unasked {
        return Err(error);
    }
    match count {
        0 => printed,
        1 => Err(CliError::Verdict(format!("1 finding: looked at {of}"))),
        count => Err(CliError::Verdict(format!("{count} findings: looked at {of}"))),
    }
}

/// Asks the server that has the store; says where that is, and what it finds.
async fn ask_server_of(config: &Config, flags: &ServerFlags) -> Result<(String, Vec<Finding>), CliError> {
    let server = server_of(config, flags)?;
    let findings = ask(&server.prompt_client(None)?).await?;
    Ok((server.url, findings))
}

/// The server that has the store: the one that is named, else the one that this configuration starts. Who has last logged in
/// elsewhere does not mean that here.
fn server_of(config: &Config, flags: &ServerFlags) -> Result<ServerArgs, CliError> {
    let own = own_url(config).filter(|_| !flags.is_said());
    ServerFlags { url: own.or(flags.url.clone()), ..flags.clone() }.server()
}

/// Where the server that this configuration starts is reached from this machine; `None` where nobody knows its port.
fn own_url(config: &Config) -> Option<String> {
    let (server, mut listen) = (&config.server, config.server.listen);
    let has_tls = server.tls_certificate.is_some();
    if has_tls && server.public_url.is_some() {
        // The name that its certificate has.
        return server.public_url.clone();
    }
    if listen.ip().is_unspecified() {
        listen.set_ip(if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let scheme = if has_tls { "https" } else { "http" };
    (listen.port() > 0).then(|| format!("{scheme}://{listen}"))
}

fn in_json(of: &str, repaired: Option<Repaired>, findings: &[Finding]) -> String {
    let repair = repaired.map(|done| json!({"copy": done.copy, "changed": done.changed, "mended": done.mended}));
    format!("{:#}\n", json!({"looked_at": of, "repaired": repair, "findings": findings}))
}

fn in_words(of: &str, repaired: Option<&Repaired>, findings: &[Finding], is_well: bool) -> String {
    let repair = repaired.map_or(String::new(), |Repaired { copy, changed, mended }| {
        let copy = copy.as_ref().map_or("no copy was made".into(), |copy| format!("a copy from before is in {copy}"));
        match changed {
            0 => "nothing was mended, so no copy is kept\n".to_owned(),
            _ => format!("{changed} rows were written or removed; {copy}\n{}", table(mended, "mended")),
        }
    });
    let well = if is_well { format!("nothing is wrong: looked at {of}\n") } else { String::new() };
    repair + &table(findings, "") + &well
}

/// Asks the server that has the store.
async fn ask(client: &Client) -> Result<Vec<Finding>, CliError> {
    let get = |path| Call { method: Method::GET, path, headers: Vec::new(), body: None };
    let ready = match client.call(&get("/health/ready")).await {
        Ok(ready) => ready,
        Err(client::Error::Refused { message, .. }) => {
            let what = format!("the server takes no events: {message}");
            return Ok(vec![Finding::new(Severity::Error, "server", what, "the server's log says more")]);
        }
        Err(error) => return Err(error.into()),
    };
    // For admins: who has no such key still hears the rest.
    let keys = client.server_master_keys().get().await.ok();
    let mut findings = doctor::of_running(ready.get("data").unwrap_or(&Value::Null), keys.as_ref());
    let mut page = Vec::new();
    let read = client.download("/metrics", |bytes| {
        page.extend_from_slice(bytes);
        page.len() <= METRICS_BYTES_MAX
    });
    if read.await.is_ok() {
        findings.extend(doctor::of_metrics(&String::from_utf8_lossy(&page)));
    }
    Ok(findings)
}

/// The findings for people: a line each, and below it where and what to do. `word` stands in place of how bad it is.
fn table(findings: &[Finding], word: &str) -> String {
    let mut text = String::new();
    for Finding { severity, check, what, count, places, remedy } in findings {
        let severity = if word.is_empty() { severity.to_string() } else { word.to_owned() };
        let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
        text += &format!("{severity:<8} {check:<13} {what}{times}\n");
        places.iter().for_each(|place| text += &format!("{:22} at {place}\n", ""));
        text += &format!("{:22} {remedy}\n", "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_has_a_store_is_the_one_that_the_configuration_starts() {
        let mut config = Config::default();
        let mut at = |listen: &str| {
            config.server.listen = listen.parse().expect("an address");
            own_url(&config)
        };
        assert_eq!(at("0.0.0.0:8080").as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(at("[::]:8080").as_deref(), Some("http://[::1]:8080"));
        assert_eq!((at("10.0.0.1:80").as_deref(), at("127.0.0.1:0")), (Some("http://10.0.0.1:80"), None));
        config.server.public_url = Some("https://hooks.example.com".into());
        assert_eq!(own_url(&config), None, "whatever stands before it");
        config.server.tls_certificate = Some("chain.pem".into());
        assert_eq!(own_url(&config).as_deref(), Some("https://hooks.example.com"));
    }

    #[test]
    fn each_finding_says_how_bad_where_and_what_to_do() {
        let finding = Finding::new(Severity::Error, "indexes", "it is lost", "build it again").at("due 07");
        let text = table(&[Finding { count: 3, ..finding }], "");
        assert_eq!(
            text,
            "error    indexes       it is lost (3 times)\n                       at due 07\n                       build it again\n"
        );
    }
}
