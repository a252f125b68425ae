//! The enums of the document. What stays true: each lists the words that the program itself says, so none can be missing; a
//! field shows one with `#[schema(value_type = …)]`.

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::api::http::code::Code;
use crate::domain::audience::Why;
use crate::domain::delivery::{Cause, FAILURE_KINDS, SHOWN_STATES};
use crate::domain::endpoint_auth::EndpointAuth;
use crate::domain::happening::What;
use crate::domain::job::{JobKind as Kind, JobState as State, Source};
use crate::domain::lane::Why as Wait;
use crate::domain::oauth2::ClientAuth;
use crate::domain::stats::Step;
use crate::domain::walk::First;
use crate::domain::webhook::{Deaf, SHOWN_STATUSES};

macro_rules! enums {
    ($($(#[doc = $doc:literal])+ $name:ident = $words:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    of_words(concat!($($doc),+), &$words)
                }
            }

            impl ToSchema for $name {}
        )+

        /// All of them with their names: also those that only parameters refer to.
        pub fn all() -> Vec<(Cow<'static, str>, RefOr<Schema>)> {
            vec![(ErrorCode::name(), ErrorCode::schema()), $(($name::name(), $name::schema())),+]
        }
    };
}

enums! {
    /// Where a delivery stands: `pending`, never tried; `scheduled`, tried and due again; `held`, kept and not sent, since its
    /// webhook is paused, disabled or not verified; `succeeded`; `dead`, its retries are used up; `cancelled`, not to be sent.
    DeliveryState = SHOWN_STATES;
    /// Why a delivery exists: `accept`, its event was accepted; `test`, a webhook was tested; `replay`, it repeats another;
    /// `missed`, a bulk replay made it for an event that had none.
    DeliveryCause = Cause::WORDS;
    /// What came of an attempt: `status`, an answer; otherwise what came in the place of one. `auth`: there was no access token for
    /// it. `too_large` and `shape_too_costly`: nothing was sent, and it is not tried again. Of what
    /// was pulled: `acked`, `nacked`, or `lease_ran_out`, nobody said in time what became of it.
    AttemptOutcome = FAILURE_KINDS;
    /// Why a webhook did not get an event: as `WebhookDeaf` says; or `notice_event`, it is a notice of the server's, and the webhook does
    /// not hear those; `made_later`, the webhook is newer than the event; `type`, it does not want such; `channels`, they share none;
    /// `filter`, its filter does not hold for it; `filter_too_costly`, nobody knows, since to ask takes too long; `purged`, nobody
    /// knows any more, since its payload is gone; `quiet`, it was left in peace for a while; `changed`, it would get it now, so it was
    /// changed since.
    AudienceWhy = Why::WORDS;
    /// What happened: `event`, an event was accepted; `attempt`, an attempt was recorded; `dead`, a delivery used up its retries, or
    /// could not be sent at all.
    StreamKind = What::WORDS;
    /// Whether a webhook's deliveries go out: `active`; `paused` by a person; `disabled` by a rule or a person; `unverified`
    /// until its endpoint passes the ownership check.
    WebhookStatus = SHOWN_STATUSES;
    /// Why a webhook hears of no such event, whatever it asks for: `notices`, it is for those; `test_mode`, it hears test events only;
    /// `test_event`, it hears none of them; `unverified`, its endpoint has never passed the ownership check; `deleted`.
    WebhookDeaf = Deaf::WORDS;
    /// In which order a webhook's deliveries go out: `fifo`, one at a time, as their events were accepted.
    WebhookOrder = ["fifo"];
    /// What a webhook's next delivery waits for: `nothing_to_send`; `held`, the webhook is paused, disabled or not verified;
    /// `window_full`; `paused`, the endpoint was in trouble, or asked for it; `rate_limited`; `daily_limit`; `retry_later`,
    /// what is left are retries, due later; `behind_head`, what is left waits for the head of its order; `no_place`, others
    /// hold them; `no_bytes`, the bodies that are out leave no room; `no_connection`, the server has none; `not_pulled`, nobody
    /// asks for any.
    LaneWait = Wait::WORDS;
    /// How a webhook authenticates at its endpoint: `basic`, with a user name and a password; `bearer`, with a token that stays the
    /// same; `header`, with a header of any name; `oauth2`, with tokens that are fetched by client credentials.
    AuthType = EndpointAuth::WORDS;
    /// Where a client shows its token endpoint who it is: `basic`, in the header `Authorization`, or `body`, among the parameters.
    ClientAuthWay = ClientAuth::WORDS;
    /// What a bulk job does.
    JobKind = Kind::WORDS;
    /// What a bulk job looks at.
    JobSource = Source::WORDS;
    /// How far a bulk job is.
    JobState = State::WORDS;
    /// Which rows of a list come first: `newest`, what was made last, or `oldest`.
    ListOrder = First::WORDS;
    /// How long one point of statistics is, in UTC: `minute` (kept for 3 days), `hour` (90 days) or `day` (3 years).
    StatsStep = Step::WORDS;
}

/// What went wrong, in one word for programs.
#[derive(Debug)]
pub struct ErrorCode;

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let meanings = Code::MEANINGS.iter().map(|(word, meaning)| format!("- `{word}`: {meaning}"));
        let description = format!(
            "What went wrong, in one word for programs. It never changes for the same error; there may be more one day.\n\n{}",
            meanings.collect::<Vec<_>>().join("\n")
        );
        let words: Vec<_> = Code::MEANINGS.iter().map(|(word, _)| *word).collect();
        of_words(&description, &words)
    }
}

impl ToSchema for ErrorCode {}

fn of_words(description: &str, words: &[&str]) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .description(Some(description.trim()))
        .enum_values(Some(words.iter().copied()))
        .examples(words.first().copied().map(Value::from))
        .into()
}
