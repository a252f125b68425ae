//! How often a schema can look at one value, whatever the data. A reference that leads back into the schema is no harm while
//! each value is looked at a few times; where every level of the data is looked at twice as often as the one around it, a
//! hundred levels never end. So it is counted ahead, level by level, which parts can come to one value and how often: of all
//! fields that have different names, only one is the value.

use std::collections::BTreeMap;

use super::graph::Graph;
use crate::domain::json::DEPTH_MAX;

/// Checks that one value may take.
const CHECKS_MAX: u64 = 256;
/// Steps that may be taken on one value before the next level.
const STEPS_MAX: usize = 50;
/// What counting may cost: some milliseconds.
const COUNTING_STEPS_MAX: u64 = 1 << 21;

/// What a schema asks of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// How many checks it can take, at least one.
    pub of_value: u64,
    /// How many parts lead to one another on it.
    pub steps: usize,
}

/// How often each part is asked, by its rank.
type Asked = BTreeMap<usize, u64>;

impl Checks {
    /// Of a schema; an error says why it is refused.
    pub fn of(graph: &Graph<'_>) -> Result<Self, String> {
        let (rank, steps) = ranks(graph)?;
        let mut order = vec![0; rank.len()];
        rank.iter().enumerate().for_each(|(part, rank)| order[*rank] = part);
        let mut counter = Counter { graph, rank, order, left: COUNTING_STEPS_MAX };
        let start = counter.rank[0];
        let mut asked = counter.close(BTreeMap::from([(start, 1)]))?;
        let mut of_value = counter.weight(&asked)?;
        for _ in 0..DEPTH_MAX {
            let (next, most) = counter.inside(&asked)?;
            of_value = of_value.max(most);
            if next.is_empty() || next == asked {
                break;
            }
            asked = next;
        }
        Ok(Self { of_value, steps })
    }
}

/// A place for each part behind all that lead to it on the same value, and how many lead to one another so.
fn ranks(graph: &Graph<'_>) -> Result<(Vec<usize>, usize), String> {
    let parts = &graph.parts;
    let mut leading = vec![0_usize; parts.len()];
    parts.iter().flat_map(|part| &part.same).for_each(|to| leading[*to] += 1);
    let mut open: Vec<usize> = (0..parts.len()).filter(|part| leading[*part] == 0).collect();
    let (mut rank, mut steps, mut ranked) = (vec![0; parts.len()], vec![1_usize; parts.len()], 0);
    while let Some(part) = open.pop() {
        (rank[part], ranked) = (ranked, ranked + 1);
        for to in &parts[part].same {
            steps[*to] = steps[*to].max(steps[part] + 1);
            leading[*to] -= 1;
            if leading[*to] == 0 {
                open.push(*to);
            }
        }
    }
    if ranked < parts.len() {
        return Err("refers to itself without going into the data, so asking would never end".into());
    }
    let steps = steps.into_iter().max().unwrap_or(1);
    match steps <= STEPS_MAX {
        true => Ok((rank, steps)),
        false => {
            Err(format!("has more than {STEPS_MAX} parts that lead to one another on the same value; make it flatter"))
        }
    }
}

struct Counter<'g> {
    graph: &'g Graph<'g>,
    rank: Vec<usize>,
    /// The part of each rank.
    order: Vec<usize>,
    left: u64,
}

impl Counter<'_> {
    /// With all that asks the same value on.
    fn close(&mut self, mut open: Asked) -> Result<Asked, String> {
        let mut closed = Asked::new();
        while let Some((rank, times)) = open.pop_first() {
            let graph = self.graph;
            for to in &graph.parts[self.order[rank]].same {
                self.step()?;
                add(&mut open, self.rank[*to], times);
            }
            closed.insert(rank, times);
        }
        Ok(closed)
    }

    /// What can come to one value inside of one that is asked so, and the most checks that it can take.
    fn inside(&mut self, asked: &Asked) -> Result<(Asked, u64), String> {
        let (mut items, mut any) = (Asked::new(), Asked::new());
        let mut fields: BTreeMap<&str, Asked> = BTreeMap::new();
        for (rank, times) in asked {
            let graph = self.graph;
            let part = &graph.parts[self.order[*rank]];
            for to in &part.items {
                self.step()?;
                add(&mut items, self.rank[*to], *times);
            }
            for to in &part.any_field {
                self.step()?;
                add(&mut any, self.rank[*to], *times);
            }
            for (name, to) in &part.fields {
                self.step()?;
                add(fields.entry(name).or_default(), self.rank[*to], *times);
            }
        }
        let (items, any) = (self.close(items)?, self.close(any)?);
        let of_any = self.weight(&any)?;
        let (mut of_field, mut most) = (Asked::new(), self.weight(&items)?.max(of_any));
        for named in fields.into_values() {
            let named = self.close(named)?;
            most = most.max(bounded(of_any + self.weight(&named)?)?);
            most_of(&mut of_field, named);
        }
        any.into_iter().for_each(|(rank, times)| add(&mut of_field, rank, times));
        most_of(&mut of_field, items);
        Ok((of_field, most))
    }

    fn weight(&mut self, asked: &Asked) -> Result<u64, String> {
        let mut weight = 0_u64;
        for (rank, times) in asked {
            self.step()?;
            weight = weight.saturating_add(times.saturating_mul(self.graph.parts[self.order[*rank]].weight));
        }
        bounded(weight)
    }

    fn step(&mut self) -> Result<(), String> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or("is so intricate that nobody can say how long asking takes; make it simpler")?;
        Ok(())
    }
}

fn bounded(checks: u64) -> Result<u64, String> {
    match checks <= CHECKS_MAX {
        true => Ok(checks),
        false => Err(format!(
            "can ask one value in the data more than {CHECKS_MAX} things; let fewer of its parts (allOf, anyOf, oneOf, \
             references) lead to the same value, and shorten long lists of choices"
        )),
    }
}

fn add(asked: &mut Asked, rank: usize, times: u64) {
    let before = asked.entry(rank).or_default();
    *before = before.saturating_add(times);
}

/// Of each part the more of both.
fn most_of(asked: &mut Asked, others: Asked) {
    for (rank, times) in others {
        let before = asked.entry(rank).or_default();
        *before = (*before).max(times);
    }
}
