//! What came of an attempt, in plain words, and what to do about it. What stays true: every outcome has its words here and nowhere
//! else, and they blame nobody. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::endpoint::Way;
use crate::api::deliveries::view::AttemptView;
use crate::dashboard::parts::amount;

/// What happened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What happened, in one sentence.
    pub what: String,
    /// What to do about it; empty where nothing is to be done.
    pub todo: String,
}

/// Explains an attempt to a host.
pub fn explain(attempt: &AttemptView, host: &str, way: Way) -> Explained {
    let told = |what: String, todo: &str| Explained { what, todo: todo.to_owned() };
    if attempt.success {
        return told(done(attempt, host, way), "");
    }
    let why = attempt.error.as_deref().unwrap_or_default().trim_end_matches('.');
    // What the store says begins with what the words here say better.
    let cause = why.split_once(": ").map_or("", |(_, cause)| cause);
    match attempt.outcome {
        "status" => status(attempt, host, way),
        "timeout" => told(format!("{host} did not answer in time{}.", so_far(attempt)), late(attempt)),
        "dns" => told(
            format!("The name {host} could not be resolved{}.", because(cause)),
            "Check the host in the webhook's URL, and that its DNS records are public. A name that was made just now can take \
             minutes to be seen everywhere.",
        ),
        "refused_address" => told(
            format!("{host} leads to an address that may not be dialled{}.", because(cause)),
            "Deliveries go to public addresses only, so that nobody reaches into private networks with them. Give the webhook a \
             public URL; the server's operator can open a network for it (allow).",
        ),
        "connect" => told(
            format!("No connection to {host} could be made{}.", because(cause)),
            "Check that it runs, that it listens on the port of the URL, and that its firewall lets this server's addresses in.",
        ),
        "tls" => told(
            format!("No secure connection to {host} could be made{}.", because(cause)),
            "Check its certificate: that it has not run out, that it is for this name, and that the whole chain is sent. One of a \
             private authority is trusted if it is put into the webhook's tls.ca.",
        ),
        "broken" => told(
            format!("The connection to {host} broke before the whole answer was there{}.", because(cause)),
            "Look whether it, or a proxy before it, was started anew or ran out of something at that time. It may have worked on \
             the event: what receives twice must know an event again by its id.",
        ),
        "unsendable" => told(
            format!("The request could not be made{}.", because(cause)),
            "Nothing was sent. What is said here is about the webhook's settings or its contract: set that right, then replay.",
        ),
        "too_large" => told(
            format!("The body is too large for the webhook's contract: {why}."),
            "Nothing was sent, and a further attempt would be the same. Publish less in data, or leave fields out with the \
             webhook's shape; then replay.",
        ),
        "auth" => told(
            format!("There was no access token for {host}{}.", because(cause)),
            "Check the webhook's auth: token_url, client_id, client_secret and scope, and that the one that gives the tokens is up.",
        ),
        "shape_too_costly" => told(
            format!("The webhook's shape is too much for this event: {why}."),
            "Make the shape simpler, then replay.",
        ),
        "nacked" => told(
            format!("The consumer that pulled it could not take it{}.", because(cause)),
            "Its own log says more; it is handed out again by the schedule.",
        ),
        "lease_ran_out" => told(
            "The consumer that pulled it did not say in time what became of it.".into(),
            "Let it acknowledge sooner, or extend the lease while it works. It may have worked on the event all the same.",
        ),
        _ => told(format!("{}.", why), ""),
    }
}

/// What came of an attempt, for a row of a list: `503`, `no answer in time`.
pub fn short(outcome: Option<&'static str>, status: Option<u16>) -> String {
    status.map_or_else(|| outcome.map_or("not tried", outcome_word).to_owned(), |status| status.to_string())
}

