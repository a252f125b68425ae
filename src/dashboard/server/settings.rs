//! The settings in force: each knob with its value and its default, those that somebody changed marked. What stays true: it shows
//! what the API shows, where a secret is only "set".

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};
use serde_json::Value;

use crate::api::access::auth::Oversees;
use crate::api::{Api, Knob};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::value;
use crate::dashboard::parts::empty;
use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::seat::{Looks, Seat};

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show);
}

#[get("/dashboard/server/settings")]
async fn show(seat: Looks<Oversees>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let (text, only_changed) = (value(seat.asked(), "text"), value(seat.asked(), "changed").is_some());
    let wanted = text.as_deref().unwrap_or_default().to_lowercase();
    let is_wanted = |knob: &&Knob| knob.name.contains(&wanted) && (!only_changed || is_changed(knob));
    let settings = api.settings();
    let knobs: Vec<&Knob> = settings.knobs.iter().filter(is_wanted).collect();
    let changed = settings.knobs.iter().filter(|knob| is_changed(knob)).count();
    let body = html! {
        p { "What the configuration file and the environment have made of each setting: " (changed) " of "
            (settings.knobs.len()) " are not as they are by default. SIGHUP applies a change of some, others need a restart. "
            a href="/docs/guide/configuration" { "The guide" } " says what each does." }
        (filters(&seat, text.as_deref(), only_changed))
        @if knobs.is_empty() { (empty::empty("No setting is like this.", None)) }
        @for section in sections(&knobs) { (table(section)) }
    };
    Ok(Page::new("Settings", Part::Settings).show(&seat, &body))
}

fn is_changed(knob: &Knob) -> bool {
    knob.value != knob.default
}

fn section_of(knob: &Knob) -> &str {
    knob.name.split('.').next().unwrap_or_default()
}

/// The knobs by section: they come in its order.
fn sections<'a, 'b>(knobs: &'b [&'a Knob]) -> impl Iterator<Item = &'b [&'a Knob]> {
    knobs.chunk_by(|one, other| section_of(one) == section_of(other))
}

fn filters(seat: &Seat, text: Option<&str>, only_changed: bool) -> Markup {
    html! {
        form.filters method="get" action=(seat.at_server("settings")) {
            label { "Setting" input type="search" name="text" value=[text] placeholder="server.workers" maxlength="100" spellcheck="false"; }
            label.inline { input type="checkbox" name="changed" value="on" checked[only_changed]; " only those that were changed" }
            button type="submit" { "Filter" }
        }
    }
}

fn table(knobs: &[&Knob]) -> Markup {
    html! {
        @if let Some(first) = knobs.first() { h2 #(section_of(first)) { "[" (section_of(first)) "]" } }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Setting" } th scope="col" { "Value" } th scope="col" { "Default" } th scope="col" { span.visually-hidden { "Whether it was changed" } } } }
            tbody { @for knob in knobs {
                tr.changed[is_changed(knob)] {
                    td { code { (knob.name) } }
                    td.wide { code { (shown(&knob.value)) } }
                    td.wide.none { code { (shown(&knob.default)) } }
                    td { @if is_changed(knob) { (state(Meaning::Waiting, "changed")) } }
                }
            } }
        } }
    }
}

/// A value as it stands in the file.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::String(text) => text.clone(),
        Value::Array(all) if all.is_empty() => "none".into(),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn knobs_stand_by_section_and_those_that_were_changed_are_known() {
        let knob = |name: &str, value: Value, default: Value| Knob { name: name.into(), value, default };
        let all = [
            knob("a.x", json!(1), json!(1)),
            knob("a.y", json!(["u", "v"]), json!([])),
            knob("b.x", json!(null), json!(null)),
        ];
        let all: Vec<&Knob> = all.iter().collect();
        assert_eq!(sections(&all).map(<[_]>::len).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(all.iter().map(|knob| is_changed(knob)).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(all.iter().map(|knob| shown(&knob.value)).collect::<Vec<_>>(), ["1", "u, v", "–"]);
    }
}
