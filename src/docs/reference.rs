//! The reference of dialect files, written from the JSON Schema that their types give. What stays true: a key is here if and
//! only if the reader knows it, with the bounds and the default that the reader goes by.

use serde_json::{Map, Value};

use super::block::{Document, Draft, Text, row};
use super::{facts, paths, words};
use crate::dialect::{Placeholder, SCHEMA, as_toml};

/// The whole reference.
pub fn reference() -> Document {
    let mut draft = Draft::new(
        "Dialect files",
        "A dialect is a product's whole webhook contract in one TOML file. This is every key of it.",
    );
    let d = &mut draft;
    d.heading(2, "How to use it");
    use_it(d);
    d.heading(2, "The file");
    keys(d, "", &SCHEMA);
    tables(d, "", &SCHEMA);
    d.heading(2, "Facts");
    placeholders(d);
    d.heading(2, "Native fields");
    native(d);
    draft.done()
}

fn use_it(draft: &mut Draft) {
    draft.list([
        Text::from("New to this? ").link("The tutorial", paths::TUTORIAL).and(" writes a dialect from nothing."),
        Text::from(
            "A file `NAME.toml` in the directory `deliver.dialects` is the dialect NAME, from the next start or `SIGHUP` on. One \
             with the name of a shipped dialect takes its place.",
        ),
        Text::from(
            "`hookwheel dialect check FILE` tells what is wrong with a file, with line and key; `hookwheel dialect docs NAME` \
             writes what its receivers read.",
        ),
        Text::from("Editors complete and check by the ")
            .link("JSON Schema", paths::SCHEMA)
            .and(", which `hookwheel dialect schema` prints. With taplo (Even Better TOML) the first line of a file names it: \
                  `#:schema ./dialect.schema.json`."),
    ]);
}

/// A section for each table below `path`, and those in it.
fn tables(draft: &mut Draft, path: &str, schema: &Value) {
    for (key, schema) in properties(schema) {
        if properties(schema).next().is_none() {
            continue;
        }
        let path = under(path, key);
        let name = if schema["type"] == "array" { format!("[[{path}]]") } else { format!("[{path}]") };
        draft.heading(if path.contains('.') { 3 } else { 2 }, Text::code(&name));
        draft.say(description(schema));
        if let Some(example) = schema["examples"].get(0) {
            let example = example.get(0).unwrap_or(example);
            let lines = example.as_object().into_iter().flatten().map(|(key, value)| assignment(key, value));
            draft.code("toml", format!("{name}\n{}", lines.collect::<Vec<_>>().join("\n")));
        }
        keys(draft, &path, schema);
        tables(draft, &path, schema);
    }
}

/// A table of the keys of one table.
fn keys(draft: &mut Draft, path: &str, schema: &Value) {
    let required = inside(schema)["required"].as_array();
    let row = |(key, schema): (&String, &Value)| {
        let must = required.is_some_and(|keys| keys.iter().any(|known| known == key));
        let default = match &schema["default"] {
            _ if must => Text::from("must be there"),
            Value::Null => Text::from("nothing"),
            default => Text::code(as_toml(default)),
        };
        let mut meaning = Text::from(description(schema));
        for (n, (value, says)) in values(schema).enumerate() {
            let before = if n == 0 { " " } else { "; " };
            meaning =
                meaning.and(before).and(Text::code(as_toml(value))).and(format!(": {}", says.trim_end_matches('.')));
        }
        if values(schema).next().is_some() {
            meaning = meaning.and(".");
        }
        if properties(schema).next().is_none()
            && let Some(example) = schema["examples"].get(0)
        {
            meaning = meaning.and(" Example: ").and(Text::code(assignment(key, example)));
        }
        row![Text::code(key), meaning, kind(&under(path, key), schema), default]
    };
    let caption = if path.is_empty() { "Keys at the top of the file".into() } else { format!("Keys of {path}") };
    draft.table(caption, &["Key", "Meaning", "What it may be", "If left out"], properties(schema).map(row).collect());
}

/// What a value may be, in words.
fn kind(path: &str, schema: &Value) -> Text {
    if properties(schema).next().is_some() {
        let (said, name) = match schema["type"] == "array" {
            true => ("tables: see ", format!("[[{path}]]")),
            false => ("a table: see ", format!("[{path}]")),
        };
        return Text::from(said).link(&name, format!("#{}", super::block::slug(path)));
    }
    Text::from(plain_kind(schema))
}

fn plain_kind(schema: &Value) -> String {
    if let Some(title) = schema["title"].as_str() {
        return title.into();
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(plain_kind).collect::<Vec<_>>().join(", or ");
    }
    let named: Vec<String> = values(schema).map(|(value, _)| format!("`{}`", as_toml(value))).collect();
    if !named.is_empty() {
        return one_of(&named);
    }
    let bound = |key: &str| schema[key].as_u64();
    let within = |least: Option<u64>, most: Option<u64>| match (least, most) {
        (Some(least), Some(most)) if least > 0 => format!(", {least} to {most}"),
        (_, Some(most)) => format!(", at most {most}"),
        (Some(least), None) if least > 0 => format!(", at least {least}"),
        _ => String::new(),
    };
    match schema["type"].as_str() {
        Some("boolean") => "`true` or `false`".into(),
        Some("integer") => format!("a whole number{}", within(bound("minimum"), bound("maximum"))),
        Some("array") => {
            let many = within(bound("minItems"), bound("maxItems"));
            format!("a list{many}; each: {}", plain_kind(&schema["items"]))
        }
        Some("object") => match &schema["additionalProperties"] {
            Value::Object(_) => format!("a table; each: {}", plain_kind(&schema["additionalProperties"])),
            _ => "a table".into(),
        },
        Some("string") => match within(bound("minLength"), bound("maxLength")) {
            bounds if bounds.is_empty() => "text".into(),
            bounds => format!("text{bounds} characters").replace("least 1 characters", "least 1 character"),
        },
        _ => schema["const"].as_str().map_or("anything".into(), |only| format!("`\"{only}\"`")),
    }
}

