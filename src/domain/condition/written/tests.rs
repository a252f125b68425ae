//! What is a condition and what is not, and the same answers as the crate of the RFC gives.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

/// More than any of these takes.
const MANY: u64 = 1 << 32;

fn parse(text: &str) -> Condition {
    Condition::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

fn ask(condition: &Condition, event: &Value, steps: u64) -> Result<bool, TooCostly> {
    condition.holds(&Node::read(event.to_string().as_bytes()), &mut Steps::new(steps))
}

fn holds(text: &str, event: Value) -> bool {
    ask(&parse(text), &event, MANY).unwrap()
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
    assert!(refused("@.a == \"x").contains("a text has no end"));
    assert!(refused("@.a == 'x\\'").contains("a text has no end"));
    assert!(refused(&format!("@.a == '{}'", "x".repeat(1020))).contains("1024 bytes"));
    assert!(refused("count(@.a) == count(1)").contains("RFC 9535"));
}

#[test]
fn a_mistake_is_named_with_its_place() {
    for (text, place) in [
        ("@.data.amount >", "is wrong at its end: "),
        ("  @.data.amount > ", "is wrong at its end: "),
        ("amount > 100", "is wrong at character 8, at \"> 100\": "),
        (" @.ä = 1 && @.b", "is wrong at character 6, at \"= 1 && @.b\": "),
        ("@.a == 1 2", "is wrong at character 10, at \"2\": "),
        ("@.a && (@.b", "is wrong at character 8, at \"(@.b\": a bracket has no partner"),
        ("@.a)", "is wrong at character 4, at \")\": a bracket has no partner"),
        ("@.a == 'x", "is wrong at character 8, at \"'x\": a text has no end"),
        ("@.a..b.c.d.e.f.g.h.i.j.k.l", "is wrong at character 5, at \".b.c.d.e.f.g.h.i.j.k\": \"..\""),
        ("@.a && ma(@.b)", "is wrong at character 11, at \"@.b)\": the function 'ma' is not defined"),
    ] {
        let message = refused(text);
        assert!(message.starts_with(place), "{text}: {message}");
    }
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
fn nothing_stands_beside_it() {
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
    assert_eq!(ask(&parse(&same), &event, 200), Ok(true), "who looks into the same value twice need not compare it");
    assert!(holds("@.data.rows[*].n && count(@.data.rows[*]) == 40000 && @.data.rows[0:9]", event.clone()));
    assert!(!holds(&format!("@.data.deep{}.nothing", "[0]".repeat(300)), event));
}

#[test]
fn what_takes_time_takes_steps() {
    let rows: Vec<Value> = (0..1_000).map(|n| json!({"n": n})).collect();
    let text = "x".repeat(64_000);
    let event = json!({"a": rows, "b": rows, "t": text, "u": text, "n": {text.clone(): 1}, "m": {text.clone(): 1}});
    for (costly, least) in [
        ("@.a == @.b", 3_000),
        ("@.a > @.b", 3_000),
        ("count(@.a[*].n) == 0", 2_000),
        ("@.a[*].m", 1_000),
        ("count(@.a[:]) == 0", 1_000),
        ("@.t == @.u", 1_000),
        ("@.t < @.u", 1_000),
        ("length(@.t) == 1", 1_000),
        ("@.n == @.m", 1_000),
    ] {
        let condition = parse(costly);
        assert_eq!(ask(&condition, &event, least), Err(TooCostly), "{costly}");
        assert!(ask(&condition, &event, 3 * least).is_ok(), "{costly}");
    }
    for cheap in ["@.a[999].n == 999", "@.a != @.b[0]", "@.t == 'x'", "@.a[*].n", "length(@.a) == 1", "value(@.a[*])"] {
        let condition = Condition::parse(cheap).or_else(|_| Condition::parse(&format!("{cheap} == 1")));
        assert!(ask(&condition.unwrap(), &event, 30).is_ok(), "{cheap}");
    }
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

/// Right ones, about what stands in [`events`].
pub(in crate::domain::condition) fn conditions() -> impl Strategy<Value = String> {
    let path = "@(\\.(a|b|data|\\*)|\\['a'\\]|\\[(0|1|\\*|0:2|::2|1:)\\]){0,4}";
    let literal = prop::sample::select(vec!["0", "-0", "1", "1.0", "2.5", "'x'", "\"\"", "true", "false", "null"]);
    let function = ("(length|count|value)", path).prop_map(|(name, path)| format!("{name}({path})"));
    let operand = prop_oneof![path, literal.clone().prop_map(String::from), function];
    let relation = prop::sample::select(vec!["==", "!=", "<", ">", "<=", ">="]);
    let compared = (operand.clone(), relation, operand).prop_map(|(left, by, right)| format!("{left} {by} {right}"));
    let equal = (path, literal).prop_map(|(path, literal)| format!("{path} == {literal}"));
    let leaf = prop_oneof![
        path.prop_map(|path| path),
        path.prop_map(|path| format!("!{path}")),
        compared,
        equal.clone(),
        equal
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|tests| tests.join(" && ")),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|tests| tests.join("||")),
            inner.clone().prop_map(|test| format!("({test})")),
            inner.prop_map(|test| format!("!({test})")),
        ]
    })
}

/// Events with few names and few values.
pub(in crate::domain::condition) fn events() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.0),
        json!(2.5),
        json!("x"),
        json!(""),
        json!(true),
        json!(false),
        json!(null),
    ]);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("a|b|data", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), pieces(), pieces().prop_map(|p| p.repeat(9))]) {
        let event = json!({"type": "a", "data": {"a": [1, [2, "x"], {"b": null}], "x": "é"}, "a": -0.0});
        if let Ok(condition) = Condition::parse(&text) {
            assert!(ask(&condition, &event, MANY).is_ok());
        }
    }

    /// The reference: a crate that reads and asks all of the RFC.
    #[test]
    fn it_is_read_and_asked_as_the_rfc_says(text in prop_oneof![pieces(), conditions(), conditions()], event in events()) {
        let known = check_shape(&text).and_then(|()| {
            JsonPath::parse(&format!("$[?({})]", text.trim())).map_err(|error| (0, error.to_string()))
        });
        let ours = Condition::parse(&text);
        prop_assert_eq!(ours.is_ok(), known.is_ok(), "{} {:?} {:?}", text, ours, known);
        if let (Ok(ours), Ok(known)) = (ours, known) {
            let json = event.to_string();
            let listed = Value::Array(vec![serde_json::from_str(&json).unwrap()]);
            let answer = ours.holds(&Node::read(json.as_bytes()), &mut Steps::new(MANY));
            prop_assert_eq!(answer, Ok(!known.query(&listed).is_empty()), "{} of {}", text, json);
        }
    }

    #[test]
    fn what_is_taken_is_a_condition(text in pieces()) {
        // A condition and its opposite never hold together, which is so for nothing else that a path can say.
        if let (Ok(yes), Ok(no)) = (Condition::parse(&text), Condition::parse(&format!("!({text})"))) {
            let event = json!({"type": "a", "data": {"a": [1, 2]}, "a": 1});
            prop_assert_ne!(ask(&yes, &event, MANY), ask(&no, &event, MANY));
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
