use super::*;
use serde_json::json;

fn compile(schema: Value) -> Result<Schema, String> {
    Schema::compile(&schema.to_string())
}

fn faults(schema: &Value, data: &Value) -> Vec<(String, String)> {
    let schema = compile(schema.clone()).unwrap_or_else(|why| panic!("{schema}: {why}"));
    schema.faults(data.to_string().as_bytes()).into_iter().map(|fault| (fault.path, fault.message)).collect()
}

fn paths(schema: &Value, data: &Value) -> Vec<String> {
    faults(schema, data).into_iter().map(|(path, _)| path).collect()
}

#[test]
fn each_fault_is_told_with_its_path_and_without_the_value() {
    let schema = json!({"type": "object", "required": ["id"], "properties": {
        "amount": {"type": "number"}, "items": {"type": "array", "items": {"properties": {"a/b": {"maxLength": 3}}}}}});
    assert_eq!(paths(&schema, &json!({"id": 1, "amount": 2.5, "items": [{"a/b": "abc"}]})), [""; 0]);
    let wrong = json!({"amount": "secret", "items": [{}, {"a/b": "secret"}]});
    let found = faults(&schema, &wrong);
    let mut at: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    at.sort_unstable();
    assert_eq!(at, ["", "/amount", "/items/1/a~1b"]);
    assert!(found.iter().all(|(_, message)| !message.contains("secret")), "{found:?}");
    assert!(found.iter().any(|(_, message)| message.contains("id")), "{found:?}");
    let many = json!({"items": {"type": "string"}});
    assert_eq!(paths(&many, &json!(vec![1; 100])).len(), FAULTS_MAX);
}

#[test]
fn what_leads_out_of_a_schema_or_nowhere_is_refused_with_its_place() {
    for (reference, expected) in [
        ("https://example.com/a.json", "leads out of the schema"),
        ("other.json#/a", "leads out of the schema"),
        ("#/$defs/b", "nothing is at"),
        ("#b", "must say a place"),
    ] {
        let why = compile(json!({"properties": {"a": {"items": {"$ref": reference}}}})).unwrap_err();
        assert!(why.contains("#/properties/a/items/$ref") && why.contains(expected), "{reference}: {why}");
    }
    for word in ["$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems"] {
        let why = compile(json!({"properties": {"a": {word: "#a"}}})).unwrap_err();
        assert!(why.contains(&format!("#/properties/a/{word}")), "{why}");
    }
    assert!(compile(json!({"properties": {"a": {"$id": "b"}}})).unwrap_err().contains("#/properties/a/$id"));
    assert!(
        compile(json!({"$id": "https://example.com/a", "type": "object"})).is_ok(),
        "nothing is fetched for a name"
    );
    assert!(compile(json!({"$schema": "https://example.com/mine"})).is_err());
    assert!(compile(json!({"properties": {"a": 1}})).unwrap_err().contains("#/properties/a"));
    assert!(compile(json!({"type": "nonsense"})).unwrap_err().contains("#/type"));
    // Names of fields are no words of a schema.
    assert_eq!(paths(&json!({"properties": {"$ref": {"type": "string"}}}), &json!({"$ref": 1})), ["/$ref"]);
    assert_eq!(paths(&json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "null"}}}), &json!(1)), [""]);
}

#[test]
fn patterns_take_time_linear_in_what_they_read() {
    for pattern in ["(?=a)b", "(?<!a)b", r"(a)\1"] {
        let why = compile(json!({"pattern": pattern})).unwrap_err();
        assert!(why.contains("linear in time"), "{pattern}: {why}");
        assert!(compile(json!({"patternProperties": {pattern: true}})).is_err(), "{pattern}");
    }
    assert!(compile(json!({"pattern": "((a{100}){100}){100}"})).is_err(), "what it makes is bounded");
    // Which takes an engine that goes back for ever.
    let schema = compile(json!({"pattern": "^(a+)+$"})).unwrap();
    let data = format!("\"{}b\"", "a".repeat(100_000));
    assert_eq!(schema.faults(data.as_bytes()).len(), 1);
    let grouped = json!({"properties": {"a": {"pattern": "^(a|b)(?<c>c)$"}}, "patternProperties": {"^(x|y)_": false}});
    assert_eq!(paths(&grouped, &json!({"a": "bc", "z_": 1})), [""; 0]);
    assert_eq!(paths(&grouped, &json!({"a": "b"})), ["/a"]);
    assert_eq!(paths(&grouped, &json!({"x_1": 1})).len(), 1);
    assert_eq!(compile(grouped).unwrap().patterns(), 2);
    assert!(compile(json!({"pattern": "[](](a)"})).unwrap_err().contains("at #: the pattern"));
    let through = json!({"$ref": "#/patternProperties/(a.)", "patternProperties": {"(a.)": {"type": "object"}}});
    assert!(compile(through).unwrap_err().contains("leads through the pattern"));
    let many: Vec<Value> = (0..40).map(|n| json!({"pattern": format!("^{n}")})).collect();
    assert!(compile(json!({"anyOf": many})).unwrap_err().contains("patterns"));
}

