//! How jobs and dry runs are shown.

use serde::Serialize;

use crate::api::http::list::ListRow;
use crate::api::openapi::words::{JobKind, JobSource, JobState, WebhookStatus};
use crate::domain::job::{Job, Source};
use crate::domain::selection::WebhookSelection;
use crate::domain::time;
use crate::domain::webhook::EventFilter;
use crate::store::Store;

/// A bulk job, and how far it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// What it does.
    #[schema(value_type = JobKind)]
    pub kind: &'static str,
    /// What it looks at.
    #[schema(value_type = JobSource)]
    pub of: &'static str,
    /// How far it is.
    #[schema(value_type = JobState)]
    pub state: &'static str,
    /// The one webhook that it looks at, if it is one.
    pub webhook_id: Option<String>,
    /// The account that it deletes, if it does.
    pub account_id: Option<String>,
    /// The event that it delivers again, or broadcasts: that one is the account's `operator`.
    pub event_id: Option<String>,
    /// The tag of the accounts that it broadcasts to, where one was asked for.
    pub tag: Option<String>,
    /// How many accounts it broadcasts to, as they were when it was asked for.
    pub accounts: Option<u64>,
    /// How many ids it was given, where it was.
    pub ids: Option<u64>,
    /// Which webhooks it deletes, where that is not said by ids.
    pub selection: Option<SelectedWebhooks>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    pub event_type: Option<String>,
    /// Only what was made at this time or later.
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Only what was made before this time.
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// Rows that it has looked at.
    pub examined: u64,
    /// Deliveries that it has replayed, made or discarded; events or webhooks that it has deleted, events that it has purged; of an
    /// account, events and webhooks; accounts that got what it broadcasts.
    pub done: u64,
    /// What was asked for and could not be done: there is nothing of an id that was named, the event or its payload is no longer
    /// kept, the webhook was deleted, somebody was faster, or an account has another event under the `id` of a broadcast.
    pub skipped: u64,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it ended; null before.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
}

/// Webhooks of an account: those of which all holds that is said here.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SelectedWebhooks {
    /// Whether it is every webhook that there was, and nothing else is said.
    pub all: bool,
    /// What stands in their URL, in lower case; for keys that may manage, since a URL can be a secret.
    pub url: Option<String>,
    /// What stands in their name, in lower case.
    pub name: Option<String>,
    /// They want events of this type.
    pub event_type: Option<String>,
    /// Their deliveries go out, or do not, so.
    #[schema(value_type = Option<WebhookStatus>)]
    pub status: Option<String>,
    /// They are of this dialect.
    pub dialect: Option<String>,
    /// It is the one of this own id.
    pub uid: Option<String>,
    /// They have this tag.
    pub tag: Option<String>,
    /// They are of this channel.
    pub channel: Option<String>,
}

/// What a bulk call would do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DryRun)]
pub struct CountView {
    /// What would be replayed, made, discarded, deleted, purged or reached.
    pub count: u64,
    /// What is asked for and could not be done.
    pub skipped: u64,
    /// Rows that were looked at, at most 1,000,000.
    pub examined: u64,
    /// False where there are more rows than that: then the count is of those that were looked at.
    pub complete: bool,
}

impl ListRow for JobView {}

impl JobView {
    /// The same for a key that may read and not manage.
    pub fn for_reader(mut self) -> Self {
        if let Some(selection) = &mut self.selection {
            selection.url = None;
        }
        self
    }
}

fn selected(selection: &WebhookSelection) -> SelectedWebhooks {
    let all = selection.is_open();
    let WebhookSelection { url, name, event_type, status, dialect, uid, tag, channel } = selection.clone();
    SelectedWebhooks { all, url, name, event_type, status, dialect, uid, tag, channel }
}

pub fn view(store: &Store, job: &Job) -> JobView {
    let registry = store.registry();
    let webhook = job.bulk.source.webhook().and_then(|number| registry.webhook(number));
    let broadcast = if let Source::Accounts(broadcast) = &job.bulk.source { Some(broadcast) } else { None };
    let event = match &job.bulk.source {
        Source::Audience { event } => Some(*event),
        _ => broadcast.map(|broadcast| broadcast.event),
    };
    JobView {
        id: job.id.to_string(),
        kind: job.bulk.kind.word(),
        of: job.bulk.source.word(),
        state: job.state.word(),
        webhook_id: webhook.map(|webhook| webhook.id.to_string()),
        account_id: if let Source::Account { id, .. } = &job.bulk.source { Some(id.clone()) } else { None },
        event_id: event.map(|event| event.to_string()),
        tag: broadcast.and_then(|broadcast| broadcast.tag.clone()),
        accounts: broadcast.map(|broadcast| broadcast.accounts),
        ids: job.ids(),
        selection: if let Source::Webhooks(selection) = &job.bulk.source { Some(selected(selection)) } else { None },
        event_type: job.bulk.event_type.as_ref().map(EventFilter::to_string),
        from: job.bulk.from.map(time::rfc3339),
        to: job.bulk.to.map(time::rfc3339),
        examined: job.examined,
        done: job.done,
        skipped: job.skipped,
        created_at: time::rfc3339(job.created_at),
        ended_at: job.ended_at.map(time::rfc3339),
    }
}
