//! The calls that set webhooks up, as commands that can be pasted, with the replies that they get. The shapes come from
//! the dialect's face itself; a dialect without one is served by the native API, which is a face of its own here.

mod fields;
mod native;
mod replies;
mod wording;

use serde_json::{Map, Value, json};

use super::block::{Draft, Text, row};
use super::json::pretty;
use super::sample::Example;
use crate::dialect::{Dialect, Endpoint, Face, Operation, TestBody};

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
        self.face().map_or(native::BASE, |face| &face.base)
    }

    /// The calls there are, in a usual order.
    fn operations(&self) -> Vec<(Operation, Vec<Endpoint>)> {
        let mut found = match self.face() {
            Some(face) => face.operations.0.clone(),
            None => native::operations(),
        };
        // Without a check of its own, only a webhook that asks for one could be asked again.
        found.retain(|(operation, _)| *operation != Operation::Verify || self.dialect.challenge.is_some());
        found.sort_by_key(|(operation, _)| wording::order(*operation));
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
            None => native::REQUEST.iter().map(|name| ((*name).to_string(), *name)).collect(),
        }
    }

    /// The whole section.
    pub fn write(&self, draft: &mut Draft) {
        let first = Text::from("Webhooks are managed over HTTP, with an API key: `Authorization: Bearer $API_KEY`. ");
        draft.say(first.and("Bodies are JSON. In the commands below, put your key into `API_KEY`, and a webhook's `id` into `WEBHOOK_ID`."));
        let rows = self.operations().into_iter().flat_map(|(operation, endpoints)| {
            let base = self.base();
            endpoints.into_iter().map(move |Endpoint { method, path }| {
                row![format!("`{method} {base}{path}`"), wording::purpose(operation), operation.status().to_string()]
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
        draft.heading(3, wording::title(operation));
        draft.say(wording::explained(operation));
        if operation == Operation::Check && !self.dialect.signature.is_empty() {
            draft.say("An endpoint that verifies signatures rightly answers 401.");
        }
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
                let name = |wanted: &str| fields.iter().find(|(_, native)| *native == wanted).map(|(name, _)| name);
                Some(test_fields(name("event_type")?, name("data").map(String::as_str)))
            }
            None => Some(test_fields("event_type", Some("data"))),
        }
    }
}

fn test_fields(event_type: &str, data: Option<&str>) -> String {
    let data = data.map_or(String::new(), |name| format!(" `{name}` is what to send instead of the type's sample."));
    format!("`{event_type}` is any type; left out, it is the webhook's first exact one.{data}")
}
