//! The calls that set webhooks up, as commands that can be pasted, with the replies that they get. The shapes come from
//! the dialect's face itself; a dialect without one is served by the native API, which is a face of its own here.

use serde_json::{Map, Value, json};

use super::block::{Draft, Text, row};
use super::json::pretty;
use super::sample::Example;
use super::words;
use crate::dialect::{Dialect, Endpoint, Face, Operation, Page, Paging, TestBody, View};

/// Where the native API has its webhooks.
const NATIVE_BASE: &str = "/api/v1/webhooks";

/// The API that a dialect's webhooks are set up with.
pub(super) struct Calls<'a> {
    dialect: &'a Dialect,
    example: &'a Example<'a>,
    base_url: &'a str,
}

/// One call, ready to be pasted.
struct Call<'a> {
    method: &'a str,
    path: String,
    body: Option<Value>,
}

impl<'a> Calls<'a> {
    pub fn new(dialect: &'a Dialect, example: &'a Example<'a>, base_url: &'a str) -> Self {
        Self { dialect, example, base_url: base_url.trim_end_matches('/') }
    }

    fn face(&self) -> Option<&'a Face> {
        self.dialect.face.as_ref()
    }

    /// Where it starts, such as `/v2/webhooks`.
    pub fn base(&self) -> &'a str {
        self.face().map_or(NATIVE_BASE, |face| &face.base)
    }

    /// The calls there are, in a usual order.
    fn operations(&self) -> Vec<(Operation, Vec<Endpoint>)> {
        let mut found = match self.face() {
            Some(face) => face.operations.0.clone(),
            None => native_operations(),
        };
        // Without a check of its own, only a webhook that asks for one could be asked again.
        found.retain(|(operation, _)| *operation != Operation::Verify || self.dialect.challenge.is_some());
        found.sort_by_key(|(operation, _)| order(*operation));
        found
    }

    /// The first endpoint of an operation, such as `POST /v2/webhooks`.
    pub fn endpoint(&self, wanted: Operation) -> Option<String> {
        let operations = self.operations();
        let (_, endpoints) = operations.iter().find(|(operation, _)| *operation == wanted)?;
        let Endpoint { method, path } = endpoints.first()?;
        Some(format!("{method} {}{path}", self.base()))
    }

    /// The face's name of a native field that can be set, such as `enabled`.
    pub fn field(&self, native: &str) -> Option<String> {
        let fields = self.request_fields();
        fields.into_iter().find(|(_, known)| *known == native).map(|(name, _)| name)
    }

    fn request_fields(&self) -> Vec<(String, &'static str)> {
        match self.face() {
            Some(face) => face.request.clone(),
            None => NATIVE_REQUEST.iter().map(|name| ((*name).to_string(), *name)).collect(),
        }
    }

    /// The whole section.
    pub fn write(&self, draft: &mut Draft) {
        let first = Text::from("Webhooks are managed over HTTP, with an API key: `Authorization: Bearer $API_KEY`. ");
        draft.say(first.and("Bodies are JSON. In the commands below, put your key into `API_KEY`, and a webhook's `id` into `WEBHOOK_ID`."));
        let rows = self.operations().into_iter().flat_map(|(operation, endpoints)| {
            let base = self.base();
            endpoints.into_iter().map(move |Endpoint { method, path }| {
                row![format!("`{method} {base}{path}`"), purpose(operation), operation.status().to_string()]
            })
        });
        draft.table("Calls", &["Call", "What it does", "Status"], rows.collect());
        for (operation, endpoints) in self.operations() {
            if let Some(endpoint) = endpoints.first() {
                self.operation(draft, operation, endpoint);
            }
        }
        self.errors(draft);
    }

    fn operation(&self, draft: &mut Draft, operation: Operation, endpoint: &Endpoint) {
        draft.heading(3, title(operation));
        draft.say(explained(operation));
        let call = Call { method: &endpoint.method, path: self.path(&endpoint.path), body: self.body(operation) };
        draft.code("bash", self.curl(&call));
        if operation == Operation::Create {
            self.fields(draft);
        }
        if operation == Operation::Test
            && let Some(note) = self.test_note()
        {
            draft.say(note);
        }
        match self.reply(operation) {
            Some(reply) => {
                draft.say(format!("The answer is {}:", operation.status()));
                draft.code("json", pretty(&reply));
            }
            None => draft.say(format!("The answer is {}, without a body.", operation.status())),
        }
    }

    /// The path with its ids as shell variables.
    fn path(&self, path: &str) -> String {
        let path = path.replace("{id}", "$WEBHOOK_ID").replace("{delivery_id}", "$DELIVERY_ID");
        format!("{}{path}", self.base())
    }

    /// One command line.
    fn curl(&self, call: &Call<'_>) -> String {
        let url = format!("{}{}", self.base_url, call.path);
        let method = if call.method == "GET" { String::new() } else { format!(" -X {}", call.method) };
        let mut text = format!("curl{method} \"{url}\" \\\n  -H \"Authorization: Bearer $API_KEY\"");
        if let Some(body) = &call.body {
            // Within single quotes a shell changes nothing but the single quote itself.
            let json = pretty(body).replace('\'', "'\\''").replace('\n', "\n  ");
            text.push_str(&format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{json}'"));
        }
        text
    }

    fn body(&self, operation: Operation) -> Option<Value> {
        let sample = |wanted: &[&str]| {
            let fields = self.request_fields();
            let chosen = fields.into_iter().filter(|(_, native)| wanted.contains(native));
            let valued = chosen.map(|(name, native)| (name, self.example.request(native)));
            let mut body: Map<String, Value> = valued.filter(|(_, value)| !value.is_null()).collect();
            // Accounts have a dialect of their own; this call works in every account.
            if self.face().is_none() && wanted.contains(&"url") {
                body.insert("dialect".into(), json!(self.dialect.name));
            }
            Value::Object(body)
        };
        match operation {
            Operation::Create => Some(sample(&["url", "events", "secret"])),
            Operation::Update => Some(sample(&["events"])),
            Operation::Test => self.test_body(),
            _ => None,
        }
    }

    fn test_body(&self) -> Option<Value> {
        let first = self.dialect.catalogue.first()?;
        match self.face().map(|face| &face.test) {
            Some(TestBody::Data) => serde_json::from_str(first.sample.get()).ok(),
            Some(TestBody::Fields(fields)) => {
                let (name, _) = fields.iter().find(|(_, native)| *native == "event_type")?;
                Some(json!({ name: first.name }))
            }
            None => Some(json!({"event_type": first.name})),
        }
    }

    fn test_note(&self) -> Option<String> {
        match self.face().map(|face| &face.test) {
            Some(TestBody::Data) => Some(
                "The body is the data to send. Without a body, the sample of the type is sent; the type is the \
                 webhook's first exact one."
                    .into(),
            ),
            Some(TestBody::Fields(fields)) => {
                let (name, _) = fields.iter().find(|(_, native)| *native == "event_type")?;
                Some(type_note(name))
            }
            None => Some(type_note("event_type")),
        }
    }

    /// What create and update take.
    fn fields(&self, draft: &mut Draft) {
        let (mut fields, is_native) = (self.request_fields(), self.face().is_none());
        fields.sort_by_key(|(_, native)| !matches!(*native, "url" | "events"));
        let mut rows: Vec<Vec<Text>> = fields
            .iter()
            .map(|(name, native)| {
                let needed = if matches!(*native, "url" | "events") { "yes" } else { "no" };
                row![format!("`{name}`"), needed, self.meaning(native)]
            })
            .collect();
        if is_native {
            let name = &self.dialect.name;
            rows.push(row![
                "`dialect`",
                "no",
                format!("the contract, here `{name}`; left out: the account's. It cannot be changed later")
            ]);
        }
        draft.table("Fields of a webhook", &["Field", "Required", "Meaning"], rows);
    }

    fn meaning(&self, native: &str) -> String {
        let dialect = self.dialect;
        match native {
            "url" => "where requests go, such as `https://your-app.example/webhooks`".into(),
            "events" => format!("which events: {}", super::events::filters(dialect)),
            "secret" => format!(
                "what requests are signed with: {}; left out: one is generated, and shown once, in the answer",
                self.secret_form()
            ),
            "enabled" => "whether requests are sent; `true` if left out".into(),
            "test_mode" => "`true`: only test events are sent".into(),
            "ownership_check" => "whether the endpoint must prove that it is yours before anything is sent".into(),
            "name" | "description" => "for people".into(),
            "headers" => "further headers for every request, by name".into(),
            "rate_limit" => {
                let [second, minute] = ["per_second", "per_minute"].map(|name| self.named(name));
                format!("at most this many requests: `{second}` or `{minute}`, and `burst`")
            }
            "max_in_flight" => format!("requests under way at once; {} if left out", dialect.max_in_flight),
            "max_retries" => {
                let (usual, most) = (dialect.retry.delay_seconds.len(), super::delivery::retries_max(dialect));
                format!("how many of the retries are made, 0 to {most}; {usual} if left out")
            }
            "timeout" => format!("seconds to wait for an answer; {} if left out", dialect.timeout_seconds),
            "retry" => {
                let jitter = self.named("jitter_percent");
                format!("`delays` in seconds and `{jitter}`, in the place of the schedule below")
            }
            "success" => format!("which answers are a success; {} if left out", statuses(dialect)),
            other => format!("`{other}`"),
        }
    }

    /// A name that no file states, as the face writes it.
    fn named(&self, native: &str) -> String {
        self.face().map_or(native.to_string(), |face| face.names.write(native))
    }

    /// What a secret looks like.
    fn secret_form(&self) -> String {
        let rule = &self.dialect.secrets;
        let (min, max) = (rule.bytes_min, rule.bytes_max);
        match rule.key {
            crate::dialect::KeyForm::Utf8 => format!("{min} to {max} bytes of text"),
            crate::dialect::KeyForm::Base64 => {
                let after = if rule.prefix.is_empty() { String::new() } else { format!(" after `{}`", rule.prefix) };
                format!("base64 of {min} to {max} bytes{after}")
            }
        }
    }

    /// What a call answers, as the face writes it.
    fn reply(&self, operation: Operation) -> Option<Value> {
        let example = self.example;
        match operation {
            Operation::Create => Some(self.webhook(&self.created())),
            Operation::Get | Operation::Update => Some(self.webhook(&example.webhook())),
            Operation::List => {
                let (natives, total) = ([example.webhook()], 1);
                Some(match self.face() {
                    Some(face) => face.webhooks(&natives, &page(face.list.paging, face.list.limit_default, total)),
                    None => json!({"data": natives, "next_cursor": null}),
                })
            }
            Operation::Deliveries => {
                let natives = example.rows();
                Some(match self.face() {
                    Some(face) => {
                        let rule = &face.deliveries.list;
                        face.rows(&natives, &page(rule.paging, rule.limit_default, natives.len() as u64))
                    }
                    None => json!({"data": natives.map(|row| log_row(&row)), "next_cursor": null}),
                })
            }
            Operation::Test => {
                let first = self.dialect.catalogue.first().map_or("test", |known| known.name.as_str());
                Some(self.wrapped(example.tested(first)))
            }
            Operation::Replay => Some(self.wrapped(example.replayed())),
            Operation::Check => Some(self.wrapped(example.checked())),
            Operation::Verify => Some(self.webhook(&example.created())),
            Operation::Delete => None,
        }
    }

    /// A new webhook: with its secret where the call shows it.
    fn created(&self) -> Map<String, Value> {
        let mut native = self.example.created();
        let shows = |view: &View| matches!(view, View::Native { field: "secret", optional: false, .. });
        match self.example.own_secret() {
            Some(own) if self.face().is_some_and(|face| face.webhook.iter().any(|(_, view)| shows(view))) => {
                native.insert("secret".into(), json!(own));
            }
            Some(_) => {}
            // It was generated.
            None => {
                native.insert("secret".into(), json!(self.example.secret.reveal()));
            }
        }
        native
    }

    fn webhook(&self, native: &Map<String, Value>) -> Value {
        match self.face() {
            Some(face) => face.webhook(native),
            None => json!({"data": native}),
        }
    }

    /// A reply whose fields no file states.
    fn wrapped(&self, value: Value) -> Value {
        match self.face() {
            Some(face) => face.reply(&value),
            None => json!({"data": value}),
        }
    }

    fn errors(&self, draft: &mut Draft) {
        draft.heading(3, "Errors");
        draft.say(
            "An answer that is no success has one shape: a code for programs, a sentence for people, and the field it is \
             about, if there is one.",
        );
        let wrong = crate::domain::webhook::EndpointUrl::parse("your-app.example", false);
        let message = wrong.err().map(|invalid| invalid.to_string());
        let error = json!({"error": {"code": "invalid_field", "message": message, "field": self.field("url")}});
        draft.code("json", pretty(&error));
        let limit = self.dialect.limits.webhooks_per_account;
        let mut rows = vec![
            row!["400", "a field or the body cannot be taken"],
            row!["401", "there is no key, or it is not known"],
            row!["403", "the key may not do this"],
            row!["404", "there is no such webhook, or not in this API"],
        ];
        if let Some(limit) = limit {
            rows.push(row!["409", format!("the account has {} already", words::count(limit.into(), "webhook"))]);
        }
        rows.push(row!["503", "the server takes nothing just now; try again after `Retry-After` seconds"]);
        draft.table("Statuses of errors", &["Status", "Meaning"], rows);
    }
}

