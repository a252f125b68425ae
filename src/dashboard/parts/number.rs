//! Numbers as people read them: thousands apart, shares in per cent, one thing or several.

/// A count with its thousands apart: `1,204`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of a thing: `1 delivery`, `1,204 deliveries`.
pub fn of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A part of a whole in per cent; a dash where there is no whole. What is not all is never called 100 %.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".into();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    match part == whole {
        true => "100 %".into(),
        false if percent >= 99.0 => format!("{:.1} %", percent.min(99.9)),
        false => format!("{percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([0, 999, 1_204, 1_000_000].map(count), ["0", "999", "1,204", "1,000,000"]);
        assert_eq!([of(1, "row", "rows"), of(0, "row", "rows")], ["1 row", "0 rows"]);
        let shares = [(0, 0), (5, 5), (9_999, 10_000), (993, 1_000), (71, 100), (0, 3)];
        assert_eq!(shares.map(|(part, whole)| share(part, whole)), ["–", "100 %", "99.9 %", "99.3 %", "71 %", "0 %"]);
    }
}
