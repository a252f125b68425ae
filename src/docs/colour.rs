//! Code, cut into what deserves a colour of its own, for the languages that pages show: enough to find one's way, by a table
//! (`languages`) instead of grammars. What stays true: together the pieces are the text again, whatever it is.

use super::languages::{LANGUAGES, Language};

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The name of a field, a key or a header.
    Name,
    /// Text in quotes.
    Text,
    /// A word of the language, or a number.
    Word,
    /// A comment, or the prompt of a shell.
    Aside,
    /// All else.
    Plain,
}

/// Cuts text of a language into pieces; of an unknown one it is one.
pub(super) fn pieces<'t>(language: &str, text: &'t str) -> Vec<(Kind, &'t str)> {
    match language {
        "console" => session(text),
        "http" => message(text),
        _ => match LANGUAGES.iter().find(|known| known.names.contains(&language)) {
            Some(known) => known.pieces(text),
            None => vec![(Kind::Plain, text)],
        },
    }
}

/// What somebody typed into a shell, and what it said.
fn session(text: &str) -> Vec<(Kind, &str)> {
    let shell = LANGUAGES.iter().find(|known| known.names.contains(&"bash")).expect("it is there");
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let Some(typed) = rest.strip_prefix("$ ") else {
            let line = line_of(rest);
            found.push((Kind::Plain, line));
            rest = &rest[line.len()..];
            continue;
        };
        found.push((Kind::Aside, &rest[..2]));
        let mut end = 0;
        loop {
            end += line_of(&typed[end..]).len();
            let command = &typed[..end];
            let goes_on =
                command.ends_with("\\\n") || command.matches('\'').count() % 2 == 1 || command.ends_with("|\n");
            if !goes_on || end == typed.len() {
                break;
            }
        }
        found.extend(shell.pieces(&typed[..end]));
        rest = &typed[end..];
    }
    found
}

/// Headers, an empty line, and a body.
fn message(text: &str) -> Vec<(Kind, &str)> {
    let (head, body) = text.split_at(text.find("\n\n").unwrap_or(text.len()));
    let mut found = Vec::new();
    for line in head.split_inclusive('\n') {
        match line.find(": ").filter(|end| !line[..*end].contains(' ')) {
            Some(end) => found.extend([(Kind::Name, &line[..end]), (Kind::Plain, &line[end..])]),
            None => found.push((Kind::Plain, line)),
        }
    }
    found.extend(pieces("json", body));
    found
}

fn line_of(text: &str) -> &str {
    text.split_inclusive('\n').next().unwrap_or_default()
}

impl Language {
    fn pieces<'t>(&self, text: &'t str) -> Vec<(Kind, &'t str)> {
        let mut found: Vec<(Kind, &str)> = Vec::new();
        let (mut at, mut plain_from) = (0, 0);
        while at < text.len() {
            let before = text[..at].chars().next_back().unwrap_or('\n');
            let (kind, length) = self.next(&text[at..], before);
            if kind != Kind::Plain {
                found.extend((plain_from < at).then(|| (Kind::Plain, &text[plain_from..at])));
                found.push((kind, &text[at..at + length]));
                plain_from = at + length;
            }
            at += length;
        }
        found.extend((plain_from < at).then(|| (Kind::Plain, &text[plain_from..])));
        found
    }

    /// What `rest` begins with, and how long it is.
    fn next(&self, rest: &str, before: char) -> (Kind, usize) {
        let first = rest.chars().next().expect("there is more");
        let is_comment = |mark: &&&str| rest.starts_with(**mark) && (**mark != "#" || before.is_whitespace());
        if self.comments.iter().find(is_comment).is_some() {
            return (Kind::Aside, rest.find('\n').unwrap_or(rest.len()));
        }
        if self.has_blocks && rest.starts_with("/*") {
            return (Kind::Aside, rest.find("*/").map_or(rest.len(), |end| end + 2));
        }
        if let Some(quote) = self.quotes.iter().find(|quote| rest.starts_with(**quote)) {
            let length = self.quoted(rest, quote);
            let is_name = self.assigns == Some(':') && rest[length..].trim_start().starts_with(':');
            return (if is_name { Kind::Name } else { Kind::Text }, length);
        }
        let signed = first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        if (first.is_ascii_digit() || signed) && !self.is_in_word(before) {
            return (Kind::Word, number(rest));
        }
        if !self.is_in_word(first) {
            return (Kind::Plain, first.len_utf8());
        }
        let length = rest.find(|c| !self.is_in_word(c)).unwrap_or(rest.len());
        let is_assigned = || self.assigns == Some('=') && rest[length..].trim_start_matches(' ').starts_with('=');
        match &rest[..length] {
            word if self.words.contains(&word) => (Kind::Word, length),
            _ if is_assigned() => (Kind::Name, length),
            _ => (Kind::Plain, length),
        }
    }

    fn is_in_word(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_' || self.in_words.contains(&c)
    }

    /// The length of the text that `rest` begins with, quotes included. One that ends with its line is no text that goes on:
    /// an apostrophe in what only looks like text spoils no more than its line.
    fn quoted(&self, rest: &str, quote: &str) -> usize {
        let goes_on = quote.len() > 1 || quote == "`" || self.names.contains(&"bash");
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip_while(|(at, _)| *at < quote.len()) {
            match c {
                _ if escaped => escaped = false,
                '\\' if !(quote == "'" && self.names.contains(&"bash")) => escaped = true,
                '\n' if !goes_on => return at,
                _ if rest[at..].starts_with(quote) => return at + quote.len(),
                _ => {}
            }
        }
        rest.len()
    }
}

