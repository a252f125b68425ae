//! `hookwheel send`: posts one event from arguments, or many from NDJSON. What stays true: every request carries an
//! `Idempotency-Key`, so a repeated one, and a repeated run with the same `--run`, is accepted once.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::time::Duration;

use awc::http::Method;
use bytes::{Bytes, BytesMut};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::{note, print};
use super::wanted;
use crate::client::{self, Call, Client};
use crate::clock::Dice;

const EVENTS_PATH: &str = "/api/v1/events";
/// A batch is sent when it holds this many bytes, below what a server takes by default; a longer line goes alone.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The arguments of `hookwheel send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// The event's type, such as task.created
    #[arg(value_name = "TYPE", required_unless_present = "ndjson", conflicts_with = "ndjson")]
    event_type: Option<String>,
    /// The event's data: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", default_value = "{}", conflicts_with = "ndjson")]
    data: String,
    /// Who did it: a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "ndjson")]
    actor: Option<String>,
    /// Anything else about it: a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "ndjson")]
    metadata: Option<String>,
    /// The event's id, of your own choice: the same one is accepted once
    #[arg(long, conflicts_with = "ndjson")]
    id: Option<String>,
    /// Whose event it is; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Post every line of FILE, or of standard input (-), each an event as the API takes it
    #[arg(long, value_name = "FILE")]
    ndjson: Option<String>,
    /// Events in one request; one request is accepted whole or not at all
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1000))]
    batch: u32,
    /// Names this run: give the name again to go on after an error without posting anything twice
    #[arg(long, value_name = "NAME", requires = "ndjson")]
    run: Option<String>,
    /// How long to go on trying when the server is busy or away
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    retry_seconds: u64,
}

/// Posts what the arguments say and prints the id of each event that was accepted.
pub async fn run(args: SendArgs, server: &ServerArgs) -> Result<(), CliError> {
    let api = server.client()?;
    match &args.ndjson {
        Some(from) => {
            let from = from.clone();
            send_lines(&Sender::new(&api, &args), &from, args.batch as usize).await
        }
        None => send_one(&Sender::new(&api, &args), &args).await,
    }
}

/// Posts bodies until they are accepted.
struct Sender<'a> {
    api: &'a Client,
    account: Option<&'a str>,
    /// Begins the `Idempotency-Key` of every request.
    run: String,
    patience: Duration,
}

impl<'a> Sender<'a> {
    fn new(api: &'a Client, args: &'a SendArgs) -> Self {
        let run = args.run.clone().unwrap_or_else(|| format!("send-{:016x}", Dice::from_system().bits()));
        Self { api, account: args.account.as_deref(), run, patience: Duration::from_secs(args.retry_seconds) }
    }

    async fn post(
        &self,
        number: usize,
        body: (&'static str, Bytes),
        bar: &ProgressBar,
    ) -> Result<Value, client::Error> {
        let mut headers = vec![("Idempotency-Key", format!("{}-{number}", self.run))];
        headers.extend(self.account.map(|account| ("Hookwheel-Account", account.to_owned())));
        let call = Call { method: Method::POST, path: EVENTS_PATH, headers, body: Some(body) };
        let waiting = |error: &client::Error, wait: Duration| {
            bar.suspend(|| note(format_args!("hookwheel: {error}; trying again in {:.1} s", wait.as_secs_f64())));
        };
        self.api.call_patiently(&call, self.patience, waiting).await
    }
}

#[derive(Serialize)]
struct OneEvent<'a> {
    r#type: &'a str,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

async fn send_one(sender: &Sender<'_>, args: &SendArgs) -> Result<(), CliError> {
    let optional = |name, text: &Option<String>| text.as_deref().map(|text| json(name, text)).transpose();
    let event = OneEvent {
        r#type: args.event_type.as_deref().unwrap_or_default(),
        data: json("--data", &args.data)?,
        actor: optional("--actor", &args.actor)?,
        metadata: optional("--metadata", &args.metadata)?,
        id: args.id.as_deref(),
    };
    let body = serde_json::to_vec(&event).map_err(|error| CliError::Failed(error.to_string()))?;
    let reply = sender.post(0, ("application/json", body.into()), &ProgressBar::hidden()).await?;
    print_receipt(&reply)?;
    wanted::tell_of_one(sender.api, sender.account, event.r#type, &reply["data"]).await;
    Ok(())
}

/// Reads an argument that is JSON, @FILE or -.
fn json(name: &str, text: &str) -> Result<Box<RawValue>, CliError> {
    let text = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut read = String::new();
            io::stdin().read_to_string(&mut read).map_err(CliError::io("standard input"))?;
            read
        }
        (_, Some(path)) => std::fs::read_to_string(path).map_err(CliError::io(path))?,
        _ => text.to_owned(),
    };
    RawValue::from_string(text.trim().to_owned())
        .map_err(|error| CliError::Failed(format!("{name} is not JSON: {error}")))
}

