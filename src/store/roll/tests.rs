//! What is packed comes out as it went in, whatever came and went before.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::disable::{After, DisableRule};
use crate::domain::notice::Notices;
use crate::domain::order::{KeyPath, OnDead, Order};
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::RetrySchedule;
use crate::domain::secret::{DataKey, Secret, SigningSecret};
use crate::domain::webhook::{EventFilter, Mode, Ownership, Status};
use crate::store::bench;

/// A webhook of this number, with much or little set, and of any status.
fn any_webhook(number: u32) -> impl Strategy<Value = Webhook> {
    let status = prop_oneof![
        Just(Status::Active),
        Just(Status::Paused { since: 5 }),
        Just(Status::Disabled { since: 6, reason: "gone".into(), probe_at: Some(7) }),
        Just(Status::Deleted { since: 8 }),
    ];
    let texts = (prop::option::of("[a-zé]{0,300}"), prop::option::of("[a-z]{1,9}"), "[a-z]{1,40}");
    (0u32..3, status, texts, prop::collection::vec("[a-z]{1,9}", 0..4), any::<bool>()).prop_map(
        move |(account, status, (name, uid, secret), words, full)| {
            let mut webhook = Webhook { account, status, name, uid, ..bench::webhook() };
            webhook.id = WebhookId(u128::from(account) << 96 | u128::from(number));
            webhook.events = words.iter().map(|word| EventFilter::Exact(word.clone())).collect();
            webhook.secrets = vec![SigningSecret { secret: Secret::new(secret), until: full.then_some(9) }];
            if full {
                webhook.headers = words.iter().map(|word| (word.clone(), word.clone())).collect();
                webhook.metadata = words.iter().map(|word| (word.clone(), String::new())).collect();
                (webhook.tags, webhook.channels) = (words.clone(), words);
                webhook.rate_limit = Some(RateLimit { per_second: None, per_minute: Some(3), burst: 4 });
                webhook.retry = Some(RetrySchedule { delay_seconds: vec![1, 2], jitter_percent: 5 });
                webhook.ownership = Ownership::Again { reason: "moved".into() };
                webhook.order = Some(Order { key: KeyPath::parse("data.id").ok(), on_dead: OnDead::Hold });
                webhook.disable = Some(DisableRule {
                    gone: true,
                    after: After::default(),
                    consecutive_failures: Some(2),
                    failing_seconds: None,
                    probe_after_seconds: Some(3),
                });
                webhook.allow = vec!["10.0.0.0/8".parse().expect("a network")];
                webhook.attempts_key = Some(DataKey::new([7; 32]));
                webhook.notices = Some(Notices::default());
                (webhook.mode, webhook.resumes_at) = (Mode::Pull, Some(1));
            }
            webhook
        },
    )
}

/// A webhook that is put there, or the number of one that is taken out.
fn change() -> impl Strategy<Value = Result<Webhook, u32>> {
    (1u32..8).prop_flat_map(|number| prop_oneof![3 => any_webhook(number).prop_map(Ok), 1 => Just(Err(number))])
}

fn seen(roll: &Roll, number: WebhookNumber) -> Option<Webhook> {
    roll.get(number).map(|webhook| (*webhook).clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However webhooks come, change and go, and whoever was looked at meanwhile, the roll is what a plain map would be.
    #[test]
    fn the_roll_is_what_was_put_there(
        changes in prop::collection::vec((change(), prop::option::of(1u32..8)), 1..30),
        from in 0u32..8,
    ) {
        let (mut roll, mut known) = (Roll::default(), BTreeMap::<u32, Webhook>::new());
        for (change, looked_at) in changes {
            match change {
                Ok(webhook) => {
                    // No webhook ever goes to another account.
                    roll.remove(webhook.number());
                    known.insert(webhook.number(), webhook.clone());
                    roll.put(webhook);
                }
                Err(number) => {
                    roll.remove(number);
                    known.remove(&number);
                }
            }
            if let Some(number) = looked_at {
                prop_assert_eq!(seen(&roll, number), known.get(&number).cloned());
            }
        }
        for number in 1..8 {
            let webhook = known.get(&number);
            prop_assert_eq!(seen(&roll, number), webhook.cloned());
            prop_assert_eq!(roll.account_of(number), webhook.map(|webhook| webhook.account));
            prop_assert_eq!(roll.has_order(number), webhook.is_some_and(|webhook| webhook.order.is_some()));
            prop_assert_eq!(roll.id_of(number), webhook.map(|webhook| webhook.id));
            prop_assert_eq!(roll.is_there(number), webhook.is_some_and(|webhook| !webhook.is_deleted()));
        }
        prop_assert!(roll.all().map(|webhook| (*webhook).clone()).eq(known.values().cloned()));
        let behind = || known.values().filter(|webhook| webhook.number() >= from);
        let is_held = |webhook: &&Webhook| !webhook.is_active() && !webhook.is_deleted();
        let numbers = |all: Vec<&Webhook>| all.into_iter().map(Webhook::number).collect::<Vec<_>>();
        let held: Vec<_> = roll.held_from(from).map(|webhook| webhook.number()).collect();
        prop_assert_eq!(held, numbers(behind().filter(is_held).collect()));
        let deleted: Vec<_> = roll.deleted_from(from).collect();
        prop_assert_eq!(deleted, numbers(behind().filter(|webhook| webhook.is_deleted()).collect()));
        for account in 0..3 {
            let own = || behind().filter(|webhook| webhook.account == account);
            prop_assert_eq!(roll.ever_of(account, from).collect::<Vec<_>>(), numbers(own().collect()));
            let there: Vec<_> = own().filter(|webhook| !webhook.is_deleted()).map(|webhook| webhook.id).collect();
            prop_assert_eq!(roll.ids_of(account, from).collect::<Vec<_>>(), there.clone());
            prop_assert_eq!(roll.of(account, from).map(|webhook| webhook.id).collect::<Vec<_>>(), there);
            for active in [false, true] {
                let is_so = |webhook: &&Webhook| {
                    webhook.account == account && !webhook.is_deleted() && webhook.is_active() == active
                };
                let of_kind: Vec<_> = roll.of_kind(account, active).map(|webhook| webhook.number()).collect();
                prop_assert_eq!(of_kind, numbers(known.values().filter(is_so).collect()));
            }
        }
    }
}

#[test]
fn of_very_many_webhooks_few_are_unpacked() {
    let mut roll = Roll::default();
    let all = 2 * UNPACKED_MAX as u32;
    (1..=all).for_each(|number| roll.put(Webhook { id: WebhookId(number.into()), ..bench::webhook() }));
    assert_eq!(roll.unpacked.len(), 0, "nobody has asked for one");
    assert!((1..=all).all(|number| roll.get(number).is_some_and(|webhook| webhook.number() == number)));
    assert!(roll.unpacked.len() <= UNPACKED_MAX);
    let before = roll.unpacked.len();
    assert_eq!(roll.all().count(), all as usize);
    assert_eq!(roll.unpacked.len(), before, "a look at all of them keeps none");
}