/// What an outcome of the API is called.
pub fn outcome_word(kind: &'static str) -> &'static str {
    match kind {
        "status" => "an answer",
        "timeout" => "no answer in time",
        "dns" => "name not found",
        "refused_address" => "address not allowed",
        "connect" => "no connection",
        "tls" => "no TLS",
        "broken" => "connection broke",
        "unsendable" => "could not be made",
        "too_large" => "body too large",
        "auth" => "no access token",
        "shape_too_costly" => "shape too costly",
        "nacked" => "not taken",
        "lease_ran_out" => "lease ran out",
        "acked" => "taken",
        other => other,
    }
}

/// What failed and how often, as a sentence; nothing where nothing has.
pub fn failures(by_kind: &BTreeMap<&'static str, u64>) -> Option<String> {
    let all: Vec<String> =
        by_kind.iter().map(|(kind, count)| format!("{} {}", outcome_word(kind), amount::count(*count))).collect();
    (!all.is_empty()).then(|| format!("What came instead of a success: {}.", all.join(", ")))
}

fn done(attempt: &AttemptView, host: &str, way: Way) -> String {
    match (way, attempt.status_code) {
        (Way::Pulled, _) => "The consumer that pulled it has taken it.".into(),
        (Way::Mailed, _) => format!("The mail server has taken the mail to {host}."),
        (Way::Sent, Some(status)) => format!("{host} answered {status} in {} ms.", attempt.response_time_ms),
        (Way::Sent, None) => format!("{host} has taken it."),
    }
}

fn because(cause: &str) -> String {
    if cause.is_empty() { String::new() } else { format!(": {cause}") }
}

/// How far an attempt came that was not answered in time.
fn so_far(attempt: &AttemptView) -> String {
    let mut far = format!(": it was waited for {} ms", attempt.response_time_ms);
    let timings = &attempt.timings;
    let reached = if timings.first_byte_ms.is_some() {
        ", and the answer had begun"
    } else if timings.tls_ms.or(timings.connect_ms).is_some() {
        ", and the connection was there"
    } else {
        ""
    };
    far.write_str(reached).expect("a text takes all");
    far
}

fn late(attempt: &AttemptView) -> &'static str {
    if attempt.timings.first_byte_ms.is_some() {
        "It answers, but slowly: send a short answer whole, or give the webhook a longer timeout."
    } else {
        "Let it answer at once with 2xx and do the work afterwards, from a queue of its own; or give the webhook a longer timeout. \
         It may have worked on the event all the same."
    }
}

fn status(attempt: &AttemptView, host: &str, way: Way) -> Explained {
    let status = attempt.status_code.unwrap_or_default();
    if way == Way::Mailed {
        let todo = match status {
            500.. => "The mail server will never take it: check the addresses and what the server says below.",
            _ => "The mail server is asked again by the schedule.",
        };
        return Explained { what: format!("The mail server refused it with {status}."), todo: todo.into() };
    }
    let header = |name: &str| attempt.response_headers.get(name).map(String::as_str);
    let what = match (status, header("retry-after"), header("location")) {
        (429 | 503, Some(after), _) => {
            format!("{host} answered {status}, and asks to be left alone (Retry-After: {after}).")
        }
        (300..=399, _, Some(to)) => format!("{host} answered {status}: it is elsewhere now ({to})."),
        _ => format!("{host} answered {status}."),
    };
    Explained { what, todo: for_status(status).into() }
}