async fn send_lines(sender: &Sender<'_>, from: &str, batch_events_max: usize) -> Result<(), CliError> {
    let (lines, bytes) = open(from)?;
    let mut batches = Batches { lines, line: 0, held: None, events_max: batch_events_max };
    let bar = progress(bytes);
    let (mut number, mut accepted, mut wanted) = (0, 0, wanted::Sum::default());
    while let Some(batch) = batches.next().map_err(CliError::io(from))? {
        let (length, read) = (batch.lines.len(), batch.body.len());
        match sender.post(number, ("application/x-ndjson", batch.body), &bar).await {
            Ok(reply) => {
                wanted.add(&reply["data"]);
                bar.suspend(|| print_receipt(&reply))?;
            }
            Err(error) => {
                bar.abandon();
                return Err(stopped(sender, from, accepted, &batch.lines, error));
            }
        }
        number += 1;
        accepted += length;
        bar.inc(if bytes.is_some() { read as u64 } else { length as u64 });
        bar.set_message(format!("{accepted} events"));
    }
    bar.finish();
    wanted.tell();
    Ok(())
}

/// Says which line was refused, and how to go on.
fn stopped(sender: &Sender<'_>, from: &str, accepted: usize, lines: &[usize], error: client::Error) -> CliError {
    let index = match &error {
        client::Error::Refused { field: Some(field), .. } => {
            field.strip_prefix('[').and_then(|rest| rest.split(']').next()?.parse::<usize>().ok())
        }
        _ => None,
    };
    let place = match index.and_then(|index| lines.get(index)) {
        Some(line) => format!("{from}, line {line}"),
        None => format!("{from}, lines {} to {}", lines[0], lines[lines.len() - 1]),
    };
    CliError::Failed(format!(
        "{place}: {error}\n{accepted} events before were accepted; the same command with --run {} goes on from there and \
         posts nothing twice",
        sender.run
    ))
}

/// The lines, and how many bytes they are if that is known.
fn open(from: &str) -> Result<(Box<dyn BufRead>, Option<u64>), CliError> {
    if from == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let file = File::open(from).map_err(CliError::io(from))?;
    let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 20, file)), bytes))
}

/// On standard error, and only if a person sees it.
fn progress(bytes: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, style) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent:>3} %  {msg}  {binary_bytes_per_sec}  {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(style).expect("a template"))
}

/// What goes into one request.
struct Batch {
    body: Bytes,
    /// The number of each line in the file, from 1.
    lines: Vec<usize>,
}

/// Cuts lines into batches; the same lines and the same bound give the same batches.
struct Batches<R> {
    lines: R,
    line: usize,
    /// A line that did not fit into the batch before, and its number.
    held: Option<(Vec<u8>, usize)>,
    events_max: usize,
}

impl<R: BufRead> Batches<R> {
    fn next(&mut self) -> io::Result<Option<Batch>> {
        let (mut body, mut lines) = (BytesMut::new(), Vec::new());
        while lines.len() < self.events_max {
            let Some((line, number)) = self.next_line()? else { break };
            if !lines.is_empty() && body.len() + line.len() > BATCH_BYTES_MAX {
                self.held = Some((line, number));
                break;
            }
            body.extend_from_slice(&line);
            lines.push(number);
        }
        Ok((!lines.is_empty()).then(|| Batch { body: body.freeze(), lines }))
    }

    /// The next line that is not blank, with its end.
    fn next_line(&mut self) -> io::Result<Option<(Vec<u8>, usize)>> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        loop {
            let mut line = Vec::new();
            if self.lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if !line.trim_ascii().is_empty() {
                if !line.ends_with(b"\n") {
                    line.push(b'\n');
                }
                return Ok(Some((line, self.line)));
            }
        }
    }
}

