//! What a group stages is seen by what follows in it.

use super::*;
use crate::store::bench::Bench;

#[test]
fn a_group_knows_what_it_has_staged() {
    let mut bench = Bench::new();
    bench.put(Tree::Names, vec![7, 1], vec![1; 16]);
    bench.now(|staging| {
        assert!(!staging.is_staged(Tree::Names, &[7, 1]));
        assert_eq!(staging.bytes_at(Tree::Names, &[7, 1]), Ok(2 + 16));
        for (tree, key) in [(Tree::Names, [7, 1]), (Tree::Names, [7, 2]), (Tree::Names, [8, 1])] {
            staging.stage(tree, key.to_vec(), Some(vec![1; 3]));
        }
        assert!(staging.is_staged(Tree::Names, &[7, 1]));
        assert_eq!(staging.bytes_at(Tree::Names, &[7, 1]), Ok(2 + 3));
        staging.stage(Tree::Names, vec![7, 1], None);
        assert!(staging.is_staged(Tree::Names, &[7, 1]));
        assert_eq!(staging.bytes_at(Tree::Names, &[7, 1]), Ok(0));
        assert_eq!(staging.staged_keys(Tree::Names, &[7]).collect::<Vec<_>>(), [&[7, 2]]);
        Ok(())
    });
}
