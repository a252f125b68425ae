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

/// A long id with its middle left out.
pub fn short(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= 2 * END + 4 {
        return id.to_owned();
    }
    let part = |range: std::ops::Range<usize>| chars[range].iter().collect::<String>();
    format!("{}…{}", part(0..END), part(chars.len() - END..chars.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_keeps_its_ends() {
        assert_eq!(short("order-1042"), "order-1042");
        assert_eq!(short("019c2f6e-1111-7abc-8def-0123456789ab"), "019c2f6e…456789ab");
        assert_eq!(short(&"é".repeat(30)), format!("{}…{}", "é".repeat(8), "é".repeat(8)));
    }
}
