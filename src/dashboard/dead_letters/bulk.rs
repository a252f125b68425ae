//! Replaying or discarding many dead letters: first the API's own dry run says how many, then its job does it.

use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};
use serde::Deserialize;

use crate::api::dead_letters::input::DeadLettersInput;
use crate::api::dead_letters::routes::bulk;
use crate::api::jobs::start as jobs;
use crate::api::jobs::view::CountView;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::endpoint::Endpoint;
use crate::dashboard::dry_run::{self, dry_run, further};
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links;
use crate::dashboard::may::ToReplay;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::{amount, filter};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::Invalid;
use crate::domain::job::JobKind;

/// Says that those are meant which were ticked: without any, none are.
pub const TICKED: &str = "ticked";
/// What says which dead letters are meant.
const NAMES: [&str; 6] = [TICKED, "ids", "webhook", "event_type", "from", "to"];

/// What is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Replay,
    Discard,
}

/// What the path says.
#[derive(Debug, Deserialize)]
pub struct Of {
    verb: Verb,
}

impl Verb {
    fn kind(self) -> JobKind {
        match self {
            Self::Replay => JobKind::Replay,
            Self::Discard => JobKind::Discard,
        }
    }

    /// With a capital: it begins a button.
    fn word(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Discard => "Discard",
        }
    }

    fn means(self) -> &'static str {
        match self {
            Self::Replay => "Each goes out again as a new delivery, the oldest first, and leaves this list.",
            Self::Discard => {
                "They leave this list and nothing is sent. Each stays dead in the history of its webhook, from where it can still be \
                 replayed."
            }
        }
    }
}

/// Asks, and says how many there are.
#[get("/dead-letters/{verb}")]
pub async fn ask(seat: Looks<ToReplay>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let fields = Fields::asked(seat.asked());
    let call = bulk(&api, seat.tenant(), of.verb.kind(), input(&fields)?).await?;
    let count = dry_run(&api, &seat, call).await?;
    let words = words(&api, &seat, of.verb, &fields, &count);
    let said: Vec<_> = said(&fields).collect();
    let (action, back) = (seat.at(&format!("dead-letters/{}", of.verb.kind().word())), back(&seat, &fields));
    let button = format!("{} {}", of.verb.word(), many(&count));
    let confirm = Confirm { words: &words, action: &action, button: &button, back: &back, fields: &said };
    let title = format!("{} dead letters", of.verb.word());
    let body = if count.count > 0 {
        confirm.show(&seat)
    } else {
        html! { (words) p { a.button href=(back) { "Back" } } }
    };
    Ok(Page::new(&title, Part::DeadLetters).show(&seat, &body))
}

/// Starts the job, and leads to it.
#[post("/dead-letters/{verb}")]
pub async fn start(form: Posted<ToReplay>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let tenant = form.seat.tenant();
    let call = bulk(&api, tenant, of.verb.kind(), input(&form.fields)?).await?;
    let job = jobs::start(&api, tenant, call, 0, None).await?;
    let page = form.seat.at(&format!("jobs/{}", links::part(&job.id)));
    Ok(on_to(&page, "started"))
}

/// What the API is asked.
fn input(fields: &Fields) -> Result<DeadLettersInput, Problem> {
    let text = |name: &str| fields.text(name).map(String::from);
    let time = |name: &str| fields.text(name).map(filter::moment);
    let ids: Vec<String> = fields.all("ids").map(String::from).collect();
    if ids.is_empty() && fields.is_on(TICKED) {
        return Err(Invalid::new("ids", "are missing: tick what is meant first").into());
    }
    if !ids.is_empty() {
        return Ok(DeadLettersInput { ids: Some(ids), ..DeadLettersInput::default() });
    }
    Ok(DeadLettersInput {
        webhook: text("webhook"),
        event_type: text("event_type"),
        from: time("from"),
        to: time("to"),
        ..DeadLettersInput::default()
    })
}

/// What a page's address or form says of which are meant, to be said again.
fn said(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().filter(|(name, value)| NAMES.contains(name) && !value.trim().is_empty())
}

/// The list that one came from.
fn back(seat: &Seat, fields: &Fields) -> String {
    let filters = said(fields).filter(|(name, _)| !matches!(*name, TICKED | "ids"));
    links::with_query(&seat.at("dead-letters"), filters.map(|(name, value)| (name, Some(value))))
}

fn many(count: &CountView) -> String {
    dry_run::many(count, "dead letter", "dead letters")
}

fn words(api: &Api, seat: &Seat, verb: Verb, fields: &Fields, count: &CountView) -> Markup {
    let webhook = fields.text("webhook").and_then(|id| Endpoint::of(api, seat.tenant(), id));
    let filters = [("of type", "event_type"), ("made from", "from"), ("made before", "to")];
    html! {
        p {
            b { (many(count)) }
            @if fields.all("ids").next().is_some() { " that you ticked" } @else {
                @if let Some(webhook) = webhook { " of " (webhook.name) }
                @for (words, name) in filters { @if let Some(text) = fields.text(name) { " " (words) " " code { (text) } } }
            }
            "."
        }
        (further(seat, count))
        @if count.skipped > 0 {
            p { (amount::count(count.skipped)) " more cannot be: what they delivered is no longer kept, or somebody was faster." }
        }
        p { (verb.means()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DeadLettersInput, Problem> {
        input(&Fields::read(text.as_bytes()))
    }

    #[test]
    fn ticks_are_meant_alone_and_no_tick_never_means_all() {
        assert_eq!(read("ticked=yes&webhook=w").unwrap_err().field(), Some("ids"));
        let ticked = read("ticked=yes&ids=a&ids=b&webhook=w").unwrap();
        assert_eq!((ticked.ids, ticked.webhook), (Some(vec!["a".into(), "b".into()]), None));
        let all = read("webhook=w&event_type=&from=2024-02-10T16:45&token=t").unwrap();
        assert_eq!((all.ids, all.webhook.as_deref(), all.event_type), (None, Some("w"), None));
        assert_eq!(all.from.as_deref(), Some("2024-02-10T16:45:00Z"));
    }

    #[test]
    fn what_is_said_again_is_only_what_says_which() {
        let fields = Fields::read(b"ticked=yes&ids=a&token=t&said=x&from=&to=9");
        assert_eq!(said(&fields).collect::<Vec<_>>(), [("ticked", "yes"), ("ids", "a"), ("to", "9")]);
    }
}
