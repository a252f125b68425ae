//! What a text of a dialect file may be, as regular expressions for editors. What stays true: they are made of the same names
//! and bounds that the reader goes by, and refuse nothing that it takes.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::marker::PhantomData;

use super::placeholder::{Place, Placeholder};
use crate::domain::event::TYPE_BYTES_MAX;

/// Text in which nothing is filled in.
pub(super) const PLAIN: &str = r"^[^{]*(\{[^}]*)?$";
/// The same, of visible ASCII.
pub(super) const PLAIN_ASCII: &str = r"^[ -z|}~]*(\{[ -|~]*)?$";
/// Visible ASCII without spaces.
pub(super) const VISIBLE: &str = "^[!-~]*$";
/// A media type, perhaps with parameters.
pub(super) const MEDIA_TYPE: &str = "^[A-Za-z0-9+._-]+/[A-Za-z0-9+._-]+ *(;[ -z|~]*)?$";
/// What can stand between signatures.
pub(super) const SEPARATOR: &str = r"^[ -*,.:-<>-@\[-`{-~]+$";
/// A JSON object.
pub(super) const JSON_OBJECT: &str = r"^\s*\{";
/// A segment of a path.
pub(super) const SEGMENT: &str = "[A-Za-z0-9._~-]+";

/// Text with what can be filled in at this place.
fn template(place: Place, pattern: &str) -> Schema {
    json_schema!({ "type": "string", "title": format!("text with facts of {}", place.called()), "pattern": pattern })
}

/// The names of all that can be filled in there, but for the signature and `{…:text}`.
fn names(place: Place) -> String {
    let escaped = |name: String| name.replace('.', r"\.");
    let mut names: Vec<String> =
        Placeholder::names(place).filter(|name| *name != "signature").map(|name| escaped(name.into())).collect();
    names.extend(Placeholder::timed_names(place).map(escaped));
    names.extend(Placeholder::open_names(place).map(|start| format!(r"{start}\.[^}}]+")));
    names.join("|")
}

/// Facts that never stand side by side, between texts of these characters.
fn spaced(facts: &str, text: &str) -> String {
    format!(r"^{text}*(\{{({facts})\}}{text}+)*(\{{({facts})\}})?$")
}

/// Any character but the one that a fact begins with.
const TEXT: &str = "[^{]";
/// The same of what a header can hold.
const HEADER_TEXT: &str = "[ -z|}~]";

fn text_with_facts(place: Place) -> Schema {
    let facts = names(place);
    let pattern = match place {
        Place::Signed => format!(r"^({TEXT}|\{{({facts})\}})*$"),
        Place::Header => spaced(&facts, HEADER_TEXT),
        Place::Answer => spaced(&format!("{facts}|signature"), TEXT),
        Place::Question => spaced_or_text(&facts),
        Place::Envelope => spaced_or_text(&format!("{facts}|signature")),
        Place::Signature => {
            let (fact, text) = (format!(r"\{{({facts})\}}"), HEADER_TEXT);
            format!(r"^{text}*({fact}{text}+)*\{{signature\}}({text}+{fact})*{text}*$")
        }
    };
    template(place, &pattern)
}

/// A number may be text where it stands alone.
fn spaced_or_text(facts: &str) -> String {
    format!(r"{}|^\{{({facts}):text\}}$", spaced(facts, TEXT))
}

/// A header's value.
pub(super) fn header(_: &mut SchemaGenerator) -> Schema {
    text_with_facts(Place::Header)
}

/// What is signed.
pub(super) fn signed(_: &mut SchemaGenerator) -> Schema {
    text_with_facts(Place::Signed)
}

/// What carries a signature.
pub(super) fn carrier(_: &mut SchemaGenerator) -> Schema {
    text_with_facts(Place::Signature)
}

/// What stands before all signatures: it ends in text.
pub(super) fn before(_: &mut SchemaGenerator) -> Schema {
    let mut schema =
        template(Place::Header, &format!(r"^{HEADER_TEXT}*(\{{({})\}}{HEADER_TEXT}+)*$", names(Place::Header)));
    schema.insert("minLength".into(), 1.into());
    schema
}

/// An event's type.
pub(super) fn event_type(_: &mut SchemaGenerator) -> Schema {
    let segment = "[A-Za-z0-9_:/-]+";
    json_schema!({ "type": "string", "pattern": format!(r"^{segment}(\.{segment})*$"), "maxLength": TYPE_BYTES_MAX })
}

/// A call with these path parameters.
pub(super) fn call(parameters: &[&str]) -> Schema {
    let any = format!("(/{SEGMENT})*");
    let path = match parameters {
        [] => format!("/({SEGMENT}{any})?"),
        some => {
            some.iter()
                .map(|name| format!("{any}/{}", name.replace('{', r"\{").replace('}', r"\}")))
                .collect::<String>()
                + &any
        }
    };
    let one = json_schema!({ "type": "string", "pattern": format!("^(GET|POST|PUT|PATCH|DELETE) {path}$") });
    json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
}

/// A place with JSON of any shape.
pub(super) trait Shaped {
    const PLACE: Place;
    const NAME: &'static str;
}

/// The body of a delivery.
pub(super) struct InBody;
/// The body of a question.
pub(super) struct InQuestion;
/// The answer to it.
pub(super) struct InAnswer;

impl Shaped for InBody {
    const PLACE: Place = Place::Envelope;
    const NAME: &'static str = "body";
}

impl Shaped for InQuestion {
    const PLACE: Place = Place::Question;
    const NAME: &'static str = "question";
}

impl Shaped for InAnswer {
    const PLACE: Place = Place::Answer;
    const NAME: &'static str = "answer";
}

/// JSON of any shape whose texts are templates of this place.
pub(super) struct Shape<P>(PhantomData<P>);

impl<P: Shaped> JsonSchema for Shape<P> {
    fn schema_name() -> Cow<'static, str> {
        P::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<Self>();
        json_schema!({
            "title": format!("JSON with facts of {}", P::PLACE.called()),
            "anyOf": [
                text_with_facts(P::PLACE),
                { "type": "boolean" },
                { "type": "number" },
                { "type": "array", "items": inner },
                table::<P>(generator),
            ],
        })
    }
}

fn table<P: Shaped>(generator: &mut SchemaGenerator) -> Schema {
    let inner = generator.subschema_for::<Shape<P>>();
    let mut table = json_schema!({
        "type": "object",
        "title": format!("a table with facts of {}", P::PLACE.called()),
        "propertyNames": { "pattern": PLAIN },
        "additionalProperties": inner,
    });
    if P::PLACE == Place::Envelope {
        let spread: Vec<String> = Placeholder::objects().map(|slot| slot.to_string()).collect();
        table.insert("properties".into(), serde_json::json!({ "...": { "enum": spread } }));
    }
    table
}

/// What is asked: a table.
pub(super) fn question(generator: &mut SchemaGenerator) -> Schema {
    table::<InQuestion>(generator)
}

/// What is asked in the URL.
pub(super) fn query(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": text_with_facts(Place::Question) })
}

/// What is answered: a table or a text.
pub(super) fn answer(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [text_with_facts(Place::Answer), table::<InAnswer>(generator)] })
}