/// Prints the id of one receipt or of each in a list, and on standard error what there is to know about them.
fn print_receipt(reply: &Value) -> Result<(), CliError> {
    for warning in reply["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        note(format_args!("hookwheel: warning: {warning}"));
    }
    let data = &reply["data"];
    let one = std::slice::from_ref(data);
    for receipt in data.as_array().map_or(one, Vec::as_slice) {
        let id = receipt["id"].as_str().ok_or_else(|| CliError::Failed("the server's answer names no id".into()))?;
        print(&format!("{id}\n"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
    use std::sync::{Arc, Mutex};

    /// What a server was sent: the `Idempotency-Key` and the body.
    type Heard = Arc<Mutex<Vec<(String, String)>>>;

    /// A server that answers each request with the next of `answers`: a status, and a header that asks to wait.
    async fn server(answers: &'static [u16]) -> (ServerArgs, Heard) {
        let heard = Heard::default();
        let hearing = heard.clone();
        let server = HttpServer::new(move || {
            let heard = hearing.clone();
            App::new().default_service(web::to(move |request: HttpRequest, body: web::Bytes| {
                let heard = heard.clone();
                async move { answer(answers, &heard, &request, &body) }
            }))
        });
        let server = server.workers(1).bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}", server.addrs()[0]);
        actix_rt::spawn(server.disable_signals().run());
        (ServerArgs::at(url, Some("key".into())), heard)
    }

    fn answer(answers: &[u16], heard: &Heard, request: &HttpRequest, body: &[u8]) -> HttpResponse {
        assert_eq!(request.headers().get("authorization").expect("a key"), "Bearer key");
        let key = request.headers().get("idempotency-key").expect("every request has one").to_str().expect("text");
        let mut heard = heard.lock().expect("not poisoned");
        heard.push((key.to_owned(), String::from_utf8(body.to_vec()).expect("text")));
        match answers[heard.len() - 1] {
            202 => HttpResponse::Accepted().body(r#"{"data":[{"id":"x"}]}"#),
            503 => HttpResponse::ServiceUnavailable()
                .insert_header(("Retry-After", "0"))
                .body(r#"{"error":{"code":"queue_full","message":"not now"}}"#),
            _ => HttpResponse::BadRequest()
                .body(r#"{"error":{"code":"invalid","field":"[1].type","message":"must not be empty"}}"#),
        }
    }

    fn arguments(list: &[&str]) -> SendArgs {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            args: SendArgs,
        }
        <Only as clap::Parser>::parse_from(std::iter::once(&"send").chain(list)).args
    }

    #[actix_web::test]
    async fn a_request_is_repeated_with_its_key_until_it_is_accepted() {
        let (server, heard) = server(&[503, 503, 202]).await;
        run(arguments(&["task.created", "--data", "{\"a\": 1.0}", "--id", "e1"]), &server).await.expect("accepted");
        let heard = heard.lock().expect("not poisoned");
        assert_eq!(heard[0].1, r#"{"type":"task.created","data":{"a": 1.0},"id":"e1"}"#);
        assert!(heard.len() == 3 && heard.iter().all(|one| *one == heard[0]), "{heard:?}");
    }

    #[actix_web::test]
    async fn an_error_names_the_line_and_how_to_go_on() {
        let (server, heard) = server(&[202, 400]).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("events");
        std::fs::write(&file, "{1}\n\n{2}\n{3}\n\n{4}").expect("written");
        let file = file.to_str().expect("text");
        let args = arguments(&["--ndjson", file, "--batch", "2", "--run", "r"]);
        let error = run(args, &server).await.expect_err("refused").to_string();
        assert!(error.contains(&format!("{file}, line 6: the server refused (400): [1].type: must not")), "{error}");
        assert!(error.contains("2 events before were accepted") && error.contains("--run r"), "{error}");
        let expected = [("r-0", "{1}\n{2}\n"), ("r-1", "{3}\n{4}\n")];
        let expected: Vec<_> = expected.iter().map(|(key, body)| ((*key).to_owned(), (*body).to_owned())).collect();
        assert_eq!(*heard.lock().expect("not poisoned"), expected);
    }

    #[actix_web::test]
    async fn patience_has_its_limit() {
        let args = || arguments(&["a.b", "--retry-seconds", "0"]);
        let (busy, heard) = server(&[503; 9]).await;
        let error = run(args(), &busy).await.expect_err("busy").to_string();
        assert!(error.contains("not now"), "{error}");
        assert!(heard.lock().expect("not poisoned").len() < 9);
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("a port");
        let nobody = ServerArgs::at(format!("http://{free}"), None);
        let error = run(args(), &nobody).await.expect_err("nobody is there").to_string();
        assert!(error.contains("cannot be reached") && error.contains("--url"), "{error}");
    }

    #[test]
    fn a_batch_ends_before_it_gets_too_long() {
        let long = "x".repeat(BATCH_BYTES_MAX - 10);
        let text = format!("a\n{long}\nb\n{long}{long}\nc");
        let mut batches = Batches { lines: text.as_bytes(), line: 0, held: None, events_max: 9 };
        let mut numbers = Vec::new();
        while let Some(batch) = batches.next().expect("reads") {
            numbers.push(batch.lines);
        }
        assert_eq!(numbers, [vec![1, 2, 3], vec![4], vec![5]]);
    }

    #[test]
    fn what_is_no_json_is_not_sent() {
        let error = json("--data", "{a}").expect_err("no JSON").to_string();
        assert!(error.starts_with("--data is not JSON: "), "{error}");
        assert_eq!(json("--data", " [1] ").expect("JSON").get(), "[1]");
    }
}
