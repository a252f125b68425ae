//! The page of one operation.

use serde_json::Value;

use super::code;
use super::document::{Operation, Reference, described, text};
use super::schema::{example, fields, kind, properties};
use crate::docs::block::{Block, Document, Draft, Parameter, Text, Trial, row};
use crate::docs::json::pretty;

/// Fields that an example shows though nothing must be there.
const SHOWN: &[(&str, &[&str])] = &[
    ("webhooks.create", &["url", "events"]),
    ("webhooks.put", &["url", "events"]),
    ("webhooks.change", &["events"]),
    ("webhooks.bulk.put", &["uid", "url", "events"]),
    ("dead_letters.replay", &["webhook"]),
    ("dead_letters.discard", &["webhook"]),
    ("webhooks.replay", &["state"]),
    ("filter.preview", &["filter", "event"]),
    ("shape.preview", &["shape", "event_id"]),
];

/// Errors that an example of a reply is not made of.
fn is_error(status: &str) -> bool {
    status.starts_with(['4', '5'])
}

/// The page.
pub(super) fn page(reference: &Reference, operation: Operation<'_>, base_url: &str) -> Document {
    let (first, more) = sentences(operation);
    let mut draft = Draft::new(operation.summary(), first);
    let d = &mut draft;
    more.into_iter().for_each(|paragraph| d.say(paragraph));
    d.say(Text::code(format!("{} {}", operation.method.to_uppercase(), operation.path)));
    let body = operation.body().map(|(schema, _)| example(reference, schema, shown(operation.id)));
    d.heading(2, "Example");
    d.tabs(3, code::tabs(reference, operation, body.as_ref(), base_url));
    if operation.has_key() {
        d.trial(trial(reference, operation, body.as_ref()));
    }
    parameters(d, reference, operation);
    if let Some((schema, is_needed)) = operation.body() {
        d.heading(2, "Body");
        let kinds =
            [(true, "It must have a body, of JSON."), (false, "A body may be left out; if there is one, it is JSON.")];
        d.say(kinds.iter().find(|(known, _)| *known == is_needed).map_or("", |(_, said)| said));
        d.take(fields(reference, items(reference, schema), "Fields of the body"));
    }
    replies(d, reference, operation);
    errors(d, reference, operation);
    draft.done()
}

/// Its description: the first paragraph, and the others.
fn sentences(operation: Operation<'_>) -> (String, Vec<String>) {
    let said = text(operation.said, "description").unwrap_or_default();
    let mut paragraphs = said.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).filter(|p| !p.is_empty());
    let scope = match text(operation.said, "x-scope") {
        _ if !operation.has_key() => "Needs no key.".to_owned(),
        Some(scope) => format!("Needs a key with the scope `{scope}`."),
        None => "Any key may ask for it.".to_owned(),
    };
    let first = paragraphs.next().unwrap_or_else(|| scope.clone());
    let more: Vec<String> = paragraphs.collect();
    let is_told = first.contains("scope `") || first == scope || more.iter().any(|said| said.contains("scope `"));
    (first, more.into_iter().chain((!is_told).then_some(scope)).collect())
}

fn shown(id: &str) -> &'static [&'static str] {
    SHOWN.iter().find(|(known, _)| *known == id).map_or(&[], |(_, names)| names)
}

/// A body that is a list, or one thing or a list, is told by what is in it.
fn items<'r>(reference: &'r Reference, schema: &'r Value) -> &'r Value {
    let resolved = reference.resolved(schema);
    resolved.get("items").unwrap_or(resolved)
}

fn parameters(draft: &mut Draft, reference: &Reference, operation: Operation<'_>) {
    let all = operation.said["parameters"].as_array().into_iter().flatten();
    let rows: Vec<Vec<Text>> = all
        .map(|one| reference.resolved(one))
        .map(|one| {
            let place = text(one, "in").unwrap_or_default();
            let must = if one["required"] == true && place != "path" { "; must be there" } else { "" };
            row![
                Text::code(text(one, "name").unwrap_or_default()),
                place,
                described(one),
                format!("{}{must}", kind(reference, &one["schema"]))
            ]
        })
        .collect();
    if !rows.is_empty() {
        draft.heading(2, "Parameters");
        draft.table("Parameters", &["Name", "Where", "Meaning", "What it is"], rows);
    }
}

