//! Every kind of mistake there is to make in a dialect file: each is refused with its line, its key and what would be
//! right, so that nobody has to guess.

use super::*;

/// A right file with every key there is, one a line.
pub const FILE: &str = include_str!("whole.toml");

/// A mistake in `broken.txt`: `- ` what is in the file, `+ ` what stands there instead, `@ ` the line that is named (left
/// out: the first that stands there instead), `! ` the key and, after a colon, a part of what is said of it, `? ` why the JSON
/// Schema cannot tell it, where it cannot.
pub struct Mistake {
    pub right: String,
    pub wrong: String,
    line: &'static str,
    key: &'static str,
    says: &'static str,
    pub beyond_schema: Option<&'static str>,
}

impl Mistake {
    pub fn all() -> impl Iterator<Item = Self> {
        include_str!("broken.txt").trim().split("\n\n").map(Self::read)
    }

    fn read(block: &'static str) -> Self {
        let with = |mark: &'static str| move |line: &&'static str| line.starts_with(mark);
        let all = |mark: &'static str| block.lines().filter(with(mark)).map(|line| &line[2..]).collect::<Vec<_>>();
        let (right, wrong) = (all("- "), all("+ "));
        let (key, says) = all("! ")[0].split_once(": ").unwrap_or_else(|| panic!("no key: {block}"));
        let line = all("@ ").first().or(wrong.first()).copied().unwrap_or_else(|| panic!("no line: {block}"));
        // What is taken away goes with the end of its line.
        let end = if wrong.is_empty() { "\n" } else { "" };
        let beyond_schema = all("? ").first().copied();
        Self { right: right.join("\n") + end, wrong: wrong.join("\n"), line, key, says, beyond_schema }
    }
}

#[test]
fn the_file_itself_is_right() {
    Dialect::parse("whole.toml", FILE).unwrap();
}

#[test]
fn every_mistake_is_named_with_line_key_and_what_would_be_right() {
    let mistakes: Vec<Mistake> = Mistake::all().collect();
    assert!(mistakes.len() > 100, "only {} mistakes", mistakes.len());
    for Mistake { right, wrong, line, key, says, .. } in mistakes {
        assert!(FILE.contains(&right), "{right} is not in the file");
        let text = FILE.replacen(&right, &wrong, 1);
        let error = Dialect::parse("dir/whole.toml", &text).expect_err(&format!("{wrong} was taken"));
        let named = text.lines().nth(error.line - 1).unwrap_or_default();
        assert_eq!((error.key.as_str(), named), (key, line), "{error}");
        assert!(error.message.contains(says), "{error}\ndoes not say {says:?}");
        assert!(error.to_string().starts_with(&format!("dir/whole.toml:{}: {key}: ", error.line)));
    }
}

#[test]
fn what_is_no_text_at_all_is_named_too() {
    let error = Dialect::parse("empty.toml", "").unwrap_err();
    assert_eq!((error.line, error.key.as_str()), (1, "title"), "{error}");
    for junk in ["\0\u{1}\u{2}", "<html>", "]]]", "= 1", "\u{feff}\u{feff}title = 1"] {
        let error = Dialect::parse("junk.toml", junk).unwrap_err();
        assert!(error.message.starts_with("is not TOML"), "{junk:?}: {error}");
    }
    for name in ["Whole.toml", "a b.toml", ".toml", "\u{e9}.toml"] {
        let error = Dialect::parse(name, FILE).unwrap_err();
        assert!(error.message.contains("1 to 64 of a-z 0-9 _ -"), "{error}");
    }
}

#[test]
fn two_faces_in_each_others_way_are_named() {
    let mut dialects = Dialects::shipped();
    dialects.add("whole.toml", FILE).unwrap();
    for base in ["/whole", "/whole/hooks", "/whole/hooks/v2"] {
        let text = FILE.replace("base = \"/whole/hooks\"", &format!("base = {base:?}"));
        let error = dialects.add("mine.toml", &text).unwrap_err();
        let line = text.lines().nth(error.line - 1).unwrap();
        assert_eq!((error.key.as_str(), line), ("face.base", format!("base = {base:?}").as_str()), "{error}");
        assert!(error.message.contains("/whole/hooks of the dialect whole"), "{error}");
    }
}

/// Whatever stands in a file, it is refused with a place in it, or it is a contract that can be sent by.
#[test]
fn nothing_in_a_file_makes_it_panic() {
    const ODD: [&str; 16] = [
        "5",
        "-1",
        "0.5",
        "nan",
        "true",
        "\"\"",
        "\"{\"",
        "\"{}\"",
        "\"{event.id}\"",
        "\"\u{e9}\u{0}\"",
        "[]",
        "[[]]",
        "{}",
        "{ \"...\" = \"x\" }",
        "1979-05-27",
        "99999999999999999999",
    ];
    let lines: Vec<&str> = FILE.lines().collect();
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().join("\n");
    let with = |n: usize, line: &str| [&lines[..n], &[line], &lines[n + 1..]].concat().join("\n");
    let mut files: Vec<String> = FILE.char_indices().map(|(end, _)| FILE[..end].to_string()).collect();
    for (n, line) in lines.iter().enumerate() {
        files.extend([without(n), with(n, &format!("{line}\n{line}")), with(n, &line.replace('=', "")), with(n, "[")]);
        if let Some((key, _)) = line.split_once(" = ") {
            files.extend(ODD.map(|odd| with(n, &format!("{key} = {odd}"))));
        }
    }
    let mut right = 0;
    for text in files {
        match Dialect::parse("any.toml", &text) {
            Ok(dialect) => {
                let secret = dialect.generate_secret(&[9; 32]).unwrap();
                let request = send(&dialect, &event("{\"a\":[1.0]}", None, None), &[secret.reveal()], NOW);
                serde_json::from_slice::<serde_json::Value>(&request.body).expect("a body is JSON");
                right += 1;
            }
            Err(error) => {
                assert!((1..=text.lines().count().max(1)).contains(&error.line), "{error}\n{text}");
                assert!(!error.key.is_empty() && !error.message.is_empty(), "{error}\n{text}");
            }
        }
    }
    assert!(right > 100, "only {right} are right");
}
