//! The daily tools over the API: `webhooks list`, `events show` and their like, all made of one table. What stays true: a
//! program gets what the API says, a line an object; a person gets a table; and what destroys asks once, with a number.

mod asking;
mod command;
mod fields;
mod given;
mod nouns;
mod people;
mod show;
mod table;

pub use asking::run;
pub use given::ToolArgs;

#[cfg(test)]
mod tests {
    use super::nouns::NOUNS;
    use super::table::Kind;
    use crate::client::path_of;

    #[test]
    fn each_verb_is_an_operation_of_the_api() {
        for (noun, verb) in NOUNS.iter().flat_map(|noun| noun.verbs.iter().map(move |verb| (noun, verb))) {
            assert!(path_of(verb.operation).is_some(), "{} {}: {}", noun.name, verb.name, verb.operation);
            let is_list = verb.kind == Kind::Rows;
            assert_eq!(is_list, verb.operation.ends_with(".list"), "{} {}", noun.name, verb.name);
        }
    }
}
