//! The form of an account, and what it says as the API would be told it, so that all is checked in one place.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::api::accounts::view::AccountView;
use crate::api::{Api, Problem};
use crate::dashboard::frame::token;
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::Seat;
use crate::domain::event_type::Validation;

/// The limits: the API's name, what they are called, and what to know.
const LIMITS: [(&str, &str, &str); 9] = [
    ("limits.webhooks_max", "Webhooks", "0: any number."),
    ("limits.keys_max", "Keys", "0: any number."),
    ("limits.max_in_flight", "Deliveries in flight", "The most that its own keys may give a webhook, 1 to 256."),
    ("limits.timeout", "Time-out in seconds", "The longest that its own keys may give a webhook, 1 to 120."),
    ("limits.events_per_second", "Events in a second", "0: any number."),
    ("limits.events_per_day", "New events in a day, UTC", "0: any number."),
    ("limits.kept_bytes_max", "Bytes kept", "Above it the oldest go; 0: any number."),
    ("limits.kept_days_max", "Days kept", "0: for ever."),
    ("limits.event_types_max", "Event types of its own", "0: any number, of 2 MiB together."),
];

/// What stands in the form.
#[derive(Debug, Default)]
pub struct Filled(Vec<(String, String)>);

impl Filled {
    /// As an account is.
    pub fn of(view: &AccountView) -> Self {
        let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
        let limits = &view.limits;
        let all = [
            ("name", view.name.clone()),
            ("dialect", view.dialect.clone()),
            ("tags", view.tags.join(" ")),
            ("validation", view.validation.word().to_owned()),
            ("limits.webhooks_max", number(limits.webhooks_max.map(u64::from))),
            ("limits.keys_max", number(limits.keys_max.map(u64::from))),
            ("limits.max_in_flight", number(limits.max_in_flight.map(u64::from))),
            ("limits.timeout", number(limits.timeout.map(u64::from))),
            ("limits.events_per_second", number(limits.events_per_second.map(u64::from))),
            ("limits.events_per_day", number(limits.events_per_day)),
            ("limits.kept_bytes_max", number(limits.kept_bytes_max)),
            ("limits.kept_days_max", number(limits.kept_days_max.map(u64::from))),
            ("limits.event_types_max", number(limits.event_types_max.map(u64::from))),
        ];
        Self(all.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// As somebody filled it in.
    pub fn from(fields: &Fields) -> Self {
        let names = ["id", "name", "dialect", "tags", "validation"].into_iter().chain(LIMITS.map(|limit| limit.0));
        Self(names.map(|name| (name.to_owned(), fields.raw(name).unwrap_or_default().to_owned())).collect())
    }

    fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// What the form says, with the API's names. What is empty is left out of a new account, and of one that is there goes back to
/// what the server says.
pub fn told(fields: &Fields, is_new: bool) -> Map<String, Value> {
    let mut told = Map::new();
    for name in ["id", "name", "dialect", "validation"] {
        told.extend(fields.text(name).map(|text| (name.to_owned(), Value::from(text))));
    }
    if !is_new && fields.text("name").is_none() {
        told.insert("name".into(), "".into());
    }
    let tags: Vec<&str> =
        fields.text("tags").unwrap_or_default().split([' ', ',']).filter(|tag| !tag.is_empty()).collect();
    told.insert("tags".into(), tags.into());
    let limits = LIMITS.iter().filter_map(|(name, ..)| {
        let short = name.trim_start_matches("limits.").to_owned();
        match fields.text(name) {
            Some(text) => Some((short, text.parse::<u64>().map_or_else(|_| text.into(), Value::from))),
            None => (!is_new).then_some((short, Value::Null)),
        }
    });
    told.insert("limits".into(), Value::Object(limits.collect()));
    told
}

/// The form.
pub fn form(seat: &Seat, api: &Api, action: &str, filled: &Filled, problem: Option<&Problem>, is_new: bool) -> Markup {
    let field = |name, label, hint| Field { name, label, hint, value: filled.value(name), ..Field::default() };
    let names: Vec<&str> =
        ["id", "name", "dialect", "tags", "validation"].into_iter().chain(LIMITS.map(|limit| limit.0)).collect();
    let dialects = api.dialects.now();
    let mut known: Vec<(&str, &str)> = dialects.names().map(|name| (name, name)).collect();
    let own = filled.value("dialect");
    // Its file may be gone.
    if !own.is_empty() && known.iter().all(|(name, _)| *name != own) {
        known.push((own, own));
    }
    let known = if is_new { [vec![("", "that of the account default")], known].concat() } else { known };
    let validation: Vec<(&str, &str)> = Validation::WORDS.iter().map(|word| (*word, *word)).collect();
    html! {
        (wrong(problem, &names))
        form method="post" action=(action) {
            (token(seat))
            @if is_new {
                (field("id", "Id", "1 to 64 of A-Z a-z 0-9 _ -, and never changed; made up if it is empty.").line(problem))
            }
            (Field { required: true, ..field("name", "Name", "For people.") }.line(problem))
            (field("dialect", "Contract", "What its webhooks speak where they do not say; those that are there keep theirs.")
                .choice(&known, problem))
            (field("tags", "Tags", "For your own lists and for broadcasts: words with spaces between them.").line(problem))
            (field("validation", "Validation", "What is done with data that does not fit the schema of its type.")
                .choice(&validation, problem))
            h2 { "Limits" }
            p.hint { "What is empty is what the server's own limits say." }
            div.field-row {
                @for (name, label, hint) in LIMITS {
                    (Field { kind: "text", ..field(name, label, hint) }.line(problem))
                }
            }
            p.submit { button.main type="submit" { @if is_new { "Make the account" } @else { "Save" } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_empty_is_left_out_of_a_new_account_and_reset_in_one_that_is_there() {
        let fields = Fields::read(
            b"id=&name=Acme&tags=beta,+plan/pro&limits.keys_max=7&limits.timeout=soon&limits.webhooks_max=",
        );
        let new = Value::Object(told(&fields, true));
        assert_eq!(
            new,
            json!({"name": "Acme", "tags": ["beta", "plan/pro"], "limits": {"keys_max": 7, "timeout": "soon"}})
        );
        let changed = told(&fields, false);
        assert_eq!((&changed["limits"]["webhooks_max"], &changed["limits"]["keys_max"]), (&Value::Null, &json!(7)));
        assert_eq!(told(&Fields::read(b"name=+"), false)["name"], json!(""));
    }
}