const NATIVE_REQUEST: [&str; 15] = [
    "url",
    "events",
    "secret",
    "enabled",
    "name",
    "description",
    "headers",
    "rate_limit",
    "max_in_flight",
    "timeout",
    "retry",
    "success",
    "max_retries",
    "test_mode",
    "ownership_check",
];

fn native_operations() -> Vec<(Operation, Vec<Endpoint>)> {
    let of = |operation, calls: &[(&str, &str)]| {
        let endpoint = |(method, path): &(&str, &str)| Endpoint { method: (*method).into(), path: (*path).into() };
        (operation, calls.iter().map(endpoint).collect())
    };
    vec![
        of(Operation::Create, &[("POST", "")]),
        of(Operation::List, &[("GET", "")]),
        of(Operation::Get, &[("GET", "/{id}")]),
        of(Operation::Update, &[("PUT", "/{id}"), ("PATCH", "/{id}")]),
        of(Operation::Delete, &[("DELETE", "/{id}")]),
        of(Operation::Test, &[("POST", "/{id}/test")]),
        of(Operation::Deliveries, &[("GET", "/{id}/logs")]),
        of(Operation::Replay, &[("POST", "/{id}/replay/{delivery_id}")]),
        of(Operation::Check, &[("POST", "/{id}/check")]),
        of(Operation::Verify, &[("POST", "/{id}/verify")]),
    ]
}

