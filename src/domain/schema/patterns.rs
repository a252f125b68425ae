//! The patterns of a schema: what they take once they are compiled, and how they are written so that they take no more. Nobody asks
//! what a group has caught; but an engine that could be asked builds tables of up to a mebibyte for it. So groups are compiled as
//! such that catch nothing, which hold for the same texts.

use serde_json::{Map, Value};

/// What a pattern is charged that asks for the ends of words: it has such a table in any case.
const OF_WORDS: usize = 8;

/// The patterns of a schema.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    /// How many there are.
    pub count: usize,
    /// What an account is charged for them: each is one, and one that asks for the ends of words several.
    pub charge: usize,
    /// The JSON Pointers to the parts that have any.
    parts: Vec<String>,
}

impl Patterns {
    /// Adds those of the part at this place; an error says which cannot be taken.
    pub fn add<'p>(&mut self, pointer: &str, patterns: impl Iterator<Item = &'p str>) -> Result<(), String> {
        let before = self.count;
        for pattern in patterns {
            let (_, charge) = plain(pattern).map_err(|why| format!("at #{pointer}: the pattern {pattern:?} {why}"))?;
            (self.count, self.charge) = (self.count + 1, self.charge + charge);
        }
        if self.count > before {
            self.parts.push(pointer.into());
        }
        Ok(())
    }

    /// Writes them in the schema that they are of so that no group catches anything.
    pub fn write_plain(mut self, schema: &mut Value) -> Result<(), String> {
        // What lies deepest comes first: the names on the way to it are still as they were.
        self.parts.sort_by_key(|pointer| std::cmp::Reverse(pointer.len()));
        for pointer in self.parts {
            let Some(part) = schema.pointer_mut(&pointer).and_then(Value::as_object_mut) else { continue };
            if let Some(Value::String(pattern)) = part.get_mut("pattern") {
                *pattern = written(pattern);
            }
            let Some(Value::Object(names)) = part.get_mut("patternProperties") else { continue };
            let mut plain = Map::new();
            for (name, of) in std::mem::take(names) {
                if plain.insert(written(&name), of).is_some() {
                    return Err(format!("at #{pointer}/patternProperties: {name:?} stands there twice; leave one out"));
                }
            }
            *names = plain;
        }
        Ok(())
    }
}

/// As it is compiled.
pub fn written(pattern: &str) -> String {
    plain(pattern).map_or_else(|_| pattern.into(), |(plain, _)| plain)
}

/// A pattern whose groups catch nothing, and what it is charged. An error says why nobody can tell which they are.
fn plain(pattern: &str) -> Result<(String, usize), &'static str> {
    if is_list_of_words(pattern) {
        return Ok((pattern.into(), 1));
    }
    let (mut plain, mut charge, mut rest) = (String::with_capacity(pattern.len()), 1, pattern);
    let (mut in_class, mut has_groups, mut unclear) = (false, false, None);
    while let Some(c) = rest.chars().next() {
        plain.push(c);
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let Some(escaped) = rest.chars().next() else { break };
                if !in_class && matches!(escaped, 'b' | 'B' | '<' | '>') {
                    charge = OF_WORDS;
                }
                plain.push(escaped);
                rest = &rest[escaped.len_utf8()..];
            }
            '[' if !in_class => {
                in_class = true;
                if rest.strip_prefix('^').unwrap_or(rest).starts_with(']') {
                    unclear = Some("has a class that begins with ] beside a group; write \\] for that");
                }
            }
            ']' => in_class = false,
            '(' if !in_class => {
                has_groups = true;
                let Some(of) = rest.strip_prefix('?') else {
                    plain.push_str("?:");
                    continue;
                };
                if let Some(behind) = behind_name(of) {
                    plain.push_str("?:");
                    rest = behind;
                } else if sets_verbose(of) {
                    unclear = Some("has the flag x; write it without blanks and remarks");
                }
            }
            _ => {}
        }
    }
    match unclear.filter(|_| has_groups) {
        Some(why) => Err(why),
        None => Ok((plain, charge)),
    }
}

