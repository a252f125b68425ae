//! One outcome that cannot be recorded, in a group with others: they are recorded all the same, and its place in its lane is
//! free.

use std::sync::{Arc, Mutex};

use fail::FailScenario;
use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::retry::Next;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{
    self, Committer, Listener, Memory, NewEvent, Notice, Refusal, Settings, Settlement, Staging, Store,
};

use crate::life::event;

const START: u64 = 1_800_000_000_000;
const OUTCOMES: usize = 5;
/// More than there is work for.
const STEPS_MAX: usize = 1000;

/// Deliveries whose place is free.
#[derive(Default)]
struct Told(Mutex<Vec<DeliveryId>>);

impl Listener for Told {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().extend(notice.settled.iter().map(|settled| settled.delivery));
    }
}

#[track_caller]
fn rest(committer: &mut Committer) {
    assert!((0..STEPS_MAX).any(|_| !committer.step()), "it never comes to rest");
}

fn ask<T: Send + 'static>(
    store: &Store,
    committer: &mut Committer,
    change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
) -> T {
    let mut answer = store.submit(change).unwrap();
    rest(committer);
    answer.try_recv().expect("the committer answers").unwrap()
}

fn success(delivery: DeliveryId) -> Settlement {
    let summary = AttemptSummary { number: 1, started_at: START, duration_ms: 1, outcome: Outcome::Status(200) };
    let url = "https://example.com/".into();
    let attempt = Attempt {
        summary,
        url,
        request_headers: Default::default(),
        response_body: vec![],
        resent: false,
        trace: Default::default(),
    };
    let (next, disable, strain) = (Next::Succeeded, DisableRule::default(), Strain::Neutral);
    Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false }
}

#[test]
fn an_outcome_that_needs_a_page_which_cannot_be_read_keeps_no_other_of_its_group_from_being_recorded() {
    for unlucky in 0..OUTCOMES {
        let scenario = FailScenario::setup();
        let (clock, told) = (Clock::standing_at(START), Arc::new(Told::default()));
        let settings = Settings { memory: Some(Memory::default()), ..Settings::at("unused") };
        let (store, mut committer) = store::open(settings, clock, Dice::seeded(1)).unwrap();
        store.listen(told.clone());
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let webhook = Webhook::new(1, "standard", url, vec![EventFilter::parse("*").unwrap()]);
        ask(&store, &mut committer, |staging| staging.create_account(Store::default_account("standard")));
        let webhook = ask(&store, &mut committer, |staging| staging.create_webhook(webhook, None)).id;
        let events = vec![NewEvent { name: None, ..event("", 0) }; OUTCOMES];
        let events = ask(&store, &mut committer, move |staging| staging.accept(1, events, None));
        let ids: Vec<DeliveryId> = events.iter().map(|event| event.id.delivery_to(webhook.number())).collect();

        // In the group, and again alone.
        fail::cfg("store.outcome", &format!("{unlucky}*off->1*return->{unlucky}*off->1*return->off")).unwrap();
        ids.iter().for_each(|id| store.settle(success(*id)));
        rest(&mut committer);
        let states = ids.iter().map(|id| store.delivery(*id).unwrap().unwrap().state);
        let open: Vec<usize> = states.enumerate().filter(|(_, state)| state.is_open()).map(|(n, _)| n).collect();
        assert_eq!(open, [unlucky]);
        assert_eq!(store.delivery(ids[unlucky]).unwrap().unwrap().state, DeliveryState::Pending);
        let mut free = told.0.lock().unwrap().clone();
        free.sort_unstable();
        assert_eq!(free, ids, "each place once");
        // What nobody knows of it is made good when it is tried again.
        store.settle(success(ids[unlucky]));
        rest(&mut committer);
        assert_eq!(store.delivery(ids[unlucky]).unwrap().unwrap().state, DeliveryState::Succeeded);
        assert_eq!(store.tally(webhook.number()).unwrap().succeeded, OUTCOMES as u64);
        scenario.teardown();
    }
}
