//! The codes of error replies: one word for programs, that never changes for the same error. What stays true: a reply can
//! say no other, since a `Problem` is made of one of these, and the document lists them from the same lines.

macro_rules! codes {
    ($($name:ident $word:literal $meaning:literal)+) => {
        /// What went wrong, in one word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $meaning] $name),+
        }

        impl Code {
            /// Every code with what it means.
            pub const MEANINGS: &'static [(&'static str, &'static str)] = &[$(($word, $meaning)),+];

            /// The word in the reply.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word),+
                }
            }
        }
    };
}

codes! {
    InvalidField "invalid_field" "a field, parameter or header cannot be taken; `field` names it"
    InvalidJson "invalid_json" "the body is not JSON, or not of the kind that is asked for"
    InvalidData "invalid_data" "the data of an event does not fit the schema of its type; `errors` names each fault"
    BrokenBody "broken_body" "the body broke off"
    Unauthorized "unauthorized" "no key, or one that is not known or has expired"
    Forbidden "forbidden" "the key may not do this"
    NotFound "not_found" "the account has no such thing, or nothing is at this path"
    MethodNotAllowed "method_not_allowed" "the path answers to other methods; `Allow` lists them"
    SlowBody "slow_body" "the body did not arrive in time"
    WrongState "wrong_state" "the thing is in a state in which this cannot be done; the message says what to do"
    IdempotencyConflict "idempotency_conflict" "the `Idempotency-Key` was used for another body"
    EventIdConflict "event_id_conflict" "the event's id was used for another event"
    AccountExists "account_exists" "there is an account of this id"
    UidTaken "uid_taken" "another webhook of the account has this own id"
    EmailTaken "email_taken" "another user of the server has this address"
    EventTypeExists "event_type_exists" "the account has written down an event type of this name"
    AccountLeaving "account_leaving" "an account of this id is being deleted"
    LeaseLost "lease_lost" "none of the leases goes on: they ran out or were given up, and the deliveries are tried again"
    Purged "purged" "the event's payload was purged; it cannot be sent any more"
    WebhookLimit "webhook_limit" "the account has as many webhooks as its dialect allows"
    Quota "quota" "the account has as much of something as it may have"
    JobLimit "job_limit" "as many jobs of the account run as may run at once"
    BodyTooLarge "body_too_large" "the body is longer than the server takes"
    TooManyDeliveries "too_many_deliveries" "the events would make more deliveries than one request may"
    UrlTooLong "url_too_long" "path and query are longer than the server takes"
    EncodedBody "encoded_body" "the body is compressed"
    RateLimited "rate_limited" "too much in too short a time; `Retry-After` says when to come back"
    HeadersTooLarge "headers_too_large" "too many headers, or too much in them"
    Internal "internal" "the server failed; its log says why"
    Damaged "damaged" "a record in the store cannot be read and was put aside"
    QueueFull "queue_full" "too much waits to be written; try again"
    FanOutFull "fan_out_full" "too many deliveries are still to be made; try again"
    TooManyBodies "too_many_bodies" "too much of request bodies is on its way; try again"
    TooManyPolls "too_many_polls" "as many calls wait for deliveries as may at once; try again"
    TooManyStreams "too_many_streams" "as many streams are read as may be at once; end one, or try again"
    TooManyPasswords "too_many_passwords" "too many people are logging in at this moment; try again"
    NoSpace "no_space" "the disk has too little space for more events"
    Unavailable "unavailable" "the store is being opened again; try again"
    Stopping "stopping" "the server stops"
    Stuck "stuck" "a thread that the server cannot do without does not go on"
    LoopDetected "loop_detected" "the request is itself a delivery of a webhook"
}
