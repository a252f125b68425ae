//! What calls answer, as the face itself writes it.

use serde_json::{Map, Value, json};

use super::{Calls, native};
use crate::dialect::{Operation, Page, Paging, View};
use crate::docs::block::{Draft, row};
use crate::docs::json::pretty;
use crate::docs::words;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::secret::Secret;

impl Calls<'_> {
    /// What a call answers, as the face writes it.
    pub(super) fn reply(&self, operation: Operation) -> Option<Value> {
        let example = self.example;
        match operation {
            Operation::Create => Some(self.webhook(&self.created())),
            Operation::Get => Some(self.webhook(&self.with_public_key(example.webhook_with_lane()))),
            Operation::Update => Some(self.webhook(&self.with_public_key(example.webhook()))),
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
                    None => json!({"data": natives.map(|row| native::log_row(&row)), "next_cursor": null}),
                })
            }
            Operation::Test => {
                let first = self.dialect.catalogue.first().map_or("test", |known| known.name.as_str());
                Some(self.wrapped(example.tested(first)))
            }
            Operation::Replay => Some(self.wrapped(example.replayed())),
            Operation::Check => Some(self.wrapped(example.checked())),
            Operation::Verify => Some(self.webhook(&self.with_public_key(example.created()))),
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
                native = self.with_public_key(native);
                native.insert("secret".into(), json!(self.example.secret.as_ref().map(Secret::reveal)));
            }
        }
        native
    }

    /// A webhook with its public key, where it has a key pair; lists show none.
    fn with_public_key(&self, mut native: Map<String, Value>) -> Map<String, Value> {
        let secret = self.example.secret.as_ref();
        if let Some(public) = secret.and_then(|secret| self.dialect.public_key(secret)) {
            native.insert("public_key".into(), json!(public));
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

    pub(super) fn errors(&self, draft: &mut Draft) {
        draft.heading(3, "Errors");
        draft.say(
            "An answer that is no success has one shape: a code for programs, a sentence for people, and the field it is \
             about, if there is one.",
        );
        let wrong = EndpointUrl::parse("your-app.example", false);
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
        if self.dialect.challenge.is_some() {
            rows.push(row!["409", "the endpoint has not passed the ownership check, so it gets no test event"]);
        }
        if let Some(limit) = limit {
            rows.push(row!["409", format!("the account has {} already", words::count(limit.into(), "webhook"))]);
        }
        rows.push(row!["429", "too many calls; try again after `Retry-After` seconds"]);
        rows.push(row!["503", "the server takes nothing just now; try again after `Retry-After` seconds"]);
        draft.table("Statuses of errors", &["Status", "Meaning"], rows);
    }
}

fn page(paging: Paging, limit: u32, total: u64) -> Page {
    match paging {
        Paging::Cursor => Page::Cursor(None),
        Paging::Offset => Page::Offset { total, limit, offset: 0 },
    }
}
