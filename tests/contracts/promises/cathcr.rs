//! The promises of the cathcr guide, in its order.

mod bodies;
mod calls;
mod history;
mod security;
mod sending;
mod stage;
mod testing;

use serde_json::json;

use super::acts::{self, has_fields, text};
use super::{Row, decided, held, hold, not_run, reader};
use stage::{SIGNATURE, Stage, statuses};

const BODY: &str = "the whole body that the test call of this type sends, compared with the one that the guide prints";
const NO_BODY: &str = "the guide prints no body: the same envelope, and data like that of the types beside it";
const REPLY: &str = "this field of the reply to the guide's create call, and of GET";
const ROW: &str = "the list of a webhook with one delivery that was taken";
const HEADER: &str = "the request that arrives";
const WAITS: &str = "when the running server says that the retry after the failed attempt is due";
const THEIRS: &str = "what its own application does with an event";

// A table: a row a line, or two.
#[rustfmt::skip]
pub const ROWS: &[Row<Stage>] = &[
    held(3, "Receive real-time notifications when events occur in Cathcr",
        "that a published event goes out unasked", |s| acts::arrives(&mut s.scene, "cathcr")),
    held(7, "HTTP callbacks … when specific events occur",
        "a webhook of one type, and two published types", |s| acts::only_wanted(&mut s.scene, "cathcr")),
    held(11, "Get notified instantly when events occur", "the time from accepting an event to the endpoint's answer",
        |s| acts::arrives(&mut s.scene, "cathcr")),
    held(12, "No need to poll for changes", "that the request holds all of the event's data", bodies::whole),
    reader(13, "React immediately to user actions", THEIRS),
    held(14, "Built-in retry mechanisms ensure delivery", "an endpoint that breaks off twice", |s| acts::until_taken(&mut s.scene, "cathcr", 2)),
    held(15, "HMAC signature verification for authenticity", "another library's HMAC over the body that arrived", security::of_another_library),
    held(21, "thought.created", BODY, bodies::thought_created),
    held(27, "\"timestamp\": \"2024-01-15T10:30:00Z\"", "the body of an event of that time", bodies::event_time),
    held(44, "\"webhook_id\": \"webhook_789\"", "the body that arrives, and the webhook's id", bodies::webhook_id),
    held(48, "thought.updated", BODY, bodies::thought_updated),
    held(71, "thought.deleted", BODY, |s| s.body_is("thought.deleted", r#"{"thought_id": "thought_456", "user_id": "user_123"}"#)),
    held(88, "category.created", BODY, bodies::category_created),
    decided(109, "category.updated",
        NO_BODY, |s| s.body_has("category.updated", &["/category/id", "/category/name", "/previous_values", "/user_id"])),
    decided(112, "category.deleted", NO_BODY, |s| s.body_has("category.deleted", &["/category_id", "/user_id"])),
    held(117, "reminder.created", BODY, bodies::reminder_created),
    held(138, "reminder.due", BODY, bodies::reminder_due),
    decided(159, "reminder.completed",
        NO_BODY, |s| s.body_has("reminder.completed", &["/reminder/id", "/reminder/status", "/reminder/completed_at", "/user_id"])),
    decided(162, "reminder.overdue",
        NO_BODY, |s| s.body_has("reminder.overdue", &["/reminder/id", "/reminder/due_date", "/reminder/status", "/user_id"])),
    held(167, "ai.processing_started", BODY, bodies::processing_started),
    held(185, "ai.processing_completed", BODY, bodies::processing_completed),
    decided(215, "ai.processing_failed", NO_BODY, |s| s.body_has("ai.processing_failed", &["/job_id", "/thought_id", "/error/message", "/user_id"])),
    decided(220, "user.subscription_updated",
        NO_BODY, |s| s.body_has("user.subscription_updated", &["/subscription/plan", "/previous_values", "/user_id"])),
    decided(223, "user.preferences_updated", NO_BODY, |s| s.body_has("user.preferences_updated", &["/preferences", "/previous_values", "/user_id"])),
    held(231, "POST /webhooks", "the guide's call, letter by letter but for the host", |s| format!("201, {}", text(&s.made()["id"]))),
    held(233, "Authorization: Bearer your_api_key", "every call of the guide with another key", calls::only_with_a_key),
    held(236, "\"url\", given", "where a delivery arrives", sending::arrives_at_the_url),
    held(237, "\"events\", given", "how many deliveries a type makes", calls::events),
    held(242, "\"secret\", given", "the guide's function, with this secret and with another", security::secret),
    held(243, "\"active\", given", "a webhook that is made with false, and changed to true", calls::active),
    held(244, "\"description\": \"Main application webhook\"", REPLY, |s| s.shows("description", &json!("Main application webhook"))),
    decided(250, "the reply has nine fields", "the description is shown as well, since the call has one", calls::nine_fields),
    held(251, "\"id\": \"webhook_789\"", REPLY, |s| s.shows("id", &json!("<webhook_>"))),
    held(252, "\"url\": \"https://your-app.com/webhooks/cathcr\"", REPLY, calls::url),
    held(253, "\"events\": [\"thought.created\", \"thought.updated\", \"reminder.due\"]",
        REPLY, |s| s.shows("events", &json!(["thought.created", "thought.updated", "reminder.due"]))),
    held(254, "\"active\": true", REPLY, |s| s.shows("active", &json!(true))),
    decided(255, "\"secret\": \"your_webhook_secret\"", "it stands in the reply to create, as the guide shows it, and in no other", calls::secret),
    held(256, "\"created_at\": \"2024-01-15T10:00:00Z\"", REPLY, |s| s.shows("created_at", &json!("<time>"))),
    held(257, "\"last_delivery\": null", "before the first delivery, and after it", calls::last_delivery),
    held(258, "\"delivery_count\": 0", "before the first delivery, and after it", calls::delivery_count),
    held(259, "\"failure_count\": 0", "before a delivery whose endpoint breaks off twice, and after it", calls::failure_count),
    held(267, "GET /webhooks", "that the list has the webhook, and pages", calls::list),
    held(273, "GET /webhooks/{webhook_id}", "that it is shown, and another id is not", calls::get),
    held(279, "PATCH /webhooks/{webhook_id}", "the guide's call, and that what it leaves out stays", calls::change),
    held(291, "DELETE /webhooks/{webhook_id}", "a webhook that is deleted, and looked for", calls::delete),
    held(299, "Every webhook payload includes an HMAC signature",
        "tests of each type, both attempts of a delivery, a replay", security::on_every_request),
    held(303, "X-Cathcr-Signature-256: sha256=1234567890abcdef...", HEADER, |s| acts::is_signature(&s.header(SIGNATURE))),
    held(304, "X-Cathcr-Delivery: 12345678-1234-1234-1234-123456789012", HEADER, sending::delivery_header),
    held(305, "X-Cathcr-Event: thought.created", "this header of each type in the catalogue", sending::type_header),
    held(312, "Node.js: verifyWebhookSignature", "the function as printed, over what arrived", security::node),
    held(324, "Express.js example", "the receiver as printed, and one with another secret", |s| statuses(s, "cathcr.mjs")),
    held(345, "Python: verify_webhook_signature", "the function as printed, over what arrived", security::python),
    held(354, "Flask example", "the receiver as printed, and one with another secret", |s| statuses(s, "cathcr.py")),
    decided(373, "Cathcr webhook requests come from these IP ranges",
        "whoever runs the server has addresses of their own: those of `deliver.egress` are published, and requests come from them",
        sending::addresses),
    held(385, "Timeout: 30 seconds",
        "an attempt whose endpoint never answers, begun with the first row", |s| s.silent.is_given_up_after(&mut s.scene, 30)),
    held(386, "Expected Response: HTTP 2xx status code",
        "the state of a delivery after each answer", |s| acts::answers(&mut s.scene, "cathcr", &[200, 201, 204, 299], &[302, 400, 404, 500])),
    held(387, "User-Agent: `Cathcr-Webhooks/1.0`", HEADER, sending::user_agent),
    held(388, "Content-Type: `application/json`", HEADER, sending::content_type),
    decided(392, "Failed deliveries are retried using exponential backoff",
        "its six delays grow, but by no one factor: they are taken as they are listed", sending::growing_delays),
    held(394, "Immediate retry: If initial delivery fails", "from the end of the first attempt to the second", sending::immediate_retry),
    held(395, "5 minutes: First retry attempt", WAITS, |s| s.after(2).is(5 * 60)),
    held(396, "15 minutes: Second retry attempt", WAITS, |s| s.after(3).is(15 * 60)),
    held(397, "1 hour: Third retry attempt", WAITS, |s| s.after(4).is(60 * 60)),
    decided(398, "6 hours: Fourth retry attempt",
        "five attempts have failed before it (line 401): it follows with `disable.after = \"deliveries\"`, or once enabled",
        |s| s.after(5).is(6 * 60 * 60)),
    decided(399, "24 hours: Final retry attempt", "as with the fourth", |s| s.after(6).is(24 * 60 * 60)),
    decided(401, "After 5 failed attempts, the webhook is automatically disabled",
        "six retries make seven attempts: the fifth failed attempt disables, and nothing is lost", sending::disabled_after_five),
    held(406, "GET /webhooks/{webhook_id}/deliveries", ROW, |s| has_fields(&s.listed(), &["deliveries", "pagination"])),
    held(415, "\"id\": \"delivery_123\"", ROW, history::id),
    held(416, "\"timestamp\": \"2024-01-15T10:30:00Z\", of a delivery", ROW, history::time),
    held(417, "\"event\": \"thought.created\"", ROW, history::event),
    held(418, "\"status_code\": 200", ROW, history::status),
    held(419, "\"response_time\": 150", ROW, history::response_time),
    held(420, "\"attempt\": 1", ROW, history::attempt),
    held(421, "\"success\": true", ROW, history::success),
    decided(427, "\"status_code\": 500 beside \"error\": \"Connection timeout\"",
        "who never answered gave no status: it is null then, and the error says why", history::no_status),
    held(431, "\"error\": …", "of a delivery that failed, and of one that was taken", history::error),
    held(435, "\"total\": 256", ROW, history::total),
    held(436, "\"limit\": 20", "the list, as it comes and with ?limit=1", history::limit),
    held(437, "\"offset\": 0", "the list, as it comes and with ?offset=1", history::offset),
    decided(446, "Use our webhook testing interface",
        "there is no dashboard yet: what it would show stands in the reply to the test call", testing::instead_of_a_dashboard),
    held(456, "POST /webhooks/{webhook_id}/test", "the guide's call", testing::call),
    held(461, "\"event\": \"thought.created\", to be tested", "a type that is asked for, and none", testing::of_a_type),
    held(476, "https://abc123.ngrok.io/webhooks/cathcr",
        "a create call with this URL", |s| acts::takes_url(&mut s.scene, "/webhooks", "https://abc123.ngrok.io/webhooks/cathcr")),
    held(481, "webhook.site: Use it as your webhook endpoint",
        "a create call with such a URL", |s| acts::takes_url(&mut s.scene, "/webhooks", "https://webhook.site/9a1c1c44-5b3c-4a83-8a7e-0d9f2a5b6c7d")),
    held(493, "Slack: thought.tags, thought.content, user_id",
        "that the fields which the example reads are there", |s| s.body_has("thought.created", &["/thought/tags", "/thought/content", "/user_id"])),
    held(512, "Tasks: results.reminder_extraction?.reminders_found, thought_id", "that the fields which it reads are there", testing::tasks_example),
    held(534, "Analytics: user_id, category?.name, tags.length", "what the example in Node.js prints", testing::analytics_of_thoughts),
    held(542, "Analytics: reminder.completed_at", "what the example in Node.js prints", testing::analytics_of_reminders),
    reader(555, "Respond Quickly; Process Asynchronously", THEIRS),
    held(557, "Use delivery IDs to detect duplicates", "X-Cathcr-Delivery in two attempts, and in a replay", sending::tells_duplicates),
    reader(558, "Validate Signatures; Log Everything", THEIRS),
    decided(570, "verifyWebhookSignature(req.body, req.headers[…])",
        "the function of line 312 takes a third argument, the secret, which this call leaves out: it throws, whoever sends",
        security::without_the_secret),
    held(576, "req.headers['x-cathcr-delivery']",
        "an endpoint that breaks off has the delivery again", |s| acts::until_taken(&mut s.scene, "cathcr", 1)),
    reader(594, "Use Queues; Rate Limiting; Load Balancing", "how its own servers are built"),
    held(597, "Track webhook delivery success rates and response times", "the statistics of a webhook with one delivery", history::rates_and_times),
    held(604, "Check webhook URL accessibility", "POST /webhooks/{id}/check, of one that listens and one that does not", testing::reachable),
    held(605, "Verify SSL certificate is valid", "an https:// URL behind which nobody speaks TLS", testing::certificate),
    held(606, "Ensure endpoint returns 2xx status codes", "what a failed delivery says in the list", history::not_2xx),
    held(607, "Check webhook is active and events are configured", "GET of a webhook that was disabled", calls::why_it_gets_nothing),
    held(610, "Verify webhook secret is correct", "that a test call shows what the endpoint answered to a wrong one", testing::wrong_secret),
    held(612, "Ensure payload is raw bytes, not parsed JSON", "a number that no re-serialisation keeps, raw and parsed", security::raw_bytes),
    held(615, "Optimize endpoint response time (< 30 seconds)", "that what was given up is tried again", |s| s.silent.is_tried_again(&mut s.scene)),
    reader(616, "Move heavy processing to background jobs; Return 200 status immediately", THEIRS),
    held(623, "GET /webhooks/{webhook_id}/logs?limit=50", "the rows beside those of the deliveries", history::logs),
    held(629, "POST /webhooks/{webhook_id}/replay/{delivery_id}", "an old delivery, by the id that the list shows", testing::replay),
    held(634, "Test your webhook endpoint health", "what POST /webhooks/{id}/check sends", testing::health),
];

#[test]
fn the_promises_of_the_cathcr_guide() {
    let Some(stage) = Stage::start() else { return not_run("cathcr", ROWS) };
    hold("cathcr", stage, ROWS);
}
