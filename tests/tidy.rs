//! The rules of the house that no compiler knows: which room may use which, what each file opens with, and what may
//! be called in one place only. Comments and texts do not count; test modules do.

#[path = "tidy/circles.rs"]
mod circles;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms of the crate each room may use, beside itself. An arrow may be followed, never turned round: `api` and
/// `deliver` meet in the store. `lib.rs` and `main.rs` may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("config", &["domain"]),
    ("dialect", &["domain", "clock"]),
    ("pulse", &["clock"]),
    ("telemetry", &["domain", "clock"]),
    ("store", &["domain", "clock", "pulse", "telemetry"]),
    ("deliver", &["domain", "clock", "dialect", "pulse", "store", "telemetry"]),
    ("docs", &["domain", "clock", "dialect"]),
    ("trial", &["domain", "clock", "dialect", "docs"]),
    ("exchange", &["domain", "dialect", "docs"]),
    ("api", &["domain", "clock", "dialect", "docs", "exchange", "pulse", "store", "telemetry"]),
    ("dashboard", &["domain", "clock", "dialect", "docs", "store", "api"]),
    // What the front page has set apart.
    ("log", &["config", "pulse"]),
    ("settings", &["api", "config", "deliver", "domain", "store", "telemetry"]),
    ("checked", &["api", "clock", "config", "deliver", "dialect", "domain", "settings", "store"]),
    ("cluster", &["store"]),
    ("nodes", &["api", "checked", "cluster", "config", "deliver", "domain", "pulse", "settings", "store"]),
    (
        "post",
        &["api", "checked", "clock", "config", "handover", "live", "nodes", "pulse", "settings", "store", "supervisor"],
    ),
    ("supervisor", &["pulse"]),
    (
        "serving",
        &[
            "api",
            "checked",
            "clock",
            "config",
            "dashboard",
            "deliver",
            "domain",
            "greeting",
            "handover",
            "nodes",
            "live",
            "post",
            "pulse",
            "settings",
            "store",
            "supervisor",
            "telemetry",
        ],
    ),
    ("profile", &[]),
    ("handover", &["clock", "pulse"]),
    ("about", &["store"]),
    ("doctor", &["checked", "clock", "config", "domain", "settings", "store"]),
    ("greeting", &["config", "domain", "log", "profile", "settings", "store"]),
    ("live", &["api", "config", "deliver", "dialect", "domain", "log", "settings", "store", "supervisor"]),
    ("client", &["clock"]),
    // `cli` starts the server through the front page: `crate::run` and what it takes.
    (
        "cli",
        &[
            "about", "checked", "domain", "clock", "dialect", "docs", "exchange", "trial", "client", "config",
            "doctor", "profile", "run",
        ],
    ),
];

/// What may be named only in some rooms.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("Instant::now", &["clock"]),
    ("SystemTime::now", &["clock"]),
    ("clock_gettime", &["clock"]),
    ("rand::", &["clock"]),
    ("sled::", &["store"]),
    ("bincode::", &["store"]),
    ("jsonschema::", &["domain"]),
    ("awc::", &["cli", "client"]),
    ("unsafe", &[]),
    ("todo!", &[]),
    ("unimplemented!", &[]),
    ("dbg!", &[]),
    // They panic where an output takes nothing more: `cli/terminal` says what is to be said. Tests of these rooms may.
    ("print!", &[]),
    ("println!", &["dialect", "store"]),
    ("eprint!", &[]),
    ("eprintln!", &[]),
];

#[test]
fn each_file_opens_with_why_it_exists() {
    let bare: Vec<_> = sources().into_iter().filter(|source| !source.text.starts_with("//! ")).collect();
    assert!(bare.is_empty(), "no opening //! line in {}", list(&bare));
}

#[test]
fn arrows_are_followed_never_turned_round() {
    let mut turned = Vec::new();
    for source in sources() {
        let Some(room) = source.room.as_deref() else { continue };
        let allowed = ARROWS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("the room {room} has no line in ARROWS"));
        for used in rooms_used(&source) {
            if used != room && !allowed.contains(&used.as_str()) {
                turned.push(format!("{}: {room} -> {used}", source.path.display()));
            }
        }
    }
    assert!(turned.is_empty(), "arrows turned round:\n{}", turned.join("\n"));
}

#[test]
fn what_belongs_to_one_room_is_named_only_there() {
    let mut strays = Vec::new();
    for source in sources() {
        for (name, rooms) in ONLY_IN {
            let at_home = source.room.as_deref().is_some_and(|room| rooms.contains(&room));
            if !at_home && names(&source.code, name) {
                strays.push(format!("{}: {name}", source.path.display()));
            }
        }
    }
    assert!(strays.is_empty(), "named outside their rooms:\n{}", strays.join("\n"));
}

#[test]
fn the_readme_maps_what_is_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap_or_default();
    let Some(mapped) = map_of_src(&readme) else { return };
    let there: BTreeSet<String> = fs::read_dir(root().join("src"))
        .expect("src is there")
        .map(|entry| entry.expect("can be read"))
        .map(|entry| entry.file_name().to_string_lossy().into_owned() + if entry.path().is_dir() { "/" } else { "" })
        .collect();
    assert_eq!(mapped, there, "the map of src/ in README.md (left) against src/ (right)");
}