#[test]
fn a_schema_may_hold_itself_where_each_level_is_looked_at_a_few_times() {
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
        "left": {"$ref": "#/$defs/node", "description": "a"}, "right": {"$ref": "#/$defs/node"},
        "parent": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}}}}});
    assert_eq!(paths(&tree, &json!({"left": {"right": {"left": 1}}})), ["/left/right/left"]);
    let any = json!({"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "additionalProperties": {"$ref": "#"}}]});
    assert_eq!(paths(&any, &json!({"a": [{"b": [null, "c"]}]})), [""; 0]);
    let deep = "[".repeat(90) + &"]".repeat(90);
    assert_eq!(compile(any).unwrap().faults(deep.as_bytes()), []);
}

#[test]
fn what_would_be_looked_at_more_and_more_often_is_refused() {
    let twice = |word: &str| json!({"items": {word: [{"$ref": "#"}, {"$ref": "#"}]}});
    for word in ["allOf", "anyOf", "oneOf"] {
        assert!(compile(twice(word)).unwrap_err().contains("more than 256"), "{word}");
    }
    let same_field = json!({"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]});
    assert!(compile(same_field).is_err());
    // Each leads to the next twice.
    let chain = |word: &str, places: [&str; 2]| {
        let mut parts = serde_json::Map::new();
        for n in 0..40 {
            let next = json!({"$ref": format!("#/$defs/{}", n + 1)});
            let value = match word {
                "allOf" => json!({"allOf": [next, next]}),
                _ => json!({"properties": {places[0]: next, places[1]: next}}),
            };
            parts.insert(n.to_string(), value);
        }
        parts.insert("40".into(), json!(true));
        json!({"$ref": "#/$defs/0", "$defs": parts})
    };
    assert!(compile(chain("allOf", ["", ""])).is_err());
    assert!(compile(chain("properties", ["a", "b"])).is_ok(), "fields of other names are other values");
    for endless in [json!({"$ref": "#"}), json!({"anyOf": [{"not": {"$ref": "#"}}]})] {
        assert!(compile(endless).unwrap_err().contains("never end"));
    }
    let choices: Vec<usize> = (0..5_000).collect();
    assert!(compile(json!({"items": {"enum": choices}})).is_err(), "each is compared");
}

#[test]
fn what_cannot_be_asked_within_the_bounds_is_a_fault() {
    let choices: Vec<usize> = (0..3_000).collect();
    let schema = compile(json!({"items": {"enum": choices}})).unwrap();
    let long = |n: usize| format!("[{}1]", "1,".repeat(n));
    assert_eq!(schema.faults(long(1_000).as_bytes()), []);
    let told = schema.faults(long(1_000_000).as_bytes());
    assert!(told.len() == 1 && told[0].message.contains("too long for its schema"), "{told:?}");
    let told = compile(json!({"items": {"type": "string"}})).unwrap().faults(long(100_000).as_bytes());
    assert!(told.len() == 1 && told[0].message.contains("too much to say where"), "{told:?}");
    let told = schema.faults(b"[1e999]");
    assert!(told.len() == 1 && told[0].path.is_empty(), "{told:?}");
    let mut nested = json!({"$ref": "#/$defs/last"});
    for _ in 0..20 {
        nested = json!({"allOf": [nested]});
    }
    let deep = json!({"allOf": [nested], "$defs": {"last": {"items": {"$ref": "#"}}}});
    let told = compile(deep).unwrap().faults(("[".repeat(90) + &"]".repeat(90)).as_bytes());
    assert!(told.len() == 1 && told[0].message.contains("too deep"), "{told:?}");
}

#[test]
fn drafts_are_told_by_what_a_schema_says_and_formats_are_for_people() {
    let draft_7 = json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}],
        "additionalItems": {"type": "integer"}});
    assert_eq!(paths(&draft_7, &json!(["a", 1, "b"])), ["/2"]);
    assert_eq!(paths(&json!({"prefixItems": [{"type": "string"}], "items": false}), &json!(["a"])), [""; 0]);
    assert_eq!(paths(&json!({"format": "date-time"}), &json!("tomorrow")), [""; 0]);
    assert_eq!(paths(&json!(false), &json!(1)), [""]);
}
