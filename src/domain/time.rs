//! Points in time and how they are written. Inside, a time is Unix milliseconds; outside, RFC 3339 in UTC.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::fmt::temporal::DateTimePrinter;

/// Milliseconds since the Unix epoch.
pub type UnixMs = u64;

/// One hour in milliseconds.
pub const HOUR_MS: u64 = 60 * 60 * 1000;

/// One UTC day in milliseconds.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// `2024-02-10T16:45:22Z`
    Seconds,
    /// `2024-02-10T16:45:22.123Z`
    Millis,
    /// `2024-02-10T16:45:22.123000Z`
    Micros,
    /// `1707583522`: seconds since the Unix epoch.
    Unix,
    /// `1707583522123`: milliseconds since the Unix epoch.
    UnixMs,
    /// `Sat, 10 Feb 2024 16:45:22 GMT` (RFC 9110, 5.6.7).
    Http,
}

impl TimeForm {
    /// All, as dialect files name them.
    pub const NAMED: [(&'static str, Self); 6] = [
        ("seconds", Self::Seconds),
        ("millis", Self::Millis),
        ("micros", Self::Micros),
        ("unix", Self::Unix),
        ("unix_ms", Self::UnixMs),
        ("http", Self::Http),
    ];

    /// Whether it is a number, not text.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Unix | Self::UnixMs)
    }
}

/// Writes `ms`, in UTC.
pub fn write(ms: UnixMs, form: TimeForm) -> String {
    const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    const MILLIS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    const MICROS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    const HTTP: rfc2822::DateTimePrinter = rfc2822::DateTimePrinter::new();
    let stamp = || Timestamp::from_millisecond(ms.min(i64::MAX as u64) as i64).unwrap_or(Timestamp::MAX);
    match form {
        TimeForm::Seconds => SECONDS.timestamp_to_string(&stamp()),
        TimeForm::Millis => MILLIS.timestamp_to_string(&stamp()),
        TimeForm::Micros => MICROS.timestamp_to_string(&stamp()),
        TimeForm::Unix => (ms / 1000).to_string(),
        TimeForm::UnixMs => ms.to_string(),
        // It fails for years of more than four digits only, which no clock shows.
        TimeForm::Http => HTTP.timestamp_to_rfc9110_string(&stamp()).unwrap_or_default(),
    }
}

/// Reads what [`write()`] wrote; `None` for anything else.
pub fn read(text: &str, form: TimeForm) -> Option<UnixMs> {
    match form {
        TimeForm::Seconds | TimeForm::Millis | TimeForm::Micros => parse(text),
        TimeForm::Unix => text.parse::<u64>().ok()?.checked_mul(1000),
        TimeForm::UnixMs => text.parse().ok(),
        TimeForm::Http => http_date(text),
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
    http_date(text)
}

fn http_date(text: &str) -> Option<UnixMs> {
    u64::try_from(rfc2822::parse(text).ok()?.timestamp().as_millisecond()).ok()
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

    #[test]
    fn each_form_is_written_and_read_back() {
        const AT: UnixMs = 1_707_583_522_123;
        for (name, written, read_back) in [
            ("seconds", "2024-02-10T16:45:22Z", 1_707_583_522_000),
            ("millis", "2024-02-10T16:45:22.123Z", AT),
            ("micros", "2024-02-10T16:45:22.123000Z", AT),
            ("unix", "1707583522", 1_707_583_522_000),
            ("unix_ms", "1707583522123", AT),
            ("http", "Sat, 10 Feb 2024 16:45:22 GMT", 1_707_583_522_000),
        ] {
            let form = TimeForm::NAMED.iter().find(|(known, _)| *known == name).unwrap().1;
            assert_eq!((write(AT, form).as_str(), read(written, form)), (written, Some(read_back)), "{name}");
            assert_eq!(form.is_number(), written.parse::<u64>().is_ok(), "{name}");
            assert_eq!(read("soon", form), None, "{name}");
        }
        assert_eq!(read("18446744073709551615", TimeForm::Unix), None, "beyond what milliseconds can hold");
    }
}
