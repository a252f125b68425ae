//! A condition on an event: what stands inside of a filter of RFC 9535 (JSONPath), such as `@.data.amount > 100`. Pure.
//! What stays true: what was read as a condition is asked in time linear in the event, and is nothing but a condition.
//!
//! For that some of the RFC is not taken. `..`, filters in filters and several selectors in one pair of brackets can
//! each take time that multiplies with every step. `match` and `search` take a pattern, which may stand in the event
//! itself, and even an engine without backtracking then takes pattern times text. And the crate reads a negative index
//! as nothing where a single value is compared, so none is taken.

use serde_json::Value;
use serde_json_path::JsonPath;

use super::Invalid;

/// A condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 1024;
/// Brackets inside of each other.
const DEPTH_MAX: usize = 16;
/// Paths (`@…`) in one condition.
const PATHS_MAX: usize = 32;
/// `*` and `:`, which lead to many values at once.
const WIDE_MAX: usize = 4;

/// The field of a request that holds one.
const FIELD: &str = "filter";
const EXAMPLE: &str = r#"write it like @.data.amount > 100 && @.type != "ping""#;

/// What the text stands in: the parentheses keep it a condition, whatever it says.
const OPENING: &str = "$[?(";
const CLOSING: &str = ")]";

/// A condition that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(JsonPath);

impl Condition {
    /// Reads a condition of at most [`CONDITION_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |message: String| Invalid::new(FIELD, message);
        if text.len() > CONDITION_BYTES_MAX {
            return Err(wrong(format!("is longer than {CONDITION_BYTES_MAX} bytes")));
        }
        check_shape(text).map_err(wrong)?;
        let path = JsonPath::parse(&format!("{OPENING}{}{CLOSING}", text.trim()));
        path.map(Self).map_err(|error| wrong(unreadable(error.message())))
    }

    /// Whether it holds for an event of the form `{type, data, actor, metadata}`. `listed` is a list of that one event.
    pub fn holds(&self, listed: &Value) -> bool {
        debug_assert!(listed.as_array().is_some_and(|list| list.len() == 1), "a list of one event");
        !self.0.query(listed).is_empty()
    }
}

/// What is wrong, as far as the parser knows.
fn unreadable(why: &str) -> String {
    if why.contains("is not defined") {
        return format!("has an unknown function ({why}): there are length, count and value; {EXAMPLE}");
    }
    format!("is not a condition as in RFC 9535: {EXAMPLE}")
}

/// Checks what must be right before the parser sees it: brackets match, and nothing in it multiplies.
fn check_shape(text: &str) -> Result<(), String> {
    let mut open: Vec<u8> = Vec::new();
    let (mut paths, mut wide, mut before) = (0, 0, b' ');
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' | b'\'' if !skip_string(&mut bytes, byte) => {
                return Err(format!("has a text without an end: a {} is missing", char::from(byte)));
            }
            b'(' | b'[' => open.push(byte),
            b')' if open.pop() != Some(b'(') => return Err(unbalanced()),
            b']' if open.pop() != Some(b'[') => return Err(unbalanced()),
            b',' if open.last() == Some(&b'[') => {
                return Err("may hold one selector in a pair of brackets: join several conditions with ||".into());
            }
            b'-' if open.last() == Some(&b'[') => {
                return Err("must not hold a negative number in brackets: indexes count from the start, from 0".into());
            }
            b'.' if before == b'.' => return Err("must not hold \"..\": write the whole path, as in @.data.a.b".into()),
            b'?' => return Err(format!("must not hold a \"?\": it is a filter already; {EXAMPLE}")),
            b'$' => return Err("must not hold a \"$\": a path starts with @, the event, as in @.data.a".into()),
            b'@' => paths += 1,
            b'*' | b':' => wide += 1,
            _ => {}
        }
        if open.len() > DEPTH_MAX {
            return Err(format!("has more than {DEPTH_MAX} brackets inside of each other"));
        }
        before = byte;
    }
    if paths > PATHS_MAX {
        return Err(format!("holds more than {PATHS_MAX} paths"));
    }
    if wide > WIDE_MAX {
        return Err(format!("holds more than {WIDE_MAX} of \"*\" and \":\""));
    }
    if open.is_empty() { Ok(()) } else { Err(unbalanced()) }
}

