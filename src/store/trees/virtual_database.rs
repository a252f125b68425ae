//! A database in memory, for tests that run thousands of nodes over it: what PostgreSQL is asked, answered by a map and a virtual clock. What
//! was asked can be long on its way, and a test can plant what would be wrong with its statements, to see whether it is found.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sled::IVec;

use super::database::{Beside, Called, Database, End, Found, Lasting, Node, Taken, Tenure, Told};
use super::lease::TERM;
use super::near::Span;
use super::placing::Placed;
use super::writes::Changes;
use crate::clock::Clock;
use crate::domain::time::UnixMs;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

/// Who asks so often for what another has, while no time passes, waits for ever.
const ASKED_IN_VAIN_MAX: usize = 1000;

/// A database; clones are the same one.
#[derive(Debug, Clone)]
pub struct VirtualDatabase(Arc<Mutex<Tables>>);

/// What can be wrong with the statements that it is asked, or with who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The rows of a group are written whoever owns them.
    NoFence,
    /// How long a lease lasts is told by the clock of the machine that asks.
    OwnTime,
    /// A lease is renewed that is over, and its owner's own time stands still while it is held up: [`Clock::up`] of another clock.
    LateRenewal,
}

/// Rows, or that there are none.
type Rows = Vec<(Tree, Key, Option<IVec>)>;

#[derive(Debug)]
struct Tables {
    /// What it shows.
    clock: Clock,
    /// By which leases last.
    leases: Clock,
    rows: Vec<BTreeMap<Key, IVec>>,
    nodes: BTreeMap<String, Standing>,
    owner: Option<String>,
    /// Who has taken the rows, in turn.
    tenures: Vec<Tenure>,
    /// What was asked and has not arrived, with when it does.
    on_the_way: Vec<(UnixMs, Asked)>,
    /// For so long the next group or renewal is on its way.
    held_up_ms: u64,
    /// It answers nothing at the moment.
    is_away: bool,
    flaw: Option<Flaw>,
    /// What lay where something was written that would be lost with the database, in turn; and the last group of its owner before.
    fleeting: Rows,
    lasting_group: Option<i64>,
    /// How often it has ended.
    ends: u64,
    /// Groups that lie behind one of a later owner.
    mixed: Vec<String>,
    in_vain: (UnixMs, usize),
    asked: usize,
}

/// A row of the nodes.
#[derive(Debug, Default)]
struct Standing {
    incarnation: i64,
    group: i64,
    until: UnixMs,
    is_dead: bool,
    address: String,
    seen: UnixMs,
}

/// A statement, by who asks it at what time of theirs.
#[derive(Debug)]
struct Asked {
    of: Tenure,
    own_wall: UnixMs,
    what: What,
}

#[derive(Debug)]
enum What {
    Renew,
    Write(i64, Lasting, Rows),
}

impl VirtualDatabase {
    /// An empty one, whose clock this is; and that by which leases last, which whoever lets much time pass need not turn as far.
    pub fn by(clock: Clock, leases: Clock) -> Self {
        let rows = vec![BTreeMap::new(); Tree::ALL.len()];
        let (nodes, owner, tenures, on_the_way, fleeting, mixed) = Default::default();
        let (held_up_ms, is_away, flaw, lasting_group, ends, in_vain, asked) = (0, false, None, None, 0, (0, 0), 0);
        let tables = Tables {
            clock,
            leases,
            rows,
            nodes,
            owner,
            tenures,
            on_the_way,
            held_up_ms,
            is_away,
            flaw,
            fleeting,
            lasting_group,
            ends,
            mixed,
            in_vain,
            asked,
        };
        Self(Arc::new(Mutex::new(tables)))
    }

    /// Plants a flaw.
    pub fn plant(&self, flaw: Flaw) {
        self.tables().flaw = Some(flaw);
    }

    /// The next group or renewal is so long on its way. Who asks waits for it, and turns the clock, for as long as they would wait.
    pub fn hold_up_next(&self, ms: u64) {
        self.tables().held_up_ms = ms;
    }