fn order(operation: Operation) -> u8 {
    match operation {
        Operation::Create => 0,
        Operation::List => 1,
        Operation::Get => 2,
        Operation::Update => 3,
        Operation::Check => 7,
        Operation::Verify => 8,
        Operation::Delete => 9,
        Operation::Test => 4,
        Operation::Deliveries => 5,
        Operation::Replay => 6,
    }
}

fn title(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "Create a webhook",
        Operation::List => "List webhooks",
        Operation::Get => "Show a webhook",
        Operation::Update => "Change a webhook",
        Operation::Delete => "Delete a webhook",
        Operation::Test => "Send a test event",
        Operation::Deliveries => "See what was delivered",
        Operation::Replay => "Deliver again",
        Operation::Check => "Check an endpoint",
        Operation::Verify => "Verify an endpoint again",
    }
}

fn purpose(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "creates a webhook",
        Operation::List => "lists webhooks, newest first",
        Operation::Get => "shows one",
        Operation::Update => "changes one",
        Operation::Delete => "deletes one",
        Operation::Test => "sends it a test event",
        Operation::Deliveries => "lists what it was sent, newest first",
        Operation::Replay => "sends a delivery again",
        Operation::Check => "calls the endpoint to see how it is",
        Operation::Verify => "repeats the ownership check",
    }
}

