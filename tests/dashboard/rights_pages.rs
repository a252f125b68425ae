//! What each page must be, whatever others have written into what it shows: under a policy that runs nothing of theirs, and without
//! anything that would ask for less.

use std::iter::Peekable;
use std::str::Chars;

use crate::browser::Page;

/// A tag: its name, and its attributes.
type Tag = (String, Vec<(String, String)>);

/// Attributes whose value is an address.
const ADDRESSES: [&str; 7] = ["href", "src", "action", "formaction", "data", "poster", "data-stream"];
/// Tags that a page has no use for.
const NEVER: [&str; 7] = ["style", "iframe", "object", "embed", "base", "frame", "template"];

/// Asserts that a reply that is a page lets nothing of others in. `framed_by`: on whose pages it may stand.
#[track_caller]
pub fn is_harmless(page: &Page, framed_by: &str, about: &str) {
    let header = |name: &str| page.message.header(name).unwrap_or_default();
    assert_eq!(header("x-content-type-options"), "nosniff", "{about}");
    if !header("content-type").starts_with("text/html") {
        return;
    }
    assert_eq!(header("cache-control"), "no-store", "{about}");
    assert_eq!(header("referrer-policy"), "same-origin", "{about}");
    let policy = header("content-security-policy");
    let rule = |name: &str| policy.split("; ").find_map(|rule| rule.strip_prefix(name)).map(str::trim);
    for (name, said) in [
        ("default-src", "'none'"),
        ("style-src", "'self'"),
        ("base-uri", "'none'"),
        ("form-action", "'self'"),
        ("frame-ancestors", framed_by),
    ] {
        assert_eq!(rule(name), Some(said), "{about}: {policy}");
    }
    let scripts = rule("script-src").expect("it says which scripts run");
    let nonce = scripts.strip_prefix("'nonce-").and_then(|rest| rest.strip_suffix('\''));
    assert!(nonce.is_some_and(|nonce| nonce.len() >= 22) || scripts == "'none'", "{about}: {policy}");
    for (name, attributes) in tags(&page.text) {
        is_harmless_tag(&name, &attributes, nonce, &format!("{about}: <{name} {attributes:?}>"));
    }
    let rest = page.text.split("<script").skip(1).map(|rest| rest.split_once('>').map_or("", |(_, rest)| rest));
    assert!(rest.into_iter().all(|rest| rest.starts_with("</script>")), "{about}: a script in the page");
}

#[track_caller]
fn is_harmless_tag(name: &str, attributes: &[(String, String)], nonce: Option<&str>, about: &str) {
    assert!(!NEVER.contains(&name), "{about}");
    let value = |sought: &str| attributes.iter().find(|(known, _)| known == sought).map(|(_, value)| value.as_str());
    if name == "script" {
        let is_ours = value("src").is_some_and(|src| src.starts_with("/dashboard/assets/"));
        assert!(is_ours && nonce.is_some() && value("nonce") == nonce, "{about}");
    }
    for (known, value) in attributes {
        assert!(!known.starts_with("on") && !["style", "srcdoc"].contains(&known.as_str()), "{about}");
        if !ADDRESSES.contains(&known.as_str()) {
            continue;
        }
        let is_picture = ["img", "link"].contains(&name) && value.starts_with("data:");
        let is_here = value.starts_with('/') && !value.starts_with("//") || value.starts_with(['#', '?']);
        let is_of_the_web = value.starts_with("https://") || value.starts_with("http://");
        assert!(is_here || is_of_the_web || is_picture, "{about}");
    }
}

/// The tags of a page, as far as one reads them that is escaped as it must be: what is not reads as tags and attributes of its own.
fn tags(text: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next == '<' && rest.peek().is_some_and(char::is_ascii_alphabetic) {
            let name = word(&mut rest);
            tags.push((name, attributes(&mut rest)));
        }
    }
    tags
}

fn attributes(rest: &mut Peekable<Chars<'_>>) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    loop {
        while rest.next_if(|next| next.is_whitespace() || *next == '/').is_some() {}
        if rest.peek().is_none() || rest.next_if_eq(&'>').is_some() {
            return attributes;
        }
        let name = word(rest);
        let mut value = String::new();
        if rest.next_if_eq(&'=').is_some() {
            let quote = rest.next_if(|next| matches!(next, '"' | '\''));
            let is_over = |next: &char| quote.map_or_else(|| next.is_whitespace() || *next == '>', |end| *next == end);
            while let Some(next) = rest.next_if(|next| !is_over(next)) {
                value.push(next);
            }
            rest.next_if(|_| quote.is_some());
        } else if name.is_empty() {
            // Nothing that a name could begin with.
            rest.next();
        }
        attributes.push((name, value));
    }
}

fn word(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(next) = rest.next_if(|next| !next.is_whitespace() && !matches!(next, '>' | '/' | '=')) {
        word.push(next.to_ascii_lowercase());
    }
    word
}

#[test]
fn what_is_not_escaped_is_seen() {
    let names = |text: &str| -> Vec<String> {
        let all = tags(text).into_iter();
        all.flat_map(|(name, attributes)| [name].into_iter().chain(attributes.into_iter().map(|(name, _)| name)))
            .collect()
    };
    assert_eq!(names("<p class=\"a > b\" hidden>1 &lt; 2</p><br>"), ["p", "class", "hidden", "br"]);
    assert_eq!(names("<a title=\"\" onclick=\"x\">"), ["a", "title", "onclick"]);
    assert_eq!(names("<a title=\"\"onclick=x style='y'>"), ["a", "title", "onclick", "style"]);
    assert_eq!(names("<td>\"><script>alert(1)</script>"), ["td", "script"]);
}