    /// Whether nothing would be lost if it ended now.
    pub fn is_synced(&self) -> bool {
        self.tables().lasting_group.is_none()
    }

    /// It ends, with what was not synced and all that is on the way, and is there again at once.
    pub fn end(&self) {
        let mut tables = self.tables();
        let before = std::mem::take(&mut tables.fleeting).into_iter().rev().collect();
        tables.put(before);
        if let (Some(group), Some(owner)) = (tables.lasting_group.take(), tables.owner.clone()) {
            tables.nodes.get_mut(&owner).expect("it has taken the rows").group = group;
        }
        tables.on_the_way.clear();
        tables.ends += 1;
    }

    /// It answers nothing, until it is said that it does.
    pub fn set_away(&self, is_away: bool) {
        self.tables().is_away = is_away;
    }

    /// Who has taken the rows, in turn: node and incarnation.
    pub fn owners(&self) -> Vec<(String, i64)> {
        self.tables().tenures.iter().map(|tenure| (tenure.node.clone(), tenure.incarnation)).collect()
    }

    /// Groups of one owner that were written after another had taken the rows, or that left out one, in words.
    pub fn mixed(&self) -> Vec<String> {
        self.arrived().mixed.clone()
    }

    /// How often it was asked for rows since this was asked last.
    #[cfg(test)]
    pub fn asked(&self) -> usize {
        std::mem::take(&mut self.tables().asked)
    }

    /// Connections from a machine with this clock.
    pub(super) fn connect(&self, clock: Clock) -> Connection {
        let ends = self.tables().ends;
        Connection { to: self.clone(), clock, ends, is_lost: AtomicBool::new(false) }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Whoever waits for ever panics, and lets go of what it has.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With all that has arrived by now.
    fn arrived(&self) -> MutexGuard<'_, Tables> {
        let mut tables = self.tables();
        let now = tables.leases.now();
        let (arrived, on_the_way) = std::mem::take(&mut tables.on_the_way).into_iter().partition(|(at, _)| *at <= now);
        tables.on_the_way = on_the_way;
        let mut arrived: Vec<_> = arrived;
        arrived.sort_by_key(|(at, _)| *at);
        for (at, asked) in arrived {
            tables.apply(at, asked);
        }
        tables
    }
}

impl Tables {
    /// Somebody waits for so long.
    fn pass(&self, ms: u64) {
        for clock in [&self.clock, &self.leases] {
            clock.turn_to(clock.now() + ms);
        }
    }

    /// What time counts for a lease.
    fn time(&self, now: UnixMs, own_wall: UnixMs) -> UnixMs {
        if self.flaw == Some(Flaw::OwnTime) { own_wall } else { now }
    }

    fn left_ms(&self, name: &str, time: UnixMs) -> i64 {
        self.nodes.get(name).filter(|node| !node.is_dead).map_or(0, |node| node.until as i64 - time as i64)
    }

    fn take(&mut self, node: &Called, told: Told, rests: bool, own_wall: UnixMs) -> Taken {
        let (now, name) = (self.leases.now(), &node.name);
        let time = self.time(now, own_wall);
        if let Some(by) = self.owner.clone() {
            let left_ms = self.left_ms(&by, time);
            if !told.may_take(name, (&by, left_ms)) {
                let count = if self.in_vain.0 == now { self.in_vain.1 + 1 } else { 0 };
                self.in_vain = (now, count);
                assert!(count < ASKED_IN_VAIN_MAX, "{name} waits for ever for what {by} has");
                let address = self.nodes[&by].address.clone();
                return Taken::Held { by, left_ms, address };
            }
        }
        let is_there = |(other, seen): (&String, &Standing)| other != name && now < seen.seen + 3_000;
        if let Some((to, _)) = self.nodes.iter().find(|(other, seen)| rests && is_there((other, seen))) {
            return Taken::Left { to: to.clone() };
        }
        let own = self.nodes.entry(name.clone()).or_default();
        if let Some(lost) = told.misses((own.incarnation, own.group)) {
            return lost;
        }
        if let Some(owner) = self.owner.as_ref().and_then(|owner| self.nodes.get_mut(owner)) {
            owner.is_dead = true;
        }
        let own = self.nodes.get_mut(name).expect("it was entered");
        (own.incarnation, own.is_dead, own.until) = (own.incarnation + 1, false, time + TERM.as_millis() as u64);
        (own.address, own.seen) = (node.address.clone(), now);
        let (incarnation, group) = (own.incarnation, own.group);
        self.sync();
        self.owner = Some(name.clone());
        self.tenures.push(Tenure { node: name.clone(), incarnation });
        Taken::Given { incarnation, group, wall: self.clock.now() }
    }

