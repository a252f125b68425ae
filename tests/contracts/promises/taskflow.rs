//! The promises of the taskflow guide, in its order.

mod calls;
mod limits;
mod security;
mod sending;
mod stage;

use super::acts;
use super::{Row, decided, held, hold, not_run, reader};
use stage::{SIGNATURE, Stage};

const REPLY: &str = "this field of the reply to the guide's create call, and of GET";
const SAMPLE: &str = "what the test call of this type sends: header, and fields of the data";
const WAITS: &str = "when the running server says that the retry after the failed attempt is due";
const THEIRS: &str = "what its own application does with an event";

// A table: a row a line, or two.
#[rustfmt::skip]
pub const ROWS: &[Row<Stage>] = &[
    held(3, "Receive real-time notifications when events occur",
        "that a published event goes out unasked", |s| acts::arrives(&mut s.scene, "taskflow")),
    held(9, "HTTP callbacks when specific events happen",
        "a webhook of one type, and two published types", |s| acts::only_wanted(&mut s.scene, "taskflow")),
    reader(15, "Sync tasks … Send notifications to Slack … Update analytics … CI/CD … Log events", THEIRS),
    held(35, "task.created: Full task object",
        SAMPLE, |s| s.sample_has("task.created", &["/id", "/title", "/description", "/status", "/priority", "/created_at"])),
    held(36, "task.updated: Updated task + changed fields",
        SAMPLE, |s| s.sample_has("task.updated", &["/id", "/title", "/status", "/changes/status/from", "/changes/status/to"])),
    held(37, "task.deleted: Task ID + metadata", SAMPLE, |s| s.sample_has("task.deleted", &["/id", "/project_id", "/deleted_by", "/deleted_at"])),
    held(38, "task.completed: Full task object",
        SAMPLE, |s| s.sample_has("task.completed", &["/id", "/title", "/description", "/status", "/priority", "/completed_at"])),
    held(39, "task.assigned: Task + assignee details",
        SAMPLE, |s| s.sample_has("task.assigned", &["/id", "/title", "/assignee/id", "/assignee/name", "/assignee/email"])),
    held(40, "comment.created: Comment + task reference", SAMPLE, |s| s.sample_has("comment.created", &["/id", "/body", "/author/id", "/task/id"])),
    held(41, "workflow.triggered: Workflow + task details",
        SAMPLE, |s| s.sample_has("workflow.triggered", &["/workflow/id", "/workflow/name", "/task/id", "/task/title"])),
    held(59, "Accept `POST` requests", "the first line of the request that arrives", sending::posts),
    decided(60, "Respond with `200 OK`",
        "any 2xx is a success, since line 270 has other statuses tried again", |s| acts::answers(&mut s.scene, "taskflow", &[200, 202, 204], &[])),
    decided(61, "Verify the webhook signature (recommended)",
        "the receiver's choice: each request can be verified", security::right_and_wrong_secret),
    decided(76, "Flask: handle_webhook", "with the prefix that lines 188 and 229 have, which its comparison lacks", security::flask),
    decided(102, "compare_digest(signature, expected)",
        "`expected` lacks the prefix of the header that lines 188 and 229 have: as printed it takes nothing, whoever sends",
        security::flask_as_printed),
    held(112, "POST /v2/webhooks", "the guide's call, letter by letter but for the host", calls::created),
    held(121, "\"url\"", "where the delivery arrives", sending::arrives_at_the_url),
    held(122, "\"events\": [\"task.created\", \"task.updated\", \"task.completed\"]", "how many deliveries a type makes", calls::events),
    held(123, "\"secret\": \"your_generated_secret_key\"", "the guide's own verifier, with this secret and with another", security::secret),
    held(124, "\"enabled\": true", "a webhook that is made with false, and changed to true", calls::enabled),
    held(130, "the reply has seven fields", "the fields of the reply, in order", calls::seven_fields),
    held(132, "\"id\": \"wh_abc123\"", REPLY, calls::id),
    held(133, "\"url\": \"https://yourapp.com/webhooks/taskflow\"", REPLY, calls::url),
    held(134, "\"events\": [… as they were given]", REPLY, calls::events_shown),
    held(135, "\"enabled\": true, in the reply", REPLY, calls::enabled_shown),
    held(136, "\"created_at\": \"2024-02-10T15:00:00Z\"", REPLY, calls::created_at),
    held(137, "\"last_triggered\": null", "before the first delivery, and after it", calls::last_triggered),
    held(138, "\"delivery_success_rate\": 0.0", "before the first delivery, and after it", calls::success_rate),
    decided(147, "client.webhooks.create(url, events, secret)",
        "an SDK is the product's (\"Add webhook management to all SDKs\" is its own todo): its call with these three fields", calls::without_an_sdk),
    held(156, "All webhook payloads follow this structure", "the fields of the body, of each type in the catalogue", sending::one_structure),
    held(162, "\"id\": \"evt_xyz789\"", "the body that arrives, and the id that the producer was told", sending::event_id),
    held(163, "\"type\": \"task.created\"", "the body that arrives", sending::event_type),
    held(164, "\"timestamp\": \"2024-02-10T16:45:22Z\"", "the body of an event of that time", sending::event_time),
    held(165, "\"data\": {…}", "the bytes of the data that was published", sending::data),
    held(173, "\"account_id\": \"acc_123\"", "the body that arrives: the account's id", sending::account),
    held(174, "\"triggered_by\": \"user_456\"", "an event by this user, and one by nobody", sending::triggered_by),
    held(186, "Content-Type: application/json", "the request that arrives", sending::content_type),
    held(187, "X-TaskFlow-Event: task.created", "the request that arrives", sending::type_header),
    held(188, "X-TaskFlow-Signature: sha256=abc123...", "the request that arrives", |s| acts::is_signature(&s.header(SIGNATURE))),
    held(189, "X-TaskFlow-Delivery-ID: del_xyz789", "the request that arrives", sending::delivery_header),
    held(192, "The event type", "this header of each type in the catalogue", sending::type_header_of_all),
    held(193, "HMAC signature for verification", "another library's HMAC over the body that arrived", security::of_another_library),
    decided(194, "Unique delivery attempt ID (for deduplication)",
        "one that is another in each attempt tells no duplicates apart: it is the attempt's, and the event's id is for that",
        sending::id_of_each_attempt),
    decided(196, "Should we support custom headers?", "its own question: yes, `headers` of a webhook", calls::custom_headers),
    held(202, "Always verify webhook signatures to ensure requests are from TaskFlow", "that every request has one", security::on_every_request),
    held(208, "Extract the signature from the `X-TaskFlow-Signature` header", "that there is one such header", security::one_header),
    held(209, "HMAC-SHA256 of the raw request body", "a number that no re-serialisation keeps, by the guide's functions", security::raw_body),
    held(210, "Compare the computed signature with the received signature", "the guide's functions, a changed body", security::changed_body),
    held(220, "Python: verify_webhook", "the function as printed, over what arrived", security::python),
    decided(237, "Add verification examples for all languages", "its own wish: the service's document has six", security::languages),
    held(242, "Node.js: verifyWebhook", "the function as printed, over what arrived", security::node),
    held(260, "Webhooks are delivered **at least once**",
        "an endpoint that breaks off before it answers", |s| acts::until_taken(&mut s.scene, "taskflow", 2)),
    held(261, "Delivery order is not guaranteed", "a newer event behind one that fails", |s| acts::overtakes(&mut s.scene, "taskflow")),
    held(262, "Failed deliveries are retried automatically", "a delivery whose first attempt fails", sending::tried_again),
    held(270, "If your endpoint returns a non-2xx status code",
        "the state of a delivery after its first answer", |s| acts::answers(&mut s.scene, "taskflow", &[], &[302, 400, 404, 410, 500, 503])),
    held(270, "or times out", "a delivery whose endpoint never answers", |s| s.silent.is_tried_again(&mut s.scene)),
    held(272, "First retry: after 5 seconds", WAITS, |s| s.after(1).is(5)),
    held(273, "Second retry: after 30 seconds", WAITS, |s| s.after(2).is(30)),
    held(274, "Third retry: after 5 minutes", WAITS, |s| s.after(3).is(5 * 60)),
    held(275, "Fourth retry: after 1 hour", WAITS, |s| s.after(4).is(60 * 60)),
    decided(276, "Fifth retry: after 6 hours",
        "five attempts have failed before it (line 278): it follows with `disable.after = \"deliveries\"`", sending::fifth_retry),
    decided(278, "After 5 failed attempts, the webhook is marked as failed",
        "five retries make six attempts: the fifth failed attempt disables, and what is left is made once it is enabled", sending::marked_as_failed),
    held(278, "and deliveries stop", "an event that is published after that, and the requests at the endpoint", sending::deliveries_stop),
    decided(282, "Allow custom retry configuration", "its own wish: `retry` of a webhook, also in this API", calls::custom_retries),
    decided(286, "Build webhook monitoring dashboard",
        "its own open wish, and there is none yet: what it would show stands in the webhook and in its deliveries", calls::instead_of_a_dashboard),
    held(291, "GET /v2/webhooks/{webhook_id}/deliveries", "the fields of a row of a failing delivery", calls::delivery_rows),
    held(294, "Returns recent delivery attempts", "a delivery that was tried twice", calls::attempts),
    held(294, "with status codes", "the status of each of them", calls::status_codes),
    held(294, "and response times", "the time of each of them", calls::response_times),
    held(305, "POST /v2/webhooks/{webhook_id}/test", "the guide's call", calls::test),
    held(310, "\"event_type\": \"task.created\"", "a type that is asked for, and none", calls::test_of_a_type),
    held(314, "Sends a sample webhook to your endpoint for testing", "what arrives", calls::test_data),
    held(328, "Then register the ngrok URL as your webhook endpoint",
        "a create call with such a URL", |s| acts::takes_url(&mut s.scene, "/v2/webhooks", "https://abc123.ngrok.io/webhooks/taskflow")),
    held(334, "Maximum 10 webhooks per account", "twelve create calls in an account of its own", limits::webhooks),
    decided(335, "Maximum 1000 deliveries per webhook per day",
        "first attempts on a day in UTC; what is over waits for the next, and nothing is lost", limits::deliveries_a_day),
    held(336, "Endpoint must respond within 5 seconds", "an attempt whose endpoint never answers", |s| s.silent.is_given_up_after(&mut s.scene, 5)),
    decided(337, "Request body size limited to 10MB",
        "10,000,000 bytes of the body that is sent; one over it is told to the producer, not sent, and counts for nothing", limits::body),
    held(349, "Webhooks may be delivered more than once", "the body of the second attempt, and of a replay", sending::more_than_once),
    held(356, "if event_id in processed_events: return", "the event's `id` in two attempts of a delivery", sending::event_tells_duplicates),
    reader(367, "Process webhooks asynchronously. Respond with `200 OK` immediately", THEIRS),
    decided(382, "Set up monitoring to alert you when webhook deliveries fail consistently",
        "the reader's: what it needs is told as an event of the account `operator`", sending::operator_is_told),
    decided(386, "Always use HTTPS endpoints",
        "held for all (\"Make HTTPS mandatory for production webhooks\" is its own wish), but on a server with --dev", security::https),
    reader(392, "Explore Workflows … Learn about Rate Limiting", "pages of the product that are not here"),
    decided(394, "Review API Authentication", "a page that is not here: `Authorization: Bearer <key>`, as in all five", security::key),
];

#[test]
fn the_promises_of_the_taskflow_guide() {
    let Some(stage) = Stage::start() else { return not_run("taskflow", ROWS) };
    hold("taskflow", stage, ROWS);
}
