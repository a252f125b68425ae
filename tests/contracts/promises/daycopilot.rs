//! The promises of the daycopilot guide, in its order. An account of this contract is served by the native API, so that replies
//! hold the guide's fields and more.

mod calls;
mod printed;
mod sending;
mod stage;

use serde_json::json;

use super::{Row, decided, held, hold, not_run, reader};
use stage::Stage;

const LISTED: &str = "the catalogue's words for it, and a test call of it, taken by the guide's receiver";
const REPLIED: &str = "the field in the reply to the guide's create call, and read again";
const LOGGED: &str = "the field in the logs of a delivery that was taken, and of one that failed twice";
const WAITS: &str = "when the running server says that the next attempt is due: never early, at most a tenth late";
const ONLY_A_LINK: &str = "a link to another page of the product";

// A table: a row a line, or two.
#[rustfmt::skip]
pub const ROWS: &[Row<Stage>] = &[
    decided(2, "Fetch the complete documentation index", "that index is the product's; this contract's page is served here",
        calls::documented),
    held(7, "Receive real-time notifications when events occur", "the time from publish to arrival", sending::in_real_time),
    decided(10, "Webhooks are currently in development … the planned implementation", "it is held to as a plan that was carried out",
        calls::registers),
    held(15, "eliminating the need for polling", "that requests come by themselves, one an event", sending::driven_by_events),
    held(19, "Real-time updates", "the time from publish to arrival, in milliseconds", sending::in_real_time),
    held(20, "Reduced API calls", "that the request holds all of the event's data", sending::no_call_is_needed),
    held(21, "Lower latency", "the same time against the guide's own polling", sending::in_real_time),
    held(22, "Event-driven architecture", "that nothing comes without an event", sending::driven_by_events),
    held(28, "`task.created` - New task created", LISTED, |s| sending::listed(s, "task.created", "New task created")),
    held(29, "`task.updated` - Task modified", LISTED, |s| sending::listed(s, "task.updated", "Task modified")),
    held(30, "`task.deleted` - Task removed", LISTED, |s| sending::listed(s, "task.deleted", "Task removed")),
    held(31, "`task.completed` - Task marked as complete", LISTED, |s| sending::listed(s, "task.completed", "Task marked as complete")),
    held(32, "`task.assigned` - Task assigned to user", LISTED, |s| sending::listed(s, "task.assigned", "Task assigned to user")),
    held(33, "`task.comment_added` - Comment added to task", LISTED, |s| sending::listed(s, "task.comment_added", "Comment added to task")),
    held(37, "`event.created` - New calendar event created", LISTED, |s| sending::listed(s, "event.created", "New calendar event created")),
    held(38, "`event.updated` - Event modified", LISTED, |s| sending::listed(s, "event.updated", "Event modified")),
    held(39, "`event.deleted` - Event removed", LISTED, |s| sending::listed(s, "event.deleted", "Event removed")),
    held(40, "`event.attendee_added` - Attendee added", LISTED, |s| sending::listed(s, "event.attendee_added", "Attendee added")),
    held(41, "`event.rsvp_changed` - RSVP status updated", LISTED, |s| sending::listed(s, "event.rsvp_changed", "RSVP status updated")),
    held(45, "`context.created` - New context created", LISTED, |s| sending::listed(s, "context.created", "New context created")),
    held(46, "`context.shared` - Context shared with user", LISTED, |s| sending::listed(s, "context.shared", "Context shared with user")),
    held(47, "`context.updated` - Context modified", LISTED, |s| sending::listed(s, "context.updated", "Context modified")),

    held(55, "Accept POST requests", "the method, path and type of a request", sending::posted),
    held(56, "Return 200 status", "what a bare 200 does", sending::status_200_is_enough),
    held(56, "quickly (under 5 seconds)", "when an endpoint that never answers is given up", sending::given_up_after_5_seconds),
    held(57, "Verify webhook signature (security)", "the guide's receiver against a forged body", sending::forgeries_are_refused),
    held(58, "Process events asynchronously", "that the answer alone counts", sending::the_answer_alone_counts),
    held(62, "app.post('/webhooks/daycopilot'", "the method and path that the guide's receiver gets", sending::posted),
    decided(65, "verifySignature(req.body, signature)", "this call leaves out the secret, and throws whoever sends; the one of line 267 has it",
        |s| sending::printed(s, "endpoint", json!("ERR_INVALID_ARG_TYPE"))),
    held(66, "res.status(401).send('Invalid signature')", "what a 401 does", sending::a_401_is_a_failure),
    held(70, "res.status(200).send('OK')", "what the guide's answer does", sending::the_answer_alone_counts),
    held(79, "switch (event.type) … event.data", "what the guide's receiver printed of an event", sending::the_answer_alone_counts),
    held(94, "POST /api/v1/webhooks", "the guide's body as it is printed, but for the URL", calls::registers),
    held(96, "\"url\" of the request", "the field in the reply, and where the requests go", calls::asked),
    held(97, "\"events\" of the request", "which of six published types make deliveries", calls::only_those_events),
    held(102, "\"secret\": \"your-webhook-secret\"", "the guide's receiver with this secret, asked with it and with another", calls::the_secret_signs),
    held(110, "\"data\": { … }", "the status and the wrapping of the reply", calls::registers),
    held(111, "\"id\": \"webhook-uuid\"", REPLIED, calls::id),
    held(112, "\"url\"", REPLIED, calls::url),
    held(113, "\"events\"", REPLIED, calls::events),
    held(114, "\"created_at\": \"2025-11-02T12:00:00Z\"", REPLIED, calls::created_at),
    decided(115, "\"status\": \"active\"", "the endpoint is to be verified after that; so it is asked before the reply", calls::active),
    held(122, "Day Copilot will send a verification request", "what the endpoint of the guide's create call got first", calls::asked),
    held(126, "\"type\": \"webhook.verification\"", "the whole body of that request", calls::asked),
    held(127, "\"challenge\": \"random-string-123\"", "the texts that two webhooks were asked with", calls::the_challenge_is_random),
    held(131, "Respond with: \"challenge\"", "an endpoint that answers with it, and one that does not", calls::the_answer_decides),

    held(141, "All webhook events follow this structure", "the fields of a test call of every type", sending::all_have_this_structure),
    held(145, "the example payload", "the example, published", |s| sending::example(s, printed::PAYLOAD)),
    held(164, "`id`: Unique event identifier", "the ids of two events", sending::ids_are_unique),
    held(165, "`type`: Event type", "the type of an event that is not the webhook's first", sending::the_type_is_the_events),
    held(166, "`created_at`: When event occurred", "an event that says when, and one that does not", sending::the_time_is_the_events),
    held(167, "`data`: Event-specific data", "the bytes of the data", sending::the_data_is_the_producers),
    decided(168, "`actor`: User who triggered the event", "the guide does not say what is sent where nobody did: null",
        sending::the_actor_is_the_producers),
    held(172, "task.created, the example", "the example, published", |s| sending::example(s, printed::TASK_CREATED)),
    held(179, "its \"data\"", "the data of a test call", |s| sending::sampled(s, "task.created", printed::TASK_CREATED)),
    held(194, "task.updated, the example", "the example, published", |s| sending::example(s, printed::TASK_UPDATED)),
    decided(201, "its \"data\": task_id and changes", "line 404 reads a title and a status of it as well, so a test call has them too",
        |s| sending::sampled(s, "task.updated", printed::TASK_UPDATED)),
    decided(221, "task.assigned, the example", "it leaves out the actor, which line 141 promises of all: null is sent",
        |s| sending::example_without_actor(s, printed::TASK_ASSIGNED)),
    decided(228, "its \"data\": task_id, assignee and assigned_by", "line 422 reads a title of it as well, so a test call has it too",
        |s| sending::sampled(s, "task.assigned", printed::TASK_ASSIGNED)),

    held(246, "Day Copilot signs all webhook requests", "the header of each kind of request", sending::all_are_signed),
    held(249, "X-DayCopilot-Signature: sha256=abc123...", "its prefix, and 64 hex digits", sending::all_are_signed),
    held(257, "function verifySignature(payload, signature, secret)", "the function as printed, in Node, over what arrived",
        |s| sending::printed(s, "usage", json!(true))),
    held(267, "const isValid = verifySignature(req.body, …, process.env.WEBHOOK_SECRET)", "this call as printed",
        |s| sending::printed(s, "usage", json!(true))),
    held(274, "return res.status(401).send('Invalid signature')", "a body that was changed on its way", sending::forgeries_are_refused),
    held(282, "prevents spoofing and ensures authenticity", "a real signature over another body", sending::forgeries_are_refused),
    held(286, "Acknowledge webhook receipt within 5 seconds", "an endpoint that takes four", sending::waited_for_up_to_5_seconds),
    held(286, "to avoid timeouts", "an endpoint that takes longer", sending::given_up_after_5_seconds),
    held(297, "Use event IDs for deduplication", "the ids of a first try, its retry and a replay", sending::a_repeated_event_has_its_id),
    held(314, "If your endpoint fails, Day Copilot will retry", "what a failed attempt leaves", sending::a_401_is_a_failure),
    decided(314, "with exponential backoff", "the delays that follow grow by 5, 3, 4 and 6; they are kept to", sending::longer_each_time),
    held(316, "Retry 1: After 1 minute", WAITS, |s| s.after(1).is(60)),
    held(317, "Retry 2: After 5 minutes", WAITS, |s| s.after(2).is(5 * 60)),
    held(318, "Retry 3: After 15 minutes", WAITS, |s| s.after(3).is(15 * 60)),
    held(319, "Retry 4: After 1 hour", WAITS, |s| s.after(4).is(60 * 60)),
    held(320, "Retry 5: After 6 hours", WAITS, |s| s.after(5).is(6 * 60 * 60)),
    held(320, "(final attempt)", "what the sixth failed attempt leaves", sending::the_fifth_is_the_last),

    held(329, "GET /api/v1/webhooks", "the list", calls::lists),
    held(335, "PUT /api/v1/webhooks/{webhookId}", "the guide's change, with a URL of this machine", calls::updates),
    held(345, "DELETE /api/v1/webhooks/{webhookId}", "the status, and what is left", calls::deletes),
    held(350, "Manually trigger a test event", "the guide's call, and what arrived", calls::tests),
    held(353, "POST /api/v1/webhooks/{webhookId}/test", "its status and its reply", calls::tests),
    held(355, "\"event_type\": \"task.created\"", "this type and another one", calls::tests_any_type),
    held(361, "View delivery logs and retry history", "the logs of two deliveries, and the attempts of one", calls::shows_logs),
    held(364, "GET /api/v1/webhooks/{webhookId}/logs?limit=50", "two limits", calls::bounds_logs),
    held(371, "\"data\": [ … ]", "the wrapping of the logs", calls::shows_logs),
    held(373, "\"id\": \"log-uuid\"", LOGGED, |s| calls::logged(s, "id", |one, two| [one, two].iter().all(|id| id.as_str().is_some_and(crate::like::is_uuid)) && one != two)),
    held(374, "\"event_id\"", LOGGED, |s| calls::logged(s, "event_id", |one, two| one.is_string() && two.is_string() && one != two)),
    held(375, "\"event_type\"", LOGGED, |s| calls::logged(s, "event_type", |one, two| *one == "row.logged" && one == two)),
    held(376, "\"delivered_at\": \"2025-11-02T12:00:00Z\"", LOGGED, |s| calls::logged(s, "delivered_at", calls::is_before)),
    held(377, "\"status_code\": 200", LOGGED, |s| calls::logged(s, "status_code", |one, two| *one == 200 && *two == 500)),
    held(378, "\"response_time_ms\"", LOGGED, |s| calls::logged(s, "response_time_ms", |one, two| one.is_u64() && two.is_u64())),
    held(379, "\"attempts\": 1", LOGGED, |s| calls::logged(s, "attempts", |one, _| *one == 1)),
    held(386, "\"status_code\": 500", LOGGED, |s| calls::logged(s, "status_code", |_, two| *two == 500)),
    held(388, "\"attempts\": 2", LOGGED, |s| calls::logged(s, "attempts", |_, two| *two == 2)),
    decided(389, "\"last_error\": \"Connection timeout\" beside 500", "who answered 500 did not time out: each is told as what it was",
        calls::no_answer_is_logged),

    held(401, "event.type === 'task.created' || … 'task.updated'", "what the snippet reads, in test calls",
        |s| sending::read_by(s, &["task.created", "task.updated"], &["/data/task_id", "/data/title", "/data/status"])),
    held(407, "event.type === 'task.deleted'", "what the snippet reads, in a test call",
        |s| sending::read_by(s, &["task.deleted"], &["/data/task_id"])),
    held(417, "event.type === 'task.assigned'", "what the snippet reads, in a test call",
        |s| sending::read_by(s, &["task.assigned"], &["/data/assignee/email", "/data/title"])),
    held(433, "event.actor.user_id, event.type", "what the snippet reads, in a test call",
        |s| sending::read_by(s, &["task.created"], &["/actor/user_id", "/type", "/data/task_id", "/data/context_id", "/created_at"])),
    reader(443, "Use ngrok for Local Development", "a tunnel of one's own; the server sees a public URL like any other"),
    held(454, "curl -X POST \"https://app.daycopilot.ai/api/v1/webhooks\"", "the command as printed, in a shell, with host, URL and key replaced",
        calls::the_curl_works),
    held(455, "-H \"Authorization: Bearer $TOKEN\"", "the same with another key, and a call with none", calls::a_wrong_token_is_refused),
    decided(456, "-d '{ … }' without a secret", "line 102 gives one: here it is generated, shown once, and the endpoint is asked once it can know it",
        calls::a_missing_secret_is_made),
    held(467, "function mockWebhookEvent(type, data)", "the mock's fields against a real request's", sending::as_it_is_mocked),
    decided(490, "planned for release in Q1 2026. Until then, use polling", "both are there: webhooks, and a list of the account's events",
        calls::can_be_polled_as_well),
    decided(499, "GET /api/v1/tasks?updated_after=", "tasks are the product's own data, which a webhook server does not have", calls::tasks_are_not_here),
    reader(515, "First API Call: Get started with the API", ONLY_A_LINK),
    reader(519, "Error Handling: Handle webhook delivery failures", ONLY_A_LINK),
    reader(523, "Authentication: Secure your webhook endpoint", ONLY_A_LINK),
    reader(527, "API Reference: Explore all endpoints", ONLY_A_LINK),
    reader(534, "Let us know what events you need", "asks for a mail to the product's people"),
];

#[test]
fn the_promises_of_the_daycopilot_guide() {
    let Some(stage) = Stage::start() else { return not_run("daycopilot", ROWS) };
    hold("daycopilot", stage, ROWS);
}
