//! A request as a command to copy: curl, for any POSIX shell. What stays true: whatever stands in a URL, a header or a body is one
//! word of the command or a part of one, and no byte that a terminal would obey is in it. Pure.

use std::fmt::Write;

use crate::domain::endpoint::MASK;

/// Bytes of a body that stand in the command; a longer one is read from a file.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// What curl makes itself: it would be wrong, or there twice.
const OWN: [&str; 5] = ["host", "content-length", "connection", "transfer-encoding", "expect"];

/// A request as it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// Where to.
    pub url: &'a str,
    /// Its headers; of one whose value is not to be seen, none.
    pub headers: &'a [(&'a str, Option<&'a str>)],
    /// Its body, where that is known.
    pub body: Option<&'a str>,
    /// The file that holds the body where it is too long for the command.
    pub file: &'a str,
}

/// The command. What may not be seen stands there as `***`, to be filled in.
pub fn command(sent: Sent<'_>) -> String {
    let mut command = String::new();
    let piped = sent.body.filter(|body| body.len() <= BODY_BYTES_MAX && !is_plain(body));
    if let Some(body) = piped {
        write!(command, "printf {} | ", quoted(&octal(body))).expect("a text takes all");
    }
    write!(command, "curl --globoff --request POST {}", quoted(&shown(sent.url))).expect("a text takes all");
    for (name, value) in sent.headers.iter().filter(|(name, _)| !OWN.contains(&name.to_ascii_lowercase().as_str())) {
        let value = shown(value.unwrap_or(MASK));
        // To curl, a name with nothing behind its colon is a header to leave out.
        let header = if value.trim().is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        write!(command, " \\\n  --header {}", quoted(&shown(&header))).expect("a text takes all");
    }
    let body = match sent.body {
        None => String::new(),
        Some(_) if piped.is_some() => " \\\n  --data-binary @-".into(),
        Some(body) if body.len() > BODY_BYTES_MAX => {
            format!(" \\\n  --data-binary {}", quoted(&format!("@{}", sent.file)))
        }
        Some(body) => format!(" \\\n  --data-raw {}", quoted(body)),
    };
    command + &body
}

/// One word of a POSIX shell (XCU 2.2.2): between single quotes nothing has a meaning but the quote itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether a text can stand in a command as it is: a NUL cannot, and other control characters would do something to a terminal that
/// it is pasted into.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Without what cannot stand in one line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// What `printf` (XCU 4, printf) makes the text of.
fn octal(text: &str) -> String {
    let mut format = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => format.push_str("%%"),
            '\\' => format.push_str(r"\\"),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(format, "\\{byte:03o}").expect("a text takes all");
                }
            }
            c => format.push(c),
        }
    }
    format
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const URL: &str = "https://a.example/hook?x=1&y=[z]";

    fn sent<'a>(headers: &'a [(&'a str, Option<&'a str>)], body: Option<&'a str>) -> Sent<'a> {
        Sent { url: URL, headers, body, file: "body.txt" }
    }

    /// What a shell makes of the command: the words that curl gets, and what comes to its standard input.
    fn run(command: &str) -> (Vec<String>, String) {
        let script =
            format!("curl() {{ printf '%s\\0' \"$@\"; case \"$*\" in *@-) printf '\\001'; cat;; esac; }}\n{command}");
        let out = Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
        assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).expect("it is UTF-8");
        let (words, piped) = text.split_once('\u{1}').unwrap_or((&text, ""));
        (words.split_terminator('\0').map(String::from).collect(), piped.to_owned())
    }

    #[test]
    fn it_reads_as_one_would_write_it() {
        let headers =
            [("content-type", Some("application/json")), ("content-length", Some("9")), ("authorization", None)];
        let expected = "curl --globoff --request POST 'https://a.example/hook?x=1&y=[z]' \\\n  \
                        --header 'content-type: application/json' \\\n  --header 'authorization: ***' \\\n  \
                        --data-raw '{\"a\":\"it'\\''s\"}'";
        assert_eq!(command(sent(&headers, Some("{\"a\":\"it's\"}"))), expected);
    }

    #[test]
    fn a_shell_hands_on_each_hostile_text_as_it_is() {
        for body in [
            "'; touch /tmp/x; '",
            "$(id) `id` ${HOME} $HOME \\ \\n \"quoted\" !x !! *",
            "@/etc/passwd",
            "line\nline\t\\\n#",
            "%s %% \\101 '",
            "é 🎡 \u{202e}",
            "'",
            "",
        ] {
            let headers = [("x-text", Some("a'b $(id)")), ("x-empty", Some(""))];
            let (words, _) = run(&command(sent(&headers, Some(body))));
            let expected = [
                "--globoff",
                "--request",
                "POST",
                URL,
                "--header",
                "x-text: a'b $(id)",
                "--header",
                "x-empty;",
                "--data-raw",
                body,
            ];
            assert_eq!(words, expected, "{body}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_goes_through_a_pipe_in_octal_and_not_into_the_command() {
        let body = "a\u{1b}[2J\u{7}\r'%\\b\u{9b}";
        let text = command(sent(&[("x-a", Some("b\u{1b}[31m\r\nc"))], Some(body)));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        let (words, piped) = run(&text);
        assert_eq!((words[5].as_str(), words[7].as_str()), ("x-a: b[31mc", "@-"));
        assert_eq!(piped, body);
        assert!(command(sent(&[], Some("\0"))).starts_with(r"printf '\000' | curl"));
    }

    #[test]
    fn a_long_body_is_read_from_a_file() {
        let long = "x".repeat(BODY_BYTES_MAX + 1);
        assert!(command(sent(&[], Some(&long))).ends_with("--data-binary '@body.txt'"));
        assert!(!command(sent(&[], None)).contains("data"));
    }
}
