//! What serde says of a field that cannot be read, said plainly: what would be right, and the nearest name there is. What
//! stays true: the field itself is named by whoever tells it, and so is not named here.

use crate::dialect::nearest;

/// The same message for people. `message` is serde's.
pub fn plainly(message: &str) -> String {
    let (said, place) = match message.rsplit_once(" at line ") {
        Some((said, place)) if is_place(place) => (said, format!(" (line {place})")),
        _ => (message, String::new()),
    };
    let plain = unknown(said).or_else(|| of_another_kind(said));
    let plain = plain.unwrap_or_else(|| match said {
        _ if said.starts_with("missing field ") => "is missing".into(),
        _ if said.starts_with("duplicate field ") => "is there twice".into(),
        other => other.to_string(),
    });
    format!("{plain}{place}")
}

/// Such as `1 column 2`.
fn is_place(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once(" column ").is_some_and(|(line, column)| is_number(line) && is_number(column))
}

/// A name or a word that is none of those that there are.
fn unknown(said: &str) -> Option<String> {
    let is_field = said.starts_with("unknown field ");
    if !is_field && !said.starts_with("unknown variant ") {
        return None;
    }
    let mut names = said.split('`').skip(1).step_by(2);
    let name = names.next()?;
    let known: Vec<&str> = names.collect();
    let near = nearest(name, known.iter().copied()).map_or(String::new(), |near| format!("did you mean {near}? "));
    let all = known.join(", ");
    Some(match (is_field, known.is_empty()) {
        (true, true) => "is not known here; there are no fields".into(),
        (true, false) => format!("is not known here; {near}There are: {all}"),
        (false, _) => format!("must not be {name:?}; {near}There are: {all}"),
    })
}

fn of_another_kind(said: &str) -> Option<String> {
    let rest = said.strip_prefix("invalid type: ").or_else(|| said.strip_prefix("invalid value: "))?;
    let (found, wanted) = rest.split_once(", expected ")?;
    Some(format!("must be {}, not {}", kind(wanted), thing(found)))
}

fn kind(wanted: &str) -> String {
    match wanted {
        "a string" | "a borrowed string" | "str" => "a text".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a JSON object".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 up".into(),
        _ if wanted.starts_with("struct ") => "a JSON object".into(),
        _ => wanted.into(),
    }
}

fn thing(found: &str) -> String {
    match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer", number)) => format!("the number {}", number.trim_matches('`')),
        Some(("floating", rest)) => format!("the number {}", rest.trim_start_matches("point ").trim_matches('`')),
        Some(("boolean", value)) => value.trim_matches('`').into(),
        _ => match found {
            "map" => "an object".into(),
            "sequence" => "a list".into(),
            "unit value" => "null".into(),
            other => other.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_is_said_plainly() {
        for (said, plain) in [
            ("missing field `type` at line 1 column 2", "is missing (line 1 column 2)"),
            ("duplicate field `type`", "is there twice"),
            (
                "unknown field `event`, expected one of `url`, `events` at line 1 column 9",
                "is not known here; did you mean events? There are: url, events (line 1 column 9)",
            ),
            ("unknown field `x`, expected `secret`", "is not known here; There are: secret"),
            ("unknown field `x`, there are no fields", "is not known here; there are no fields"),
            (
                "unknown variant `ed2551`, expected `hmac` or `ed25519`",
                "must not be \"ed2551\"; did you mean ed25519? There are: hmac, ed25519",
            ),
            ("invalid type: integer `7`, expected a string", "must be a text, not the number 7"),
            (
                "invalid type: string \"at line 9\", expected u32 at line 1 column 3",
                "must be a whole number from 0 up, not the text \"at line 9\" (line 1 column 3)",
            ),
            (
                "invalid value: floating point `1.5`, expected u32",
                "must be a whole number from 0 up, not the number 1.5",
            ),
            ("invalid type: boolean `true`, expected a sequence", "must be a list, not true"),
            ("invalid type: map, expected a string", "must be a text, not an object"),
            (
                "invalid type: string \"x at line 9\", expected u32",
                "must be a whole number from 0 up, not the text \"x at line 9\"",
            ),
            ("something else", "something else"),
        ] {
            assert_eq!(plainly(said), plain);
        }
    }
}
