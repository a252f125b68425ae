//! What the shipped configuration file says of each key, for pages that show it. What stays true: the words are written once, in
//! `config.toml`, and every key has some.

use super::knobs::KNOBS;
use super::named::is_live;

/// The shipped file.
const FILE: &str = include_str!("../../config.toml");

/// What is told of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documented {
    /// Its section and its name, such as `server.listen`.
    pub name: String,
    /// What it is for, in sentences; keys that stand together share them.
    pub meaning: String,
    /// What it may be, in words.
    pub takes: String,
    /// What it is where nobody sets it, as the file has it; none where it is not set.
    pub default: Option<String>,
    /// Whether a running server takes a new value at SIGHUP; else it needs a restart.
    pub is_live: bool,
}

/// All keys, in the order of the file.
pub fn documented() -> Vec<Documented> {
    let (mut found, mut section, mut said) = (Vec::new(), "", Said::default());
    for line in FILE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            (section, said) = (name, Said::default());
        } else if let Some((key, value, is_set)) = assigned(section, line) {
            said.is_over = true;
            let takes =
                KNOBS.iter().find(|(name, _)| *name == key).map_or_else(String::new, |(_, takes)| takes.to_string());
            let default = is_set.then(|| value.to_owned());
            let is_live = is_live(&key);
            found.push(Documented { name: key, meaning: said.words.join(" "), takes, default, is_live });
        } else if let Some(words) = line.strip_prefix('#') {
            if said.is_over {
                said = Said::default();
            }
            said.words.push(words.trim());
        }
    }
    found
}

/// The shipped file with every key behind a `#`: who begins with it sets what he wants, and all else follows the defaults.
pub fn commented() -> String {
    let (mut text, mut section) = (String::new(), "");
    for line in FILE.lines() {
        section = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(section);
        let is_set = assigned(section, line).is_some_and(|(_, _, is_set)| is_set);
        text += &format!("{}{line}\n", if is_set { "# " } else { "" });
    }
    text
}

/// A comment, and whether keys have come that it is about.
#[derive(Default)]
struct Said<'f> {
    words: Vec<&'f str>,
    is_over: bool,
}

/// The known key that a line sets, or shows how to set behind a `#`.
fn assigned<'f>(section: &str, line: &'f str) -> Option<(String, &'f str, bool)> {
    let shown = line.strip_prefix("# ");
    let (name, value) = shown.unwrap_or(line).split_once(" = ")?;
    let key = format!("{section}.{name}");
    KNOBS.iter().any(|(known, _)| *known == key).then_some((key, value, shown.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_with_a_commented_file_has_all_defaults() {
        let text = commented();
        assert_eq!(text.lines().count(), FILE.lines().count());
        assert!(text.contains("\n# workers = 0\n") && text.contains("\n[server]\n"), "{text}");
        assert_eq!(text.parse::<toml::Table>().expect("it is TOML").values().filter(|one| one.is_table()).count(), 14);
        assert!(text.lines().all(|line| line.is_empty() || line.starts_with(['#', '['])), "{text}");
    }

    #[test]
    fn every_key_has_words_and_a_kind() {
        let all = documented();
        let mut told: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        let mut known: Vec<&str> = KNOBS.iter().map(|(name, _)| *name).collect();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known);
        for one in &all {
            assert!(one.meaning.ends_with(['.', '`', ')']) && !one.takes.is_empty(), "{one:?}");
        }
        let of = |name: &str| all.iter().find(|one| one.name == name).expect("it is there");
        assert_eq!(of("server.workers").meaning, "Threads that serve the API; 0: one a core.");
        assert_eq!(of("server.workers").default.as_deref(), Some("0"));
        assert_eq!(of("server.header_bytes_max").meaning, of("server.headers_max").meaning);
        assert_eq!(of("server.tls_key").default, None);
        assert!(of("store.master_key_file").meaning.starts_with("The master keys"));
    }
}
