//! What is counted of each account since the start, where that is switched on. What stays true: no more accounts have
//! counters of their own than are to have; all that come later share those of "other", so no tenant makes the page grow.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use super::page::Page;
use crate::domain::id::AccountNumber;

/// The label of all that have no counters of their own.
const OTHER: &str = "other";

/// Counters of one account.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
}

/// The counters of all.
#[derive(Debug, Default)]
pub struct ByAccount {
    max: usize,
    of: RwLock<HashMap<AccountNumber, Arc<Counters>>>,
    others: Arc<Counters>,
}

impl ByAccount {
    /// For so many accounts; 0: nothing is counted.
    pub fn new(max: usize) -> Self {
        Self { max, ..Self::default() }
    }

    /// Counts accepted events.
    pub fn accepted(&self, account: AccountNumber, events: u64) {
        self.add(account, |counters| &counters.accepted, events);
    }

    /// Counts an attempt, and whether it was the end of a delivery that is dead now.
    pub fn attempted(&self, account: AccountNumber, success: bool, is_dead: bool) {
        self.add(account, |counters| if success { &counters.succeeded } else { &counters.failed }, 1);
        if is_dead {
            self.add(account, |counters| &counters.dead, 1);
        }
    }

    fn add(&self, account: AccountNumber, which: impl Fn(&Counters) -> &AtomicU64, count: u64) {
        if self.max > 0 && count > 0 {
            which(&self.counters(account)).fetch_add(count, Ordering::Relaxed);
        }
    }

    fn counters(&self, account: AccountNumber) -> Arc<Counters> {
        if let Some(known) = self.of.read().expect("no holder panics").get(&account) {
            return known.clone();
        }
        let mut of = self.of.write().expect("no holder panics");
        let is_full = of.len() >= self.max;
        match of.get(&account) {
            Some(known) => known.clone(),
            None if is_full => self.others.clone(),
            None => of.entry(account).or_default().clone(),
        }
    }

    /// Puts them onto the page, by the accounts' ids; of one whose id nobody knows any more nothing.
    pub fn show(&self, page: &mut Page, id: impl Fn(AccountNumber) -> Option<String>) {
        if self.max == 0 {
            return;
        }
        // Who asks for ids takes another lock: never within this one, for which those wait who count.
        let known: Vec<(AccountNumber, Arc<Counters>)> = {
            let of = self.of.read().expect("no holder panics");
            of.iter().map(|(number, counters)| (*number, counters.clone())).collect()
        };
        let mut rows: Vec<(String, Arc<Counters>)> =
            known.into_iter().filter_map(|(number, counters)| Some((id(number)?, counters))).collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        // An account of that very id cannot be told from all others; its counters would stand there twice.
        rows.retain(|(id, _)| id != OTHER);
        rows.push((OTHER.into(), self.others.clone()));
        type Which = fn(&Counters) -> &AtomicU64;
        let families: [(&str, &str, Which); 4] = [
            ("hookwheel_account_events_total", "Events accepted of an account.", |of| &of.accepted),
            ("hookwheel_account_succeeded_total", "Attempts of an account that went well.", |of| &of.succeeded),
            ("hookwheel_account_failed_total", "Attempts of an account that failed.", |of| &of.failed),
            ("hookwheel_account_dead_total", "Deliveries of an account that used up their retries.", |of| &of.dead),
        ];
        for (name, help, which) in families {
            let family = page.counter(name, help);
            for (id, counters) in &rows {
                family.with(&[("account", id)], which(counters).load(Ordering::Relaxed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::page::Format;

    fn text(of: &ByAccount) -> String {
        let mut page = Page::default();
        of.show(&mut page, |number| (number != 3).then(|| format!("acc_{number}")));
        page.written(Format::Classic)
    }

    #[test]
    fn the_first_have_counters_of_their_own_and_all_others_share_some() {
        let of = ByAccount::new(2);
        of.accepted(1, 5);
        of.attempted(2, true, false);
        of.attempted(4, false, true);
        of.accepted(5, 7);
        of.accepted(1, 1);
        let text = text(&of);
        for line in [
            "hookwheel_account_events_total{account=\"acc_1\"} 6",
            "hookwheel_account_events_total{account=\"other\"} 7",
            "hookwheel_account_succeeded_total{account=\"acc_2\"} 1",
            "hookwheel_account_failed_total{account=\"other\"} 1",
            "hookwheel_account_dead_total{account=\"other\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("acc_4") && !text.contains("acc_5"), "{text}");
    }

    #[test]
    fn nothing_is_counted_where_it_is_off_and_who_is_gone_is_not_shown() {
        let off = ByAccount::default();
        off.accepted(1, 5);
        assert_eq!(text(&off), "");
        let on = ByAccount::new(9);
        on.accepted(3, 1);
        assert!(!text(&on).contains("acc_"));
    }
}
