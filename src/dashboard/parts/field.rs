//! The fields of forms: a label, what may be in it, and what is wrong with what is in it.

use maud::{Markup, html};

use crate::api::Problem;

/// A field of a form.
#[derive(Debug, Clone, Copy, Default)]
pub struct Field<'a> {
    /// Its name: the API's.
    pub name: &'a str,
    /// What it is called.
    pub label: &'a str,
    /// What is in it.
    pub value: &'a str,
    /// What to know about it.
    pub hint: &'a str,
    /// `text`, `email`, `password`, `number`, `url`, …; `text` if empty.
    pub kind: &'a str,
    /// Whether it must not be empty.
    pub required: bool,
    /// What a browser may fill in; nothing if empty.
    pub autocomplete: &'a str,
    /// Names of values that are offered (the id of a `datalist`); nothing if empty.
    pub list: &'a str,
}

impl Field<'_> {
    /// One line of text.
    pub fn line(&self, problem: Option<&Problem>) -> Markup {
        let wrong = self.wrong(problem);
        let kind = if self.kind.is_empty() { "text" } else { self.kind };
        let autocomplete = if self.autocomplete.is_empty() { "off" } else { self.autocomplete };
        self.around(wrong.as_deref(), &html! {
            input id=(self.id()) name=(self.name) type=(kind) value=(self.value) required[self.required] autocomplete=(autocomplete)
                list=[Some(self.list).filter(|list| !list.is_empty())] spellcheck="false"
                aria-invalid=[wrong.is_some().then_some("true")] aria-describedby=[self.describes(wrong.is_some())];
        })
    }

    /// Lines of text, such as JSON.
    pub fn lines(&self, rows: u8, problem: Option<&Problem>) -> Markup {
        let wrong = self.wrong(problem);
        self.around(wrong.as_deref(), &html! {
            textarea id=(self.id()) name=(self.name) rows=(rows) required[self.required] spellcheck="false" autocomplete="off"
                aria-invalid=[wrong.is_some().then_some("true")] aria-describedby=[self.describes(wrong.is_some())] { (self.value) }
        })
    }

    /// One of some values, each with what it is called.
    pub fn choice(&self, values: &[(&str, &str)], problem: Option<&Problem>) -> Markup {
        let wrong = self.wrong(problem);
        self.around(
            wrong.as_deref(),
            &html! {
                select id=(self.id()) name=(self.name) aria-invalid=[wrong.is_some().then_some("true")]
                    aria-describedby=[self.describes(wrong.is_some())] {
                    @for (value, called) in values { option value=(value) selected[*value == self.value] { (called) } }
                }
            },
        )
    }

    /// A box to tick.
    pub fn tick(&self, is_on: bool) -> Markup {
        html! {
            div.field.tick {
                input id=(self.id()) name=(self.name) type="checkbox" value="on" checked[is_on] aria-describedby=[self.describes(false)];
                label for=(self.id()) { (self.label) }
                @if !self.hint.is_empty() { p.hint id={ (self.id()) "-hint" } { (self.hint) } }
            }
        }
    }

    fn id(&self) -> String {
        format!("field-{}", self.name)
    }

    fn wrong(&self, problem: Option<&Problem>) -> Option<String> {
        let problem = problem.filter(|problem| problem.field() == Some(self.name))?;
        let said = problem.to_string();
        Some(said.strip_prefix(self.name).map_or(said.clone(), |rest| format!("{}{rest}", self.label)))
    }

    fn describes(&self, is_wrong: bool) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id()));
        let wrong = is_wrong.then(|| format!("{}-wrong", self.id()));
        let both: Vec<String> = wrong.into_iter().chain(hint).collect();
        (!both.is_empty()).then(|| both.join(" "))
    }

    fn around(&self, wrong: Option<&str>, input: &Markup) -> Markup {
        html! {
            div.field {
                label for=(self.id()) { (self.label) @if !self.required { span.optional { " optional" } } }
                (input)
                @if let Some(wrong) = wrong { p.wrong id={ (self.id()) "-wrong" } { (wrong) } }
                @if !self.hint.is_empty() { p.hint id={ (self.id()) "-hint" } { (self.hint) } }
            }
        }
    }
}

/// What is wrong with a form, above it, where none of the fields that it has (`names`) says it.
pub fn wrong(problem: Option<&Problem>, names: &[&str]) -> Markup {
    let Some(problem) = problem else { return html! {} };
    html! {
        @if problem.field().is_none_or(|field| !names.contains(&field)) {
            p.problem role="alert" { (problem.to_string()) }
        }
    }
}
