//! Which webhooks of an account want which events: by type, and by what their conditions compare. What stays true: what an
//! event costs depends on those that come into question for it, not on how many there are.

use std::collections::HashMap;

use crate::domain::condition::{Condition, Index, Node, Numbers};
use crate::domain::id::WebhookNumber;
use crate::domain::webhook::EventFilter;

/// The webhooks of an account, by the types that they want.
#[derive(Debug, Default)]
pub struct Wants {
    all: Bucket,
    exact: HashMap<String, Bucket>,
    /// By the start, up to a dot.
    prefix: HashMap<String, Bucket>,
}

/// Those that want the same types.
#[derive(Debug, Default)]
struct Bucket {
    /// Without a condition.
    sure: Numbers,
    /// With one that says nothing of where to look.
    asked: Numbers,
    /// With one that does.
    indexed: Index,
}

impl Wants {
    /// Enters a webhook.
    pub fn learn(&mut self, number: WebhookNumber, filters: &[EventFilter], condition: Option<&Condition>) {
        for filter in filters {
            let bucket = match filter {
                EventFilter::All => &mut self.all,
                EventFilter::Prefix(prefix) => self.prefix.entry(prefix.clone()).or_default(),
                EventFilter::Exact(exact) => self.exact.entry(exact.clone()).or_default(),
            };
            match condition {
                None => bucket.sure.insert(number),
                Some(condition) if bucket.indexed.insert(number, condition) => {}
                Some(_) => bucket.asked.insert(number),
            }
        }
    }

    /// Takes out a webhook that was entered so.
    pub fn forget(&mut self, number: WebhookNumber, filters: &[EventFilter], condition: Option<&Condition>) {
        for filter in filters {
            match filter {
                EventFilter::All => self.all.forget(number, condition),
                EventFilter::Prefix(prefix) => forget_in(&mut self.prefix, prefix, number, condition),
                EventFilter::Exact(exact) => forget_in(&mut self.exact, exact, number, condition),
            }
        }
    }

    /// Whether anybody wants events of this type.
    pub fn any(&self, event_type: &str) -> bool {
        self.buckets(event_type).any(|bucket| !bucket.is_empty())
    }

    /// Whether anybody wants them on a condition.
    pub fn has_conditions(&self, event_type: &str) -> bool {
        self.buckets(event_type).any(Bucket::has_conditions)
    }

    /// Whether nobody wants anything.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.exact.is_empty() && self.prefix.is_empty()
    }

    /// Those that want all events of this type, ascending.
    pub fn sure(&self, event_type: &str) -> Vec<WebhookNumber> {
        let mut numbers = Vec::new();
        self.buckets(event_type).for_each(|bucket| numbers.extend(bucket.sure.all()));
        sorted(numbers)
    }

    /// Those whose condition is to be asked about this event, ascending.
    pub fn to_be_asked(&self, event_type: &str, event: &Node<'_>) -> Vec<WebhookNumber> {
        let mut numbers = Vec::new();
        for bucket in self.buckets(event_type) {
            numbers.extend(bucket.asked.all());
            bucket.indexed.find(event, &mut numbers);
        }
        sorted(numbers)
    }

    fn buckets(&self, event_type: &str) -> impl Iterator<Item = &Bucket> {
        // What ends with a dot is not longer than the prefix that it is.
        let dots = event_type.bytes().enumerate().filter(|(at, byte)| *byte == b'.' && at + 1 < event_type.len());
        let prefixed = dots.filter_map(|(at, _)| self.prefix.get(&event_type[..=at]));
        [&self.all].into_iter().chain(self.exact.get(event_type)).chain(prefixed)
    }
}

impl Bucket {
    fn is_empty(&self) -> bool {
        self.sure.is_empty() && !self.has_conditions()
    }

    fn has_conditions(&self) -> bool {
        !self.asked.is_empty() || !self.indexed.is_empty()
    }

    fn forget(&mut self, number: WebhookNumber, condition: Option<&Condition>) {
        self.sure.remove(number);
        self.asked.remove(number);
        condition.into_iter().for_each(|condition| self.indexed.remove(number, condition));
    }
}

