//! Amounts as people read them: with separators, in a unit that fits, and rounded so that they never say "all" or "none" of what
//! is only nearly so.

/// A number of things: `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of things and what they are: `1 webhook`, `1,204 webhooks`.
pub fn of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Bytes: `3.5 GiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let (mut value, mut unit) = (number as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let places = usize::from(value < 99.95);
    format!("{value:.places$} {}", UNITS[unit])
}

/// A part of a whole in per cent; a dash where there is no whole.
pub fn share(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => "–".into(),
        (0, _) => "0 %".into(),
        (part, whole) if part >= whole => "100 %".into(),
        (part, whole) => {
            let percent = (part as f64 / whole as f64 * 100.0).clamp(0.1, 99.9);
            format!("{percent:.1} %")
        }
    }
}

/// How many come in a minute, of so many in some milliseconds.
pub fn a_minute(number: u64, ms: u64) -> String {
    let rate = number as f64 * 60_000.0 / ms.max(1) as f64;
    match rate {
        _ if number == 0 => "0".into(),
        0.0..0.01 => "< 0.01".into(),
        0.01..10.0 => format!("{rate:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        rate => count(rate.round() as u64),
    }
}

/// A time that something took, in milliseconds: `84 ms`, `1.2 s`.
pub fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => super::time::span(ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_units() {
        assert_eq!([0, 7, 999, 1_000, 1_204, 1_234_567].map(count), ["0", "7", "999", "1,000", "1,204", "1,234,567"]);
        assert_eq!((of(1, "key", "keys"), of(0, "key", "keys")), ("1 key".into(), "0 keys".into()));
        let sizes = [0, 1023, 1024, 3 * 1024 + 512, 1024 * 1024 - 1, 5 << 30, 300 << 20].map(bytes);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "3.5 KiB", "1.0 MiB", "5.0 GiB", "300 MiB"]);
        assert_eq!([84, 1_250, 61_000].map(took), ["84 ms", "1.2 s", "1 min"]);
    }

    #[test]
    fn nearly_all_is_not_all() {
        let shares = [share(0, 0), share(0, 9), share(9, 9), share(99_999, 100_000), share(1, 100_000), share(1, 3)];
        assert_eq!(shares, ["–", "0 %", "100 %", "99.9 %", "0.1 %", "33.3 %"]);
    }

    #[test]
    fn a_rate_is_of_a_minute() {
        let hour = 60 * 60_000;
        let rates = [(0, hour), (60, hour), (90, hour), (6_000, hour), (1, 30 * 24 * hour), (72_240, hour)];
        assert_eq!(rates.map(|(n, ms)| a_minute(n, ms)), ["0", "1", "1.5", "100", "< 0.01", "1,204"]);
    }
}
