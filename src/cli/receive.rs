//! `hookwheel receive`: a small endpoint for trying things out. What stays true: it shows what really arrived, numbers
//! and all, and says of each request whether its signature is valid.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::{KeepAlive, StatusCode};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::contract::{Contract, ContractArgs};
use super::error::CliError;
use super::server::ServerArgs;
use super::shown::{pretty, printable, write};
use crate::dialect::{Asked, Received, VerifyError};
use crate::domain::probe::Method;

/// The longest body that is taken.
const BODY_BYTES_MAX: usize = 64 << 20;
/// The arguments of `hookwheel receive`.
#[derive(Debug, Args)]
pub struct ReceiveArgs {
    /// Address and port to listen on; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    #[command(flatten)]
    contract: ContractArgs,
    /// The URL that it is known by, where that is another and the contract signs it
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Answer the first N requests with 500
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail_first: u64,
    /// Answer with this status, except the first N that fail
    #[arg(long, value_name = "CODE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// Wait this long before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay: u64,
    /// Exit after N answers of 2xx
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Show bodies as they came instead of indented
    #[arg(long)]
    raw: bool,
    /// Show one line a request
    #[arg(long)]
    quiet: bool,
}

/// Receives until it is stopped, or until it has accepted as many requests as it was told to.
pub async fn run(args: ReceiveArgs, dialects: &Path, server: &ServerArgs) -> Result<(), CliError> {
    let endpoint = web::Data::new(Endpoint {
        contract: args.contract.read(dialects)?,
        webhook_url: args.webhook_url,
        fail_first: args.fail_first,
        status: StatusCode::from_u16(args.status).expect("its range was checked"),
        delay: Duration::from_millis(args.delay),
        count: args.count,
        form: if args.quiet { Form::Line } else { Form::Whole { raw: args.raw } },
        received: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        enough: Notify::new(),
        unsaid: Mutex::default(),
    });
    let app_endpoint = endpoint.clone();
    let app = move || {
        let endpoint = app_endpoint.clone();
        let payload = web::PayloadConfig::new(BODY_BYTES_MAX);
        App::new().app_data(endpoint).app_data(payload).default_service(web::to(receive))
    };
    // Heard from before the first request on: the server's own code would begin to listen for them beside it.
    let ends = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [mut terminated, mut interrupted] = ends.map(|end| end.expect("signals can be listened for"));
    // Without kept connections nothing but answers under way holds up the end.
    let receiving = HttpServer::new(app).workers(1).keep_alive(KeepAlive::Disabled).disable_signals();
    let listening = receiving.bind(args.listen);
    let listening = listening.map_err(CliError::io(format!("cannot listen on {}", args.listen)))?;
    greet(&endpoint.contract, listening.addrs()[0], &server.url)?;
    let running = listening.run();
    let handle = running.handle();
    let stopping = async {
        tokio::select! {
            () = endpoint.enough.notified() => {}
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        handle.stop(true).await;
    };
    tokio::select! {
        ended = running => ended.map_err(CliError::io("receiving"))?,
        () = stopping => {}
    }
    let unsaid = endpoint.unsaid.lock().expect("no holder of the lock panics").take();
    unsaid.map_or(Ok(()), |error| Err(CliError::io("standard output")(error)))
}

/// What every request is treated by.
struct Endpoint {
    contract: Contract,
    webhook_url: Option<String>,
    fail_first: u64,
    status: StatusCode,
    delay: Duration,
    count: Option<u64>,
    form: Form,
    received: AtomicU64,
    accepted: AtomicU64,
    enough: Notify,
    /// Why nothing more can be shown.
    unsaid: Mutex<Option<io::Error>>,
}

/// How much is shown of a request.
#[derive(Clone, Copy)]
enum Form {
    /// One line.
    Line,
    /// The dialect's headers and the body too.
    Whole {
        /// Whether the body is shown as it came.
        raw: bool,
    },
}

async fn receive(endpoint: web::Data<Endpoint>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    // A server asks first whether deliveries are wanted here: they are.
    if let Some((status, answer)) = endpoint.answer(&request, &body) {
        let told = format!("asked whether deliveries are wanted here; answered {} {answer}\n", status.as_u16());
        endpoint.say(&printable(&told));
        return HttpResponse::build(status).body(answer);
    }
    let number = endpoint.received.fetch_add(1, Ordering::SeqCst) + 1;
    let status = if number <= endpoint.fail_first { StatusCode::INTERNAL_SERVER_ERROR } else { endpoint.status };
    endpoint.say(&endpoint.show(number, status, &request, &body));
    if !endpoint.delay.is_zero() {
        actix_rt::time::sleep(endpoint.delay).await;
    }
    if status.is_success() {
        let accepted = endpoint.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        if endpoint.count.is_some_and(|count| accepted >= count) {
            endpoint.enough.notify_one();
        }
    }
    HttpResponse::new(status)
}

impl Endpoint {
    /// Shows it. Where that cannot be, receiving ends: nobody would see what else comes.
    fn say(&self, text: &str) {
        if let Err(error) = write(text) {
            self.unsaid.lock().expect("no holder of the lock panics").get_or_insert(error);
            self.enough.notify_one();
        }
    }

    /// What to answer to a question; `None` if the request is none.
    fn answer(&self, request: &HttpRequest, body: &[u8]) -> Option<(StatusCode, String)> {
        let dialect = &self.contract.dialect;
        let rule = dialect.challenge.clone().unwrap_or_default();
        let method = if request.method() == actix_web::http::Method::GET { Method::Get } else { Method::Post };
        let query: Vec<_> = url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
        let key = self.contract.secrets.first().and_then(|secret| dialect.signing_key(secret).ok());
        let answer = rule.answer(Asked { method, query: &query, body }, key.as_ref())?;
        // Of two questions one is wrongly signed, to see whether that is noticed here.
        match rule.forged_status.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(refusal) if !self.contract.secrets.is_empty() && self.check(request, body).is_err() => {
                Some((refusal, String::new()))
            }
            _ => Some((StatusCode::OK, answer)),
        }
    }

    fn check(&self, request: &HttpRequest, body: &[u8]) -> Result<(), VerifyError> {
        let seen = || format!("http://{}{}", request.connection_info().host(), request.uri());
        let url = self.webhook_url.clone().unwrap_or_else(seen);
        self.contract.verify(Received { header: &|name| header(request, name), url: Some(&url), body }, None)
    }

    fn show(&self, number: u64, status: StatusCode, request: &HttpRequest, body: &[u8]) -> String {
        let verdict = self.verdict(request, body);
        let line = format!("{number}: {} {} answered {}", request.method(), request.uri(), status.as_u16());
        let Form::Whole { raw } = self.form else { return format!("{line}, {verdict}\n") };
        let mut shown = format!("{line}\n");
        for name in self.contract.header_names() {
            shown.extend(header(request, name).map(|value| format!("  {name}: {value}\n")));
        }
        shown.push_str(&format!("  {verdict}\n"));
        let text = if raw { None } else { pretty(body) };
        shown.push_str(&text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()));
        shown.push('\n');
        printable(&shown)
    }

    fn verdict(&self, request: &HttpRequest, body: &[u8]) -> String {
        if self.contract.secrets.is_empty() {
            return "signature not checked: no --secret was given".into();
        }
        match self.check(request, body) {
            Ok(()) => "signature valid".into(),
            Err(error) => format!("signature NOT valid: {error}"),
        }
    }
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Says where it listens and how to have events sent there.
fn greet(contract: &Contract, address: SocketAddr, server: &str) -> Result<(), CliError> {
    let dialect = &contract.dialect.name;
    let (secret, hint) = match contract.secrets.is_empty() {
        true => ("", "the reply shows the secret; start again with --secret to have signatures checked"),
        false => (",\"secret\":\"…\"", "put your secret in the place of …"),
    };
    let greeting = format!(
        "receiving on http://{address}/\n\
         to have events sent here by a server that was started with --dev:\n  \
         curl -sS {server}/api/v1/webhooks -H \"Authorization: Bearer $HOOKWHEEL_KEY\" \\\n    \
         -d '{{\"url\":\"http://{address}/\",\"events\":[\"*\"],\"dialect\":\"{dialect}\"{secret}}}'\n\
         {hint}\n"
    );
    write(&greeting).map_err(CliError::io("standard output"))
}