    /// At some time. Says whether it came from the owner.
    fn apply(&mut self, at: UnixMs, Asked { of, own_wall, what }: Asked) -> bool {
        let (time, flaw) = (self.time(at, own_wall), self.flaw);
        let node = self.nodes.get_mut(&of.node).expect("it has taken the rows before");
        let is_owner = node.incarnation == of.incarnation && !node.is_dead && node.until > time;
        let until = time + TERM.as_millis() as u64;
        match what {
            What::Renew if is_owner || flaw == Some(Flaw::LateRenewal) => {
                node.until = until;
                self.sync();
                true
            }
            What::Renew => false,
            What::Write(group, lasting, rows) => {
                let (is_owner, last) = (is_owner && node.group + 1 == group, node.group);
                if is_owner {
                    (node.until, node.group) = (until, group);
                }
                if is_owner || flaw == Some(Flaw::NoFence) {
                    let before = self.put(rows);
                    self.fleeting.extend(before);
                    self.lasting_group.get_or_insert(last);
                    if !is_owner || self.tenures.last() != Some(&of) {
                        self.mixed.push(format!("group {group} of {of:?}, and {:?} is the owner", self.tenures.last()));
                    }
                }
                if is_owner && lasting == Lasting::Answered {
                    self.sync();
                }
                is_owner
            }
        }
    }

    /// Gives what lay there before.
    fn put(&mut self, rows: Rows) -> Rows {
        let put = |(tree, key, value): (Tree, Key, Option<IVec>)| {
            let rows = &mut self.rows[tree as usize];
            let before = match value {
                Some(value) => rows.insert(key.clone(), value),
                None => rows.remove(&key),
            };
            (tree, key, before)
        };
        rows.into_iter().map(put).collect()
    }

    fn sync(&mut self) {
        self.fleeting.clear();
        self.lasting_group = None;
    }
}

/// Connections to a virtual database.
pub struct Connection {
    to: VirtualDatabase,
    /// Of the machine that asks.
    clock: Clock,
    /// How often it had ended before.
    ends: u64,
    is_lost: AtomicBool,
}

impl Connection {
    fn ask(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        if self.is_lost() {
            return Err(StoreError::Unavailable);
        }
        let tables = self.to.arrived();
        if tables.is_away { Err(StoreError::Io("the database: it is away".into())) } else { Ok(tables) }
    }

    /// Asks for rows.
    fn read(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let mut tables = self.ask()?;
        tables.asked += 1;
        Ok(tables)
    }

    /// Asks what may be long on its way.
    fn send(&self, of: &Tenure, what: What, within: Duration) -> Result<bool, StoreError> {
        let mut tables = self.ask()?;
        let held_up_ms = std::mem::take(&mut tables.held_up_ms);
        let (now, patience_ms) = (tables.leases.now(), within.as_millis() as u64);
        let asked = Asked { of: of.clone(), own_wall: self.clock.wall(), what };
        if held_up_ms <= patience_ms {
            tables.pass(held_up_ms);
            return Ok(tables.apply(now + held_up_ms, asked));
        }
        tables.pass(patience_ms);
        tables.on_the_way.push((now + held_up_ms, asked));
        self.is_lost.store(true, Ordering::Relaxed);
        Err(StoreError::Io("the database: it does not answer".into()))
    }
}