/// What to do about an answer that was no success.
fn for_status(status: u16) -> &'static str {
    match status {
        200..=299 => {
            "The webhook's success rule does not count this status as one: let the endpoint answer with one that it does, \
                      or change the rule."
        }
        300..=399 => {
            "Redirects are not followed, since a signed request must not go where nobody sent it. Give the webhook the URL \
                      that the endpoint is at now."
        }
        401 | 403 => {
            "It does not believe who asks. Check that it has the webhook's secret of now (it may have been rotated), that it \
                      verifies the body byte by byte as it came, before any parsing, and that its clock is right; or set the \
                      webhook's auth, if it wants a key or a token."
        }
        404 | 405 => {
            "Nothing takes a POST at this path. Check the path of the webhook's URL, and that the version that has it is \
                      running."
        }
        406 | 415 => {
            "It does not take this kind of body: let it accept application/json, or choose another contract for the webhook."
        }
        408 => {
            "It gave up waiting for the request, or a proxy before it did. If that happens often, look at how busy it is."
        }
        409 => {
            "It says that this is at odds with what it has. If it knows the event already, let it answer 2xx: a delivery can come \
                more than once."
        }
        410 => {
            "It says that it is gone for good. If that is meant, delete the webhook; else give it the URL that is right now."
        }
        413 => {
            "The body is too large for it, or for a proxy before it: raise its limit (nginx: client_max_body_size), or leave \
                fields out with the webhook's shape."
        }
        429 => {
            "It gets more than it wants: give the webhook a rate_limit or a smaller max_in_flight, and what waits is spread out."
        }
        400 | 422 => {
            "It read the request and does not want it as it is. What it says below is the best hint; compare the body with \
                      what it expects."
        }
        502 | 504 => {
            "A proxy or a load balancer before it could not reach it: look whether it runs behind that, and how long that \
                      waits."
        }
        503 => "It is overloaded or in maintenance. Deliveries go on by themselves once it is back.",
        507 => "It has no room left.",
        500..=599 => {
            "Something failed inside it: its own log at this time says what. Deliveries go on by themselves once it is well."
        }
        _ => "What it says below is the best hint.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::deliveries::trial::attempt;
    use crate::domain::delivery::FAILURE_KINDS;

    #[test]
    fn every_failure_has_words_of_its_own_and_something_to_do() {
        let mut all = std::collections::BTreeSet::new();
        for kind in FAILURE_KINDS.into_iter().filter(|kind| *kind != "acked") {
            let status = (kind == "status").then_some(500);
            let explained = explain(&attempt(kind, status, "start: the cause."), "api.acme.com", Way::Sent);
            assert!(!explained.todo.is_empty() && explained.what.ends_with('.'), "{kind}: {explained:?}");
            assert!(!explained.what.ends_with(".."), "{kind}: {explained:?}");
            all.insert(explained.todo);
            assert_ne!(outcome_word(kind), kind, "{kind}");
        }
        assert_eq!(all.len(), FAILURE_KINDS.len() - 1);
    }

    #[test]
    fn failures_are_counted_in_words() {
        assert_eq!(failures(&BTreeMap::new()), None);
        let said = failures(&BTreeMap::from([("lease_ran_out", 1_204), ("status", 2)])).expect("some");
        assert_eq!(said, "What came instead of a success: lease ran out 1,204, an answer 2.");
    }

    #[test]
    fn statuses_are_told_apart_by_what_is_to_be_done() {
        let todo = |status| explain(&attempt("status", Some(status), ""), "h", Way::Sent).todo;
        for (status, word) in [
            (202, "success rule"),
            (302, "Redirects"),
            (400, "below"),
            (401, "secret"),
            (404, "path"),
            (410, "gone"),
            (413, "client_max_body_size"),
            (429, "rate_limit"),
            (500, "log"),
            (502, "proxy"),
        ] {
            assert!(todo(status).contains(word), "{status}: {}", todo(status));
        }
    }

    #[test]
    fn what_the_endpoint_asked_for_and_where_it_went_is_said() {
        let mut asked = attempt("status", Some(503), "");
        asked.response_headers.insert("retry-after".into(), "600".into());
        assert!(explain(&asked, "h", Way::Sent).what.contains("Retry-After: 600"));
        let mut moved = attempt("status", Some(301), "");
        moved.response_headers.insert("location".into(), "https://b.example/".into());
        assert!(explain(&moved, "h", Way::Sent).what.contains("https://b.example/"));
    }

    #[test]
    fn a_time_out_says_how_far_it_came() {
        let mut late = attempt("timeout", None, "");
        assert!(explain(&late, "h", Way::Sent).todo.contains("queue"));
        late.timings.connect_ms = Some(3.0);
        assert!(explain(&late, "h", Way::Sent).what.contains("the connection was there"));
        late.timings.first_byte_ms = Some(5.0);
        let explained = explain(&late, "h", Way::Sent);
        assert!(explained.what.contains("had begun") && explained.todo.contains("slowly"), "{explained:?}");
        let mail = explain(&attempt("status", Some(550), ""), "a@b.c", Way::Mailed);
        assert!(mail.what.contains("mail server") && mail.todo.contains("never"));
    }
}
