//! Numbers as people say them, and what languages are called.

/// Languages that code is shown in, one at a time, and how they are called.
pub(super) const LANGUAGES: [(&str, &str); 7] = [
    ("javascript", "JavaScript"),
    ("typescript", "TypeScript"),
    ("python", "Python"),
    ("go", "Go"),
    ("ruby", "Ruby"),
    ("php", "PHP"),
    ("rust", "Rust"),
];

/// A span of time, exactly: `5 seconds`, `1 minute 30 seconds`, `6 hours`, `3 days`.
pub fn duration(seconds: u64) -> String {
    if seconds == 0 {
        return "0 seconds".into();
    }
    // Up to two days are said in hours, as schedules usually are.
    let days = if seconds > 172_800 { seconds / 86_400 } else { 0 };
    let rest = seconds - days * 86_400;
    let parts = [(days, "day"), (rest / 3600, "hour"), (rest / 60 % 60, "minute"), (rest % 60, "second")];
    let said: Vec<String> = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, unit)| count(n, unit)).collect();
    said.join(" ")
}

/// When a retry follows: `immediately`, or `after 5 minutes`.
pub fn after(seconds: u64) -> String {
    if seconds == 0 { "immediately".into() } else { format!("after {}", duration(seconds)) }
}

/// A number of things: `1 retry`, `5 seconds`.
pub fn count(n: u64, thing: &str) -> String {
    let number = grouped(n);
    match (n, thing.strip_suffix('y')) {
        (1, _) => format!("{number} {thing}"),
        (_, Some(stem)) if !thing.ends_with("day") => format!("{number} {stem}ies"),
        _ => format!("{number} {thing}s"),
    }
}

/// A whole number with commas: `10,000`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size: `10 MB`, `64 KiB`, `1,500 bytes`.
pub fn bytes(n: u64) -> String {
    const UNITS: [(u64, &str); 6] =
        [(1 << 30, "GiB"), (1_000_000_000, "GB"), (1 << 20, "MiB"), (1_000_000, "MB"), (1 << 10, "KiB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| n >= *unit && n.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", grouped(n / unit)),
        None => count(n, "byte"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [some @ .., last] => {
            let some: Vec<&str> = some.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", some.join(", "), last.as_ref())
        }
    }
}

/// With its first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_exactly() {
        for (seconds, said) in [
            (0, "0 seconds"),
            (5, "5 seconds"),
            (60, "1 minute"),
            (90, "1 minute 30 seconds"),
            (125, "2 minutes 5 seconds"),
            (21_600, "6 hours"),
            (86_400, "24 hours"),
            (259_200, "3 days"),
            (176_400, "2 days 1 hour"),
        ] {
            assert_eq!(duration(seconds), said);
        }
        assert_eq!(after(0), "immediately");
        assert_eq!([count(1, "retry"), count(5, "retry"), count(2, "day")], ["1 retry", "5 retries", "2 days"]);
        let sizes = [10_000_000, 10 << 20, 1_500, 1].map(bytes);
        assert_eq!(sizes, ["10 MB", "10 MiB", "1,500 bytes", "1 byte"]);
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(capital("every"), "Every");
    }
}
