//! What one copies: ids, URLs, secrets, commands. The button is there only where scripts are.

use maud::{Markup, html};

/// Characters of an id that are shown at each end.
const END: usize = 8;

/// A text with a button that copies it.
pub fn text(text: &str) -> Markup {
    html! { span.copied { code { (text) } (button(text)) } }
}

/// An id, shortened in the middle and whole when it is copied.
pub fn id(id: &str) -> Markup {
    html! { span.copied { code title=(id) { (short(id)) } (button(id)) } }
}

/// The same, and the way to what has the id: a button must not stand within a link.
pub fn linked_id(href: &str, id: &str) -> Markup {
    html! { span.copied { a href=(href) { code title=(id) { (short(id)) } } (button(id)) } }
}

/// A command of one or more lines.
pub fn command(text: &str) -> Markup {
    html! { div.command { pre tabindex="0" { code { (text) } } (button(text)) } }
}

/// The button alone.
pub fn button(text: &str) -> Markup {
    html! { button.copy type="button" data-copy=(text) hidden aria-label={ "Copy " (short(text)) } { "Copy" } }
}

/// A long id, shortened. Of one of ours what differs is kept: its first part says the weeks in which it was given, and its last one
/// which webhook it is of, if it is of one. Of any other its ends.
pub fn short(id: &str) -> String {
    if let Some((middle, webhook)) = ours(id) {
        return format!("…{middle}…{}", webhook.trim_start_matches('0'));
    }
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= 2 * END + 4 {
        return id.to_owned();
    }
    let part = |range: std::ops::Range<usize>| chars[range].iter().collect::<String>();
    format!("{}…{}", part(0..END), part(chars.len() - END..chars.len()))
}

/// The parts of an id of ours that tell it from others.
fn ours(id: &str) -> Option<(&str, &str)> {
    let is_uuid = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uuid.then(|| (&id[9..28], &id[28..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_keeps_what_tells_it_from_others() {
        assert_eq!(short("order-1042"), "order-1042");
        assert_eq!(short("019c2f6e-1111-7abc-8def-012300000000"), "…1111-7abc-8def-0123…");
        assert_eq!(short("019c2f6e-1111-7abc-8def-0123000000b1"), "…1111-7abc-8def-0123…b1");
        assert_eq!(short(&"é".repeat(30)), format!("{}…{}", "é".repeat(8), "é".repeat(8)));
    }
}
