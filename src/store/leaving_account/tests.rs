//! Accounts that are deleted: nothing of them is served from that moment on, nothing is left in the end, and nothing of others
//! is touched.

use super::*;
use crate::domain::account::{Account, ApiKey, Scope};
use crate::domain::audit::{Actor, Deed};
use crate::domain::id::KeyId;
use crate::domain::retry::Next;
use crate::domain::webhook::Webhook;
use crate::store::bench::{Bench, START, event, in_memory, settlement, webhook};
use crate::store::handle::Store;
use crate::store::message::{Idempotency, NewEvent};
use crate::store::request::Load;
use crate::store::settings::Settings;

type Change = Box<dyn FnOnce(&mut Staging<'_>) -> Result<(), Refusal> + Send>;

/// Some of everything of an account: gives its number.
fn fill(bench: &mut Bench, id: &'static str) -> AccountNumber {
    let account = Account { id: id.into(), ..Store::default_account("standard") };
    let number = bench.now(|staging| staging.create_account(account)).number;
    let of = move || Webhook { account: number, ..webhook() };
    let webhooks = bench.now(move |staging| {
        for (n, scope) in [(number as u8, Scope::Read), (number as u8 + 100, Scope::Admin)] {
            let (scopes, key) = (vec![scope], [n; 32]);
            let (name, expires_at, last_used_at) = (None, None, None);
            let new = ApiKey { id: KeyId(0), account: number, scopes, name, expires_at, created_at: 0, last_used_at };
            staging.create_key(key, new)?;
        }
        staging.note_deed(Actor::default(), Deed::new(number, "webhook.changed", "it"));
        (0..3).map(|_| Ok(staging.create_webhook(of(), None)?.id)).collect::<Result<Vec<_>, Refusal>>()
    });
    for n in 0..90 {
        let long = vec![b'1'; if n == 7 { 3 * layout::VALUE_BYTES_MAX } else { 3 }];
        let new = NewEvent { name: Some(format!("n{n}")), data: long.into(), ..event() };
        let idempotency = Idempotency { key: [n; 32], fingerprint: [1; 32] };
        let id = bench.now(move |staging| staging.accept(number, vec![new], Some(idempotency)))[0].id;
        let delivery = |at: usize| id.delivery_to(webhooks[at].number());
        bench.store.settle(settlement(delivery(0), 1, START, Next::Succeeded));
        bench.store.settle(settlement(delivery(1), 1, START, Next::RetryAt(START + 500_000)));
    }
    bench.rest();
    let first = bench.store.fresh(webhooks[2].number(), None, 1).unwrap()[0].id;
    bench.settle(first, 1, Next::Dead);
    let of_it = webhooks[2];
    bench.now(move |staging| staging.replay(number, of_it, first));
    let gone = webhooks[0];
    bench.now(move |staging| staging.delete_webhook(number, gone));
    let source = Source::DeadLetters { webhook: None };
    let bulk = Bulk { account: number, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
    bench.now(move |staging| staging.create_job(bulk));
    bench.turn(60_000);
    number
}

/// All rows but those that are no account's.
fn rows(bench: &Bench) -> Vec<(Tree, Key, Vec<u8>)> {
    let of = |tree: Tree| {
        let rows = bench.trees().all(tree).map(|row| row.unwrap()).collect::<Vec<_>>();
        rows.into_iter().map(move |(key, value)| (tree, key.to_vec(), value.to_vec()))
    };
    let trees = Tree::ALL.into_iter().map(|(tree, _)| tree).filter(|tree| *tree != Tree::Meta);
    trees.flat_map(of).collect()
}

/// Deletes the account, up to the commit that says so.
fn delete(bench: &mut Bench, number: AccountNumber) -> Result<Job, Refusal> {
    let mut answer = bench.store.submit(move |staging| staging.delete_account(number)).unwrap();
    bench.committer.step();
    answer.try_recv().expect("the committer answers")
}

#[test]
fn nothing_is_left_of_it_and_nothing_of_others_is_touched_whatever_step_a_crash_comes_at() {
    for crash_every in [usize::MAX, 2, 3] {
        let mut bench = Bench::new();
        let other = fill(&mut bench, "other");
        let before = rows(&bench);
        let (kept, counted) = (bench.store.kept_bytes(), bench.store.totals());
        let gone = fill(&mut bench, "gone");
        let in_all = bench.store.totals();
        let job = delete(&mut bench, gone).unwrap();
        let mut steps = 0;
        while bench.committer.step() || !bench.store.is_open() {
            steps += 1;
            if steps % crash_every == 0 && steps < 300 {
                bench.committer.let_go();
            }
        }
        bench.turn(1000);
        let job = bench.store.job(1, job.id).unwrap().expect("the operator still sees it");
        // Upkeep, which looks at all anew after each crash, may forget a webhook before the job comes to it.
        let webhooks = if crash_every == usize::MAX { 3..=3 } else { 0..=3 };
        assert_eq!((job.state, job.skipped), (JobState::Done, 0), "after {steps} steps");
        assert!(webhooks.contains(&(job.done - 90)), "{} after {steps} steps", job.done);
        // What is the server's own: the sum over forgotten webhooks, the job, the account `default`.
        let is_own = |row: &(Tree, Key, Vec<u8>)| {
            let number = row.1.first_chunk().map(|number| u32::from_be_bytes(*number));
            (row.0 == Tree::Tallies && number == Some(0)) || (row.0 == Tree::Jobs && number == Some(1))
        };
        let left: Vec<_> = rows(&bench).into_iter().filter(|row| !is_own(row)).collect();
        let keys = |rows: &[(Tree, Key, Vec<u8>)]| rows.iter().map(|row| (row.0, row.1.clone())).collect::<Vec<_>>();
        assert_eq!(keys(&left), keys(&before.iter().filter(|row| !is_own(row)).cloned().collect::<Vec<_>>()));
        assert_eq!(bench.store.kept_bytes(), kept);
        assert_eq!(bench.events(other), 90);
        let totals = bench.store.totals();
        assert_eq!(
            (totals.deliveries, totals.succeeded, totals.dead),
            (in_all.deliveries, in_all.succeeded, in_all.dead)
        );
        assert_eq!(totals.open(), counted.open(), "what was open was cancelled");
        let registry = bench.store.registry();
        assert!(registry.account(gone).is_none() && registry.webhooks_ever_of(gone).next().is_none());
        assert!(registry.key(&[gone as u8; 32]).is_none() && registry.key(&[other as u8; 32]).is_some());
        drop(registry);
        let again = Account { id: "gone".into(), ..Store::default_account("standard") };
        assert!(bench.now(|staging| staging.create_account(again)).number > gone, "its id is free, its number is not");
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn from_the_commit_that_says_so_on_it_is_not_there_for_anybody() {
    let mut bench = Bench::new();
    let gone = fill(&mut bench, "gone");
    let job = delete(&mut bench, gone).unwrap();
    {
        let registry = bench.store.registry();
        assert!(registry.account_by_id("gone").is_none() && !registry.is_served(gone));
        assert_eq!(registry.accounts().map(|account| account.id.clone()).collect::<Vec<_>>(), ["default"]);
    }
    let mut refused = |change: Change, load| {
        let mut answer = bench.store.submit_for(load, change).unwrap();
        bench.committer.step();
        answer.try_recv().expect("the committer answers").unwrap_err()
    };
    let publish = move |staging: &mut Staging<'_>| staging.accept(gone, vec![event()], None).map(drop);
    assert_eq!(refused(Box::new(publish), Load::of(gone)), Refusal::NotFound("account"));
    let create = |staging: &mut Staging<'_>| {
        staging.create_account(Account { id: "gone".into(), ..Store::default_account("standard") }).map(drop)
    };
    assert_eq!(refused(Box::new(create), Load::default()), Refusal::AccountLeaving);
    let again = move |staging: &mut Staging<'_>| staging.delete_account(gone).map(drop);
    assert_eq!(refused(Box::new(again), Load::default()), Refusal::NotFound("account"));
    let stop = move |staging: &mut Staging<'_>| staging.cancel_job(1, job.id).map(drop);
    assert!(matches!(refused(Box::new(stop), Load::default()), Refusal::JobGoesOn(_)));
    bench.rest();
    assert_eq!(bench.store.job(1, job.id).unwrap().unwrap().state, JobState::Done);
    let mut late =
        bench.store.submit_for(Load::of(gone), move |staging| staging.accept(gone, vec![event()], None)).unwrap();
    bench.rest();
    assert_eq!(late.try_recv().unwrap(), Err(Refusal::NotFound("account")), "also once nothing is left");
}

#[test]
fn those_that_are_there_from_the_start_stay() {
    let mut bench = Bench::new();
    let operator = bench.operator("webhook.disabled");
    for (number, id) in [(1, "default"), (operator, "operator")] {
        assert_eq!(delete(&mut bench, number), Err(Refusal::AccountStays(id.into())));
        assert!(bench.store.registry().is_served(number));
    }
    assert_eq!(delete(&mut bench, 99), Err(Refusal::NotFound("account")));
}

#[test]
fn what_is_still_to_be_made_and_what_cannot_be_read_goes_too() {
    let mut bench = Bench::of(Settings { fan_out_max: 8, ..in_memory() });
    let gone = fill(&mut bench, "gone");
    bench.now(move |staging| {
        (0..100).try_for_each(|_| staging.create_webhook(Webhook { account: gone, ..webhook() }, None).map(drop))
    });
    let broken = bench.store.events(gone, crate::domain::walk::Walk::newest(1), None, |_| true).unwrap().rows[0].id;
    let closed = bench.keys(Tree::Closed)[0].clone();
    let damaged = [(Tree::Events, layout::event(gone, broken).to_vec()), (Tree::Closed, closed)];
    let bytes = |bench: &Bench| -> usize {
        damaged.iter().map(|(tree, key)| bench.trees().bytes_at(*tree, key).unwrap()).sum()
    };
    let whole = bytes(&bench);
    damaged.iter().for_each(|(tree, key)| bench.damage(*tree, key));
    // What lies there is shorter than what was counted.
    let missing = whole - bytes(&bench);
    let mut accepted = bench.store.accept(gone, vec![event()], None).unwrap();
    bench.committer.step();
    let id = accepted.try_recv().unwrap().unwrap()[0].id;
    assert!(bench.store.deliveries_to_come(gone, id).unwrap() > 0);
    delete(&mut bench, gone).unwrap();
    bench.rest();
    // A job that waits looks again a moment later.
    bench.turn(1000);
    let others = |row: &(Tree, Key, Vec<u8>)| {
        let own = [Tree::Accounts, Tree::AccountTallies, Tree::Jobs, Tree::Stats];
        !(own.contains(&row.0) || (row.0 == Tree::Tallies && row.1 == layout::number(0)))
    };
    let left: Vec<_> = rows(&bench).into_iter().filter(others).map(|row| (row.0, row.1)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(bench.store.soundness().quarantined.is_empty());
    assert_eq!(bench.store.kept_bytes(), missing as u64);
}