fn unbalanced() -> String {
    format!("has a bracket without its partner; {EXAMPLE}")
}

/// Skips to the end of a text that started with `quote`; says whether there is one.
fn skip_string(bytes: &mut std::str::Bytes<'_>, quote: u8) -> bool {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            _ if byte == quote => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn holds(text: &str, event: Value) -> bool {
        Condition::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}")).holds(&json!([event]))
    }

    fn refused(text: &str) -> String {
        match Condition::parse(text) {
            Ok(_) => panic!("{text} is taken"),
            Err(Invalid { field, message }) => {
                assert_eq!(field, "filter");
                message
            }
        }
    }

    #[test]
    fn conditions_hold_as_documented() {
        let event = json!({
            "type": "order.paid", "actor": {"id": "u1"},
            "data": {"amount": 250.5, "tags": ["new", "vip"], "note": null, "a b": {"é": 1}, "items": [{"n": 1}, {"n": 7}]},
        });
        for text in [
            "@.data.amount > 100",
            " @.data.amount>100&&@.type != \"ping\" ",
            "@.data.amount < 1 || (@.type == 'order.paid' && !(@.actor.id == 'u2'))",
            "@.data.tags[0] == 'new' && @.data.tags[1] == \"vip\"",
            "@.data.note == null && @.data.note && !@.data.nothing && !@.metadata",
            "@.data['a b'].é == 1",
            "length(@.data.tags) == 2 && count(@.data.items[*]) >= 2 && value(@.data.items[1:].n) == 7",
            "@.data.items[::2]",
            "@.type == \"order\\u002Epaid\"",
            "@.data.nothing == @.metadata.nothing",
            "@.type != '), ] $ ? .. [ \" \\'' ",
        ] {
            assert!(holds(text, event.clone()), "{text}");
        }
        for text in ["@.data.amount > \"100\"", "@.data.nothing == null", "!@.data", "@.data.tags == 'new'"] {
            assert!(!holds(text, event.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_what_to_write() {
        for text in ["", "  ", "true", "@.a >", "amount > 100", "@.a = 1", "@.a && ", "!", "@.a == 1 2", "1 == 1 )("] {
            assert!(refused(text).contains("@.data.amount > 100"), "{text}");
        }
        assert!(refused("search(@.a, 'x')").contains("'search' is not defined"));
        assert!(refused("@.a == \"x").contains("text without an end"));
        assert!(refused("@.a == 'x\\'").contains("text without an end"));
        assert!(refused(&format!("@.a == '{}'", "x".repeat(1020))).contains("1024 bytes"));
        assert!(refused("count(@.a) == count(1)").contains("RFC 9535"));
    }

    #[test]
    fn what_multiplies_is_refused() {
        for text in
            ["@..a", "@.a..*", "@.a[?@.b]", "@[0,0][0,0]", "@['a','b']", "@.a[-1] == 1", "$[0].a", "@[*][*][*][*][*]"]
        {
            refused(text);
        }
        refused(&vec!["@.a"; PATHS_MAX + 1].join("||"));
        refused(&format!("{}@.a{}", "(".repeat(500), ")".repeat(500)));
        refused(&format!("{}@.a{}", "length(".repeat(100), ")".repeat(100)));
        refused(&"(".repeat(1024));
        refused(&"!".repeat(1024));
    }

    #[test]
    fn nothing_gets_out_of_the_wrapper() {
        for text in [
            "@.a], $[?@.b",
            "@.a, 0",
            "@.a, *",
            "@.a][0",
            "@.a)][0",
            "@.a), *",
            "@.a) || (@.b",
            "@.a), (@.b",
            "@.a ) ]",
            "@.a] || $[?@.b",
            "@.a)] || $[?(@.b",
            "@.a,",
            "@.a]",
            ")",
            "@.a)\\",
            "@.a == '\\",
            "@.a == '\\u",
            "'",
            "\\u",
            "@.a == \"\\uD83D\\u",
            "@.a == '\\'",
        ] {
            refused(text);
        }
    }

    #[test]
    fn a_large_event_is_no_trouble() {
        let rows: Vec<Value> = (0..40_000).map(|n| json!({"n": n, "text": "some text"})).collect();
        let deep = (0..90).fold(json!(1), |inner, _| json!([inner, inner_sized()]));
        let event = json!({"type": "a", "data": {"rows": rows, "deep": deep}});
        assert!(event.to_string().len() > 1 << 20);
        let same = vec!["@.data == @.data"; PATHS_MAX / 2].join("&&");
        assert!(holds(&same, event.clone()));
        assert!(holds("@.data.rows[*].n && count(@.data.rows[*]) == 40000 && @.data.rows[0:9]", event.clone()));
        assert!(!holds(&format!("@.data.deep{}.nothing", "[0]".repeat(300)), event));
    }

    fn inner_sized() -> Value {
        json!({"a": [1, 2, 3]})
    }

    /// What conditions are made of, right or wrong.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "@",
            ".data",
            ".a",
            "['b']",
            "[0]",
            "[-1]",
            "[*]",
            "[1:2:3]",
            "[::-9007199254740991]",
            ".*",
            "(",
            ")",
            "[",
            "]",
            "!",
            "&&",
            "||",
            "==",
            "!=",
            "<",
            ">=",
            " ",
            "1",
            "-0",
            "1e3",
            "1e",
            "1e999",
            "0.5",
            "9007199254740993",
            "true",
            "null",
            "'x'",
            "\"\\u00e9\"",
            "\"\\uD83D\\uDE00\"",
            "\"\\uD83D\"",
            "'\\u",
            "\\",
            "'",
            "\"",
            ",",
            "length(",
            "count(",
            "value(",
            "match(",
            "x(",
            "?",
            "$",
            "..",
            "é",
            "\u{0}",
            "\n",
            "😀",
            "@.data.a",
            "@.a)",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), pieces(), pieces().prop_map(|p| p.repeat(9))]) {
            let event = json!([{"type": "a", "data": {"a": [1, [2, "x"], {"b": null}], "x": "é"}, "a": -0.0}]);
            if let Ok(condition) = Condition::parse(&text) {
                condition.holds(&event);
            }
        }

        #[test]
        fn what_is_taken_is_a_condition(text in pieces()) {
            // A condition and its opposite never hold together, which is so for nothing else that a path can say.
            if let (Ok(yes), Ok(no)) = (Condition::parse(&text), Condition::parse(&format!("!({text})"))) {
                let event = json!([{"type": "a", "data": {"a": [1, 2]}, "a": 1}]);
                prop_assert_ne!(yes.holds(&event), no.holds(&event));
            }
        }

        #[test]
        fn texts_compare_as_they_are(text in "\\PC{0,40}") {
            let condition = format!("@.data == {}", Value::String(text.clone()));
            let event = json!({"data": text});
            prop_assert!(holds(&condition, event));
        }
    }

    #[test]
    fn a_condition_that_is_as_large_as_it_may_be_is_taken() {
        let mut long = "@.a == 'x' ".to_string();
        long.push_str(&" ".repeat(CONDITION_BYTES_MAX - long.len()));
        assert!(Condition::parse(&long).is_ok() && Condition::parse(&format!("{long} ")).is_err());
        assert!(Condition::parse(&vec!["@.a"; PATHS_MAX].join("||")).is_ok());
        assert!(Condition::parse("@[*][*][*][*]").is_ok(), "{WIDE_MAX} of them");
        let nested = |depth: usize| format!("{}@.a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Condition::parse(&nested(DEPTH_MAX)).is_ok() && Condition::parse(&nested(DEPTH_MAX + 1)).is_err());
        assert!(holds("@.data.a == -1", json!({"data": {"a": -1}})), "a negative number is one of brackets only");
    }
}
