//! Points in time and how they are written. Inside, a time is Unix milliseconds; outside, RFC 3339 in UTC.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Milliseconds since the Unix epoch.
pub type UnixMs = u64;

/// One hour in milliseconds.
pub const HOUR_MS: u64 = 60 * 60 * 1000;

/// One UTC day in milliseconds.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// How many digits a written time has after its seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeForm {
    /// `2024-02-10T16:45:22Z`
    Seconds,
    /// `2024-02-10T16:45:22.123Z`
    Millis,
}

/// Writes `ms` in RFC 3339, UTC.
pub fn write(ms: UnixMs, form: TimeForm) -> String {
    const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    const MILLIS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let stamp = Timestamp::from_millisecond(ms.min(i64::MAX as u64) as i64).unwrap_or(Timestamp::MAX);
    match form {
        TimeForm::Seconds => SECONDS.timestamp_to_string(&stamp),
        TimeForm::Millis => MILLIS.timestamp_to_string(&stamp),
    }
}

/// Writes `ms` in RFC 3339 with milliseconds, as the native API does.
pub fn rfc3339(ms: UnixMs) -> String {
    write(ms, TimeForm::Millis)
}

/// Reads a `Retry-After`: seconds from `now`, or an HTTP date (RFC 9110, 10.2.3).
pub fn retry_after(text: &str, now: UnixMs) -> Option<UnixMs> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(now.saturating_add(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(date.timestamp().as_millisecond()).ok()
}

/// Reads RFC 3339 with any offset; `None` for anything else and for times before 1970.
pub fn parse(text: &str) -> Option<UnixMs> {
    let stamp: Timestamp = text.parse().ok()?;
    u64::try_from(stamp.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 120 ", 5), Some(120_005));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", 5), Some(784_111_777_000));
        assert_eq!(retry_after("99999999999999999999999", 5), Some(u64::MAX));
        for bad in ["", "soon", "-1", "1.5", "2024-01-01"] {
            assert_eq!(retry_after(bad, 5), None, "{bad}");
        }
    }

    #[test]
    fn times_are_written_and_read() {
        assert_eq!(rfc3339(1_707_583_522_123), "2024-02-10T16:45:22.123Z");
        assert_eq!(write(1_707_583_522_123, TimeForm::Seconds), "2024-02-10T16:45:22Z");
        assert_eq!(parse("2024-02-10T17:45:22.123+01:00"), Some(1_707_583_522_123));
        assert_eq!(parse("yesterday"), None);
    }
}
