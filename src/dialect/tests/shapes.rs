//! A dialect that shapes data: what is sent, what its receivers are told, and what a change of the shape means for them.

use std::borrow::Cow;

use super::*;
use crate::dialect::{ChangeKind, changes};
use crate::domain::shape::{Budget, Shape, Unshaped, output_bytes_max};

/// A contract that shapes data; JSON is written as the producer or as JavaScript writes it.
fn file(json: &str, shape: &str) -> String {
    format!(
        "title = \"T\"\ndescription = \"T\"\ntimeout_seconds = 5\nretry = {{ delays = [5] }}\n\
         secrets = {{ key = \"utf8\", bytes_min = 1, bytes_max = 256 }}\n{json}\n\
         envelope = {{ kind = \"{{event.type}}\", data = \"{{event.data}}\", who = \"{{event.actor}}\" }}\n{shape}\n\
         [[signature]]\nheader = \"X-Signature\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\nsigned = \"{{body}}\"\n\
         value = \"{{signature}}\"\n\
         [[event]]\ntype = \"task.created\"\ndescription = \"A task was made.\"\n\
         sample = '{{\"id\": 1, \"secret\": \"s\"}}'\nschema = '{{\"type\": \"object\", \"description\": \"as published\"}}'\n"
    )
}

const CANONICAL: &str = "body = { json = \"canonical\", numbers = \"js\" }";
const SHAPE: &str = r#"
[shape]
drop = ["@.data.secret"]

[shape.rename]
"@.data.id" = "number"

[shape.set]
text = "Task {@.data.id} by {@.actor.name}"
z = "{@.data.amount}"
1 = [1.50, true]
"#;

/// The data as it is sent.
fn shaped<'e>(dialect: &Dialect, event: &'e Event, own: Option<&Shape>) -> Result<Cow<'e, [u8]>, Unshaped> {
    dialect.shaped(event, own, &mut Budget::of(event.data.len()))
}

fn dialect(json: &str, shape: &str) -> Dialect {
    Dialect::parse("shaped.toml", &file(json, shape)).unwrap_or_else(|error| panic!("{error}"))
}

const DATA: &str = r#"{"id": 7, "secret": "s", "amount": 12.50, "big": 12345678901234567890}"#;

