//! The promises of the workspace guide, in its order.

mod calls;
mod pages;
mod printed;
mod sending;
mod stage;

use super::{Row, decided, held, hold, not_run, reader};
use stage::Stage;

const LISTED: &str = "the catalogue's words for it, and a test call of it, taken by the guide's receiver";
const WAITS: &str = "when the running server says that the next attempt is due: never early, at most a tenth late";
const ROW: &str = "the field in the rows of a delivery that was taken, and of one that failed";
const IN_THE_DASHBOARD: &str = "the dashboard of a user, by its pages and forms; its words differ from the product's";
const ONLY_A_LINK: &str = "a link to another page of the product";

// A table: a row a line, or two.
#[rustfmt::skip]
pub const ROWS: &[Row<Stage>] = &[
    held(8, "Receive real-time notifications when events occur", "the time from publish to arrival", sending::in_real_time),
    held(12, "Webhooks send HTTP POST requests to your server when events occur", "the method, path and type of a request", sending::posted),
    held(12, "Instead of polling our API, we notify you instantly", "that requests come by themselves, one an event", sending::unasked),
    held(15, "Real-time updates", "the time from publish to arrival, in milliseconds", sending::in_real_time),
    held(16, "Reduced API calls", "that the request holds all of the event's data", sending::unasked),
    held(17, "Lower latency", "the same time, without anybody asking", sending::in_real_time),
    held(18, "More efficient", "that nothing comes without an event", sending::unasked),
    decided(24, "Settings → Webhooks", IN_THE_DASHBOARD, pages::the_webhooks_are_found),
    decided(25, "Click \"Create Webhook\"", IN_THE_DASHBOARD, pages::the_form_is_found),
    held(28, "URL: https://your-server.com/webhooks", "where the requests of the created webhook go", calls::to_the_url),
    held(29, "Events: task.created, task.updated", "which of five published types make deliveries", calls::only_those_events),
    held(30, "Secret: auto-generated", "a create call without a secret, and the guide's receiver with what was made", calls::a_secret_is_generated),
    held(31, "Active: Yes", "a create call that does not say, and one that says no", calls::active_from_the_start),
    decided(33, "Save", IN_THE_DASHBOARD, pages::a_form_makes_one),
    held(38, "POST /v1/webhooks", "the guide's body as it is printed, but for the URL", calls::registers),
    held(40, "\"url\" of the request", "the field in the reply, and where the requests go", calls::to_the_url),
    held(41, "\"events\" of the request", "which of five published types make deliveries", calls::only_those_events),
    held(42, "\"secret\": \"your_webhook_secret\"", "a receiver with another secret, and the webhook with either", calls::the_secret_signs),

    held(49, "`task.created` - New task created", LISTED, |s| sending::listed(s, "task.created", "New task created")),
    held(50, "`task.updated` - Task modified", LISTED, |s| sending::listed(s, "task.updated", "Task modified")),
    held(51, "`task.completed` - Task marked done", LISTED, |s| sending::listed(s, "task.completed", "Task marked done")),
    held(52, "`task.deleted` - Task removed", LISTED, |s| sending::listed(s, "task.deleted", "Task removed")),
    held(53, "`task.assigned` - Task assigned to user", LISTED, |s| sending::listed(s, "task.assigned", "Task assigned to user")),
    held(56, "`project.created`", LISTED, |s| sending::listed(s, "project.created", "")),
    held(57, "`project.updated`", LISTED, |s| sending::listed(s, "project.updated", "")),
    held(58, "`project.archived`", LISTED, |s| sending::listed(s, "project.archived", "")),
    held(59, "`project.deleted`", LISTED, |s| sending::listed(s, "project.deleted", "")),
    held(62, "`comment.created`", LISTED, |s| sending::listed(s, "comment.created", "")),
    held(63, "`comment.updated`", LISTED, |s| sending::listed(s, "comment.updated", "")),
    held(64, "`comment.deleted`", LISTED, |s| sending::listed(s, "comment.deleted", "")),
    held(67, "`user.added`", LISTED, |s| sending::listed(s, "user.added", "")),
    held(68, "`user.removed`", LISTED, |s| sending::listed(s, "user.removed", "")),
    held(69, "`user.role_changed`", LISTED, |s| sending::listed(s, "user.role_changed", "")),

    held(75, "Example Payload", "the example's event, published", sending::example),
    held(77, "\"event\": \"task.created\"", "the fields of a test call of every type", sending::the_envelope),
    held(78, "\"timestamp\": \"2025-10-14T10:30:00Z\"", "the time in the body against the event's", sending::the_time_is_the_events),
    held(79, "\"webhook_id\": \"webhook_123\"", "the id in the body, and the API with it", sending::the_webhooks_id),
    held(80, "\"data\": { … }", "the bytes of the data", sending::the_data_is_the_producers),
    held(81, "its fields, id to due_date", "the data of a test call", sending::the_sample),

    held(97, "Always verify webhook signatures!", "the guide's receiver against a forged body", sending::forgeries_are_refused),
    decided(108, "timingSafeEqual(signature, expectedSignature)", "it compares with the bare digest, and the header of line 162 begins with sha256=: the header is kept to",
        sending::the_printed_function_throws),
    held(115, "req.headers['x-webhook-signature']", "the header of a request", sending::the_signature),
    held(116, "const payload = JSON.stringify(req.body)", "a body that was posted in another form", sending::survives_stringify),
    held(119, "res.status(401).send('Invalid signature')", "what a 401 does", sending::a_401_is_a_failure),
    held(123, "const { event, data } = req.body", "what the guide's receiver printed of an event", sending::the_answer_alone_counts),
    held(129, "res.status(200).send('OK')", "what the guide's answer does", sending::the_answer_alone_counts),
    decided(135, "Return 200 response immediately", "the guide says no time: an attempt has 5 seconds", sending::given_up_after_5_seconds),
    held(142, "Process async", "that the answer alone counts", sending::the_answer_alone_counts),
    held(149, "We retry failed webhooks", "the attempts of a delivery whose endpoint recovers", sending::retried),
    held(150, "Retry 1: After 1 minute", WAITS, |s| s.after(1).is(60)),
    held(151, "Retry 2: After 5 minutes", WAITS, |s| s.after(2).is(5 * 60)),
    held(152, "Retry 3: After 30 minutes", WAITS, |s| s.after(3).is(30 * 60)),
    decided(154, "After 3 failures, webhook is disabled", "the third retry of line 152 would follow: it is made once the webhook is enabled",
        sending::the_third_failure_disables),
    decided(154, "Retry 3 … After 3 failures", "the other reading, all three retries first, is a setting of the webhook", sending::the_last_retry),

    held(162, "X-Webhook-Signature: sha256=abc123...", "the header of a request", sending::the_signature),
    held(163, "X-Webhook-ID: webhook_123", "the header of a request against the body", sending::the_id_header),
    decided(164, "X-Webhook-Timestamp: 1634234567", "the guide does not say of what: of the attempt, since the body has the event's", sending::the_time_header),
    decided(169, "Our webhook IPs: 203.0.113.0/24, 198.51.100.0/24", "which addresses a server has is its operator's to say: with deliver.egress they are published and used",
        sending::from_published_addresses),
    held(177, "Webhooks must use HTTPS in production", "a server that runs without --dev", sending::only_https_in_production),

    held(183, "Send test payload", "the guide's call, and what arrived", calls::tests),
    held(186, "POST /v1/webhooks/:id/test", "its status and its reply", calls::tests),
    held(191, "View recent deliveries", "a delivery that still fails", calls::what_fails_is_listed_at_once),
    held(194, "GET /v1/webhooks/:id/deliveries", "the names of a row, in their order", calls::lists_deliveries),
    held(199, "\"data\": [ … ]", "the wrapping of the rows", calls::lists_deliveries),
    held(202, "\"id\": \"delivery_123\"", ROW, |s| calls::row(s, "id", |one, two| calls::is_an_id(one) && calls::is_an_id(two) && one != two)),
    held(203, "\"event\": \"task.created\" of a row", ROW, |s| calls::row(s, "event", |one, two| *one == "row.listed" && one == two)),
    held(204, "\"timestamp\": \"2025-10-14T10:30:00Z\" of a row", ROW, |s| calls::row(s, "timestamp", |one, two| calls::is_a_time(one) && calls::is_a_time(two))),
    held(205, "\"status\": \"success\"", ROW, |s| calls::row(s, "status", |one, two| *one == "success" && *two == "failed")),
    held(206, "\"response_code\": 200", ROW, |s| calls::row(s, "response_code", |one, two| *one == 200 && *two == 500)),
    held(207, "\"response_time_ms\": 145", ROW, |s| calls::row(s, "response_time_ms", |one, two| one.is_u64() && two.is_u64())),

    held(217, "Verify signatures - Always!", "the guide's receiver against a forged body", sending::forgeries_are_refused),
    held(218, "Respond quickly - Return 200 ASAP", "when an endpoint that never answers is given up", sending::given_up_after_5_seconds),
    held(219, "Process async - Don't block response", "that the answer alone counts", sending::the_answer_alone_counts),
    decided(220, "Handle duplicates - Use idempotency keys", "no header of the guide names an event: a repeat has the same body and signature",
        sending::repeats_are_the_same),
    decided(221, "Monitor failures - Alert on errors", "the reader's to do: what an alert can look at is there", calls::failures_can_be_watched),
    held(222, "Use HTTPS - Security first", "a server that runs without --dev", sending::only_https_in_production),
    reader(223, "Log events - For debugging", "the reader's own log"),
    held(224, "Handle retries - Expect duplicate deliveries", "an endpoint that loses its answer", sending::repeats_are_the_same),
    held(233, "URL is accessible", "what is said of one that is not", calls::an_address_that_cannot_be_reached),
    held(234, "Returns 200 status", "what is said of one that answers 500", calls::a_status_that_is_not_200),
    held(235, "HTTPS (production)", "what is said of http:// without --dev", sending::only_https_in_production),
    held(236, "Firewall allows our IPs", "where a request came from", sending::from_published_addresses),
    held(237, "Webhook is active", "one that is not", calls::inactive_gets_nothing),
    held(241, "After 3 consecutive failures, webhooks auto-disable", "four failures with successes between, and three in a row", sending::only_failures_in_a_row_count),
    reader(244, "Fix your endpoint", "the reader's endpoint"),
    held(245, "Test webhook", "a test of a disabled webhook", calls::a_disabled_one_is_tested_and_enabled),
    decided(246, "Re-enable in dashboard", IN_THE_DASHBOARD, pages::a_disabled_one_is_enabled),
    reader(250, "API Overview - API basics", ONLY_A_LINK),
    held(251, "Authentication - API keys", "a call with a wrong key", calls::a_wrong_key_is_refused),
    reader(252, "Events - Available resources", ONLY_A_LINK),
    reader(254, "Questions? Email api-support@example.com", "the product's people"),
];

#[test]
fn the_promises_of_the_workspace_guide() {
    let Some(stage) = Stage::start() else { return not_run("workspace", ROWS) };
    hold("workspace", stage, ROWS);
}