/// `^(a|b|c)$`: no engine is asked for that, as long as it is written so.
fn is_list_of_words(pattern: &str) -> bool {
    let words = pattern.strip_prefix("^(").and_then(|rest| rest.strip_suffix(")$"));
    words.is_some_and(|words| words.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '|')))
}

/// What follows the name of a group that has one; `of`: what follows `(?`.
fn behind_name(of: &str) -> Option<&str> {
    let name = of.strip_prefix("P<").or(of.strip_prefix('<'))?;
    if name.starts_with(['=', '!']) { None } else { name.split_once('>').map(|(_, behind)| behind) }
}

/// Whether flags stand there of which one lets blanks and remarks stand between the rest.
fn sets_verbose(of: &str) -> bool {
    let flags = of.split([':', ')']).next().unwrap_or(of);
    flags.contains('x') && flags.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn groups_catch_nothing_and_all_else_stays_as_it_is() {
        for (pattern, wanted, charge) in [
            ("^[a-z]+$", "^[a-z]+$", 1),
            ("^(a|b)+(c)$", "^(?:a|b)+(?:c)$", 1),
            ("(?<year>\\d{4})-(?P<month>\\d)", "(?:\\d{4})-(?:\\d)", 1),
            ("(?:a)(?i)(?i:b)", "(?:a)(?i)(?i:b)", 1),
            ("(?=a)(?<!b)(c)", "(?=a)(?<!b)(?:c)", 1),
            ("\\(a\\)[(](b)", "\\(a\\)[(](?:b)", 1),
            ("[a\\](](b)", "[a\\](](?:b)", 1),
            ("[\\b]", "[\\b]", 1),
            ("\\bcat(s)\\b", "\\bcat(?:s)\\b", OF_WORDS),
            ("^(up|down/left)$", "^(up|down/left)$", 1),
            ("^(up|d.wn)$", "^(?:up|d.wn)$", 1),
            ("[]a]", "[]a]", 1),
            ("ends with \\", "ends with \\", 1),
        ] {
            assert_eq!(plain(pattern), Ok((wanted.to_string(), charge)), "{pattern}");
        }
        for pattern in ["[](](a)", "[^]](a)", "(?x)a # [\n(b)", "(?ix:a)"] {
            assert!(plain(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn those_of_a_part_within_another_are_found_whatever_becomes_of_the_names_on_the_way() {
        let inner = "/patternProperties/^(a)/patternProperties/^(b)";
        let mut schema = json!({"patternProperties": {"^(a)": {"patternProperties": {"^(b)": {"pattern": "(c)"}}}},
            "const": {"pattern": "(d)"}});
        let mut patterns = Patterns::default();
        patterns.add("", ["^(a)"].into_iter()).unwrap();
        patterns.add("/patternProperties/^(a)", ["^(b)"].into_iter()).unwrap();
        patterns.add(inner, ["(c)"].into_iter()).unwrap();
        patterns.add("/none", std::iter::empty()).unwrap();
        assert_eq!((patterns.count, patterns.charge, patterns.parts.len()), (3, 3, 3));
        patterns.write_plain(&mut schema).unwrap();
        let wanted = json!({"patternProperties": {"^(?:a)": {"patternProperties": {"^(?:b)": {"pattern": "(?:c)"}}}},
            "const": {"pattern": "(d)"}});
        assert_eq!(schema, wanted);
        let mut twice = json!({"patternProperties": {"(a.)": true, "(?:a.)": false}});
        let mut patterns = Patterns::default();
        patterns.add("", ["(a.)", "(?:a.)"].into_iter()).unwrap();
        assert!(patterns.write_plain(&mut twice).unwrap_err().contains("twice"));
    }
}