#[test]
fn what_is_shaped_is_sent_in_the_dialects_order_and_form_of_numbers_and_is_signed() {
    let event = event(DATA, Some(r#"{"name": "Ada"}"#), None);
    for (json, body) in [
        (
            "",
            r#"{"kind":"task.created","data":{"number":7,"amount":12.50,"big":12345678901234567890,"text":"Task 7 by Ada","z":12.50,"1":[1.5,true]},"who":{"name": "Ada"}}"#,
        ),
        (
            CANONICAL,
            r#"{"kind":"task.created","data":{"1":[1.5,true],"number":7,"amount":12.5,"big":12345678901234567000,"text":"Task 7 by Ada","z":12.5},"who":{"name":"Ada"}}"#,
        ),
    ] {
        let dialect = dialect(json, SHAPE);
        let request = send(&dialect, &event, &["hush"], NOW);
        assert_eq!(request.body, body);
        let header = |name: &str| request.header(name);
        check(&dialect, &header, &request.body, &[Secret::new("hush")], (NOW, None)).unwrap();
        let other = body.replace("Ada", "Bob");
        check(&dialect, &header, other.as_bytes(), &[Secret::new("hush")], (NOW, None)).unwrap_err();
    }
}

#[test]
fn a_webhooks_own_shape_comes_behind_and_brings_nothing_back() {
    let (dialect, event) = (dialect("", SHAPE), event(DATA, None, None));
    let own = |text: &str| Shape::read(text).unwrap();
    let of = |own: &Shape| String::from_utf8(shaped(&dialect, &event, Some(own)).unwrap().into_owned()).unwrap();
    let picked = own(r#"{"pick": ["@.data.number"], "set": {"s": "{@.data.secret}", "t": "{@.data.text}"}}"#);
    assert_eq!(of(&picked), r#"{"number":7,"t":"Task 7 by "}"#);
    let (webhook, copies) = (webhook(), own(&format!(r#"{{"set": {{"a": [{}1]}}}}"#, "\"{@.data.text}\",".repeat(60))));
    let event = Event { data: format!("{{\"id\": \"{}\"}}", "x".repeat(50_000)).into(), ..event.clone() };
    let first = dialect.first_body((&event, NOW), &webhook, Some(&copies), "acc");
    assert!(matches!(first, Err(Unshaped::Bytes(_))), "{first:?}");
    assert!(dialect.first_body((&event, NOW), &webhook, None, "acc").is_ok());
    assert!(matches!(shaped(&dialect, &event, None), Ok(Cow::Owned(_))));
    assert!(matches!(shaped(&shipped("standard"), &event, None), Ok(Cow::Borrowed(_))), "nothing is paid");
}

#[test]
fn two_shapes_make_no_more_of_an_event_than_one_may() {
    let copies = "[shape]\nset = { all = [\"{@.data.text}\", \"{@.data.text}\"] }";
    let (dialect, own) = (dialect("", copies), Shape::read(r#"{"set": {"more": ["{@.data.all}"]}}"#).unwrap());
    let event = event(&format!("{{\"text\": \"{}\"}}", "x".repeat(100_000)), None, None);
    assert!(shaped(&dialect, &event, None).is_ok());
    let too_long = Unshaped::Bytes(output_bytes_max(event.data.len()));
    assert_eq!(shaped(&dialect, &event, Some(&own)), Err(too_long));
    // Nor do they take more.
    let steps = |own: Option<&Shape>| {
        let mut budget = Budget::of(event.data.len());
        drop(dialect.shaped(&event, own, &mut budget));
        budget.steps()
    };
    assert!(steps(Some(&own)) > steps(None));
}

#[test]
fn receivers_are_told_of_what_they_get() {
    let dialect = dialect("", SHAPE);
    let received = dialect.received(&dialect.catalogue[0]);
    assert_eq!(received.sample.get(), r#"{"number":1,"text":"Task 1 by ","1":[1.5,true]}"#);
    let schema = received.schema();
    let names: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["number", "text", "1"]);
    let plain = self::dialect("", "");
    assert_eq!(plain.received(&plain.catalogue[0]).schema()["description"], "as published");
}

#[test]
fn a_mistake_in_a_shape_is_named_with_its_line() {
    for (from, to, key, line, says) in [
        ("\"@.data.secret\"", "\"$.secret\"", "shape.drop[0]", "drop = [\"$.secret\"]", "write it like @.data"),
        ("\"@.data.id\" =", "\"@.data\" =", "shape.rename", "[shape.rename]", "must lead into the data"),
        ("{@.data.amount}", "{@.nothing}", "shape.set", "[shape.set]", "must start with @.data"),
        ("drop =", "drp =", "shape.drp", "drp = [\"@.data.secret\"]", "the nearest is `drop`"),
        ("[shape]", "[[shape]]", "shape", "[[shape]]", "write [shape]"),
    ] {
        let text = file("", &SHAPE.replacen(from, to, 1));
        let error = Dialect::parse("shaped.toml", &text).expect_err(to);
        assert_eq!((error.key.as_str(), text.lines().nth(error.line - 1)), (key, Some(line)), "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[test]
fn a_change_of_the_shape_is_told_and_so_is_what_becomes_of_each_event() {
    let told = |old: &str, new: &str| -> Vec<String> {
        let line = |change: crate::dialect::Change| {
            let kind = match change.kind {
                ChangeKind::Added => '+',
                ChangeKind::Removed => '-',
                ChangeKind::Renamed => '>',
                ChangeKind::Changed => '~',
            };
            format!("{}{kind} {}", if change.compatible { "" } else { "! " }, change.key)
        };
        changes(&dialect("", old), &dialect("", new)).into_iter().map(line).collect()
    };
    let drop = "[shape]\ndrop = [\"@.data.secret\"]";
    let more = "[shape]\ndrop = [\"@.data.secret\"]\nset = { kind = \"task\" }";
    assert_eq!(told(drop, more), ["! ~ shape", "+ event (task.created).data.kind"]);
    let less = told(more, drop);
    assert_eq!(less, ["! ~ shape", "! - event (task.created).data.kind"]);
    assert!(told("", drop).contains(&"! + shape".to_string()) && told(drop, "").contains(&"! - shape".to_string()));
    assert_eq!(told(drop, drop), [""; 0]);
}
