//! A call of an operation as one writes it: with curl, and with the clients for Python and TypeScript, whose methods are named as
//! operations are.

use serde_json::Value;

use super::document::{Operation, Reference};
use super::schema::example_of_parameter;
use crate::docs::block::{Tab, code};
use crate::docs::json::pretty;

/// Words that Python has for itself: the client puts an underscore behind them.
const OF_PYTHON: [&str; 3] = ["type", "from", "import"];

/// What a call says.
struct Call<'a> {
    operation: Operation<'a>,
    /// Names and values of what stands in the path.
    path: Vec<(&'a str, String)>,
    body: Option<&'a Value>,
    is_list: bool,
}

/// The three.
pub(super) fn tabs(reference: &Reference, operation: Operation<'_>, body: Option<&Value>, base_url: &str) -> Vec<Tab> {
    let parameters = operation.said["parameters"].as_array().into_iter().flatten();
    let in_path = parameters.map(|one| reference.resolved(one)).filter(|one| one["in"] == "path");
    let path = in_path.filter_map(|one| {
        let name = one["name"].as_str()?;
        Some((name, example_of_parameter(one).unwrap_or_else(|| format!("{name}…"))))
    });
    let call = Call { operation, path: path.collect(), body, is_list: is_list(reference, operation) };
    let tab = |title: &str, language: &'static str, text: String| Tab {
        title: title.into(),
        language,
        blocks: vec![code(language, text)],
    };
    let mut tabs = vec![tab("curl", "bash", call.curl(base_url))];
    // What needs no key is read by browsers and monitors.
    if operation.has_key() {
        tabs.push(tab("Python", "python", call.python()));
        tabs.push(tab("TypeScript", "typescript", call.typescript()));
    }
    tabs
}

/// Whether its reply is a page of a list.
fn is_list(reference: &Reference, operation: Operation<'_>) -> bool {
    let schema = &operation.said["responses"]["200"]["content"]["application/json"]["schema"];
    reference.resolved(schema)["properties"].get("next_cursor").is_some()
}

impl Call<'_> {
    fn curl(&self, base_url: &str) -> String {
        let mut path = self.operation.path.to_owned();
        for (name, value) in &self.path {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let method = match self.operation.method {
            "get" => String::new(),
            other => format!(" -X {}", other.to_uppercase()),
        };
        let mut text = format!("curl{method} \"{}{path}\"", base_url.trim_end_matches('/'));
        if self.operation.has_key() {
            text.push_str(" \\\n  -H \"Authorization: Bearer $HOOKWHEEL_KEY\"");
        }
        if let Some(body) = self.body {
            // Within single quotes a shell changes nothing but the single quote itself.
            let json = pretty(body).replace('\'', "'\\''").replace('\n', "\n  ");
            text.push_str(&format!(" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{json}'"));
        }
        text
    }

    fn python(&self) -> String {
        let mut takes: Vec<String> = self.path.iter().map(|(_, value)| python(&value.as_str().into())).collect();
        match (self.operation.id, self.body) {
            ("events.publish", Some(body)) => takes.extend([python(&body["type"]), python(&body["data"])]),
            (_, Some(Value::Object(fields))) => takes.extend(fields.iter().map(|(name, value)| {
                let mark = if OF_PYTHON.contains(&name.as_str()) { "_" } else { "" };
                format!("{name}{mark}={}", python(value))
            })),
            (_, Some(other)) => takes.push(python(other)),
            (_, None) => {}
        }
        let call = format!("hw.{}({})", self.operation.id, takes.join(", "));
        let what = match self.is_list {
            true => format!("for row in {call}:  # all pages\n    print(row)"),
            false => format!("print({call})"),
        };
        format!("from hookwheel import Hookwheel\n\nhw = Hookwheel(url, key)\n{what}")
    }

    fn typescript(&self) -> String {
        let mut takes: Vec<String> =
            self.path.iter().map(|(_, value)| Value::from(value.as_str()).to_string()).collect();
        match (self.operation.id, self.body) {
            ("events.publish", Some(body)) => takes.extend([typescript(&body["type"]), typescript(&body["data"])]),
            (_, Some(body)) => takes.push(typescript(body)),
            (_, None) => {}
        }
        let call = format!("hw.{}({})", camel(self.operation.id), takes.join(", "));
        let what = match self.is_list {
            true => format!("for await (const row of {call}) console.log(row); // all pages"),
            false => format!("console.log(await {call});"),
        };
        format!("import {{ Hookwheel }} from \"hookwheel\";\n\nconst hw = new Hookwheel(url, key);\n{what}")
    }
}

/// `dead_letters.list` as `deadLetters.list`.
fn camel(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    let mut is_up = false;
    for c in id.chars() {
        match (c, is_up) {
            ('_', _) => is_up = true,
            (c, true) => {
                out.extend(c.to_uppercase());
                is_up = false;
            }
            (c, false) => out.push(c),
        }
    }
    out
}

/// JSON as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}: {}", Value::from(name.as_str()), python(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

/// JSON as TypeScript writes it.
fn typescript(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(typescript).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".into(),
        Value::Object(fields) => {
            let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let name =
                |name: &String| if is_plain(name) { name.clone() } else { Value::from(name.as_str()).to_string() };
            let field = |(key, value): (&String, &Value)| format!("{}: {}", name(key), typescript(value));
            format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_written_as_each_language_does() {
        let reference = Reference::of(json!({"paths": {"/api/v1/dead-letters/{id}": {"post": {
            "operationId": "dead_letters.replay", "security": [{"key": []}],
            "parameters": [{"name": "id", "in": "path", "example": "a1"}], "responses": {},
        }}}}));
        let operation = reference.operation("dead_letters.replay").expect("it is there");
        let body = json!({"type": "it's", "all": true, "none": null, "x_y": [1]});
        let tabs = tabs(&reference, operation, Some(&body), "https://h.example/");
        let text = |n: usize| match &tabs[n].blocks[0] {
            crate::docs::block::Block::Code { text, .. } => text.clone(),
            other => panic!("{other:?}"),
        };
        assert!(text(0).starts_with("curl -X POST \"https://h.example/api/v1/dead-letters/a1\" \\\n"), "{}", text(0));
        assert!(text(0).contains("\"it'\\''s\""), "{}", text(0));
        let python = "print(hw.dead_letters.replay(\"a1\", type_=\"it's\", all=True, none=None, x_y=[1]))";
        assert!(text(1).ends_with(python), "{}", text(1));
        let typescript = "await hw.deadLetters.replay(\"a1\", { type: \"it's\", all: true, none: null, x_y: [1] }));";
        assert!(text(2).ends_with(typescript), "{}", text(2));
    }
}
