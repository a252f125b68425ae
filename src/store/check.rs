//! Whether a row can be read: asked before one is put aside, and of every row by the scrub.

use super::error::StoreError;
use super::keeping::Stood;
use super::key_mark::KeyMark;
use super::layout::{META_KEEPING, META_LAST_ACCOUNT, META_LAST_ID, META_LAST_WEBHOOK, Tree};
use super::record::{self, Idempotent};
use super::seal::MasterKeys;
use super::trees::Trees;
use super::{damage::Damage, event_rows, journal, rows};
use crate::domain::account::{Account, ApiKey};
use crate::domain::audit::AuditEntry;
use crate::domain::delivery::SealedAttempt;
use crate::domain::event_type::OwnType;
use crate::domain::job::Job;
use crate::domain::quiet::Quiet;
use crate::domain::session::Session;
use crate::domain::stats::AccountTally;
use crate::domain::tally::Tally;
use crate::domain::ticket::Ticket;
use crate::domain::user::User;
use crate::domain::webhook::Webhook;

/// An error says what is wrong with the value at this key, whose checksum fits. Of an event it is asked whether all of its
/// pieces are there, of a piece whether its event is, of what is due whether there is a delivery that waits for it.
pub fn check(trees: &Trees, keys: &MasterKeys, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    match tree {
        Tree::Accounts => record::read_grown::<Account>(tree, key, value).map(drop),
        Tree::Keys => record::read_grown::<ApiKey>(tree, key, value).map(drop),
        // One that another master key has sealed is whole, for all that can be told.
        Tree::Webhooks | Tree::Users
            if KeyMark::on(value).is_some_and(|mark| !keys.marks().any(|known| known == mark)) =>
        {
            Ok(())
        }
        Tree::Webhooks => keys.open::<Webhook>(tree, key, value).map(drop),
        Tree::Users => keys.open::<User>(tree, key, value).map(drop),
        Tree::Sessions => record::read_grown::<Session>(tree, key, value).map(drop),
        Tree::Tickets => record::read_grown::<Ticket>(tree, key, value).map(drop),
        Tree::Tallies => record::read_grown::<Tally>(tree, key, value).map(drop),
        Tree::Events => event_rows::whole_event(&|tree, key| trees.get(tree, key), key, value).map(drop),
        Tree::Bodies => event_rows::body_with_event(trees, key, value).map(drop),
        Tree::EventTypes => record::read_grown::<OwnType>(tree, key, value).map(drop),
        Tree::Names => rows::read_name(key, value).map(drop),
        Tree::Idempotency => record::read_grown::<Idempotent>(tree, key, value).map(drop),
        Tree::Fresh | Tree::Blocked | Tree::Waiting | Tree::Closed => rows::delivery_row(tree, key, value).map(drop),
        Tree::Attempts => record::read::<SealedAttempt>(tree, key, value).map(drop),
        Tree::FanOut => rows::part(key, value).map(drop),
        Tree::Ordered => has_bytes(&[0, 16], tree, key, value),
        Tree::Jobs => record::read_grown::<Job>(tree, key, value).map(drop),
        Tree::Stats => rows::counts(key, value).map(drop),
        Tree::AccountTallies => record::read_grown::<AccountTally>(tree, key, value).map(drop),
        Tree::Quiet => record::read_grown::<Quiet>(tree, key, value).map(drop),
        Tree::Journal => journal::read(key, value).map(drop),
        Tree::Audit => record::read_grown::<AuditEntry>(tree, key, value).map(drop),
        Tree::Meta if key == META_LAST_ID => rows::last(value).map(drop),
        Tree::Meta if [META_LAST_WEBHOOK, META_LAST_ACCOUNT].contains(&key) => has_bytes(&[4], tree, key, value),
        Tree::Meta if key == META_KEEPING => record::read_grown::<Stood>(tree, key, value).map(drop),
        Tree::Due if !rows::is_waited_for(trees, key)? => Err(Damage::at(tree, key, rows::NOT_WAITED_FOR).into()),
        Tree::Due | Tree::Replays | Tree::Dead => has_bytes(&[0], tree, key, value),
        Tree::Chunks if !event_rows::is_piece(trees, key)? => {
            Err(Damage::at(tree, key, "it is a piece of no event").into())
        }
        Tree::Meta | Tree::Chunks | Tree::Quarantine => Ok(()),
    }
}