/// `a`, `b` or `c`.
fn one_of(names: &[String]) -> String {
    match names {
        [some @ .., last] if !some.is_empty() => format!("{} or {last}", some.join(", ")),
        all => words::list(all),
    }
}

/// The values of which it is one, with what each means.
fn values(schema: &Value) -> impl Iterator<Item = (&Value, String)> {
    let all = schema["oneOf"].as_array().into_iter().flatten();
    all.filter_map(|one| Some((one.get("const")?, description(one))))
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}

/// A key as it stands in the file; a list of tables stands in tables of their own.
fn assignment(key: &str, value: &Value) -> String {
    format!("{} = {}", as_toml_key(key), as_toml(value))
}

fn as_toml_key(key: &str) -> String {
    let bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_string() } else { format!("{key:?}") }
}

fn under(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

/// A list is what its items are.
fn inside(schema: &Value) -> &Value {
    schema.get("items").unwrap_or(schema)
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    inside(schema)["properties"].as_object().into_iter().flat_map(Map::iter)
}

fn placeholders(draft: &mut Draft) {
    draft.say(
        "A text may hold facts in braces, such as `\"{event.id}\"`. Which can stand where follows from what is known there; any other \
         is refused by `dialect check`.",
    );
    let row = |(slot, places): (&Placeholder, Vec<&str>)| {
        let meaning = match slot {
            Placeholder::EventData => "the event's own data: any JSON".into(),
            other => facts::meaning(other),
        };
        row![Text::code(slot.to_string()), meaning, words::list(&places)]
    };
    draft.table("Facts", &["Fact", "What it is", "Where"], Placeholder::everywhere().map(row).collect());
    draft.list([
        "`{event.time:unix_ms}`, `{attempt.time:http}`: a time in a form of its own, one of those that `times` may be.",
        "`{actor.NAME}`, `{event.data.NAME}`: one field of who did it, or of the event's data, or null; in the body.",
        "`{header.NAME}`: the value of one of `[headers]`; in what is signed.",
        "`{attempt.unix:text}`: text where it would be a number, alone in a text of the body or of a question.",
        "`{webhook.id}`, `{event.id}`, `{delivery.id}` and `{attempt.id}` are spelled as `[ids]` says; `{webhook.uuid}` and so on are \
         plain. An event that its producer named has that name as its `{event.id}`.",
    ]);
}

fn native(draft: &mut Draft) {
    draft.say(
        "What a face reads and shows are the fields of the native API (see `/openapi.json`), each under a name of the product's own.",
    );
    for (path, said) in [
        ("request", "In `face.request`, what create and update calls can say:"),
        ("test", "In `face.test`, what a test call can say:"),
        ("webhook", "In `face.webhook`, what is known of a webhook:"),
        ("deliveries.fields", "In `face.deliveries.fields`, what is known of an attempt or a delivery:"),
    ] {
        let found = path.split('.').fold(&SCHEMA["properties"]["face"], |schema, key| &schema["properties"][key]);
        let names = names(found).unwrap_or_default();
        let names: Vec<String> =
            names.iter().filter(|name| !name.ends_with('?')).map(|name| format!("`{name}`")).collect();
        draft.say(format!("{said} {}.", words::list(&names)));
    }
}

/// The first list of names in a schema.
fn names(schema: &Value) -> Option<Vec<&str>> {
    if let Some(names) = schema["enum"].as_array() {
        return Some(names.iter().filter_map(Value::as_str).collect());
    }
    let any = schema["anyOf"].as_array().into_iter().flatten();
    any.chain(schema.get("additionalProperties")).find_map(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_row_and_every_table_its_section() {
        let markdown = reference().to_markdown();
        let (mut rows, mut pending) = (0, vec![(String::new(), &*SCHEMA)]);
        while let Some((path, schema)) = pending.pop() {
            for (key, schema) in properties(schema) {
                let path = under(&path, key);
                if properties(schema).next().is_some() {
                    let heading =
                        if schema["type"] == "array" { format!("`[[{path}]]`\n") } else { format!("`[{path}]`\n") };
                    assert!(markdown.contains(&format!("# {heading}")), "{path} has no section");
                } else {
                    let example = assignment(key, &schema["examples"][0]).replace('|', "\\|");
                    assert!(markdown.contains(&example), "{path} has no example {example}");
                }
                assert!(markdown.contains(&format!("| `{key}` | ")), "{path} has no row");
                rows += 1;
                pending.push((path, schema));
            }
        }
        assert!(rows > 80, "only {rows} keys");
        assert!(markdown.contains("| `timeout_seconds` | The deadline of one attempt, in seconds. Example: `timeout_seconds = 10` | a whole number, 1 to 120 | must be there |"), "{markdown}");
    }

    #[test]
    fn links_lead_to_sections_and_nothing_is_said_in_words_of_rust() {
        let document = reference();
        let markdown = document.to_markdown();
        let html = document.to_html();
        for link in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(html.contains(&format!("id=\"{link}\"")), "{link} leads nowhere");
        }
        for word in ["Option<", "[`", "u32", "None", "::", "; each: anything", "| anything"] {
            assert!(!markdown.contains(word), "{word}: {markdown}");
        }
    }
}
