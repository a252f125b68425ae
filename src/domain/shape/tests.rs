//! What shapes make of events: by examples, and for any event and any shape.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::condition::Path;
use crate::domain::json::check;

fn shape(written: Value) -> Shape {
    Shape::of(serde_json::from_value(written).unwrap()).unwrap_or_else(|invalid| panic!("{invalid}"))
}

fn facts(data: &str) -> Facts<'_> {
    Facts::of("order.paid", data.as_bytes(), Some(br#"{"id": "u_1"}"#), None)
}

/// What comes of it, and the steps that it took.
fn apply(shape: &Shape, facts: &Facts<'_>) -> Result<(Vec<u8>, u64), Unshaped> {
    let mut budget = Budget::of(facts.bytes());
    let data = shape.apply(facts, &mut budget)?;
    Ok((data, budget.steps()))
}

fn made(written: Value, data: &str) -> String {
    String::from_utf8(apply(&shape(written), &facts(data)).unwrap().0).unwrap()
}

const ORDER: &str = r#"{"id": 7, "total": 12.50, "customer": {"name": "Ada", "email": "a@b.c"}, "items": [{"sku": "x", "cost": 1.0}, {"sku": "y", "cost": 2e3}], "note": null}"#;

#[test]
fn each_verb_does_what_it_says_and_leaves_the_rest_as_it_is_written() {
    for (written, expected) in [
        (
            json!({}),
            r#"{"id":7,"total":12.50,"customer":{"name": "Ada", "email": "a@b.c"},"items":[{"sku": "x", "cost": 1.0}, {"sku": "y", "cost": 2e3}],"note":null}"#,
        ),
        (
            json!({"pick": ["@.data.total", "@.data.customer.name", "@.data.none"]}),
            r#"{"total":12.50,"customer":{"name":"Ada"}}"#,
        ),
        (json!({"pick": ["@.data.items[*].sku"]}), r#"{"items":[{"sku":"x"},{"sku":"y"}]}"#),
        (json!({"pick": ["@.data.items[1]", "@.data.total.none"]}), r#"{"items":[{"sku": "y", "cost": 2e3}]}"#),
        (json!({"pick": []}), "{}"),
        (
            json!({"drop": ["@.data.customer.email", "@.data.items[*].cost", "@.data.note", "@.data.total"]}),
            r#"{"id":7,"customer":{"name":"Ada"},"items":[{"sku":"x"},{"sku":"y"}]}"#,
        ),
        (
            json!({"drop": ["@.data.customer", "@.data.items[0]"], "pick": ["@.data.customer.name", "@.data.items"]}),
            r#"{"items":[{"sku": "y", "cost": 2e3}]}"#,
        ),
        (
            json!({"pick": ["@.data.customer", "@.data.id"], "rename": {"@.data.customer.name": "full \"name\"", "@.data.id": "number"}}),
            r#"{"number":7,"customer":{"full \"name\"":"Ada","email":"a@b.c"}}"#,
        ),
        (
            json!({"pick": ["@.data.items"], "rename": {"@.data.items[*].cost": "sku"}}),
            r#"{"items":[{"sku":1.0},{"sku":2e3}]}"#,
        ),
        (
            json!({"pick": ["@.data.id", "@.data.note", "@.data.customer.name"], "map": {"@.data.id": {"7": "seven"}, "@.data.note": {"null": 0}, "@.data.customer.name": {"Bob": true}}}),
            r#"{"id":"seven","customer":{"name":"Ada"},"note":0}"#,
        ),
        (
            json!({"pick": ["@.data.id"], "set": {"kind": "order", "n": 1, "id": "{@.data.total}", "at": {"who": "{@.actor.id}", "no": "{@.metadata.x}"}}}),
            r#"{"id":12.50,"kind":"order","n":1,"at":{"who":"u_1"}}"#,
        ),
        (
            json!({"pick": [], "set": {"skus": "{@.data.items[*].sku}", "none": "{@.data.none[*]}", "list": [1, "{@.data.none}", "{@.data.note}"]}}),
            r#"{"skus":["x","y"],"none":[],"list":[1,null]}"#,
        ),
        (
            json!({"pick": [], "set": {"text": "{@.type}: {@.data.customer.name}{@.data.none}{@.data.note} \"pays\" {@.data.total} for {@.data.items[*].sku}"}}),
            r#"{"text":"order.paid: Ada \"pays\" 12.50 for [\"x\",\"y\"]"}"#,
        ),
        (
            json!({"pick": [], "set": {"a": "{@.data.none}", "b": ["{@.data.none}"]}, "missing": "null"}),
            r#"{"a":null,"b":[null]}"#,
        ),
        (json!({"pick": [], "set": {"text": "{no path} {}"}}), r#"{"text":"{no path} {}"}"#),
    ] {
        assert_eq!(made(written.clone(), ORDER), expected, "{written}");
    }
}

#[test]
fn what_is_no_object_is_shaped_as_far_as_that_goes() {
    for (written, data, expected) in [
        (json!({"drop": ["@.data.a"]}), " 1.0 ", "1.0"),
        (json!({"pick": ["@.data.a"]}), "1", "null"),
        (json!({"pick": ["@.data[*].a"]}), r#"[{"b":1}, 2]"#, "[]"),
        (json!({"pick": ["@.data[1:]"]}), "[1, 2.0,3]", "[2.0,3]"),
        (json!({"drop": ["@.data[0:3:2]"]}), "[1, 2.0,3,4]", "[2.0,4]"),
        (json!({"set": {"value": "{@.data}"}}), "[1, 2]", r#"{"value":[1, 2]}"#),
        (json!({"map": {"@.data[*]": {"a": "b"}}}), r#"["\u0061", "b", ["a"]]"#, r#"["b","b",["a"]]"#),
    ] {
        assert_eq!(made(written.clone(), data), expected, "{written}");
    }
}

#[test]
fn of_fields_with_one_name_the_last_counts_and_the_shapes_own_before_all() {
    let twice = r#"{"a": 1, "b": 2, "a": 3}"#;
    assert_eq!(made(json!({"set": {"c": "{@.data.a}"}}), twice), r#"{"a":1,"b":2,"a":3,"c":3}"#, "others stay as sent");
    assert_eq!(made(json!({"set": {"a": 4}}), twice), r#"{"a":4,"b":2}"#);
    assert_eq!(made(json!({"rename": {"@.data.b": "a"}}), twice), r#"{"a":2}"#);
    assert_eq!(
        made(json!({"rename": {"@.data.b": "a", "@.data.a": "b"}}), r#"{"\u0061": 1, "b": 2}"#),
        r#"{"b":1,"a":2}"#
    );
}

#[test]
fn what_is_no_shape_is_told_with_its_key_and_what_would_be_right() {
    let paths: Vec<String> = (0..=PATHS_MAX).map(|n| format!("@.data.f{n}")).collect();
    let deep = (0..9).fold(json!(1), |value, _| json!([value]));
    for (written, field, says) in [
        (json!({"pick": ["@.data.a", "$.id"]}), "shape.pick[1]", "character 1"),
        (json!({"drop": ["@.data.a b"]}), "shape.drop[0]", "character 9"),
        (json!({"drop": ["@.data"]}), "shape.drop[0]", "like @.data.id"),
        (json!({"drop": ["@.actor.id"]}), "shape.drop[0]", "nothing else is shaped"),
        (json!({"drop": ["@.other.id"]}), "shape.drop[0]", "@.metadata"),
        (json!({"drop": ["@..a"]}), "shape.drop[0]", "no path"),
        (json!({"drop": [format!("@.data{}", "[*]".repeat(9))]}), "shape.drop[0]", "there may be 8"),
        (json!({"drop": [format!("@.data{}", ".a".repeat(16))]}), "shape.drop[0]", "16 steps"),
        (json!({"pick": paths}), "shape.pick[64]", "at most 64 paths"),
        (json!({"rename": {"@.data.list[0]": "x"}}), "shape.rename", "must lead to a field"),
        (json!({"map": {"@.data.a": {"x": [1]}}}), "shape.map", "\"x\" must become"),
        (json!({"set": {"a": "{@.data.}"}}), "shape.set", "no path at"),
        (json!({"set": {"a": "{@.data"}}), "shape.set", "no path at"),
        (json!({"set": {"a": "{@.none}"}}), "shape.set", "must start with"),
        (json!({"set": {"a": 9007199254740993_u64}}), "shape.set", "write it as text"),
        (json!({"set": {"a": deep}}), "shape.set", "more than 8"),
        (json!({"set": {"a": "x".repeat(SHAPE_BYTES_MAX)}}), "shape", "longer than 8192"),
    ] {
        let invalid = Shape::of(serde_json::from_value(written.clone()).unwrap()).unwrap_err();
        assert_eq!(invalid.field, field, "{written}: {invalid}");
        assert!(invalid.message.contains(says), "{written}: {invalid}");
    }
    assert_eq!(Shape::read("5").unwrap_err().field, "shape");
}

#[test]
fn what_is_too_much_of_an_event_ends_there() {
    let apply = |written: Value, data: &str| self::apply(&shape(written), &facts(data));
    let list = |n: usize| format!("[{}0]", "1,".repeat(n));
    assert_eq!(apply(json!({"drop": ["@.data[*].a"]}), &list(STEPS_MAX as usize)), Err(Unshaped::Steps));
    // Five times a text is more than four times.
    let text = format!("{{\"t\":\"{}\"}}", "x".repeat(70_000));
    let copies = |n: usize| json!({"pick": [], "set": {"a": vec!["{@.data.t}"; n]}});
    assert_eq!(apply(copies(6), &text), Err(Unshaped::Bytes(output_bytes_max(facts(&text).bytes()))));
    assert!(apply(copies(4), &text).is_ok());
    let renamed = json!({"rename": {"@.data[*].a": "x".repeat(1000)}});
    let many = format!("[{}{{}}]", "{\"a\":1},".repeat(10_000));
    assert!(matches!(apply(renamed, &many), Err(Unshaped::Bytes(_))));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(apply(json!({"set": {"a": "{@.data}"}}), &deep), Err(Unshaped::Deep));
    assert!(apply(json!({"drop": ["@.data[0][0][1]"]}), &deep).is_ok());
}

#[test]
fn what_it_takes_grows_with_the_event_and_no_faster() {
    let written = json!({
        "pick": ["@.data.list[*].a", "@.data.list[*].b.c"], "drop": ["@.data.list[*].b.d"],
        "rename": {"@.data.list[*].a": "A"}, "set": {"all": "{@.data.list[*].b.c}", "n": "{@.data.list[3].a}"},
    });
    let steps = |n: usize| {
        let item = r#"{"a":1,"b":{"c":"xyz","d":[1,2,3]}}"#;
        let data = format!("{{\"list\":[{item}{}]}}", format!(",{item}").repeat(n - 1));
        apply(&shape(written.clone()), &facts(&data)).unwrap().1
    };
    let (one, ten) = (steps(100), steps(1000));
    assert!(ten <= 11 * one && ten >= 9 * one, "{one} steps for a hundred, {ten} for a thousand");
}

/// What has to be looked at is reckoned here without the counter: bytes that are gone over, and places that are compared.
#[test]
fn nothing_that_is_looked_at_is_free() {
    const LONG: usize = 500_000;
    let (copies, each) = (json!({"set": {"all": vec!["{@.data.a}"; PATHS_MAX]}}), "x".repeat(4000));
    let far: Vec<String> = (0..PATHS_MAX).map(|n| format!("@.data[{}]", 1_000_000 + n)).collect();
    for (what, written, data, bytes, looks) in [
        ("a long name", copies.clone(), format!("{{\"{}\":1}}", "x".repeat(LONG)), PATHS_MAX * LONG, PATHS_MAX),
        ("white space", copies.clone(), format!("{{\"b\":{}1}}", " ".repeat(LONG)), PATHS_MAX * LONG, PATHS_MAX),
        ("a long value", copies, format!("{{\"b\":\"{}\"}}", "x".repeat(LONG)), PATHS_MAX * LONG, PATHS_MAX),
        ("many indexes", json!({"drop": far}), format!("[{}0]", "1,".repeat(10_000)), 20_000, 10_000 * PATHS_MAX),
        (
            "a long new name",
            json!({"pick": [], "rename": {"@.data[*].a": each}}),
            format!("[{}1]", "{\"a\":1},".repeat(5000)),
            5000 * 4000,
            5000,
        ),
    ] {
        let (_, steps) = apply(&shape(written), &facts(&data)).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(steps as usize >= bytes / 64 && steps as usize >= looks, "{what}: {steps} for {bytes} and {looks}");
    }
}

#[test]
fn what_is_not_done_in_a_moment_is_left_at_once() {
    let (written, short) = (json!({"drop": ["@.data[*].a"]}), "[{\"a\": 1}]");
    let long = format!("[{}0]", "1,".repeat(100_000));
    let shape = shape(written);
    let at_once = |data: &str| {
        let facts = facts(data);
        let mut budget = Budget::at_once(facts.bytes());
        let made = shape.apply(&facts, &mut budget);
        assert!(budget.steps() <= 1 << 14, "{} steps", budget.steps());
        made
    };
    assert_eq!(at_once(short), Ok(b"[{}]".to_vec()));
    assert_eq!((at_once(&long), apply(&shape, &facts(&long)).is_ok()), (Err(Unshaped::Steps), true));
}

#[test]
fn it_is_told_which_paths_lead_to_nothing() {
    let shape =
        shape(json!({"drop": ["@.data.id", "@.data.x"], "set": {"a": "{@.data.x}", "b": "{@.metadata.y} {@.type}"}}));
    assert_eq!(shape.missing(&facts(ORDER)), Ok(vec!["@.data.x".into(), "@.metadata.y".into()]));
}

#[test]
fn a_shape_is_stored_as_it_was_written() {
    let text = r#"{"pick":["@.data.a"],"set":{"z":1,"a":"{@.data.a}"},"missing":"null"}"#;
    let shape = Shape::read(text).unwrap();
    assert_eq!(shape.written().to_json(), text);
    assert_eq!(Shape::of(Written::default()).unwrap().written().to_json(), "{}");
}

/// JSON with few names, so that paths lead somewhere; in one of these ways names stand twice.
fn json_text(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "1",
        "-0.50",
        "1e3",
        "12345678901234567890",
        r#""x\u00e9\"""#,
        r#""a""#,
        "[]",
        "{}",
    ]);
    leaf.prop_map(String::from).prop_recursive(4, 24, 4, move |inner| {
        let picked = prop::sample::subsequence(names, 0..=names.len());
        let fields = (picked, prop::collection::vec(inner.clone(), names.len()));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|all| format!("[ {} ]", all.join(" ,"))),
            fields.prop_map(|(names, values)| {
                let fields: Vec<_> =
                    names.iter().zip(values).map(|(name, value)| format!("\"{name}\" : {value}")).collect();
                format!("{{{}}}", fields.join(", "))
            }),
        ]
    })
}

const ONCE: &[&str] = &["b", "a", "c d"];
const TWICE: &[&str] = &["a", "b", "\\u0061", "c d", "b"];

fn path() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec![".a", ".b", "['c d']", "[0]", "[1:]", "[*]", ".*"]);
    prop::collection::vec(step, 1..4).prop_map(|steps| format!("@.data{}", steps.concat()))
}

fn any_shape() -> impl Strategy<Value = Value> {
    let paths = || prop::collection::vec(path(), 0..3);
    let template = prop_oneof![
        path().prop_map(|path| json!(format!("{{{path}}}"))),
        path().prop_map(|path| json!({"in": [format!("<{{{path}}}>"), 1.5, null]})),
        Just(json!("{@.actor}")),
    ];
    let set = prop::collection::vec((prop::sample::select(vec!["a", "b", "z"]), template), 0..3);
    (prop::option::of(paths()), paths(), paths(), paths(), set, any::<bool>()).prop_map(
        |(pick, drop, rename, map, set, null)| {
            let fields = |path: &String| !path.ends_with(']') || path.ends_with("']");
            let rename: serde_json::Map<_, _> = rename
                .iter()
                .filter(|path| fields(path) && !path.ends_with('*'))
                .map(|path| (path.clone(), json!("b")))
                .collect();
            let map: serde_json::Map<_, _> =
                map.into_iter().map(|path| (path, json!({"1": "one", "a": null}))).collect();
            let set: serde_json::Map<_, _> = set.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
            let mut shape = json!({"drop": drop, "rename": rename, "map": map, "set": set});
            if let Some(pick) = pick {
                shape["pick"] = json!(pick);
            }
            if null {
                shape["missing"] = json!("null");
            }
            shape
        },
    )
}

/// Whether a path leads anywhere.
fn leads(path: &str, data: &[u8]) -> bool {
    let (facts, path) = (Facts::of("t", data, None, None), Path::parse(path).unwrap());
    !super::seek::find(&facts, &path, &mut super::spend::Budget::of(0)).unwrap().is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever the event and the shape: what comes of it is JSON within its bounds, and the same each time.
    #[test]
    fn what_a_shape_makes_is_json_within_its_bounds(data in json_text(TWICE), written in any_shape()) {
        let Ok(shape) = Shape::of(serde_json::from_value(written).unwrap()) else { return Ok(()) };
        let facts = facts(&data);
        let (made, steps) = apply(&shape, &facts).unwrap();
        let text = String::from_utf8(made.clone()).unwrap();
        prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok(), "{}", text);
        prop_assert_eq!(check(&made), Ok(()));
        prop_assert!(made.len() <= output_bytes_max(facts.bytes()) && steps <= STEPS_MAX);
        prop_assert_eq!(apply(&shape, &facts), Ok((made, steps)));
        shape.missing(&facts).unwrap();
    }

    /// What is left out is not there, and what is picked alone is all there is of that.
    #[test]
    fn what_is_dropped_is_gone_and_what_is_picked_is_there(data in json_text(ONCE), path in path()) {
        let apply = |written: Value| apply(&shape(written), &facts(&data)).unwrap().0;
        let (dropped, picked) = (apply(json!({"drop": [path]})), apply(json!({"pick": [path]})));
        // Of elements the next ones move up.
        if !path.contains("[0]") && !path.contains("[1:]") {
            prop_assert!(!leads(&path, &dropped), "{} in {}", path, String::from_utf8_lossy(&dropped));
            prop_assert_eq!(leads(&path, &picked), leads(&path, data.as_bytes()), "{} in {}", path, String::from_utf8_lossy(&picked));
        }
    }

    /// Numbers, texts and order are the producer's: a shape that changes nothing changes white space alone.
    #[test]
    fn nothing_is_written_anew(data in json_text(TWICE)) {
        let same = made(json!({"drop": ["@.data.none.of.these", "@.data[9][9]"]}), &data);
        let bare = |text: &str| text.replace(' ', "");
        prop_assert_eq!(bare(&same), bare(&data));
    }
}
