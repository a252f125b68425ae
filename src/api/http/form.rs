//! The forms in which a list can be had: JSON in pages, or all of it as NDJSON or CSV.

use actix_web::HttpRequest;
use actix_web::http::header::{Accept, Header};

/// A form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page of it in JSON.
    Json,
    /// All of it, a JSON object a line.
    Lines,
    /// All of it as CSV (RFC 4180).
    Csv,
}

impl Form {
    /// What the request would rather have, by its `Accept`: JSON, unless it asks for something else that there is.
    pub fn of(request: &HttpRequest) -> Self {
        let ranked = Accept::parse(request).map_or(Vec::new(), |accept| accept.ranked());
        let known = ranked.iter().find_map(|kind| match kind.essence_str() {
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Lines),
            "text/csv" => Some(Self::Csv),
            _ => None,
        });
        known.unwrap_or(Self::Json)
    }

    /// Its `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn what_is_asked_for_first_and_is_there_is_given() {
        let of = |accept: &str| Form::of(&TestRequest::default().insert_header(("Accept", accept)).to_http_request());
        for (accept, form) in [
            ("text/csv", Form::Csv),
            ("application/x-ndjson", Form::Lines),
            ("application/json", Form::Json),
            ("*/*", Form::Json),
            ("text/html, text/csv;q=0.9, */*;q=0.1", Form::Csv),
            ("text/csv;q=0.5, application/x-ndjson", Form::Lines),
            ("text/csv;q=0.5, application/json", Form::Json),
            ("text/html", Form::Json),
            ("nonsense", Form::Json),
        ] {
            assert_eq!(of(accept), form, "{accept}");
        }
        assert_eq!(Form::of(&TestRequest::default().to_http_request()), Form::Json);
    }
}
