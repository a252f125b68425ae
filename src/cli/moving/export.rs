//! `hookwheel export`: what a server has, line by line, as its key may see it. What stays true: no more than a line is held in
//! memory, a file has its name only once it is whole, secrets are in it only where that is said, and what is a producer's stays to
//! the byte.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::entry::{VERSION, What};
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::cli::terminal::note;
use crate::client::Client;
use crate::clock::Clock;
use crate::dialect::Dialects;
use crate::domain::endpoint::is_credential;
use crate::domain::time;

/// A longer line is no server's.
const LINE_BYTES_MAX: usize = 64 << 20;
/// What is exported where nothing is said: all but events, of which there may be millions.
const USUAL: [What; 4] = [What::Accounts, What::Webhooks, What::Dialects, What::EventTypes];

/// The arguments of `hookwheel export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The file that is made, for its owner only; - is standard output
    file: PathBuf,
    /// Only of these accounts [default: all for an admin key, else the key's own]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    accounts: Vec<String>,
    /// What to export [default: accounts,webhooks,dialects,event-types]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    what: Vec<What>,
    /// Write the signing secrets of webhooks and the values of headers that let somebody in, too
    #[arg(long)]
    secrets: bool,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
}

/// Exports what the arguments say.
pub async fn run(args: ExportArgs, server: &ServerArgs) -> Result<(), CliError> {
    let client = server.client()?;
    if args.file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        let done = Export::new(&client, &args, &mut out).all(server).await?;
        out.flush().map_err(CliError::io("standard output"))?;
        note(format_args!("{done}{}", warning(&args)));
        return Ok(());
    }
    if args.file.exists() && !args.force {
        let why = format!("{} is there already: name another file, or say --force", args.file.display());
        return Err(CliError::Failed(why));
    }
    let mut partial = args.file.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let done = write(&client, &args, server, &partial).await;
    if done.is_err() {
        // It is of no use; if it cannot be removed, its name says so.
        let _ = fs::remove_file(&partial);
    }
    let done = done?;
    fs::rename(&partial, &args.file).map_err(CliError::io(args.file.display().to_string()))?;
    note(format_args!("{}: {done}{}", args.file.display(), warning(&args)));
    Ok(())
}

async fn write(client: &Client, args: &ExportArgs, server: &ServerArgs, to: &Path) -> Result<String, CliError> {
    let shown = to.display().to_string();
    // What another run left may be readable to others, and an open would keep that.
    let _ = fs::remove_file(to);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(CliError::io(&shown))?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    let done = Export::new(client, args, &mut out).all(server).await?;
    let file = out.into_inner().map_err(|error| CliError::Io(shown.clone(), error.into_error()))?;
    file.sync_all().map_err(CliError::io(&shown))?;
    Ok(done)
}

fn warning(args: &ExportArgs) -> &'static str {
    match args.secrets {
        true => {
            "\nIt holds secrets: whoever reads it can sign as you do. The file is for its owner only; remove it once it is imported."
        }
        false => "",
    }
}

/// An export under way.
struct Export<'a> {
    client: &'a Client,
    args: &'a ExportArgs,
    out: &'a mut dyn Write,
    bar: ProgressBar,
    counts: Map<String, Value>,
}

impl<'a> Export<'a> {
    fn new(client: &'a Client, args: &'a ExportArgs, out: &'a mut dyn Write) -> Self {
        let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        let bar = bar.with_style(ProgressStyle::with_template("{spinner} {msg}").expect("a template"));
        Self { client, args, out, bar, counts: Map::new() }
    }

    /// All of it; what there was, in words.
    async fn all(mut self, server: &ServerArgs) -> Result<String, CliError> {
        let who = self.client.accounts_whoami().get().await?;
        let is_admin = who["is_admin"] == true;
        let what: Vec<String> = self.what().iter().map(|what| what.word()).collect();
        let head = json!({
            "kind": "export", "version": VERSION, "hookwheel": env!("CARGO_PKG_VERSION"),
            "at": time::rfc3339(Clock::real().wall()), "server": server.url, "what": what, "secrets": self.args.secrets,
        });
        self.line(head.to_string().as_bytes())?;
        if self.wants(What::Dialects) {
            self.dialects(is_admin).await?;
        }
        if self.what().iter().any(|what| *what != What::Dialects) {
            self.accounts(is_admin, &who).await?;
        }
        let mut end = Map::from_iter([("kind".to_owned(), json!("end"))]);
        end.extend(self.counts.clone());
        self.line(Value::Object(end).to_string().as_bytes())?;
        self.bar.finish_and_clear();
        Ok(in_words(&self.counts))
    }

    fn what(&self) -> &[What] {
        if self.args.what.is_empty() { &USUAL } else { &self.args.what }
    }

    fn wants(&self, what: What) -> bool {
        self.what().contains(&what)
    }

    /// Those that are files of the server: what is compiled in is there in every one.
    async fn dialects(&mut self, is_admin: bool) -> Result<(), CliError> {
        if !is_admin {
            note("hookwheel: dialects are left out: an admin key shows them");
            return Ok(());
        }
        let own = Dialects::load(None).map_err(|_| CliError::Failed("the dialects of this build are broken".into()))?;
        let mut listed = self.client.dialects().list(&[]);
        while let Some(row) = listed.next().await? {
            let name = row["name"].as_str().unwrap_or_default();
            let shown = self.client.by_name("dialects.get", &[("name", name)], &[("source", "true")], None).await?;
            let text = shown["source"].as_str().ok_or_else(|| {
                CliError::Failed("the server shows no sources of dialects, so it is older than this command: leave dialects out with --what".into())
            })?;
            if own.get(name).is_none_or(|own| own.source != text) {
                self.count(What::Dialects);
                self.line(json!({"kind": "dialect", "name": name, "text": text}).to_string().as_bytes())?;
            }
        }
        Ok(())
    }

