//! Notices: what the server tells people about their webhooks and about itself. What stays true: a notice reads without the
//! documentation (what happened, to what, what to do), it is short enough for any chat, and nothing that others chose in it (a
//! name, an error) can be a link, a mention or a line of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long a webhook that hears notices is left in peace after one of a kind, where it does not say, in seconds.
pub const QUIET_SECONDS_USUAL: u32 = 300;
/// The longest time that it may say.
pub const QUIET_SECONDS_MAX: u32 = 86_400;
/// The shortest that one may say which sends mail.
pub const QUIET_SECONDS_MIN_OF_MAIL: u32 = 60;
/// Notices that an account is told one by one in one commit. Each is an event with a delivery to each that hears it, in the commit
/// of what it is about, where others wait for theirs: what goes beyond is counted, and told as one.
pub const TOLD_AT_ONCE_MAX: usize = 16;
/// How long is counted then for a webhook that is told each, in seconds.
pub const CROWDED_SECONDS: u32 = 1;
/// Webhooks of one account that hear notices.
pub const HEARERS_MAX: usize = 16;
/// A notice's title and its text, in characters: both together fit into any chat's message.
pub const TITLE_CHARS_MAX: usize = 140;
/// As above.
pub const TEXT_CHARS_MAX: usize = 1500;
/// What others chose in it, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// Failures in a row after which an endpoint is told to be failing, if they have gone on for so long.
pub const FAILING_ATTEMPTS_MIN: u64 = 5;
/// As above.
pub const FAILING_MS_MIN: u64 = 10 * 60 * 1000;

/// What was left untold for a time, in one notice.
pub const SUMMARY: &str = "notice.summary";
/// What a test of a webhook that hears notices sends.
pub const TEST: &str = "notice.test";

/// How a webhook hears notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// After a notice, further ones of its kind are counted for so long, and told as one at the end. 0: each is told, unless very
    /// many happen at once.
    pub quiet_seconds: u32,
}

impl Default for Notices {
    fn default() -> Self {
        Self { quiet_seconds: QUIET_SECONDS_USUAL }
    }
}

/// A kind of notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its event type.
    pub word: &'static str,
    /// What happened, in a few words.
    pub title: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

const fn kind(word: &'static str, title: &'static str, remedy: &'static str) -> Kind {
    Kind { word, title, remedy }
}

/// All kinds that there are.
pub const KINDS: [Kind; 14] = [
    kind(
        "delivery.dead",
        "A delivery used up its retries",
        "Mend the endpoint, then replay the delivery: it stands among the dead letters.",
    ),
    kind(
        "endpoint.failing",
        "An endpoint keeps failing",
        "Look at the webhook's latest attempts. Deliveries are tried again on their schedule; nothing is lost yet.",
    ),
    kind("endpoint.recovered", "An endpoint takes deliveries again", "Nothing; what waited goes out by itself."),
    kind(
        "webhook.disabled",
        "A webhook was disabled",
        "Mend the endpoint and enable the webhook. Until then its deliveries are held, and sent once it is enabled.",
    ),
    kind("webhook.recovered", "A webhook is active again", "Nothing; what was held goes out by itself."),
    kind(
        "webhook.hold_expiring",
        "Deliveries that are held will be cancelled",
        "Enable or resume the webhook before that time, or discard what is held.",
    ),
    kind(
        "quota.reached",
        "An account has reached a quota",
        "Publish or keep less, or let the operator raise the account's limit.",
    ),
    kind(
        "storage.low",
        "Disk space is below the reserve",
        "Free space on the data directory's disk, or lower retention: until then events are answered 503.",
    ),
    kind("storage.ok", "Disk space is above the reserve again", "Nothing; events are accepted again."),
    kind(
        "store.damaged",
        "A record of the store cannot be read",
        "It was put aside and the rest goes on. Look at the disk, and at /health/ready for what else was found.",
    ),
    kind(
        "clock.differs",
        "The machine's clock differs from the retention clock",
        "Set the machine's clock, or say that it is right: POST /api/v1/retention-clock/trust.",
    ),
    kind(SUMMARY, "More of what was told", "As the first of them said."),
    kind(TEST, "This is a test", "Nothing; this webhook hears notices, and this is how they look."),
    kind("notice", "A notice", "Look at the webhook."),
];

/// The kind of this word; of a word that is not among them the last.
pub fn kind_of(word: &str) -> Kind {
    KINDS.into_iter().find(|kind| kind.word == word).unwrap_or(KINDS[KINDS.len() - 1])
}

/// The words that a webhook can be told by.
pub fn words() -> impl Iterator<Item = &'static str> {
    KINDS[..KINDS.len() - 1].iter().map(|kind| kind.word)
}