#[test]
fn the_rules_see_what_they_forbid() {
    let stray = |text: &str| Source::new("src/api/x.rs", text);
    let used = |text: &str| rooms_used(&stray(text)).into_iter().collect::<Vec<_>>();
    assert_eq!(used("use crate::deliver::Lane;"), ["deliver"]);
    assert_eq!(used("use crate::{clock::Clock, store::{Store, cli}, deliver};"), ["clock", "deliver", "store"]);
    assert_eq!(used("use super::super::deliver::Lane; fn f() { super::auth::check() }"), ["deliver"]);
    let hidden =
        "/* crate::store */ // crate::cli\n\"crate::cli \\\" crate::cli\"; r#\"crate::cli\"#; '\"'; crate::run()";
    assert_eq!(used(hidden), ["run"]);
    assert!(names("fn f() { rand::random() }", "rand::") && !names("operand::x", "rand::"));
    assert!(!names(&stray("// unsafe\n\"unsafe\"; unsafely()").code, "unsafe"));
    assert!(names(&stray("fn f<'a>(x: &'a str) { unsafe { g(x) } }").code, "unsafe"));
    let mapped = map_of_src("text\n```\nsrc/\n  main.rs   starts\n  api/      routes\n    deeper.rs\ntests/\n```\n");
    assert_eq!(mapped, Some(BTreeSet::from(["main.rs".to_owned(), "api/".to_owned()])));
    assert_eq!(map_of_src("no map"), None);
}

/// A file of `src`.
struct Source {
    /// Below the root of the repository.
    path: PathBuf,
    /// The folder or file right under `src`; none for `lib.rs` and `main.rs`.
    room: Option<String>,
    /// As it stands.
    text: String,
    /// Without comments and without what is in quotes.
    code: String,
}

impl Source {
    fn new(path: impl Into<PathBuf>, text: &str) -> Self {
        let path = path.into();
        let first = path.iter().nth(1).expect("below src").to_string_lossy();
        let room = first.trim_end_matches(".rs").to_owned();
        let room = (room != "lib" && room != "main").then_some(room);
        Self { code: code_of(text), text: text.to_owned(), path, room }
    }

    /// How many `super::` lead from this file's module to the root of the crate.
    fn depth(&self) -> usize {
        let below_src = self.path.iter().count() - 1;
        if self.path.ends_with("mod.rs") { below_src - 1 } else { below_src }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of src") {
            let path = entry.expect("can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                found.push(Source::new(path.strip_prefix(root()).expect("below the root"), &text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn list(sources: &[Source]) -> String {
    sources.iter().map(|source| source.path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The rooms that a file names behind `crate::`, or behind enough `super::`.
fn rooms_used(source: &Source) -> BTreeSet<String> {
    let code = &source.code;
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].chars().next_back().is_none_or(|before| !is_word(before) && before != '$') {
            used.extend(first_names(&code[at + "crate::".len()..]));
        }
    }
    let up = "super::".repeat(source.depth());
    for (at, _) in code.match_indices(&up) {
        used.extend(first_names(&code[at + up.len()..]));
    }
    used.retain(|name| name == "run" || ARROWS.iter().any(|(room, _)| room == name));
    used
}

/// The first name of a path, or those of a group in braces.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut depth, mut item, mut names) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(&std::mem::take(&mut item))),
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    names.push(word(&item));
    names
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_word(*c)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `code` has `name` as words of its own.
fn names(code: &str, name: &str) -> bool {
    let whole = |at: usize| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let ends = !name.ends_with(is_word) || after.is_none_or(|c| !is_word(c));
        ends && before.is_none_or(|c| !is_word(c))
    };
    code.match_indices(name).any(|(at, _)| whole(at))
}

/// `text` without comments and without the contents of quotes.
fn code_of(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| raw_text(rest)).or_else(|| quoted(rest));
        match skipped {
            Some(bytes) => {
                code.push(' ');
                rest = &rest[bytes..];
            }
            None => {
                code.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    code
}

/// The length of the comment that `rest` starts with. Nested block comments are not told apart: the sources have none.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        Some(rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        Some(rest.find("*/").map_or(rest.len(), |end| end + 2))
    } else {
        None
    }
}

/// The length of the raw string that `rest` starts with.
fn raw_text(rest: &str) -> Option<usize> {
    let hashes = rest.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    let body = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(1 + hashes + 1 + body.find(&end)? + end.len())
}

/// The length of the string or character that `rest` starts with; a lifetime is none.
fn quoted(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    if quote == '\'' && !rest[1..].starts_with('\\') {
        let inner = rest[1..].chars().next()?;
        return rest[1 + inner.len_utf8()..].starts_with('\'').then_some(2 + inner.len_utf8());
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The names right under `src/` in a README's map: a code block with a line `src/` and the lines indented below it.
fn map_of_src(readme: &str) -> Option<BTreeSet<String>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = readme.lines().skip_while(|line| line.trim() != "src/");
    let outer = indent(lines.next()?);
    let inside: Vec<_> = lines.take_while(|line| indent(line) > outer).collect();
    let inner = inside.first().map(|line| indent(line))?;
    let name = |line: &&str| line.split_whitespace().next().map(str::to_owned);
    Some(inside.iter().filter(|line| indent(line) == inner).filter_map(name).collect())
}
