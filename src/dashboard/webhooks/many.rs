//! What is done to the webhooks that are ticked in the list. What stays true: it is asked once, with how many and which; each is done
//! as if it were done alone; and what could not be done is told with the reason.

use actix_web::{HttpResponse, post, web};
use futures_util::{StreamExt, stream};
use maud::html;

use super::ways;
use crate::api::access::auth::Steers;
use crate::api::http::page::LIMIT_MAX;
use crate::api::webhooks::reach::{Reach, reach};
use crate::api::webhooks::steering::PauseInput;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::parts::amount;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::Posted;
use crate::domain::Invalid;
use crate::domain::ability::Ability;

/// Webhooks that are worked on at once.
const AT_ONCE: usize = 16;

/// What can be done to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Pause,
    Resume,
    Delete,
}

impl Act {
    fn read(word: Option<&str>) -> Result<Self, Invalid> {
        match word {
            Some("pause") => Ok(Self::Pause),
            Some("resume") => Ok(Self::Resume),
            Some("delete") => Ok(Self::Delete),
            _ => Err(Invalid::new("act", "must be pause, resume or delete")),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }

    /// What it is called on a button.
    fn verb(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Delete => "Delete",
        }
    }

    /// What will happen.
    fn told(self) -> &'static str {
        match self {
            Self::Pause => "What is due for them waits until they are resumed.",
            Self::Resume => "What was held goes out.",
            Self::Delete => "What is open for them is cancelled. There is no way back; pausing them has one.",
        }
    }

    async fn one(self, reach: &Reach<'_>, id: &str) -> Result<(), Problem> {
        match self {
            Self::Pause => reach.pause(id, PauseInput::default()).await.map(drop),
            Self::Resume => reach.resume(id).await.map(drop),
            Self::Delete => reach.delete(id).await,
        }
    }
}

/// Asks, and then does it.
#[post("/webhooks/many")]
pub async fn ticked(posted: Posted<Steers>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let (seat, fields) = (&posted.seat, &posted.fields);
    let act = Act::read(fields.text("act"))?;
    if act == Act::Delete && !seat.can(Ability::Manage) {
        return Err(Away::may_not(Ability::Manage));
    }
    let ids: Vec<&str> = fields.all("id").collect();
    if ids.is_empty() || ids.len() > LIMIT_MAX {
        let message = format!("tick 1 to {LIMIT_MAX} webhooks in the list, and choose again");
        return Err(Invalid::new("id", message).into());
    }
    let reach = reach(&api, seat.tenant());
    if !fields.is_on("sure") {
        return Ok(ask(&posted, &reach, act, &ids));
    }
    let each = stream::iter(ids.iter().copied()).map(|id| {
        let reach = &reach;
        async move { (id, act.one(reach, id).await) }
    });
    let done: Vec<(&str, Result<(), Problem>)> = each.buffered(AT_ONCE).collect().await;
    let refused: Vec<(&str, &Problem)> =
        done.iter().filter_map(|(id, result)| result.as_ref().err().map(|problem| (*id, problem))).collect();
    if refused.is_empty() {
        return Ok(on_to(&seat.at("webhooks"), "done-ticked"));
    }
    let body = html! {
        p.note {
            (amount::count((ids.len() - refused.len()) as u64)) " of " (amount::of(ids.len() as u64, "webhook", "webhooks"))
            " done. These could not be:"
        }
        ul {
            @for (id, problem) in &refused { li { a href=(ways::of(seat, id)) { (label(&reach, id)) } ": " (problem.to_string()) } }
        }
        p { a href=(seat.at("webhooks")) { "Back to the webhooks" } }
    };
    let title = format!("{} webhooks", act.verb());
    Ok(Page::new(&title, Part::Webhooks).show(seat, &body))
}

fn ask(posted: &Posted<Steers>, reach: &Reach<'_>, act: Act, ids: &[&str]) -> HttpResponse {
    let seat = &posted.seat;
    let many = amount::of(ids.len() as u64, "webhook", "webhooks");
    let words = html! {
        p { (act.verb()) " " (many) ". " (act.told()) }
        details { summary { "Which" } ul { @for id in ids { li { (label(reach, id)) } } } }
    };
    let mut fields = vec![("act", act.word()), ("sure", "yes")];
    fields.extend(ids.iter().map(|id| ("id", *id)));
    let (action, back, button) = (seat.at("webhooks/many"), seat.at("webhooks"), format!("{} {many}", act.verb()));
    let confirm = Confirm { words: &words, action: &action, button: &button, back: &back, fields: &fields };
    Page::new(&button, Part::Webhooks).show(seat, &confirm.show(seat))
}

fn label(reach: &Reach<'_>, id: &str) -> String {
    reach.called(id).map_or_else(|| id.to_owned(), |webhook| webhook.label())
}