    async fn accounts(&mut self, is_admin: bool, who: &Value) -> Result<(), CliError> {
        let own = who["account"]["id"].as_str().unwrap_or_default().to_owned();
        if !self.args.accounts.is_empty() {
            for account in &self.args.accounts {
                self.account(account).await?;
            }
            return Ok(());
        }
        if !is_admin {
            return self.account(&own).await;
        }
        let mut listed = self.client.accounts().list(&[("limit", "250")]);
        while let Some(row) = listed.next().await? {
            self.account(row["id"].as_str().unwrap_or_default()).await?;
        }
        Ok(())
    }

    /// What the server's own export of an account says, as far as it is wanted.
    async fn account(&mut self, account: &str) -> Result<(), CliError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if account.is_empty() || !account.bytes().all(is_plain) {
            return Err(CliError::Usage(format!("--accounts: {account:?} is no id of an account")));
        }
        let path = format!("/api/v1/accounts/{account}/export{}", if self.args.secrets { "?secrets=true" } else { "" });
        let (client, mut pending, mut ended) = (self.client, Vec::new(), Ok(false));
        let read = client.download(&path, |bytes| {
            ended = self.lines(account, &mut pending, bytes);
            matches!(ended, Ok(false))
        });
        read.await?;
        match ended? {
            true => Ok(()),
            false => Err(CliError::Failed(format!("the server broke off in the account {account}; its log says why"))),
        }
    }

    /// Takes a piece of an account's export; whether all of it is there that is wanted.
    fn lines(&mut self, account: &str, pending: &mut Vec<u8>, bytes: &[u8]) -> Result<bool, CliError> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(piece);
            if pending.len() > LINE_BYTES_MAX {
                return Err(CliError::Failed(format!(
                    "a line of the account {account} is longer than {LINE_BYTES_MAX} bytes"
                )));
            }
            if piece.ends_with(b"\n") {
                pending.pop();
                if self.one(account, pending)? {
                    return Ok(true);
                }
                pending.clear();
            }
        }
        Ok(false)
    }

    /// Takes a line; whether it is the last one that is wanted. Events come behind all else but the log.
    fn one(&mut self, account: &str, line: &[u8]) -> Result<bool, CliError> {
        let start = b"{\"kind\":\"";
        let kind = line.strip_prefix(start).and_then(|rest| rest.split(|byte| *byte == b'"').next());
        let kind = kind.and_then(|kind| std::str::from_utf8(kind).ok()).unwrap_or_default();
        let is_behind =
            matches!(kind, "audit" | "end") || matches!(kind, "event" | "delivery") && !self.wants(What::Events);
        let Some(what) = What::of(kind).filter(|what| self.wants(*what)) else { return Ok(is_behind) };
        self.count(what);
        self.bar.set_message(format!("{account}: {}", in_words(&self.counts)));
        match what {
            What::Webhooks if !self.args.secrets => {
                let masked = masked(line)
                    .map_err(|error| CliError::Failed(format!("the server's export is broken: {error}")))?;
                self.line(masked.as_bytes())?;
            }
            // They do not say whose they are.
            What::EventTypes | What::Events => {
                let rest = &line[start.len() + kind.len() + 1..];
                let head = format!("{{\"kind\":\"{kind}\",\"account\":\"{account}\"");
                self.line(&[head.as_bytes(), rest].concat())?;
            }
            _ => self.line(line)?,
        }
        Ok(false)
    }

    fn count(&mut self, what: What) {
        let count = self.counts.entry(what.word().replace('-', "_")).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }

    fn line(&mut self, line: &[u8]) -> Result<(), CliError> {
        self.out.write_all(line).and_then(|()| self.out.write_all(b"\n")).map_err(CliError::io("the export"))
    }
}

/// The same of any line, its end included, if it is a webhook's.
pub fn masked_line(line: &[u8]) -> Option<Vec<u8>> {
    let is_webhook = line.starts_with(b"{\"kind\":\"webhook\"");
    is_webhook.then(|| (masked(line).expect("a line is JSON") + "\n").into_bytes())
}

/// A webhook's line without what lets somebody in.
fn masked(line: &[u8]) -> Result<String, serde_json::Error> {
    let mut webhook: Value = serde_json::from_slice(line)?;
    for place in ["/headers", "/auth/extra"] {
        let headers = webhook.pointer_mut(place).and_then(Value::as_object_mut);
        headers
            .into_iter()
            .flatten()
            .filter(|(name, _)| is_credential(name))
            .for_each(|(_, value)| *value = Value::Null);
    }
    Ok(webhook.to_string())
}

/// `3 accounts, 12 webhooks`.
fn in_words(counts: &Map<String, Value>) -> String {
    let words: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {}", what.replace('_', " "))).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_lets_somebody_in_is_masked_and_others_are_not() {
        let line =
            br#"{"kind":"webhook","url":"https://a.example","headers":{"X-Team":"blue","X-Api-Key":"k"},"auth":null}"#;
        let masked: Value = serde_json::from_str(&masked(line).expect("JSON")).expect("JSON");
        assert_eq!(masked["headers"], json!({"X-Team": "blue", "X-Api-Key": null}));
        assert_eq!(masked["url"], "https://a.example");
    }
}
