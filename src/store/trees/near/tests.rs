//! What is near against a plain map, in random histories, and its bounds.

use super::*;
use proptest::prelude::*;

/// What happens to a tree and to what is known of it.
#[derive(Debug, Clone)]
enum Step {
    Write(Key, Option<u8>),
    Get(Key),
    First(Key, Option<Key>),
    Last(Key, Option<Key>),
    /// A read sees the tree now, and is learned after some more steps.
    Read(Key, Option<Key>),
    Learn,
    Shrink(usize),
}

fn key() -> impl Strategy<Value = Key> {
    prop::collection::vec(0..4_u8, 0..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let end = || prop::option::weighted(0.8, key());
    prop::collection::vec(
        prop_oneof![
            4 => (key(), prop::option::of(any::<u8>())).prop_map(|(key, value)| Step::Write(key, value)),
            3 => key().prop_map(Step::Get),
            3 => (key(), end()).prop_map(|(from, to)| Step::First(from, to)),
            3 => (key(), end()).prop_map(|(from, to)| Step::Last(from, to)),
            3 => (key(), end()).prop_map(|(from, to)| Step::Read(from, to)),
            3 => Just(Step::Learn),
            1 => (0..2000_usize).prop_map(Step::Shrink),
        ],
        1..120,
    )
}

type Tree = BTreeMap<Key, u8>;

fn rows(tree: &Tree, of: &Span) -> Vec<(Key, u8)> {
    if of.is_empty() {
        return Vec::new();
    }
    let to = of.to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    tree.range::<Key, _>((Bound::Included(&of.from), to)).map(|(key, value)| (key.clone(), *value)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..Default::default() })]
    #[test]
    fn what_is_known_is_what_lies_there(steps in steps()) {
        let (mut tree, mut near) = (Tree::new(), Near::<u8>::default());
        let mut reading = VecDeque::new();
        for step in steps {
            match step {
                Step::Write(key, value) => {
                    match value {
                        Some(value) => tree.insert(key.clone(), value),
                        None => tree.remove(&key),
                    };
                    near.write(key.clone(), value, 1);
                    prop_assert_eq!(near.get(&key), value.map_or(Known::Nothing, Known::Row));
                }
                Step::Get(key) => match near.get(&key) {
                    Known::Row(value) => prop_assert_eq!(tree.get(&key), Some(&value)),
                    Known::Nothing => prop_assert!(!tree.contains_key(&key)),
                    Known::No => {}
                },
                Step::First(from, to) => {
                    let span = Span { from, to };
                    let found = rows(&tree, &span);
                    match near.first(&span) {
                        Outer::Row(key, value) => prop_assert_eq!(found.first(), Some(&(key, value))),
                        Outer::None => prop_assert!(found.is_empty()),
                        Outer::In(part) => {
                            prop_assert!(!part.is_empty() && part.from >= span.from && part.to == span.to);
                            prop_assert_eq!(rows(&tree, &part), found);
                        }
                    }
                }
                Step::Last(from, to) => {
                    let span = Span { from, to };
                    let found = rows(&tree, &span);
                    match near.last(&span) {
                        Outer::Row(key, value) => prop_assert_eq!(found.last(), Some(&(key, value))),
                        Outer::None => prop_assert!(found.is_empty()),
                        Outer::In(part) => {
                            prop_assert!(!part.is_empty() && part.from == span.from);
                            prop_assert_eq!(rows(&tree, &part), found);
                        }
                    }
                }
                Step::Read(from, to) => {
                    let span = Span { from, to };
                    let read = near.begin();
                    reading.push_back((read, span.clone(), rows(&tree, &span)));
                }
                Step::Learn => {
                    let Some((read, span, found)) = reading.pop_front() else { continue };
                    near.learn(read, span.clone(), found.into_iter().map(|(k, v)| (k, v, 1)).collect());
                }
                Step::Shrink(bytes) => {
                    near.shrink(bytes);
                    prop_assert!(near.bytes <= bytes);
                }
            }
            let counted: usize = near.rows.values().map(|held| held.bytes).sum::<usize>()
                + near.known.iter().map(|(from, (to, _))| known_bytes(from, to)).sum::<usize>();
            prop_assert_eq!(counted, near.bytes);
            let spans: Vec<_> = near.known.iter().collect();
            for pair in spans.windows(2) {
                prop_assert!(pair[0].1.0.as_ref().is_some_and(|end| end < pair[1].0));
            }
            for key in near.rows.keys().cloned().collect::<Vec<_>>() {
                prop_assert!(near.known_at(&key).is_some());
            }
        }
        for (read, ..) in reading {
            near.give_up(read);
        }
        prop_assert!(near.written.is_empty() && near.reading.is_empty());
    }

    #[test]
    fn what_was_learned_is_known_if_nothing_was_let_go(
        rows_there in prop::collection::btree_map(key(), any::<u8>(), 0..20), from in key(), to in prop::option::of(key()),
    ) {
        let mut near = Near::default();
        let span = Span { from, to };
        let read = near.begin();
        let found = rows(&rows_there, &span);
        near.learn(read, span.clone(), found.iter().map(|(k, v)| (k.clone(), *v, 1)).collect());
        let mut rest = span.clone();
        for (key, value) in &found {
            prop_assert_eq!(near.first(&rest), Outer::Row(key.clone(), *value));
            rest.from = next(key);
        }
        prop_assert_eq!(near.first(&rest), Outer::None);
        prop_assert_eq!(near.last(&rest), Outer::None);
    }
}
