//! What the TOML reader says in the words of Rust, said in the words of the file: what stands there, what would be
//! right, and the nearest name there is.

use super::file_schema::example_of;
use super::nearest::nearest;

/// What to say of a key that must be there, by its path.
pub(super) fn missing(path: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or(path);
    format!("missing field `{name}`; for example: {}", example_of(path).unwrap_or_default())
}

/// The reader's message about `key`, with what would be right.
pub(super) fn helpful(key: &str, message: &str) -> String {
    let found_and_wanted = || {
        let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
        rest.split_once(", expected ")
    };
    if let Some((found, wanted)) = found_and_wanted() {
        let hint = match (found, key) {
            ("map", "signature" | "event") => format!("; write [[{key}]]"),
            _ => String::new(),
        };
        return format!("must be {}, not {}{hint}", in_plain_words(wanted), as_it_stands(found));
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let Some(name) = names.next() else { return message.to_string() };
    let more = match message {
        _ if message.starts_with("unknown") => nearest(name, names).map(|near| format!("; the nearest is `{near}`")),
        _ if message.starts_with("missing") => example_of(key).map(|example| format!("; for example: {example}")),
        _ => None,
    };
    format!("{message}{}", more.unwrap_or_default())
}

fn in_plain_words(wanted: &str) -> &str {
    match wanted {
        "a string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        // A percentage is the only one of this size.
        "u8" => "a whole number from 0 to 100",
        "u16" | "u32" | "u64" | "usize" => "a whole number from 0 up",
        _ if wanted == "a map" || wanted.starts_with("struct ") => "a table",
        _ => wanted,
    }
}

fn as_it_stands(found: &str) -> String {
    match found {
        "sequence" => "a list".into(),
        "map" => "a table".into(),
        _ => match found.split_once(' ') {
            Some(("string", text)) => format!("the text {text}"),
            Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
            Some(("floating", rest)) => format!("the number {}", rest.trim_start_matches("point ").trim_matches('`')),
            Some(("boolean", value)) => value.trim_matches('`').into(),
            _ => found.into(),
        },
    }
}
