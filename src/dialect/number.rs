//! Numbers as JavaScript holds and writes them: every JSON number becomes the nearest double, and comes out in the
//! shortest digits that name it (ECMA-262, Number::toString).

/// How JavaScript writes `text`, a valid JSON number; `null` for one beyond its range, as `JSON.stringify` does.
pub(super) fn js<'b>(text: &'b str, buffer: &'b mut ryu_js::Buffer) -> JsNumber<'b> {
    if is_plain(text) {
        return JsNumber { text, held: true };
    }
    let double: f64 = text.parse().expect("a JSON number is a Rust number");
    if double.is_infinite() {
        return JsNumber { text: "null", held: false };
    }
    let written = buffer.format_finite(double);
    let held = survives(text, written);
    JsNumber { text: written, held }
}

/// A number after JavaScript had it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JsNumber<'b> {
    /// How it writes it.
    pub text: &'b str,
    /// Whether it could hold it: no overflow, and a whole number is still the same number.
    pub held: bool,
}

/// A whole number of at most 15 digits, which comes out as it went in. (`-0` comes out as `0`.)
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()) && text != "-0"
}

/// Fractions are approximate in any binary form, so only whole numbers are asked to stay the same.
fn survives(text: &str, written: &str) -> bool {
    let (digits, exponent) = decimal(text);
    exponent < 0 || (digits, exponent) == decimal(written)
}

/// The number without its sign as digits (no zeros at either end) times a power of ten.
fn decimal(text: &str) -> (String, i64) {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_end_matches('0');
    if digits.is_empty() {
        return (String::new(), 0);
    }
    // An exponent too long for an i64 is far below zero: a zero or an overflow was answered before.
    let exponent = exponent.parse().unwrap_or(i64::MIN / 2);
    let power = exponent - fraction.len() as i64 + (all.len() - digits.len()) as i64;
    (digits.trim_start_matches('0').to_string(), power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (text, written, held) in [
            ("1.0", "1", true),
            ("-0", "0", true),
            ("-0.0", "0", true),
            ("1e16", "10000000000000000", true),
            ("1E21", "1e+21", true),
            ("1e-7", "1e-7", true),
            ("0.000001", "0.000001", true),
            ("100", "100", true),
            ("0.1", "0.1", true),
            ("9007199254740993", "9007199254740992", false),
            ("9007199254740992", "9007199254740992", true),
            ("12345678901234567890", "12345678901234567000", false),
            ("12345678901234567890.0", "12345678901234567000", false),
            ("1e400", "null", false),
            ("-1e400", "null", false),
            ("0e99999999999999999999", "0", true),
            ("1e-99999999999999999999", "0", true),
        ] {
            assert_eq!(js(text, &mut ryu_js::Buffer::new()), JsNumber { text: written, held }, "{text}");
        }
    }
}