/// The length of the number that `rest` begins with.
fn number(rest: &str) -> usize {
    let mut last = ' ';
    for (at, c) in rest.char_indices() {
        let is_sign = matches!(c, '+' | '-') && (at == 0 || matches!(last, 'e' | 'E'));
        if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || is_sign) {
            return at;
        }
        last = c;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(language: &str, text: &str, kind: Kind) -> Vec<String> {
        let found = pieces(language, text);
        assert_eq!(found.iter().map(|(_, piece)| *piece).collect::<String>(), text, "nothing is lost");
        found.into_iter().filter(|(known, _)| *known == kind).map(|(_, piece)| piece.to_owned()).collect()
    }

    #[test]
    fn pieces_of_json_are_told_apart() {
        let text = r#"{"a\"b": ["x", -1.5e3, null], "c" : {}}"#;
        assert_eq!(of("json", text, Kind::Name), [r#""a\"b""#, r#""c""#]);
        assert_eq!(of("json", text, Kind::Text), [r#""x""#]);
        assert_eq!(of("json", text, Kind::Word), ["-1.5e3", "null"]);
        assert_eq!(pieces("json", "\"open é\\").len(), 1);
    }

    #[test]
    fn each_language_has_its_comments_texts_and_words() {
        let python = "def f(x):  # why\n    return \"\"\"a\n'b'\"\"\"\n";
        assert_eq!(of("python", python, Kind::Aside), ["# why"]);
        assert_eq!(of("python", python, Kind::Word), ["def", "return"]);
        assert_eq!(of("python", python, Kind::Text), ["\"\"\"a\n'b'\"\"\""]);
        let rust = "fn f<'a>(x: &'a str) /* it's */ -> u64 { \"a\\\"b\" }";
        assert_eq!(of("rust", rust, Kind::Aside), ["/* it's */"]);
        assert_eq!(of("rust", rust, Kind::Text), ["\"a\\\"b\""]);
        let toml = "# why\n[face]\nbase = \"/v2\"  # there\nn = 3\n";
        assert_eq!(of("toml", toml, Kind::Name), ["base", "n"]);
        assert_eq!(of("toml", toml, Kind::Aside), ["# why", "# there"]);
        assert_eq!(of("ruby", "a = \"#{b}\" # c", Kind::Aside), ["# c"]);
        assert_eq!(of("javascript", "const a = `x\ny`; // z", Kind::Text), ["`x\ny`"]);
        assert_eq!(of("text", "if x # y", Kind::Plain), ["if x # y"]);
    }

    #[test]
    fn a_session_has_prompts_and_a_message_has_headers() {
        let session = "$ curl -d '{\n  \"a\": 1}'\n{\"b\": 2}\n$ wait";
        assert_eq!(of("console", session, Kind::Aside), ["$ ", "$ "]);
        assert_eq!(of("console", session, Kind::Text), ["'{\n  \"a\": 1}'"]);
        assert_eq!(of("console", session, Kind::Word), ["curl", "wait"]);
        let message = "webhook-id: 1\nX: a: b\n\n{\"c\": 1}";
        assert_eq!(of("http", message, Kind::Name), ["webhook-id", "X", "\"c\""]);
    }

    #[test]
    fn whatever_it_is_nothing_is_lost() {
        for language in ["json", "toml", "bash", "python", "javascript", "go", "ruby", "php", "rust", "console", "http"]
        {
            for text in ["", "'", "\"", "é'é\"\\", "/*", "$ ", "$ '\n", "# é\n", "-", "-1", "\"\"\"", "a:b: \n\n\n"]
            {
                of(language, text, Kind::Plain);
            }
        }
    }
}
