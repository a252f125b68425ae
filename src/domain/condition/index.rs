//! Webhooks by what their conditions compare. Pure. Where a condition can hold only if some path leads to some value, as
//! in `@.data.tenant == "acme" && …`, its webhook stands behind that path and that value. So an event finds those that
//! come into question by its own values, however many webhooks compare the same path. What stays true: nobody is left
//! out that a condition holds for; whoever is found is still to be asked.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::form::{Operand, Path, Relation, Segment, Test};
use super::tree::Node;
use super::written::{CONDITION_BYTES_MAX, Condition};
use crate::domain::id::WebhookNumber;

/// Numbers of webhooks, ascending, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(Vec<WebhookNumber>);

impl Numbers {
    /// Adds one.
    pub fn insert(&mut self, number: WebhookNumber) {
        if let Err(at) = self.0.binary_search(&number) {
            self.0.insert(at, number);
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, number: WebhookNumber) {
        if let Ok(at) = self.0.binary_search(&number) {
            self.0.remove(at);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn all(&self) -> &[WebhookNumber] {
        &self.0
    }
}

/// A path that must lead to a value for a condition to hold.
type Key<'c> = (&'c Path, &'c Node<'static>);

/// Webhooks by paths and values.
#[derive(Debug, Default)]
pub struct Index {
    root: Place,
    hasher: RandomState,
}

/// The end of a path, and where it goes on.
#[derive(Debug, Default)]
struct Place {
    fields: HashMap<Box<str>, Place>,
    elements: HashMap<usize, Place>,
    /// By the hash of the value that must be here.
    values: HashMap<u64, Numbers>,
}

impl Index {
    /// Puts a webhook where its condition says; says whether it says so.
    pub fn insert(&mut self, number: WebhookNumber, condition: &Condition) -> bool {
        let Some(keys) = keys(&condition.0) else { return false };
        for choices in keys {
            // Behind what the fewest others stand behind.
            let rarest = choices.into_iter().min_by_key(|key| self.behind(key).map_or(0, <[_]>::len));
            let (path, value) = rarest.expect("there is one at least");
            let hash = self.hash(value).expect("a literal has one");
            self.root.make(&path.0).values.entry(hash).or_default().insert(number);
        }
        true
    }

    /// Takes out a webhook that was put there with this condition.
    pub fn remove(&mut self, number: WebhookNumber, condition: &Condition) {
        for (path, value) in keys(&condition.0).into_iter().flatten().flatten() {
            let hash = self.hash(value).expect("a literal has one");
            self.root.remove(&path.0, hash, number);
        }
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// Adds those that come into question for an event.
    pub fn find(&self, event: &Node<'_>, found: &mut Vec<WebhookNumber>) {
        self.find_below(&self.root, event, found);
    }

    /// All of them.
    pub fn all(&self, found: &mut Vec<WebhookNumber>) {
        self.root.all(found);
    }

    /// Goes along with the smaller of the two: what is here, or what somebody asks for.
    fn find_below(&self, place: &Place, node: &Node<'_>, found: &mut Vec<WebhookNumber>) {
        let here = self.hash(node).filter(|_| !place.values.is_empty()).and_then(|hash| place.values.get(&hash));
        found.extend(here.into_iter().flat_map(Numbers::all));
        match node {
            Node::Object(fields) if fields.len() < place.fields.len() => {
                for (name, value) in fields {
                    place.fields.get(name.as_ref()).into_iter().for_each(|next| self.find_below(next, value, found));
                }
            }
            Node::Object(_) => {
                for (name, next) in &place.fields {
                    node.field(name).into_iter().for_each(|value| self.find_below(next, value, found));
                }
            }
            Node::List(elements) if elements.len() < place.elements.len() => {
                for (index, value) in elements.iter().enumerate() {
                    place.elements.get(&index).into_iter().for_each(|next| self.find_below(next, value, found));
                }
            }
            Node::List(_) => {
                for (index, next) in &place.elements {
                    node.element(*index).into_iter().for_each(|value| self.find_below(next, value, found));
                }
            }
            _ => {}
        }
    }

    fn behind(&self, (path, value): &Key<'_>) -> Option<&[WebhookNumber]> {
        let place = path.0.iter().try_fold(&self.root, |place, segment| match segment {
            Segment::Field(name) => place.fields.get(name),
            Segment::Element(index) => place.elements.get(index),
            _ => None,
        });
        place?.values.get(&self.hash(value)?).map(Numbers::all)
    }

    /// The same for values that are equal. Those that no literal can equal have none.
    fn hash(&self, value: &Node<'_>) -> Option<u64> {
        match value {
            Node::Null => Some(self.hasher.hash_one(0u8)),
            Node::Bool(value) => Some(self.hasher.hash_one((1u8, value))),
            // As doubles; 0 and -0 are equal.
            Node::Number(number) => Some(self.hasher.hash_one((2u8, (number.as_f64()? + 0.0).to_bits()))),
            Node::Text(text) => (text.len() <= CONDITION_BYTES_MAX).then(|| self.hasher.hash_one((3u8, text.as_ref()))),
            Node::List(_) | Node::Object(_) => None,
        }
    }
}

impl Place {
    fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.elements.is_empty() && self.values.is_empty()
    }

    fn make(&mut self, path: &[Segment]) -> &mut Place {
        path.iter().fold(self, |place, segment| match segment {
            Segment::Field(name) => place.fields.entry(name.clone()).or_default(),
            Segment::Element(index) => place.elements.entry(*index).or_default(),
            Segment::Each | Segment::Slice { .. } => unreachable!("a key's path is single"),
        })
    }

    fn remove(&mut self, path: &[Segment], hash: u64, number: WebhookNumber) {
        match path.split_first() {
            None => {
                if let Some(numbers) = self.values.get_mut(&hash) {
                    numbers.remove(number);
                    if numbers.is_empty() {
                        self.values.remove(&hash);
                    }
                }
            }
            Some((Segment::Field(name), rest)) => {
                if let Some(next) = self.fields.get_mut(name) {
                    next.remove(rest, hash, number);
                    if next.is_empty() {
                        self.fields.remove(name);
                    }
                }
            }
            Some((Segment::Element(index), rest)) => {
                if let Some(next) = self.elements.get_mut(index) {
                    next.remove(rest, hash, number);
                    if next.is_empty() {
                        self.elements.remove(index);
                    }
                }
            }
            Some(_) => {}
        }
    }

    fn all(&self, found: &mut Vec<WebhookNumber>) {
        self.values.values().for_each(|numbers| found.extend(numbers.all()));
        self.fields.values().chain(self.elements.values()).for_each(|next| next.all(found));
    }
}

impl Condition {
    /// What its webhook stands behind, as texts such as `@.data.tenant == "acme"`: for each way in which it can hold, those of
    /// which one is chosen. None: it is asked about every event.
    pub fn index_keys(&self) -> Option<Vec<Vec<String>>> {
        let written = |(path, value): Key<'_>| format!("{path} == {value}");
        Some(keys(&self.0)?.into_iter().map(|way| way.into_iter().map(written).collect()).collect())
    }
}

/// For each way in which a condition can hold, the keys of which each must be there then; none if it can hold without
/// any.
fn keys(test: &Test) -> Option<Vec<Vec<Key<'_>>>> {
    match test {
        Test::Compare(Operand::At(path), Relation::Equal, Operand::Literal(value))
        | Test::Compare(Operand::Literal(value), Relation::Equal, Operand::At(path)) => Some(vec![vec![(path, value)]]),
        Test::Any(tests) => {
            let ways: Option<Vec<_>> = tests.iter().map(keys).collect();
            Some(ways?.concat())
        }
        // All of them hold, so it is enough to know the ways of one. Where several have one way only, it has the keys of
        // all of them.
        Test::All(tests) => {
            let of_each: Vec<_> = tests.iter().filter_map(keys).collect();
            let (single, mut several): (Vec<_>, Vec<_>) = of_each.into_iter().partition(|ways| ways.len() == 1);
            several.sort_by_key(Vec::len);
            if single.is_empty() { several.into_iter().next() } else { Some(vec![single.concat().concat()]) }
        }
        Test::Not(_) | Test::Exists(_) | Test::Compare(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Steps;
    use super::super::written::tests::{conditions, events};
    use super::*;
    use proptest::prelude::*;

    fn condition(text: &str) -> Condition {
        Condition::parse(text).unwrap()
    }

    fn found(index: &Index, event: &str) -> Vec<WebhookNumber> {
        let mut found = Vec::new();
        index.find(&Node::read(event.as_bytes()), &mut found);
        found.sort_unstable();
        found
    }

    #[test]
    fn webhooks_stand_behind_the_values_that_they_ask_for() {
        let mut index = Index::default();
        let texts = [
            "@.data.tenant == 'a'",
            "'b' == @.data.tenant && @.data.n > 1",
            "(@.data.tenant == 'a' || @.data.list[1] == 1.0) && @.type",
            "@.data.none == null",
            "@.data.kind == 'x' && @.data.tenant == 'c'",
            "@.data.kind == 'x' && @.data.tenant == 'd'",
        ];
        let all = texts.map(condition);
        for (number, condition) in (1..).zip(&all) {
            assert!(index.insert(number, condition));
        }
        for (event, numbers) in [
            (r#"{"data":{"tenant":"a"}}"#, vec![1, 3]),
            (r#"{"data":{"tenant":"b"}}"#, vec![2]),
            (r#"{"data":{"list":[2,1]}}"#, vec![3]),
            (r#"{"data":{"none":null}}"#, vec![4]),
            (r#"{"data":{}}"#, vec![]),
            (r#"{"data":{"kind":"x"}}"#, vec![5]),
            (r#"{"data":{"kind":"y","tenant":"d","x":1,"y":2}}"#, vec![6]),
        ] {
            assert_eq!(found(&index, event), numbers, "{event}");
        }
        for (number, condition) in (1..).zip(&all) {
            assert!(!index.is_empty());
            index.remove(number, condition);
        }
        assert!(index.is_empty());
    }

    #[test]
    fn it_is_told_behind_what_a_webhook_stands() {
        let keys = condition("@.data.a == 'x' && @['type'] == \"t\" || @.data.n[0] == 1").index_keys();
        let expected = vec![vec!["@.data.a == \"x\"", "@.type == \"t\""], vec!["@.data.n[0] == 1"]];
        assert_eq!(keys, Some(expected.into_iter().map(|way| way.into_iter().map(String::from).collect()).collect()));
        assert_eq!(condition("@.data.a > 1").index_keys(), None);
    }

    #[test]
    fn what_can_hold_without_a_value_has_no_place() {
        for text in
            ["@.a != 1", "!(@.a == 1)", "@.a == 1 || @.b", "@.a == @.b", "@.a[*] && @.b > 1", "length(@.a) == 1", "@.a"]
        {
            assert!(!Index::default().insert(1, &condition(text)), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn nobody_is_left_out(
            texts in prop::collection::vec(conditions(), 1..24),
            changed in prop::collection::vec(any::<bool>(), 24),
            events in prop::collection::vec(events(), 1..8),
        ) {
            let all: Vec<_> = texts.iter().filter_map(|text| Condition::parse(text).ok()).collect();
            let (mut index, mut placed) = (Index::default(), Vec::new());
            for (number, condition) in (1..).zip(&all) {
                if index.insert(number, condition) {
                    placed.push((number, condition));
                }
            }
            let (gone, left): (Vec<_>, Vec<_>) = placed.into_iter().partition(|(n, _)| changed[*n as usize - 1]);
            gone.iter().for_each(|(number, condition)| index.remove(*number, condition));
            for event in &events {
                let json = event.to_string();
                let event = Node::read(json.as_bytes());
                let holds = |condition: &Condition| condition.holds(&event, &mut Steps::new(1 << 32)).unwrap();
                let mut found = found(&index, &json);
                prop_assert!(found.iter().all(|number| left.iter().any(|(known, _)| known == number)));
                found.dedup();
                found.retain(|number| holds(&all[*number as usize - 1]));
                let expected: Vec<_> = left.iter().filter(|(_, one)| holds(one)).map(|(number, _)| *number).collect();
                prop_assert_eq!(found, expected, "{:?} of {}", texts, json);
            }
            left.iter().for_each(|(number, condition)| index.remove(*number, condition));
            prop_assert!(index.is_empty());
        }
    }
}
