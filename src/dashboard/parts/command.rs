//! A call of the API to copy. What stays true: the key stands in the environment, so that it gets into no page; and the call is
//! for the account whose page it stands on.

use crate::dashboard::seat::Seat;
use crate::domain::account::{ACCOUNT_HEADER, DEFAULT_ACCOUNT};

/// A POST of `body`, which is JSON without `'`, to `/api/v1/{path}` of the server that was found at `origin`.
pub fn post(seat: &Seat, origin: &str, path: &str, body: &str) -> String {
    // The operator's keys speak for the account that is there from the start, unless they say another; the keys of an account need
    // not.
    let id = &seat.account().id;
    let is_other = seat.is_operator() && id != DEFAULT_ACCOUNT;
    let account = if is_other { format!(" -H \"{ACCOUNT_HEADER}: {id}\"") } else { String::new() };
    format!(
        "curl -sS {origin}/api/v1/{path} -H \"Authorization: Bearer $HOOKWHEEL_KEY\"{account} \\\n  \
         -H \"Content-Type: application/json\" -d '{body}'"
    )
}

/// The first event.
pub fn publish(seat: &Seat, origin: &str) -> String {
    post(seat, origin, "events", r#"{"type":"task.created","data":{"id":1}}"#)
}

/// The first webhook.
pub fn webhook(seat: &Seat, origin: &str) -> String {
    post(seat, origin, "webhooks", r#"{"url":"https://example.com/webhooks","events":["*"]}"#)
}
