//! The fields that the form of a webhook has: the API's own names, and how each is written. Pure.

/// How a field's text is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a text.
    Text,
    /// One a line: a list.
    Lines,
    /// As a number.
    Number,
    /// Lengths of time, with commas between: a list of seconds.
    Spans,
    /// One length of time: seconds.
    Span,
    /// A box: whether it is ticked.
    Tick,
    /// `name: value`, one a line.
    Pairs,
    /// JSON.
    Json,
}

/// All fields, by the names of the API with dots between. A field that begins with the name of another setting and a dot is a part of
/// that; `.is` and `.on` say whether there is such a setting at all.
pub const FIELDS: &[(&str, Kind)] = &[
    ("mode", Kind::Text),
    ("url", Kind::Text),
    ("dialect", Kind::Text),
    ("events", Kind::Lines),
    ("secret", Kind::Text),
    ("signing", Kind::Text),
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("uid", Kind::Text),
    ("tags", Kind::Lines),
    ("metadata", Kind::Pairs),
    ("channels", Kind::Lines),
    ("filter", Kind::Text),
    ("shape", Kind::Json),
    ("headers", Kind::Pairs),
    ("auth.type", Kind::Text),
    ("auth.username", Kind::Text),
    ("auth.password", Kind::Text),
    ("auth.token", Kind::Text),
    ("auth.name", Kind::Text),
    ("auth.value", Kind::Text),
    ("auth.token_url", Kind::Text),
    ("auth.client_id", Kind::Text),
    ("auth.client_secret", Kind::Text),
    ("auth.scope", Kind::Text),
    ("auth.audience", Kind::Text),
    ("auth.client_auth", Kind::Text),
    ("auth.extra", Kind::Pairs),
    ("order", Kind::Text),
    ("order_key", Kind::Text),
    ("on_dead", Kind::Text),
    ("rate_limit.per_second", Kind::Number),
    ("rate_limit.per_minute", Kind::Number),
    ("rate_limit.burst", Kind::Number),
    ("timeout", Kind::Number),
    ("max_in_flight", Kind::Number),
    ("retry.delays", Kind::Spans),
    ("retry.jitter_percent", Kind::Number),
    ("success", Kind::Lines),
    ("disable.is", Kind::Text),
    ("disable.gone", Kind::Tick),
    ("disable.after", Kind::Text),
    ("disable.failures", Kind::Number),
    ("disable.consecutive_failures", Kind::Number),
    ("disable.failing_seconds", Kind::Span),
    ("disable.probe_after_seconds", Kind::Span),
    ("ownership_check", Kind::Tick),
    ("test_mode", Kind::Tick),
    ("notices.on", Kind::Tick),
    ("notices.quiet_seconds", Kind::Span),
    ("allow", Kind::Lines),
    ("tls.ca", Kind::Text),
    ("tls.client_certificate", Kind::Text),
    ("tls.client_key", Kind::Text),
];

/// What is never written into a form.
pub const SECRETS: [&str; 6] =
    ["secret", "auth.password", "auth.token", "auth.value", "auth.client_secret", "tls.client_key"];

/// Settings whose parts stay where nothing is said of them; of all others all parts are said.
pub const BY_PARTS: [&str; 1] = ["tls"];

/// The field of a form that an error about this field of the API's is shown at: `events` for `events[2]`, and the first part of a
/// setting where that has no field of its own.
pub fn place_of(field: &str) -> Option<&'static str> {
    let mut path = field;
    loop {
        let is = |(name, _): &&(&'static str, Kind)| *name == path;
        let is_part = |(name, _): &&(&'static str, Kind)| setting_of(name) == path;
        if let Some((name, _)) = FIELDS.iter().find(is).or_else(|| FIELDS.iter().find(is_part)) {
            return Some(*name);
        }
        path = &path[..path.rfind(['.', '['])?];
    }
}

/// The setting that a field is, or is a part of.
pub fn setting_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(setting, _)| setting)
}
