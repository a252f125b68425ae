//! What a command says, as the API takes it: a body of fields, or a query. What stays true: what is said on the command line
//! goes over what `--data` holds.

use clap::ArgMatches;
use serde_json::{Map, Value};

use super::table::{Flag, Holds, Verb};
use crate::cli::error::CliError;
use crate::cli::named;

/// The fields of a body.
pub fn body(verb: &Verb, given: &ArgMatches) -> Result<Map<String, Value>, CliError> {
    let mut body = match said(given, "data") {
        Some(text) => object(text)?,
        None => Map::new(),
    };
    for flag in verb.flags {
        if let Some(value) = value(flag, given) {
            body.insert(flag.key.into(), value);
        }
    }
    let mut sets = given.try_get_many::<String>("set").ok().flatten().into_iter().flatten();
    sets.try_for_each(|text| set(&mut body, text))?;
    Ok(body)
}

/// The pairs of a query.
pub fn query(verb: &Verb, given: &ArgMatches) -> Vec<(&'static str, String)> {
    let pair = |flag: &Flag| {
        value(flag, given).map(|value| (flag.key, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    };
    verb.flags.iter().filter_map(pair).collect()
}

/// A text that was said.
pub fn said<'a>(given: &'a ArgMatches, name: &str) -> Option<&'a str> {
    // An argument that the verb does not have was not said.
    given.try_get_one::<String>(name).ok().flatten().map(String::as_str)
}

/// Whether a flag was said.
pub fn is_said(given: &ArgMatches, name: &str) -> bool {
    given.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
}

fn value(flag: &Flag, given: &ArgMatches) -> Option<Value> {
    // One without a field only says that it is meant.
    if flag.key.is_empty() {
        return None;
    }
    match flag.holds {
        Holds::Text => said(given, flag.word).map(Value::from),
        Holds::Number => given.get_one::<u64>(flag.word).map(|number| Value::from(*number)),
        Holds::Yes => is_said(given, flag.word).then_some(Value::Bool(true)),
        Holds::Texts => given.get_many::<String>(flag.word).map(|texts| texts.cloned().collect()),
    }
}

fn object(text: &str) -> Result<Map<String, Value>, CliError> {
    let text = match text.strip_prefix('@') {
        Some(path) => named::text(path).map_err(CliError::Failed)?,
        None if text == "-" => named::text("-").map_err(CliError::Failed)?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| CliError::Usage(format!("--data is no JSON object: {error}")))
}

/// Sets a field, whose name may lead into objects.
fn set(body: &mut Map<String, Value>, text: &str) -> Result<(), CliError> {
    let wrong = |why: &str| CliError::Usage(format!("--set {text}: {why}; say FIELD=VALUE, such as name=Mine"));
    let (name, value) = text.split_once('=').ok_or_else(|| wrong("has no ="))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    let (way, last) = name.rsplit_once('.').map_or((None, name), |(way, last)| (Some(way), last));
    if last.is_empty() {
        return Err(wrong("names no field"));
    }
    let mut inside = body;
    for step in way.into_iter().flat_map(|way| way.split('.')) {
        let next = inside.entry(step).or_insert_with(|| Map::new().into());
        inside = next.as_object_mut().ok_or_else(|| wrong("leads into something that is no object"))?;
    }
    inside.insert(last.into(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_json_or_a_text_and_may_lie_deep() {
        let mut body = Map::new();
        for text in ["timeout=5", "name=Mine: 1=1", "retry.delays=[1,2]", "retry.jitter=0", "enabled=true", "uid=null"]
        {
            set(&mut body, text).expect("a field");
        }
        let expected = json!({
            "timeout": 5, "name": "Mine: 1=1", "retry": {"delays": [1, 2], "jitter": 0}, "enabled": true, "uid": null,
        });
        assert_eq!(Value::from(body.clone()), expected);
        for wrong in ["timeout", "=1", "a.=1", "name.x=1"] {
            let error = set(&mut body, wrong).expect_err(wrong);
            assert_eq!(error.code(), 2, "{error}");
        }
    }
}
