//! Terminals that know no UTF-8. What stays true: each of our signs gives way to one sign of ASCII, so that what fits still
//! fits; what others wrote stays as it is.

/// Our signs, each with what stands for it.
const SIGNS: [(char, char); 23] = [
    ('●', '*'),
    ('◐', 'o'),
    ('▲', '!'),
    ('■', 'x'),
    ('▁', '_'),
    ('▂', ','),
    ('▃', '-'),
    ('▄', ':'),
    ('▅', '='),
    ('▆', '+'),
    ('▇', '%'),
    ('█', '#'),
    ('·', '.'),
    ('…', '~'),
    ('─', '-'),
    ('│', '|'),
    ('┌', '+'),
    ('┐', '+'),
    ('└', '+'),
    ('┘', '+'),
    ('↑', '^'),
    ('↓', 'v'),
    ('–', '-'),
];

/// Whether the locale of the process says that its terminal knows no UTF-8. Where none is said, it does.
pub fn are_ascii() -> bool {
    let mut said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    said.find(|locale| !locale.is_empty()).is_some_and(|locale| is_without_utf8(&locale))
}

fn is_without_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    !(locale.contains("utf-8") || locale.contains("utf8"))
}

/// The text in signs of ASCII, as far as they are ours.
pub fn in_ascii(text: &str) -> String {
    let sign = |one: char| SIGNS.iter().find(|(ours, _)| *ours == one).map_or(one, |(_, ascii)| *ascii);
    text.chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_our_signs_gives_way_and_nothing_else() {
        assert_eq!(in_ascii("● active  ▁▄█·  Zoë…"), "* active  _:#.  Zoë~");
        assert!(SIGNS.iter().all(|(_, ascii)| ascii.is_ascii()));
        assert!(is_without_utf8("C") && is_without_utf8("POSIX") && is_without_utf8("de_DE.ISO-8859-1"));
        assert!(!is_without_utf8("C.UTF-8") && !is_without_utf8("en_US.utf8"));
    }
}