/// Adds `title` and `text` to what a notice says: for people what the rest is for programs. `about` names what it is about.
pub fn with_text(word: &str, about: Option<&str>, mut data: Map<String, Value>) -> Map<String, Value> {
    let kind = kind_of(word);
    let title = match about {
        Some(about) => format!("{}: {about}", kind.title),
        None => kind.title.to_string(),
    };
    let facts = data.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        format!("{}: {}", name.replace('_', " "), plain(&value, VALUE_CHARS_MAX))
    });
    let (facts, remedy) = (facts.collect::<Vec<_>>().join("\n"), format!("What to do: {}", kind.remedy));
    let room = TEXT_CHARS_MAX - remedy.chars().count() - 1;
    let text = if facts.is_empty() { remedy } else { format!("{}\n{remedy}", cut(&facts, room)) };
    data.insert("title".into(), plain(&title, TITLE_CHARS_MAX).into());
    data.insert("text".into(), text.into());
    data
}

/// The subject and the text of a notice as a mail; `data` is what the notice says.
pub fn letter(data: &[u8], account: &str, webhook_id: &str) -> (String, String) {
    let data: Map<String, Value> = serde_json::from_slice(data).unwrap_or_default();
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let subject = format!("[Hookwheel] {}", plain(text("title"), TITLE_CHARS_MAX));
    let why = format!("The webhook {webhook_id} of the account {account} sends notices to this address.");
    (subject, format!("{}\n\n{}\n\n-- \n{why}\n", text("title"), text("text")))
}

/// Text that others chose, so that it is nothing but text wherever it is shown: on one line, and without what chats make links,
/// mentions and markup of. At most so many characters.
pub fn plain(text: &str, chars_max: usize) -> String {
    let seen = |c: char| match c {
        // What turns the direction of what follows, or cannot be seen.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => None,
        c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => Some(' '),
        '<' => Some('‹'),
        '>' => Some('›'),
        '[' => Some('('),
        ']' => Some(')'),
        '`' => Some('\''),
        c => Some(c),
    };
    let text: String = text.chars().filter_map(seen).collect();
    cut(&text, chars_max)
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(word: &str, about: Option<&str>, data: Value) -> (String, String) {
        let Value::Object(data) = data else { panic!("an object") };
        let data = with_text(word, about, data);
        let text = |name: &str| data[name].as_str().unwrap().to_string();
        (text("title"), text("text"))
    }

    #[test]
    fn a_notice_says_what_happened_to_what_and_what_to_do() {
        let data = json!({"account": "acme", "name": null, "attempts": 3, "last_error": "the endpoint answered 500"});
        let (title, text) = told("delivery.dead", Some("the shop"), data);
        assert_eq!(title, "A delivery used up its retries: the shop");
        let wanted = "account: acme\nattempts: 3\nlast error: the endpoint answered 500\nWhat to do: Mend the endpoint, then \
                      replay the delivery: it stands among the dead letters.";
        assert_eq!(text, wanted);
        assert_eq!(told("storage.low", None, json!({})).0, "Disk space is below the reserve");
    }

    #[test]
    fn what_others_chose_is_no_link_no_mention_and_no_line_of_its_own() {
        let name = "<!channel> [pay](https://evil.example)\r\nBcc: all@example.com\u{202e}`x`";
        let (title, text) = told("webhook.disabled", Some(name), json!({"name": name}));
        let shown = "‹!channel› (pay)(https://evil.example)  Bcc: all@example.com'x'";
        assert_eq!(title, format!("A webhook was disabled: {shown}"));
        assert!(text.starts_with(&format!("name: {shown}\nWhat to do: ")), "{text}");
    }

    #[test]
    fn a_letter_says_the_same_and_why_it_came() {
        let data = with_text("storage.low", None, Map::new());
        let (subject, text) = letter(Value::Object(data).to_string().as_bytes(), "acme", "w1");
        assert_eq!(subject, "[Hookwheel] Disk space is below the reserve");
        let start = "Disk space is below the reserve\n\nWhat to do: Free space";
        assert!(
            text.starts_with(start)
                && text.ends_with("webhook w1 of the account acme sends notices to this address.\n")
        );
        assert_eq!(letter(b"[1", "a", "w").0, "[Hookwheel] ");
    }

    #[test]
    fn it_fits_into_any_chat() {
        let long = "ä".repeat(10_000);
        let facts: Map<String, Value> = (0..50).map(|n| (format!("fact_{n}"), json!(long))).collect();
        let (title, text) = told("webhook.disabled", Some(&long), Value::Object(facts));
        assert_eq!((title.chars().count(), text.chars().count()), (TITLE_CHARS_MAX, TEXT_CHARS_MAX));
        assert!(text.ends_with(kind_of("webhook.disabled").remedy));
        const { assert!(TITLE_CHARS_MAX + TEXT_CHARS_MAX + 16 < 2000, "Discord's bound") };
        let whole = "a".repeat(VALUE_CHARS_MAX);
        assert_eq!(plain(&whole, VALUE_CHARS_MAX), whole);
    }

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        let mut all: Vec<_> = words().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), KINDS.len() - 1);
        assert_eq!(kind_of("klingon").word, "notice");
    }
}
