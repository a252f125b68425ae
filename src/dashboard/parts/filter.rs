//! The fields above a list with which one narrows it. They are sent with GET, so the address says what is shown.

use maud::{Markup, html};

use crate::api::Problem;
use crate::domain::time;

/// A line of text.
pub fn text(label: &str, name: &str, value: &str, example: &str) -> Markup {
    html! {
        label { (label) input name=(name) value=(value) placeholder=(example) spellcheck="false" autocomplete="off" maxlength="256"; }
    }
}

/// One of some values, or any: each with what it is called.
pub fn choice<'a>(
    label: &str,
    name: &str,
    value: &str,
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Markup {
    html! {
        label {
            (label)
            select name=(name) {
                option value="" { "any" }
                @for (one, called) in values { option value=(one) selected[one == value] { (called) } }
            }
        }
    }
}

/// A moment, in UTC.
pub fn moment(label: &str, name: &str, value: &str) -> Markup {
    html! { label { (label) ", UTC" input type="datetime-local" step="1" name=(name) value=(as_local(value)); } }
}

/// A time as a browser's field has it, without a zone, as a time in UTC; what has a zone stays.
pub fn as_utc(text: &str) -> String {
    let utc = format!("{text}Z");
    if time::parse(text).is_none() && time::parse(&utc).is_some() { utc } else { text.to_owned() }
}

/// A time with a zone as a browser's field has it.
fn as_local(text: &str) -> String {
    let written = time::parse(text).map(|at| time::write(at, time::TimeForm::Seconds));
    written.map_or_else(|| text.to_owned(), |written| written.trim_end_matches('Z').to_owned())
}

/// The form around such fields, what is wrong with them, and the way back to all.
pub fn form(action: &str, fields: &Markup, is_filtered: bool, problem: Option<&Problem>) -> Markup {
    html! {
        form.filters method="get" action=(action) {
            (fields)
            button type="submit" { "Filter" }
            @if is_filtered { a.button.quiet href=(action) { "Clear" } }
        }
        @if let Some(problem) = problem { p.problem role="alert" { (problem.to_string()) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_utc_and_comes_back_to_its_field() {
        assert_eq!(as_utc("2024-02-10T16:45"), "2024-02-10T16:45Z");
        assert_eq!(as_utc("2024-02-10T16:45:01"), "2024-02-10T16:45:01Z");
        assert_eq!(as_utc("2024-02-10T16:45:01+01:00"), "2024-02-10T16:45:01+01:00");
        assert_eq!((as_utc("soon"), as_utc("")), ("soon".into(), String::new()));
        assert_eq!(as_local("2024-02-10T17:45:01.5+01:00"), "2024-02-10T16:45:01");
        assert_eq!((as_local("2024-02-10T16:45"), as_local("soon")), ("2024-02-10T16:45".into(), "soon".into()));
    }
}
