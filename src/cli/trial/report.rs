//! What was found, for people and for programs: a table that grows while it is tested and fits 80 columns, or an object a
//! line. What stays true: a colour stands beside a shape and a word, and only where a person sees it.

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::terminal::print;
use crate::domain::endpoint::EndpointUrl;
use crate::trial::{Expect, Finding, Kind, Subject, Verdict};

/// What a terminal shows at least.
const WIDTH: usize = 80;
/// What is left of that for a title.
const TITLE: usize = 50;
/// Titles of cases that fail alike.
const ALIKE_MAX: usize = 3;

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Findings on their way to standard output.
pub struct Report<'s> {
    form: Form,
    subject: &'s Subject,
    /// What stands above the table, until it has been written.
    head: Option<String>,
    heading: &'static str,
}

impl<'s> Report<'s> {
    /// For what is tested.
    pub fn new(form: Form, subject: &'s Subject, endpoint: &EndpointUrl) -> Self {
        let head = format!("{} receiver at {}\n", subject.dialect().title, endpoint.as_str());
        Self { form, subject, head: Some(head), heading: "" }
    }

    /// Tells what came of one case.
    pub fn tell(&mut self, finding: &Finding) -> Result<(), CliError> {
        if self.form == Form::Json {
            return write(&format!("{}\n", object(finding, self.subject)));
        }
        // Those are told together in the end.
        if matches!(finding.verdict, Verdict::NotApplicable(_)) {
            return Ok(());
        }
        let mut text = self.head.take().unwrap_or_default();
        let heading = match (finding.case.kind, finding.case.kind.expect()) {
            (Kind::InTime, _) => "in all",
            (_, Expect::Taken) => "must be taken",
            (_, Expect::Refused) => "must be refused",
        };
        if heading != self.heading {
            text += &format!("\n{heading}\n");
            self.heading = heading;
        }
        let Sign { style, mark, word } = sign(&finding.verdict);
        let title = cut(&finding.case.title, TITLE);
        let status = finding.status.map_or("-".into(), |status| status.to_string());
        let took = finding.duration_ms.map_or(String::new(), |ms| format!("{ms} ms"));
        text += format!("{style}{mark} {word:8}{style:#} {title:TITLE$} {status:>5} {took:>12}").trim_end();
        write(&format!("{text}\n"))
    }

    /// Tells what is wrong and what to do about it, and counts.
    pub fn end(&self, findings: &[Finding]) -> Result<(), CliError> {
        if self.form == Form::Json {
            return Ok(());
        }
        let mut text = String::new();
        let none: Vec<_> = findings
            .iter()
            .filter_map(|one| match &one.verdict {
                Verdict::NotApplicable(why) => Some(wrapped(&format!("{}: {why}", one.case.title), "– ", "  ")),
                _ => None,
            })
            .collect();
        if !none.is_empty() {
            text += &format!("\nnot applicable\n{}", none.concat());
        }
        for alike in alike(findings) {
            text += &self.story(&alike);
        }
        let is_event = |one: &&Finding| matches!(one.case.kind, Kind::Event(_)) && one.verdict != Verdict::Passed;
        if findings.iter().filter(|one| matches!(one.case.kind, Kind::Event(_))).all(|one| is_event(&one)) {
            let hint = "No genuine delivery was taken: is --secret the one that the receiver has, and --endpoint as it \
                        knows itself? Until that is mended, what it refuses tells nothing.";
            text += &format!("\n{}", wrapped(hint, "", ""));
        }
        write(&format!("{text}\n{}\n", counted(findings)))
    }

