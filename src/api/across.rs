//! What is asked across accounts, or of the server as a whole. It is asked here and nowhere else: today the node that is asked
//! knows all of it by itself; where several share the work, this is where they are asked together. What stays true: nothing here
//! is shown to anybody but the operator.

use std::sync::Arc;

use actix_web::web;

use crate::api::Api;
use crate::api::accounts::filter::AccountsFilter;
use crate::api::health::readiness::{Ready, readiness};
use crate::api::http::page::{Listed, Window};
use crate::api::http::problem::Problem;
use crate::domain::account::Account;
use crate::domain::tally::Totals;
use crate::domain::time::UnixMs;
use crate::domain::webhook::SHOWN_STATUSES;
use crate::domain::workload::{ThreadBusy, Workload};
use crate::store::{Page, StoreError};

/// Of an account with more webhooks, deleted ones included, a list does not say what is kept: it would take a read for each.
const SUMMED_WEBHOOKS_MAX: usize = 1_000;

/// A page of the accounts.
pub fn accounts(api: &Api, wanted: &AccountsFilter, window: Window) -> Listed<Arc<Account>> {
    let walk = window.walk();
    // A filter may take long, and the commit thread waits for whoever holds the registry.
    let all: Vec<_> = {
        let registry = api.store.registry();
        registry.accounts().filter(|account| walk.has(account.number.into())).cloned().collect()
    };
    Listed::from(Page::of_all(all.into_iter().filter(|one| wanted.wants(one)), walk, |account| account.number))
}

/// An account among others: what there is of it.
#[derive(Debug)]
pub struct AccountSummary {
    /// The account.
    pub account: Arc<Account>,
    /// Its webhooks.
    pub webhooks: usize,
    /// Its keys.
    pub keys: usize,
    /// New events of the day; `None`: see [`SUMMED_WEBHOOKS_MAX`].
    pub events_today: Option<u64>,
    /// Bytes that are kept of it; `None`: the same.
    pub kept_bytes: Option<u64>,
}

/// A page of the accounts, each with what there is of it.
pub fn summaries(api: &Api, wanted: &AccountsFilter, window: Window) -> Result<Listed<AccountSummary>, Problem> {
    let Listed { rows, next } = accounts(api, wanted, window);
    let rows: Result<_, StoreError> = rows.into_iter().map(|account| summary(api, account)).collect();
    Ok(Listed { rows: rows?, next })
}

fn summary(api: &Api, account: Arc<Account>) -> Result<AccountSummary, StoreError> {
    let number = account.number;
    let (webhooks, keys, is_summed) = {
        let registry = api.store.registry();
        let ever = registry.webhooks_ever_of(number).take(SUMMED_WEBHOOKS_MAX + 1).count();
        (registry.count_of_webhooks(number), registry.count_of_keys(number), ever <= SUMMED_WEBHOOKS_MAX)
    };
    let usage = if is_summed { Some(api.store.usage(number, api.clock.now())?) } else { None };
    let (events_today, kept_bytes) = (usage.map(|usage| usage.events_today), usage.map(|usage| usage.kept_bytes));
    Ok(AccountSummary { account, webhooks, keys, events_today, kept_bytes })
}

/// What there is of all accounts together.
#[derive(Debug)]
pub struct Everything {
    /// Accounts.
    pub accounts: usize,
    /// Webhooks by how they stand.
    pub webhooks: [(&'static str, usize); SHOWN_STATUSES.len()],
    /// What their counters come to.
    pub totals: Totals,
    /// Bytes that are kept.
    pub kept_bytes: u64,
}

/// Adds up all accounts, from sums that are held in memory.
pub fn everything(api: &Api) -> Everything {
    let (accounts, webhooks) = {
        let registry = api.store.registry();
        (registry.accounts().count(), SHOWN_STATUSES.map(|status| (status, registry.count_of_status(status))))
    };
    Everything { accounts, webhooks, totals: api.store.totals(), kept_bytes: api.store.kept_bytes() }
}

/// A machine that serves.
#[derive(Debug)]
pub struct Node {
    /// What runs there.
    pub version: &'static str,
    /// When it was started.
    pub started_at: UnixMs,
    /// Whether it is ready; else why not.
    pub ready: Result<Ready, Problem>,
    /// Requests and outcomes that wait for its commit thread.
    pub queue: (usize, usize),
    /// Deliveries of accepted events that are still to be made.
    pub to_come: u64,
    /// Connections to its API.
    pub connections: usize,
    /// Bytes of request bodies on their way, and how many there may be.
    pub bodies: (usize, usize),
    /// Calls that wait for deliveries that are pulled.
    pub polls: usize,
    /// What its sending side is busy with; its commit thread is among the threads.
    pub workload: Workload,
}

/// All machines that serve: this one.
pub fn nodes(api: &web::Data<Api>) -> Vec<Node> {
    // Whoever looks at the readiness asks the senders for a sign; so it goes before the look at the threads.
    let ready = readiness(api);
    let mut workload = api.outbound.workload();
    let pulse = api.store.pulse();
    let busy_ms = pulse.busy_for().map(|busy| busy.as_millis() as u64);
    workload.threads.insert(0, ThreadBusy { name: pulse.thread().into(), busy_ms });
    vec![Node {
        version: env!("CARGO_PKG_VERSION"),
        started_at: api.started_at,
        ready,
        queue: api.store.queue_depth(),
        to_come: api.store.all_deliveries_to_come(),
        connections: api.connections().counts().0,
        bodies: (api.bodies.held_bytes(), api.bodies.max()),
        polls: api.polls(),
        workload,
    }]
}
