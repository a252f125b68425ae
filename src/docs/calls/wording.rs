//! What calls do, in words.

use crate::dialect::Operation;

/// Where a call stands among the others.
pub(super) fn order(operation: Operation) -> u8 {
    match operation {
        Operation::Create => 0,
        Operation::List => 1,
        Operation::Get => 2,
        Operation::Update => 3,
        Operation::Check => 7,
        Operation::Verify => 8,
        Operation::Delete => 9,
        Operation::Test => 4,
        Operation::Deliveries => 5,
        Operation::Replay => 6,
    }
}

/// The heading of a call.
pub(super) fn title(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "Create a webhook",
        Operation::List => "List webhooks",
        Operation::Get => "Show a webhook",
        Operation::Update => "Change a webhook",
        Operation::Delete => "Delete a webhook",
        Operation::Test => "Send a test event",
        Operation::Deliveries => "See what was delivered",
        Operation::Replay => "Deliver again",
        Operation::Check => "Check an endpoint",
        Operation::Verify => "Verify an endpoint again",
    }
}

/// What a call does, in few words.
pub(super) fn purpose(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "creates a webhook",
        Operation::List => "lists webhooks, newest first",
        Operation::Get => "shows one",
        Operation::Update => "changes one",
        Operation::Delete => "deletes one",
        Operation::Test => "sends it a test event",
        Operation::Deliveries => "lists what it was sent, newest first",
        Operation::Replay => "sends a delivery again",
        Operation::Check => "calls the endpoint to see how it is",
        Operation::Verify => "repeats the ownership check",
    }
}

/// What a call does, in a sentence or two.
pub(super) fn explained(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => {
            "Registers an endpoint for events. From then on it gets every event that its filter lets through."
        }
        Operation::List => "Lists your webhooks, newest first.",
        Operation::Get => "Shows one webhook.",
        Operation::Update => "Changes what the body names; everything else stays as it is.",
        Operation::Delete => "Deletes a webhook. What was not delivered yet is cancelled.",
        Operation::Test => {
            "Sends a sample event to this webhook alone, made like a real one, and says what your endpoint answered. It goes out at once, also if the webhook is disabled, and is tried once."
        }
        Operation::Deliveries => {
            "Lists what was sent, with the endpoint's answers: the first place to look when something is missing."
        }
        Operation::Check => {
            "Calls the endpoint with a harmless request, and tells whether it could be reached, whether TLS is right, what it answered and how fast."
        }
        Operation::Verify => {
            "Asks the endpoint once more whether it wants deliveries, after it has not passed the ownership check."
        }
        Operation::Replay => {
            "Sends what a delivery sent once more, as a new delivery with an id of its own. Put the old delivery's `id` into `DELIVERY_ID`."
        }
    }
}