fn has_bytes(lengths: &[usize], tree: Tree, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    if lengths.contains(&value.len()) { Ok(()) } else { Err(Damage::at(tree, key, "its length is wrong").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Dice;
    use crate::domain::id::{DeliveryId, EventId};
    use crate::store::bench::{Bench, in_memory, webhook};
    use crate::store::layout::{self, Key};
    use std::sync::Arc;
    use zeroize::Zeroizing;

    fn is_whole(tree: Tree, key: &[u8], value: &[u8]) -> bool {
        let trees = Trees::open(&in_memory(), Arc::default()).unwrap();
        check(&trees, &keys(&[1]), tree, key, value).is_ok()
    }

    fn keys(bytes: &[u8]) -> MasterKeys {
        MasterKeys::new(&bytes.iter().map(|byte| Zeroizing::new([*byte; 32])).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn each_row_of_meta_has_a_form_of_its_own() {
        let last_id = [0; 24];
        assert!(is_whole(Tree::Meta, META_LAST_ID, &last_id));
        assert!(!is_whole(Tree::Meta, META_LAST_ID, &last_id[..23]));
        for number in [META_LAST_WEBHOOK, META_LAST_ACCOUNT] {
            assert_eq!([3, 4, 5].map(|bytes| is_whole(Tree::Meta, number, &vec![1; bytes])), [false, true, false]);
        }
        let stood = record::encode(&1_800_000_000_000u64);
        assert!(is_whole(Tree::Meta, META_KEEPING, &stood) && !is_whole(Tree::Meta, META_KEEPING, &[9; 9]));
        assert!(is_whole(Tree::Meta, b"of a later build", &[9; 9]));
    }

    #[test]
    fn rows_without_a_record_are_known_by_their_length() {
        for tree in [Tree::Replays, Tree::Dead] {
            assert!(is_whole(tree, &[0; 20], &[]) && !is_whole(tree, &[0; 20], &[0]));
        }
        assert_eq!([0, 1, 16].map(|bytes| is_whole(Tree::Ordered, &[0; 28], &vec![1; bytes])), [true, false, true]);
    }

    #[test]
    fn what_belongs_to_another_row_is_whole_while_that_is_there() {
        let bench = Bench::new();
        let whole = |tree, key: &Key, value: &[u8]| check(&bench.trees(), &keys(&[1]), tree, key, value).is_ok();
        let (event, delivery) = (EventId(1 << 80), DeliveryId(1 << 80 | 7));
        let (due, piece) = (layout::due(5, delivery), layout::chunk(&layout::event(1, event), 0));
        assert!(!whole(Tree::Due, &due, &[]) && !whole(Tree::Chunks, &piece, &[1]));
        bench.put(Tree::Waiting, layout::delivery(delivery), vec![1]);
        bench.put(Tree::Events, layout::event(1, event), vec![0, 1, 1]);
        assert!(whole(Tree::Due, &due, &[]) && whole(Tree::Chunks, &piece, &[1]));
        assert!(!whole(Tree::Due, &due, &[1]));
        assert!(!whole(Tree::Chunks, &layout::chunk(&layout::event(1, event), 1), &[1]), "it has one further piece");
    }

    #[test]
    fn a_webhook_that_another_master_key_has_sealed_counts_as_whole() {
        let key = [0, 0, 0, 1];
        let sealed = |by| keys(&[by]).seal(Tree::Webhooks, &key, &webhook(), &mut Dice::seeded(1));
        let cut = |sealed: Vec<u8>| sealed[..40].to_vec();
        assert!(is_whole(Tree::Webhooks, &key, &sealed(1)) && is_whole(Tree::Webhooks, &key, &sealed(2)));
        assert!(!is_whole(Tree::Webhooks, &key, &cut(sealed(1))), "what its key is here for can be told");
        assert!(is_whole(Tree::Webhooks, &key, &cut(sealed(2))));
    }
}
