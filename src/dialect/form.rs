//! Bodies as HTML forms send them (`application/x-www-form-urlencoded`). What stays true: a form is made of the very JSON
//! that the envelope gives, so it says the same, a parameter for each of its fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::maker::fields_of;

/// What the body is written as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BodyFormat {
    /// JSON.
    #[default]
    Json,
    /// A parameter for each field of that JSON, as HTML forms send them.
    Form,
}

/// The parameter of a body that is no object.
const WHOLE: &str = "data";

/// The form of a JSON body: a parameter for each field, in order. Texts go bare, null is empty, lists and objects stay JSON.
pub(super) fn encode(json: &[u8]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(json.len()));
    match json.first() {
        Some(b'{') => fields_of(json).into_iter().for_each(|(name, value)| {
            form.append_pair(&name, &bare(value));
        }),
        _ => {
            form.append_pair(WHOLE, &String::from_utf8_lossy(json));
        }
    }
    form.finish().into_bytes()
}

fn bare(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        json => serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_string()),
    }
}

/// The parameters by their names, names and values strung together.
pub(super) fn sorted(form: &[u8]) -> String {
    let mut parameters: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    parameters.sort();
    parameters.into_iter().fold(String::new(), |text, (name, value)| text + &name + &value)
}

/// The value of one parameter.
pub(super) fn parameter(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_the_json_says() {
        let json = r#"{"From":"+1 415","Body":"a&b=c \u00e9","n":1.50,"none":null,"yes":true,"list":[1,"x"]}"#;
        let form = encode(json.as_bytes());
        let text = "From=%2B1+415&Body=a%26b%3Dc+%C3%A9&n=1.50&none=&yes=true&list=%5B1%2C%22x%22%5D";
        assert_eq!(String::from_utf8_lossy(&form), text);
        assert_eq!(parameter(&form, "Body").as_deref(), Some("a&b=c é"));
        assert_eq!(parameter(&form, "body"), None);
        assert_eq!(encode(b"[1, 2]"), b"data=%5B1%2C+2%5D");
    }

    #[test]
    fn parameters_are_sorted_by_name() {
        assert_eq!(sorted(b"b=2&a=1&B=0&c="), "B0a1b2c");
    }
}