fn forget_in(
    buckets: &mut HashMap<String, Bucket>,
    filter: &str,
    number: WebhookNumber,
    condition: Option<&Condition>,
) {
    if let Some(bucket) = buckets.get_mut(filter) {
        bucket.forget(number, condition);
        if bucket.is_empty() {
            buckets.remove(filter);
        }
    }
}

/// A webhook may want a type for several reasons.
fn sorted(mut numbers: Vec<WebhookNumber>) -> Vec<WebhookNumber> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILTERS: [&str; 6] = ["*", "a.*", "a.b.*", "a", "a.b", "a.b.c"];
    const CONDITIONS: [&str; 5] =
        ["@.data.n == 1", "@.data.n == 2 || @.data.m == 1", "@.data.n > 0", "@.type == 'a.b'", "!(@.data.n == 1)"];

    fn filters(chosen: &[usize]) -> Vec<EventFilter> {
        chosen.iter().map(|index| EventFilter::parse(FILTERS[*index]).unwrap()).collect()
    }

    fn condition(index: usize) -> Option<Condition> {
        CONDITIONS.get(index).map(|text| Condition::parse(text).unwrap())
    }

    /// All that may want it: who is sure, and who is asked and whose condition holds.
    fn wanting(wants: &Wants, of: &dyn Fn(WebhookNumber) -> Condition, event_type: &str, data: &str) -> Vec<u32> {
        let json = format!(r#"{{"type":"{event_type}","data":{data}}}"#);
        let event = Node::read(json.as_bytes());
        let mut asked = wants.to_be_asked(event_type, &event);
        assert!(asked.is_empty() || wants.has_conditions(event_type));
        asked.retain(|number| of(*number).holds(&event, &mut crate::domain::condition::Steps::new(1000)).unwrap());
        let numbers = sorted([wants.sure(event_type), asked].concat());
        assert!(numbers.is_empty() || wants.any(event_type));
        numbers
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// However webhooks come, change and go, those are found whose filters and conditions say so.
        #[test]
        fn webhooks_are_found_by_what_they_want(
            changes in prop::collection::vec((0u32..8, prop::collection::vec(0..FILTERS.len(), 0..4), 0usize..8), 1..40),
            event_type in prop::sample::select(vec!["a", "a.b", "a.b.c", "b", "a.", "ab.c"]),
            data in prop::sample::select(vec!["{}", r#"{"n":1}"#, r#"{"n":2}"#, r#"{"m":1.0,"n":"1"}"#]),
        ) {
            let mut wants = Wants::default();
            let mut known: HashMap<u32, (Vec<EventFilter>, Option<Condition>)> = HashMap::new();
            for (number, chosen, of) in changes {
                if let Some((filters, condition)) = known.remove(&number) {
                    wants.forget(number, &filters, condition.as_ref());
                }
                let (filters, condition) = (filters(&chosen), condition(of));
                wants.learn(number, &filters, condition.as_ref());
                known.insert(number, (filters, condition));
                let of = |number: u32| known[&number].1.clone().unwrap();
                let json = format!(r#"{{"type":"{event_type}","data":{data}}}"#);
                let event = Node::read(json.as_bytes());
                let holds = |one: &Condition| one.holds(&event, &mut crate::domain::condition::Steps::new(1000)).unwrap();
                let wants_it = |(filters, one): &(Vec<EventFilter>, Option<Condition>)| {
                    filters.iter().any(|filter| filter.matches(event_type)) && one.as_ref().is_none_or(holds)
                };
                let mut expected: Vec<u32> = known.iter().filter(|(_, one)| wants_it(one)).map(|(n, _)| *n).collect();
                expected.sort_unstable();
                prop_assert_eq!(wanting(&wants, &of, event_type, data), expected);
            }
            for (number, (filters, condition)) in known {
                wants.forget(number, &filters, condition.as_ref());
            }
            prop_assert!(wants.is_empty());
        }
    }
}