fn explained(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => {
            "Registers an endpoint for events. From then on it gets every event that its filter lets through."
        }
        Operation::List => "Lists your webhooks, newest first.",
        Operation::Get => "Shows one webhook.",
        Operation::Update => "Changes what the body names; everything else stays as it is.",
        Operation::Delete => "Deletes a webhook. What was not delivered yet is cancelled.",
        Operation::Test => "Sends a sample event to this webhook alone, signed and retried like a real one.",
        Operation::Deliveries => {
            "Lists what was sent, with the endpoint's answers: the first place to look when something is missing."
        }
        Operation::Check => {
            "Calls the endpoint with a harmless request, and tells whether it could be reached, whether TLS is right, what it answered and how fast. An endpoint that verifies signatures rightly answers 401."
        }
        Operation::Verify => {
            "Asks the endpoint once more whether it wants deliveries, after it has not passed the ownership check."
        }
        Operation::Replay => {
            "Sends what a delivery sent once more, as a new delivery with an id of its own. Put the old delivery's `id` into `DELIVERY_ID`."
        }
    }
}

fn type_note(name: &str) -> String {
    format!("`{name}` is any documented type; left out, it is the webhook's first exact one.")
}

/// The rule of success in words, such as `2xx`.
pub(super) fn statuses(dialect: &Dialect) -> String {
    let ticked: Vec<String> =
        Vec::<String>::from(dialect.success.clone()).into_iter().map(|range| format!("`{range}`")).collect();
    words::list(&ticked)
}

fn page(paging: Paging, limit: u32, total: u64) -> Page {
    match paging {
        Paging::Cursor => Page::Cursor(None),
        Paging::Offset => Page::Offset { total, limit, offset: 0 },
    }
}

/// A row of the native log.
fn log_row(row: &Map<String, Value>) -> Value {
    const SHOWN: [&str; 8] =
        ["id", "event_id", "event_type", "delivered_at", "status_code", "response_time_ms", "attempts", "last_error"];
    let kept = SHOWN.iter().filter_map(|name| Some((*name, row.get(*name)?)));
    let kept = kept.filter(|(name, value)| *name != "last_error" || !value.is_null());
    Value::Object(kept.map(|(name, value)| (name.to_string(), value.clone())).collect())
}
