//! Which keys a tree can have. What stays true: a key that fits has all the parts that `layout` reads from it, so nothing that
//! reads it can fail for its length.

use crate::store::layout::Tree;

const NUMBER: usize = 4;
const ID: usize = 16;
const TIME: usize = 8;
const HASH: usize = 32;

/// Whether a key is one of its tree, as far as its length tells.
pub fn fits(tree: Tree, key: &[u8]) -> bool {
    let bytes = key.len();
    match tree {
        Tree::Meta => !key.is_empty(),
        Tree::Quarantine => key.contains(&0),
        Tree::Accounts | Tree::Webhooks | Tree::Tallies | Tree::AccountTallies => bytes == NUMBER,
        Tree::Keys => bytes == HASH,
        Tree::Names | Tree::EventTypes | Tree::Quiet => bytes > NUMBER && std::str::from_utf8(&key[NUMBER..]).is_ok(),
        Tree::Idempotency | Tree::Tickets => bytes == NUMBER + HASH,
        Tree::Events
        | Tree::Fresh
        | Tree::Waiting
        | Tree::Closed
        | Tree::Blocked
        | Tree::Dead
        | Tree::Jobs
        | Tree::Audit
        | Tree::Bodies
        | Tree::Users => bytes == NUMBER + ID,
        Tree::Chunks => bytes == NUMBER + ID + 2,
        Tree::Due | Tree::Ordered => bytes == NUMBER + TIME + ID,
        Tree::Attempts => bytes == ID + 2,
        Tree::Replays => bytes == 2 * ID,
        Tree::Stats => bytes == 1 + NUMBER + 1 + TIME,
        Tree::FanOut => bytes == NUMBER + ID + NUMBER,
        Tree::Sessions => bytes == NUMBER + ID + HASH,
        Tree::Journal => bytes == ID,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{AuditId, BodyId, DeliveryId, EventId, JobId, UserId};
    use crate::domain::stats::{Series, Step};
    use crate::store::layout::{self as at, Key};

    #[test]
    fn each_key_that_is_made_fits_its_tree_and_one_that_is_shorter_does_not() {
        let (event, delivery, key) = (EventId(7), DeliveryId(8), [1; 32]);
        let made: Vec<(Tree, Key)> = vec![
            (Tree::Accounts, at::number(1).into()),
            (Tree::Keys, key.into()),
            (Tree::Names, at::name(1, "")),
            (Tree::EventTypes, at::event_type(1, "")),
            (Tree::Quiet, at::quiet(1, "")),
            (Tree::Idempotency, at::idempotency(1, &key)),
            (Tree::Tickets, at::ticket(1, &key)),
            (Tree::Events, at::event(1, event)),
            (Tree::Fresh, at::delivery(delivery)),
            (Tree::Dead, at::dead(1, delivery)),
            (Tree::Jobs, at::job(1, JobId(1))),
            (Tree::Audit, at::audit(1, AuditId(1))),
            (Tree::Bodies, at::body(1, BodyId(1))),
            (Tree::Users, at::user(UserId(1))),
            (Tree::Chunks, at::chunk(&at::event(1, event), 1)),
            (Tree::Due, at::due(5, delivery)),
            (Tree::Ordered, at::ordered(1, 5, delivery)),
            (Tree::Attempts, at::attempt(delivery, 2)),
            (Tree::Replays, at::replay(event, delivery)),
            (Tree::Stats, at::stats(Series::Account(1), Step::Minute, 5)),
            (Tree::FanOut, at::fan_out(&at::event(1, event), 3)),
            (Tree::Sessions, at::session(UserId(1), &key)),
            (Tree::Journal, at::journal(1)),
        ];
        for (tree, mut key) in made {
            let is_text = matches!(tree, Tree::Names | Tree::EventTypes | Tree::Quiet);
            assert_eq!(fits(tree, &key), !is_text, "{tree:?}: a text is never empty");
            key.push(b'a');
            assert_eq!(fits(tree, &key), is_text, "{tree:?}");
            key.truncate(3);
            assert!(!fits(tree, &key), "{tree:?}");
        }
    }
}
