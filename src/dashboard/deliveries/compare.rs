//! Two attempts of a delivery side by side, with what differs marked.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use super::difference::{by_name, laid_out, lines};
use super::of::{Of, page};
use super::phases;
use super::timeline::outcome;
use crate::api::access::auth::Read;
use crate::api::deliveries::operations::{attempt, one};
use crate::api::deliveries::view::AttemptView;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::chart::Phase;
use crate::dashboard::parts::{amount, copy};
use crate::dashboard::seat::Looks;
use crate::domain::Invalid;

/// Two attempts: `a` and `b` say which; left out, they are the latest two.
#[get("/deliveries/{id}/compare")]
pub async fn compare(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let delivery = one(&api, seat.tenant(), &of.id)?;
    let numbers: Vec<u16> = delivery.attempts.iter().flatten().map(|attempt| attempt.number).collect();
    let asked = Asked::of(&seat);
    let [b, a] = [("b", 1), ("a", 2)].map(|(name, from_end)| chosen(&asked, name, &numbers, from_end));
    let [a, b] = [a?, b?];
    let left = attempt(&api, seat.tenant(), &delivery.id, a).await?;
    let right = attempt(&api, seat.tenant(), &delivery.id, b).await?;
    let page = page(&seat, &delivery.id);
    let body = html! {
        p { a href=(page) { "Back to delivery " (copy::short(&delivery.id)) } }
        (choice(&numbers, a, b))
        (facts(&left, &right))
        h2 { "Headers of the request" }
        (headers(a, b, sent(&left), sent(&right)))
        h2 { "Body of the request" }
        (bodies(a, b, made(&left), made(&right)))
        h2 { "Headers of the response" }
        (headers(a, b, came(&left), came(&right)))
        h2 { "Body of the response" }
        (bodies(a, b, Some(&left.response_body), Some(&right.response_body)))
    };
    Ok(Page::new(&format!("Attempts {a} and {b}"), Part::Deliveries).show(&seat, &body))
}

/// The attempt that is asked for, else the one so many from the end.
fn chosen(asked: &Asked, name: &str, numbers: &[u16], from_end: usize) -> Result<u16, Problem> {
    let text = asked.text(name);
    if text.is_empty() {
        let usual = numbers.len().checked_sub(from_end).map(|at| numbers[at]);
        return usual.ok_or_else(|| Problem::wrong_state("this delivery has fewer than two attempts to compare"));
    }
    text.parse().map_err(|_| Invalid::new(name, "must be the number of an attempt, from 1").into())
}

fn choice(numbers: &[u16], a: u16, b: u16) -> Markup {
    let texts: Vec<String> = numbers.iter().map(u16::to_string).collect();
    let one = |label, name, chosen: u16| {
        html! {
            label { (label) select name=(name) { @for text in &texts { option value=(text) selected[*text == chosen.to_string()] { (text) } } } }
        }
    };
    html! { form.filters method="get" { (one("Attempt", "a", a)) (one("and attempt", "b", b)) button type="submit" { "Compare" } } }
}

/// What is said of both in short.
fn facts(a: &AttemptView, b: &AttemptView) -> Markup {
    let (left, right) = (phases::phases(a), phases::phases(b));
    let kinds = ["auth", "resolve", "connect", "tls", "wait", "body"].into_iter();
    let phase = |phases: &[Phase<'_>], kind: &str| {
        phases.iter().find(|phase| phase.kind == kind).map(|phase| html! { (phases::took(phase.took_ms)) })
    };
    let text = |text: &Option<String>| text.as_deref().map(plain);
    let mut rows = vec![
        ("Outcome", Some(outcome(a)), Some(outcome(b))),
        ("Started", Some(plain(&a.started_at)), Some(plain(&b.started_at))),
        ("URL", text(&a.url), text(&b.url)),
        ("Error", text(&a.error), text(&b.error)),
        ("Took", Some(html! { (a.response_time_ms) " ms" }), Some(html! { (b.response_time_ms) " ms" })),
    ];
    rows.extend(kinds.map(|kind| (phases::name(kind), phase(&left, kind), phase(&right, kind))));
    rows.retain(|(_, a, b)| a.is_some() || b.is_some());
    table("What", a.number, b.number, rows)
}

/// The headers of one side of both.
fn headers<'a>(
    a: u16,
    b: u16,
    one: impl Iterator<Item = (&'a str, &'a str)>,
    other: impl Iterator<Item = (&'a str, &'a str)>,
) -> Markup {
    let pairs = by_name(one, other).into_iter();
    table("Header", a, b, pairs.map(|(name, one, other)| (name, one.map(plain), other.map(plain))))
}

/// Rows of both sides; what differs is marked.
fn table<'a>(
    what: &str,
    a: u16,
    b: u16,
    rows: impl IntoIterator<Item = (&'a str, Option<Markup>, Option<Markup>)>,
) -> Markup {
    let side = |side: Option<Markup>| side.unwrap_or_else(|| html! { span.none { "–" } });
    html! {
        div.table tabindex="0" {
            table.compare {
                thead { (head(what, a, b)) }
                tbody {
                    @for (name, left, right) in rows {
                        @let differs = left.as_ref().map(|one| &one.0) != right.as_ref().map(|one| &one.0);
                        tr.differs[differs] {
                            th scope="row" { (name) (mark(differs)) }
                            td.wide { (side(left)) }
                            td.wide { (side(right)) }
                        }
                    }
                }
            }
        }
    }
}

fn head(what: &str, a: u16, b: u16) -> Markup {
    html! { tr { th scope="col" { (what) } th scope="col" { "Attempt " (a) } th scope="col" { "Attempt " (b) } } }
}

/// For who does not see the colour.
fn mark(differs: bool) -> Markup {
    html! { @if differs { span.mark-differs title="differs" { " ≠" span.visually-hidden { " differs" } } } }
}

fn bodies(a: u16, b: u16, left: Option<&str>, right: Option<&str>) -> Markup {
    let (Some(left), Some(right)) = (left, right) else {
        return html! { p.hint { "The body of one of them cannot be made once more, so they cannot be compared." } };
    };
    if left == right {
        return html! { p { "The same in both: " (amount::of(left.len() as u64, "byte", "bytes")) "." } };
    }
    let (left, right) = (laid_out(left), laid_out(right));
    let Some(pairs) = lines(&left, &right) else {
        return html! { p { "They differ, and are too long to be shown side by side. Both can be downloaded from the delivery's page." } };
    };
    html! {
        div.table tabindex="0" {
            table.compare.lines {
                thead { (head("≠", a, b)) }
                tbody {
                    @for (left, right) in pairs {
                        tr.differs[left != right] {
                            td { (mark(left != right)) }
                            td.wide { code { (left.unwrap_or_default()) } }
                            td.wide { code { (right.unwrap_or_default()) } }
                        }
                    }
                }
            }
        }
    }
}

fn plain(text: &str) -> Markup {
    html! { code { (text) } }
}

/// Headers of a request; of one whose value is not to be seen, that it was sent.
fn sent(attempt: &AttemptView) -> impl Iterator<Item = (&str, &str)> {
    attempt.request_headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or("not shown to you")))
}

fn came(attempt: &AttemptView) -> impl Iterator<Item = (&str, &str)> {
    attempt.response_headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn made(attempt: &AttemptView) -> Option<&str> {
    attempt.request_body.as_ref()?.as_ref().map(|body| body.content.as_str())
}