    /// Cases that fail alike: what happened, what it means, what to do.
    fn story(&self, alike: &[&Finding]) -> String {
        let Some(first) = alike.first() else { return String::new() };
        let Sign { style, mark, .. } = sign(&first.verdict);
        let (Verdict::Failed(why) | Verdict::Warned(why) | Verdict::NotSent(why)) = &first.verdict else {
            return String::new();
        };
        let titles: Vec<&str> = alike.iter().take(ALIKE_MAX).map(|one| one.case.title.as_str()).collect();
        let more = alike.len().saturating_sub(ALIKE_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let head = wrapped(&format!("{}{more}: {why}", titles.join(", ")), "  ", "  ");
        let mut text = format!("\n{style}{mark}{style:#}{}", &head[1..]);
        if !matches!(first.verdict, Verdict::NotSent(_)) {
            text += &wrapped(first.meaning(), "  ", "  ");
            text += &wrapped(&first.remedy(self.subject.dialect()), "  → ", "    ");
        }
        text
    }
}

/// How a verdict looks.
struct Sign {
    style: Style,
    mark: char,
    word: &'static str,
}

fn sign(verdict: &Verdict) -> Sign {
    let (style, mark, word) = match verdict {
        Verdict::Passed => (AnsiColor::Green.on_default(), '●', "ok"),
        Verdict::Warned(_) => (AnsiColor::Yellow.on_default(), '▲', "warning"),
        Verdict::Failed(_) => (AnsiColor::Red.on_default(), '■', "fails"),
        Verdict::NotSent(_) => (AnsiColor::Red.on_default(), '■', "not sent"),
        Verdict::NotApplicable(_) => (Style::new(), '–', "none"),
    };
    Sign { style, mark, word }
}

/// What is not as it should be, those together that are so for one reason.
fn alike(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings.iter().filter(|one| !matches!(one.verdict, Verdict::Passed | Verdict::NotApplicable(_))) {
        let is_not_sent = |one: &Finding| matches!(one.verdict, Verdict::NotSent(_));
        let is_like = |group: &&mut Vec<&Finding>| {
            let same = group[0].verdict == finding.verdict;
            same && (is_not_sent(finding) || group[0].meaning() == finding.meaning())
        };
        match groups.iter_mut().find(is_like) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

fn counted(findings: &[Finding]) -> String {
    let count = |is: fn(&Verdict) -> bool| findings.iter().filter(|one| is(&one.verdict)).count();
    let parts = [
        (count(|verdict| *verdict == Verdict::Passed), "ok"),
        (count(|verdict| matches!(verdict, Verdict::Failed(_))), "failed"),
        (count(|verdict| matches!(verdict, Verdict::NotSent(_))), "not sent"),
        (count(|verdict| matches!(verdict, Verdict::Warned(_))), "with a warning"),
        (count(|verdict| matches!(verdict, Verdict::NotApplicable(_))), "not applicable"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    format!("{} cases: {}", findings.len(), parts.join(", "))
}

fn object(finding: &Finding, subject: &Subject) -> serde_json::Value {
    let (result, why) = match &finding.verdict {
        Verdict::Passed => ("passed", None),
        Verdict::Warned(why) => ("warned", Some(why)),
        Verdict::Failed(why) => ("failed", Some(why)),
        Verdict::NotApplicable(why) => ("not_applicable", Some(why)),
        Verdict::NotSent(why) => ("not_sent", Some(why)),
    };
    let told = matches!(finding.verdict, Verdict::Warned(_) | Verdict::Failed(_));
    json!({
        "case": finding.case.name,
        "title": finding.case.title,
        "expected": if finding.case.kind.expect() == Expect::Taken { "taken" } else { "refused" },
        "result": result,
        "why": why,
        "status": finding.status,
        "duration_ms": finding.duration_ms,
        "meaning": told.then(|| finding.meaning()),
        "remedy": told.then(|| finding.remedy(subject.dialect())),
    })
}

/// Text in lines that fit, each with its start.
fn wrapped(text: &str, first: &str, others: &str) -> String {
    let (mut out, mut line) = (String::new(), first.to_string());
    let mut is_bare = true;
    for word in text.split_whitespace() {
        let width = line.chars().count() + word.chars().count() + usize::from(!is_bare);
        if width > WIDTH && !is_bare {
            out += line.trim_end();
            out.push('\n');
            line = others.to_string();
            is_bare = true;
        }
        if !is_bare {
            line.push(' ');
        }
        line += word;
        is_bare = false;
    }
    format!("{out}{line}\n")
}

/// Text that is no longer than that.
fn cut(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width - 1).chain(['…']).collect(),
        false => text.into(),
    }
}

fn write(text: &str) -> Result<(), CliError> {
    match print(text) {
        // A reader that has enough, such as `head`, is no failure: the verdict counts.
        Err(error) if error.is_nobody_reading() => Ok(()),
        printed => printed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_no_word_is_lost() {
        let text = "a word ".repeat(40) + &"x".repeat(100) + " end";
        let lines = wrapped(&text, "→ ", "  ");
        assert!(
            lines.lines().all(|line| line.chars().count() <= WIDTH || line.trim_start().starts_with('x')),
            "{lines}"
        );
        assert_eq!(lines.replace('→', " ").split_whitespace().count(), text.split_whitespace().count());
        assert!(lines.starts_with("→ a word") && lines.lines().nth(1).is_some_and(|line| line.starts_with("  ")));
        assert_eq!((cut("äöü", 3).as_str(), cut("äöüß", 3).as_str()), ("äöü", "äö…"));
    }
}