/// What it answers when all is well, with an example of the first.
fn replies(draft: &mut Draft, reference: &Reference, operation: Operation<'_>) {
    let all = operation.said["responses"].as_object().into_iter().flatten();
    let good: Vec<(&String, &Value)> = all.filter(|(status, _)| !is_error(status)).collect();
    if good.is_empty() {
        return;
    }
    draft.heading(2, "Reply");
    let rows =
        good.iter().map(|(status, reply)| row![status.as_str(), described(reference.resolved(reply)), forms(reply)]);
    draft.table("Replies", &["Status", "When", "Form"], rows.collect());
    for (status, reply) in good {
        let Some(schema) = reply["content"]["application/json"].get("schema") else { continue };
        let whole = reference.resolved(schema);
        let data = properties(whole).find(|(name, _)| *name == "data").map_or(whole, |(_, schema)| schema);
        let data = items(reference, data);
        if properties(reference.resolved(data)).next().is_none() {
            continue;
        }
        let sample = pretty(&example(reference, schema, &["data"]));
        let mut blocks = fields(reference, data, &format!("Fields of a reply of {status}"));
        // Folded within what is folded would be one fold too many.
        blocks = blocks.into_iter().flat_map(unfolded).collect();
        draft.details(Text::from(format!("Fields of {status}")), blocks);
        draft.details(Text::from(format!("Example of {status}")), vec![crate::docs::block::code("json", sample)]);
    }
}

fn unfolded(block: Block) -> Vec<Block> {
    match block {
        Block::Details { summary, blocks } => std::iter::once(Block::Paragraph(summary)).chain(blocks).collect(),
        other => vec![other],
    }
}

/// The content types of a reply.
fn forms(reply: &Value) -> String {
    let kinds = reply["content"].as_object().into_iter().flatten().map(|(kind, _)| format!("`{kind}`"));
    let kinds: Vec<String> = kinds.collect();
    if kinds.is_empty() { "no body".into() } else { kinds.join(", ") }
}

/// What can go wrong: what is particular, and what any call can be answered.
fn errors(draft: &mut Draft, reference: &Reference, operation: Operation<'_>) {
    let all = operation.said["responses"].as_object().into_iter().flatten();
    let (any, own): (Vec<_>, Vec<_>) =
        all.filter(|(status, _)| is_error(status)).partition(|(_, reply)| reply.get("$ref").is_some());
    if any.is_empty() && own.is_empty() {
        return;
    }
    let rows = |errors: &[(&String, &Value)]| {
        let rows = errors.iter().map(|(status, reply)| row![status.as_str(), described(reference.resolved(reply))]);
        rows.collect::<Vec<_>>()
    };
    draft.heading(2, "Errors");
    draft.say("An error is `{\"error\": {\"code\", \"message\", \"field\"?}}`: the code is for programs, the message for people.");
    if !own.is_empty() {
        draft.table("Errors of this call", &["Status", "When"], rows(&own));
    }
    if !any.is_empty() {
        let head = vec!["Status".to_owned(), "When".to_owned()];
        let table = Block::Table { caption: "Errors that many calls have".into(), head, rows: rows(&any) };
        draft.details("Errors that many calls have", vec![table]);
    }
}

impl Reference {
    /// How an operation can be tried; not, if there is none of this id, or it needs no key.
    pub fn trial(&self, id: &str) -> Option<Trial> {
        let operation = self.operation(id).filter(|operation| operation.has_key())?;
        let body = operation.body().map(|(schema, _)| example(self, schema, shown(id)));
        Some(trial(self, operation, body.as_ref()))
    }
}

/// It can be tried with what its example shows.
fn trial(reference: &Reference, operation: Operation<'_>, body: Option<&Value>) -> Trial {
    let all = operation.said["parameters"].as_array().into_iter().flatten().map(|one| reference.resolved(one));
    let parameter = |one: &Value| {
        let place = text(one, "in").filter(|place| matches!(*place, "path" | "query"))?;
        Some(Parameter { name: text(one, "name")?.to_owned(), is_in_path: place == "path" })
    };
    Trial {
        operation: operation.id.to_owned(),
        method: operation.method.to_uppercase(),
        path: operation.path.to_owned(),
        parameters: all.filter_map(parameter).collect(),
        body: body.map(pretty),
    }
}
