//! The fields of a webhook that can be set, in the words of the face that takes them.

use super::Calls;
use crate::dialect::{KeyForm, PairKind};
use crate::docs::block::{Draft, Text, row};
use crate::docs::{delivery, events, facts};

impl Calls<'_> {
    /// What create and update take.
    pub(super) fn fields(&self, draft: &mut Draft) {
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
            "events" => format!("which events: {}", events::filters(dialect)),
            "secret" if dialect.signature.is_empty() => {
                "kept for you, and used for nothing: requests are not signed".into()
            }
            "secret" => format!(
                "what requests are signed with: {}; left out: one is generated, and shown once, in the answer",
                self.secret_form()
            ),
            "enabled" => "whether requests are sent; `true` if left out".into(),
            "test_mode" => "`true`: only test events are sent".into(),
            "ownership_check" if dialect.challenge.is_some() => {
                "always `true` here: see the ownership check below".into()
            }
            "ownership_check" => {
                "whether the endpoint must show that it wants deliveries before anything is sent".into()
            }
            "name" | "description" => "for people".into(),
            "headers" => "further headers for every request, by name".into(),
            "rate_limit" => {
                let [second, minute] = ["per_second", "per_minute"].map(|name| self.named(name));
                format!("at most this many requests: `{second}` or `{minute}`, and `burst`")
            }
            "max_in_flight" => format!("requests under way at once; {} if left out", dialect.max_in_flight),
            "max_retries" => {
                let (usual, most) = (dialect.retry.delay_seconds.len(), delivery::retries_max(dialect));
                format!("how many of the retries are made, 0 to {most}; {usual} if left out")
            }
            "timeout" => format!("seconds to wait for an answer; {} if left out", dialect.timeout_seconds),
            "retry" => {
                let jitter = self.named("jitter_percent");
                format!("`delays` in seconds and `{jitter}`, in the place of the schedule below")
            }
            "shape" => "what is made of an event's data before it is sent".into(),
            "success" => format!("which answers are a success; {} if left out", facts::statuses(dialect)),
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
        let (min, max) = (rule.bytes_min.unwrap_or_default(), rule.bytes_max.unwrap_or_default());
        match rule.key {
            KeyForm::Pkcs8 => {
                let kind = rule.pair.map_or("", PairKind::name);
                format!("an {kind} private key: PKCS #8, in PEM or base64")
            }
            KeyForm::Utf8 => format!("{min} to {max} bytes of text"),
            KeyForm::Base64 => {
                let after = if rule.prefix.is_empty() { String::new() } else { format!(" after `{}`", rule.prefix) };
                format!("base64 of {min} to {max} bytes{after}")
            }
        }
    }
}
