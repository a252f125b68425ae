//! The mirror in memory: who is found by what, whatever came and went.

use super::*;
use crate::domain::account::Scope;
use crate::domain::webhook::{EventFilter, Status};
use crate::store::bench;

#[test]
fn keys_whose_hashes_begin_alike_are_told_apart() {
    let (mut one, mut other) = ([7; 32], [7; 32]);
    (one[31], other[31]) = (1, 2);
    let key = |id| ApiKey {
        id: KeyId(id),
        account: 1,
        scopes: vec![Scope::Read],
        name: None,
        expires_at: None,
        created_at: 0,
        last_used_at: None,
    };
    let mut registry = Registry::default();
    assert!(!registry.has_keys());
    registry.put_key(one, key(1));
    registry.put_key(other, key(2));
    registry.put_key(other, ApiKey { last_used_at: Some(5), ..key(2) });
    assert_eq!(registry.key(&one).map(|key| key.id), Some(KeyId(1)));
    assert_eq!(registry.key(&other).map(|key| key.last_used_at), Some(Some(5)));
    assert_eq!(registry.key(&[7; 32]), None);
    assert_eq!((registry.keys_of(1).len(), registry.count_of_keys(1), registry.count_of_keys(2)), (2, 2, 0));
    assert_eq!(registry.hash_of_key(1, KeyId(2)), Some(other));
    registry.remove_key(&one);
    assert_eq!((registry.key(&one), registry.has_keys()), (None, true));
    registry.remove_key(&other);
    assert!(!registry.has_keys());
}

fn webhook(number: u128, events: &[&str]) -> Webhook {
    let events = events.iter().map(|filter| EventFilter::parse(filter).unwrap()).collect();
    Webhook { id: WebhookId(number), events, ..bench::webhook() }
}

#[test]
fn webhooks_are_counted_by_their_status_until_they_are_forgotten() {
    let mut registry = Registry::default();
    let counts = |registry: &Registry| {
        let counts = ["active", "paused", "deleted"].map(|word| registry.count_of_status(word));
        (counts, registry.webhooks_ever_of(1).collect::<Vec<_>>())
    };
    [1, 2, 3].into_iter().for_each(|number| registry.put_webhook(webhook(number, &["*"])));
    registry.put_webhook(Webhook { account: 2, ..webhook(4, &["*"]) });
    assert_eq!(counts(&registry), ([4, 0, 0], vec![1, 2, 3]));
    registry.put_webhook(Webhook { status: Status::Paused { since: 0 }, ..webhook(2, &["*"]) });
    registry.put_webhook(Webhook { status: Status::Deleted { since: 0 }, ..webhook(3, &["*"]) });
    assert_eq!(counts(&registry), ([2, 1, 0], vec![1, 2, 3]));
    [1, 2, 3].into_iter().for_each(|number| registry.remove_webhook(number));
    assert_eq!(counts(&registry), ([1, 0, 0], vec![]));
}

#[test]
fn webhooks_are_found_by_what_they_want_until_they_are_forgotten() {
    let mut registry = Registry::default();
    for (number, events) in [(1, ["*", "b"]), (2, ["task.*", "b"]), (3, ["task.new", "a"])] {
        registry.put_webhook(webhook(number, &events));
    }
    let wanting = |registry: &Registry| {
        ["task.new", "task", "task.", "b"].map(|event_type| {
            let sure =
                registry.question(1, (event_type, &[], Mode::Events), None).expect("there are no conditions").sure;
            assert_eq!(registry.any_wants(1, (event_type, &[], Mode::Events)), !sure.is_empty());
            sure
        })
    };
    assert_eq!(wanting(&registry), [vec![1, 2, 3], vec![1], vec![1], vec![1, 2]]);
    registry.remove_webhook(2);
    assert_eq!(wanting(&registry), [vec![1, 3], vec![1], vec![1], vec![1]]);
    registry.put_webhook(webhook(1, &["c"]));
    assert_eq!(wanting(&registry), [vec![3], vec![], vec![], vec![]]);
    registry.remove_webhook(3);
    assert_eq!(wanting(&registry), [[0; 0]; 4]);
}

#[test]
fn webhooks_are_found_by_their_own_ids_until_they_are_deleted() {
    let mut registry = Registry::default();
    let with = |number, account, uid: Option<&str>| Webhook {
        account,
        uid: uid.map(str::to_string),
        ..webhook(number, &["*"])
    };
    for one in [with(1, 1, Some("a")), with(2, 1, Some("b")), with(3, 2, Some("a"))] {
        registry.put_webhook(one);
    }
    let found = |registry: &Registry| {
        [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
            .map(|(account, uid)| registry.webhook_of_uid(account, uid).map_or(0, |webhook| webhook.number()))
    };
    assert_eq!(found(&registry), [1, 2, 3, 0]);
    registry.put_webhook(with(1, 1, None));
    assert_eq!(found(&registry), [0, 2, 3, 0]);
    registry.put_webhook(with(1, 1, Some("c")));
    registry.put_webhook(Webhook { status: Status::Deleted { since: 0 }, ..with(2, 1, None) });
    registry.put_webhook(with(4, 1, Some("b")));
    assert_eq!(found(&registry), [0, 4, 3, 0]);
    registry.remove_webhook(2);
    registry.remove_webhook(3);
    assert_eq!(found(&registry), [0, 4, 0, 0]);
}

#[test]
fn webhooks_of_a_dialect_are_counted() {
    let mut registry = Registry::default();
    (1..=3).for_each(|number| registry.put_webhook(webhook(number, &["*"])));
    let counted = |registry: &Registry| {
        let all = registry.count_of_webhooks(1);
        assert_eq!(all, registry.count_of_dialect(1, "standard"));
        (all, registry.dialects_of(1).count())
    };
    assert_eq!(counted(&registry), (3, 1));
    let left = [1, 2, 3].map(|number| {
        registry.remove_webhook(number);
        counted(&registry)
    });
    assert_eq!(left, [(2, 1), (1, 1), (0, 0)]);
}