impl Database for Connection {
    fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed) || self.to.tables().ends > self.ends
    }

    fn take(&self, node: &Called, told: Told, rests: bool) -> Result<Taken, StoreError> {
        Ok(self.ask()?.take(node, told, rests, self.clock.wall()))
    }

    fn stand_by(&self, node: &Called) -> Result<(), StoreError> {
        let mut tables = self.ask()?;
        let now = tables.leases.now();
        let own = tables.nodes.entry(node.name.clone()).or_default();
        if own.is_dead || own.until < now {
            (own.address, own.seen) = (node.address.clone(), now);
        }
        Ok(())
    }

    fn row(&self, tree: Tree, key: &[u8], _: Duration) -> Result<Beside, StoreError> {
        let tables = self.read()?;
        let next = tables.rows[tree as usize].range(key.to_vec()..).next();
        Ok(match next {
            Some((at, value)) if at == key => Beside::Row(value.clone()),
            next => Beside::Nothing(next.map(|(at, _)| at.clone())),
        })
    }

    fn rows(&self, tree: Tree, span: &Span, end: End, count_max: usize, _: Duration) -> Result<Found, StoreError> {
        let tables = self.read()?;
        let behind = span.to.as_ref().and_then(|to| tables.rows[tree as usize].range(to.clone()..).next());
        let behind = behind.map(|(key, _)| key.clone());
        let from_there = tables.rows[tree as usize].range(span.from.clone()..);
        let before_end = |(key, _): &(&Key, &IVec)| span.to.as_ref().is_none_or(|to| *key < to);
        let owned = |(key, value): (&Key, &IVec)| (key.clone(), value.clone());
        let rows = match (end, &span.to) {
            (End::First, _) => from_there.take_while(before_end).take(count_max).map(owned).collect(),
            (End::Last, Some(to)) if *to <= span.from => Vec::new(),
            (End::Last, Some(to)) => {
                let there = tables.rows[tree as usize].range(span.from.clone()..to.clone());
                there.rev().take(count_max).map(owned).collect()
            }
            (End::Last, None) => from_there.rev().take(count_max).map(owned).collect(),
        };
        Ok(Found { rows, behind })
    }

    fn write(
        &self,
        of: &Tenure,
        group: i64,
        placed: &Placed<'_>,
        lasting: Lasting,
        within: Duration,
    ) -> Result<bool, StoreError> {
        let of_tree = |(tree, changes): (Tree, &Changes)| {
            let row = |(key, value): &(Key, Option<Vec<u8>>)| (tree, key.clone(), value.as_deref().map(IVec::from));
            changes.iter().map(row).collect::<Vec<_>>()
        };
        self.send(of, What::Write(group, lasting, placed.by_tree().flat_map(of_tree).collect()), within)
    }

    fn renew(&self, of: &Tenure, within: Duration) -> Result<bool, StoreError> {
        self.send(of, What::Renew, within)
    }

    fn leave(&self, of: &Tenure) -> Result<(), StoreError> {
        let mut tables = self.ask()?;
        let node = tables.nodes.get_mut(&of.node).expect("it has taken the rows before");
        node.is_dead |= node.incarnation == of.incarnation;
        tables.sync();
        Ok(())
    }

    fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let tables = self.ask()?;
        let now = tables.leases.now();
        let node = |(name, node): (&String, &Standing)| {
            let lease_ms = tables.left_ms(name, now).max(0) as u64;
            let is_owner = tables.owner.as_ref() == Some(name) && lease_ms > 0;
            let seen_ms = now.saturating_sub(node.seen);
            Node { name: name.clone(), address: node.address.clone(), is_owner, lease_ms, seen_ms }
        };
        Ok(tables.nodes.iter().map(node).collect())
    }

    fn size_bytes(&self) -> Result<u64, StoreError> {
        let bytes = |(key, value): (&Key, &IVec)| (key.len() + value.len()) as u64;
        Ok(self.ask()?.rows.iter().flat_map(|rows| rows.iter().map(bytes)).sum())
    }
}
