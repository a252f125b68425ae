//! What filters a list: a form whose fields stand in the address, so that any view can be sent to a colleague.

use maud::{Markup, html};

use crate::api::Problem;
use crate::domain::time;

/// A field of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Its name: the API's.
    pub name: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What is in it.
    pub value: &'a str,
    /// What may be in it, as an example.
    pub example: &'a str,
    /// The id of a `datalist` of values; none if empty.
    pub list: &'a str,
}

impl Filter<'_> {
    /// A text.
    pub fn text(&self, problem: Option<&Problem>) -> Markup {
        self.input("search", problem)
    }

    /// A time, in UTC.
    pub fn time(&self, problem: Option<&Problem>) -> Markup {
        let value = field_time(self.value);
        Filter { value: &value, ..*self }.input("datetime-local", problem)
    }

    /// One of some values, each with what it is called.
    pub fn choice(&self, values: &[(&str, &str)]) -> Markup {
        html! {
            label { (self.label)
                select name=(self.name) {
                    option value="" { "any" }
                    @for (value, called) in values { option value=(value) selected[*value == self.value] { (called) } }
                }
            }
        }
    }

    fn input(&self, kind: &str, problem: Option<&Problem>) -> Markup {
        let is_wrong = problem.is_some_and(|problem| problem.field() == Some(self.name));
        html! {
            label { (self.label)
                input type=(kind) name=(self.name) value=(self.value) placeholder=[Some(self.example).filter(|text| !text.is_empty())]
                    list=[Some(self.list).filter(|list| !list.is_empty())] autocomplete="off" spellcheck="false"
                    step=[(kind == "datetime-local").then_some("any")] aria-invalid=[is_wrong.then_some("true")];
            }
        }
    }
}

/// The form; `clear` is where nothing filters.
pub fn form(fields: &Markup, clear: &str, problem: Option<&Problem>) -> Markup {
    html! {
        form.filters method="get" {
            (fields)
            button type="submit" { "Filter" }
            a.button.quiet href=(clear) { "Clear" }
        }
        @if let Some(problem) = problem { p.problem role="alert" { (problem.to_string()) } }
    }
}

/// A time as the API reads it, of one that a browser writes: in UTC, where it says no zone.
pub fn moment(text: &str) -> String {
    let is_digits =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'T' | b'.'));
    match text.len() {
        16 if is_digits(text) => format!("{text}:00Z"),
        19.. if is_digits(text) => format!("{text}Z"),
        _ => text.to_owned(),
    }
}

/// The same in the other direction, as a field takes it: one that says a zone is empty there, and would be gone with the next
/// search. What is no time stays as it is.
fn field_time(text: &str) -> String {
    let Some(at) = time::parse(text) else { return text.to_owned() };
    let utc = time::rfc3339(at);
    utc.trim_end_matches('Z').trim_end_matches(".000").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_shows_the_time_that_an_address_says() {
        for (said, shown) in [
            ("2026-01-02T03:04:00.000Z", "2026-01-02T03:04:00"),
            ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678"),
            ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05"),
            ("2026-01-02T03:04", "2026-01-02T03:04"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(field_time(said), shown);
            assert!(moment(&field_time(said)) == moment(said) || said.contains(['+', '.']), "{said}");
        }
        let shown = Filter { name: "from", value: "2026-01-02T03:04:00.000Z", ..Filter::default() }.time(None);
        assert!(shown.into_string().contains("value=\"2026-01-02T03:04:00\""));
    }

    #[test]
    fn a_time_without_a_zone_is_in_utc() {
        assert_eq!(moment("2026-01-02T03:04"), "2026-01-02T03:04:00Z");
        assert_eq!(moment("2026-01-02T03:04:05"), "2026-01-02T03:04:05Z");
        assert_eq!(moment("2026-01-02T03:04:05+01:00"), "2026-01-02T03:04:05+01:00");
        assert_eq!(moment("yesterday"), "yesterday");
    }
}
