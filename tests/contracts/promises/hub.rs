//! The promises of the hub guide, in its order.

mod calls;
mod history;
mod limits;
mod retries;
mod security;
mod sending;
mod stage;
mod testing;

use serde_json::json;

use super::acts::{self, text};
use super::{Row, decided, held, hold, not_run, reader};
use stage::{SIGNATURE, Stage};

const SAMPLE: &str = "the whole body that the test call of this type sends, and its X-Event-Type";
const HEADER: &str = "the request that arrives";
const WAITS: &str = "when the running server says that the retry after the failed attempt is due";
const HISTORY: &str =
    "there is no dashboard yet: GET /api/webhooks/{id}/deliveries has it, here of a delivery that failed four times";
const COUNTED: &str =
    "in the statistics of a webhook (GET /api/v1/webhooks/{id}/stats) whose delivery failed four times";
const THEIRS: &str = "what its own application does with a request";

// A table: a row a line, or two.
#[rustfmt::skip]
pub const ROWS: &[Row<Stage>] = &[
    held(3, "receive real-time updates for various events", "that a published event goes out unasked", |s| acts::arrives(&mut s.scene, "hub")),
    held(7, "we'll send HTTP POST requests when events happen",
        "a webhook of one type, and two published types", |s| acts::only_wanted(&mut s.scene, "hub")),
    held(16, "curl -X POST …/api/webhooks", "the guide's command, but for its host, token and URL", |s| format!("201, id {}", text(&s.made()["id"]))),
    held(17, "Authorization: Bearer your-token", "the same command with another token", calls::other_token),
    held(20, "\"name\": \"My Webhook\"", "the reply, and GET", calls::name),
    held(21, "\"url\": \"https://your-domain.com/webhook\"", "the reply, and where the delivery arrives", sending::arrives_at_the_url),
    held(22, "\"events\": [\"task.completed\", \"task.updated\"]", "how many deliveries a type makes", calls::events),
    held(23, "\"secret\": \"your-secret-key\"", "another library's HMAC by it over the body; that no reply shows it", security::secret),
    held(30, "Accept POST requests", "the method", sending::posts),
    held(31, "Respond with 2xx status code for successful deliveries",
        "the state of a delivery after each answer", |s| acts::answers(&mut s.scene, "hub", &[200, 201, 202, 204, 299], &[302, 404, 500])),
    held(32, "Process requests within 10 seconds to avoid timeouts",
        "an attempt whose endpoint never answers", |s| s.silent.is_given_up_after(&mut s.scene, 10)),
    held(38, "All webhook requests include a signature", "tests of each type, both attempts of a delivery, a replay", security::on_every_request),
    held(43, "function verifySignature", "the function as printed, over what arrived, and over a changed body", security::as_printed),
    held(60, "signature.replace('sha256=', '')", "that the header has the prefix", |s| acts::is_signature(&s.header(SIGNATURE))),
    held(61, "payload = JSON.stringify(req.body)", "the guide's receiver in Express, and what does not survive JSON", security::survives_stringify),
    held(64, "return res.status(401)", "the guide's receiver, with another secret", security::wrong_secret),
    held(77, "task.created: { \"taskId\": \"123\", \"title\": \"New Task\" }",
        SAMPLE, |s| s.sample_is("task.created", &json!({"taskId": "123", "title": "New Task"}))),
    held(78, "task.updated: { \"taskId\": \"123\", \"changes\": [\"status\"] }",
        SAMPLE, |s| s.sample_is("task.updated", &json!({"taskId": "123", "changes": ["status"]}))),
    held(79, "task.completed: { \"taskId\": \"123\", \"completedAt\": \"...\" }",
        SAMPLE, |s| s.sample_is("task.completed", &json!({"taskId": "123", "completedAt": "<time>"}))),
    held(80, "task.deleted: { \"taskId\": \"123\" }", SAMPLE, |s| s.sample_is("task.deleted", &json!({"taskId": "123"}))),
    held(86, "system.maintenance: { \"startTime\": \"...\", \"duration\": 3600 }",
        SAMPLE, |s| s.sample_is("system.maintenance", &json!({"startTime": "<time>", "duration": 3600}))),
    held(87, "system.error: { \"code\": \"DB_ERROR\", \"severity\": \"high\" }",
        SAMPLE, |s| s.sample_is("system.error", &json!({"code": "DB_ERROR", "severity": "high"}))),
    held(95, "X-Webhook-ID: Unique identifier for the webhook configuration", HEADER, sending::webhook_header),
    decided(96, "X-Delivery-ID: Unique identifier for this delivery attempt",
        "line 132 has it for idempotency, which one that changes with the attempt is no good for: it is the delivery's",
        sending::same_id_in_each_attempt),
    held(97, "X-Hub-Signature: HMAC SHA-256 signature of the payload",
        "another library's HMAC over the body that arrived", security::of_another_library),
    held(98, "X-Event-Type: Type of event that triggered the webhook", HEADER, sending::type_header),
    held(99, "Content-Type: Always `application/json`", "tests of each type, and data that is a text, a list, null", sending::content_type),
    held(103, "60 requests per minute", "61 events at once, and what the endpoint gets", limits::sixty_a_minute),
    held(103, "per endpoint", "another webhook, while the first has to wait", limits::of_one_endpoint),
    held(103, "Default limit", "that a webhook can have another", limits::another_limit),
    decided(104, "Headers included in responses",
        "of this API: replies about a webhook show its limiter, all others the caller's own", limits::headers),
    held(105, "X-RateLimit-Limit: Maximum requests per minute", "GET of a webhook", limits::limit_header),
    held(106, "X-RateLimit-Remaining: Remaining requests in window", "an idle webhook, one with a request, one with 60", limits::remaining_header),
    held(107, "X-RateLimit-Reset: Timestamp when limit resets", "Unix seconds, of the webhook with 60", limits::reset_header),
    decided(109, "When rate limited, webhooks return 429 status code",
        "requests that we make return nothing: the call that would be over the limit is answered 429, and stores nothing", limits::too_many_requests),
    held(109, "and retry automatically", "an endpoint that answers 429 once", limits::tried_again),
    decided(113, "Failed deliveries are automatically retried with exponential backoff",
        "each delay is five times the one before, and goes on so where more retries are set (line 118)", retries::exponential),
    held(114, "First retry: 5 seconds", WAITS, |s| s.after(1).is(5)),
    held(115, "Second retry: 25 seconds", WAITS, |s| s.after(2).is(25)),
    held(116, "Third retry: 125 seconds", WAITS, |s| s.after(3).is(125)),
    decided(116, "(there is no fourth)", "three retries, where a webhook sets no other number: a dead letter follows", retries::no_fourth),
    decided(118, "Maximum retries configurable up to 10 attempts",
        "\"retries\" or \"attempts\": `maxRetries` counts retries, and takes 0 to 10", retries::up_to_ten),
    reader(123, "Always verify webhook signatures; Use constant-time comparison", "how its own code compares"),
    reader(127, "Respond quickly; Process webhooks asynchronously; Store raw payload before processing", THEIRS),
    held(132, "Use `X-Delivery-ID` for idempotency", "two attempts of a delivery, and another delivery", sending::tells_duplicates),
    held(133, "Handle duplicate deliveries gracefully",
        "that there are some: an endpoint that breaks off has it again", |s| acts::until_taken(&mut s.scene, "hub", 2)),
    reader(134, "Store processed delivery IDs", THEIRS),
    held(137, "Return appropriate HTTP status codes", "that each is kept with its attempt", history::statuses),
    reader(138, "Log failed webhook processing", THEIRS),
    decided(139, "Implement dead letter queues",
        "said to the receiver; this side has one too: what used up its retries is listed, and delivered again by a call", history::dead_letters),
    held(142, "Use test environment for integration", "a webhook in test mode, and an event that is no test", testing::no_live_events),
    held(143, "Test signature verification", "that a test call tells what the endpoint made of the signature", testing::of_signatures),
    held(144, "Test rate limiting handling", "a webhook with two requests a minute, and three calls", testing::of_rate_limits),
    held(145, "Test retry scenarios",
        "a webhook with a schedule of its own, whose endpoint fails twice", |s| acts::until_taken(&mut s.scene, "hub", 2)),
    held(151, "Register a test webhook", "the guide's command, but for its host, token and URL", testing::registered),
    held(151, "to receive test events", "a published test event, and one that is none", testing::test_events_only),
    held(168, "Use the test endpoint to send sample events", "the guide's command, but for its host, token and id", testing::call),
    held(174, "-d '{ \"taskId\": \"123\", \"status\": \"completed\" }'", "the body that arrives", testing::body_of_the_call),
    decided(185, "View delivery history", HISTORY, history::shown),
    decided(186, "Check payload details", HISTORY, history::payload),
    decided(187, "See error messages", HISTORY, history::errors),
    decided(188, "Track retry attempts", HISTORY, history::attempts),
    held(192, "Delivery success rate", "successRate of that webhook, and of one whose endpoint takes all", history::success_rate),
    held(193, "Average response time", COUNTED, history::response_time),
    held(194, "Error rate by type", COUNTED, history::failures_by_type),
    held(195, "Retry frequency", COUNTED, history::retries),
    held(196, "Rate limit hits", "in the statistics of a webhook with one request a second, after two events", history::rate_limit_hits),
    reader(201, "Email; API Status", "the company's addresses"),
    held(203, "Documentation", "the document that the service has of this contract", calls::documented),
];

#[test]
fn the_promises_of_the_hub_guide() {
    let Some(stage) = Stage::start() else { return not_run("hub", ROWS) };
    hold("hub", stage, ROWS);
}
