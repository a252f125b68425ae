//! A page that cannot be read while all rows are looked at: the first row, the second, and so on until all are met. What stays
//! true: a repair gives up nothing that may be behind it, and what is got out goes on from the other end.

use std::collections::BTreeSet;
use std::path::Path;

use fail::FailScenario;
use hookwheel::domain::finding::Severity;
use hookwheel::store::{self, Examined, OpenError, Saved, Settings};

use crate::filled::{START, copy, fill, remove, rows};

/// Some minutes after the last thing happened in a filled store.
const NOW: u64 = START + 61_000_000;
/// Rows between two that are tried: there are many.
const STRIDE: usize = 3;

/// Does it once sled's own threads have let go of the file, a moment after its last handle is gone.
fn once_free<T>(act: impl Fn() -> Result<T, OpenError>) -> T {
    loop {
        match act() {
            Err(OpenError::InUse(_)) => std::thread::yield_now(),
            done => return done.expect("it can be opened"),
        }
    }
}

fn examine(data: &Path) -> Examined {
    once_free(|| store::examine(&Settings::at(data), NOW))
}

/// Lets the reading of the n-th row fail, once.
fn fail_at(n: usize) {
    fail::cfg("store.page", &format!("{n}*off->1*return->off")).expect("it is a failpoint");
}

/// How often a row, or the end of a tree, is come to while all are looked at.
fn steps(data: &Path) -> usize {
    examine(data).rows as usize + rows(data).len()
}

#[test]
fn a_repair_that_cannot_read_a_page_counts_nothing_behind_it_as_gone() {
    let scenario = FailScenario::setup();
    let dir = tempfile::tempdir().expect("a folder");
    let (origin, data) = (dir.path().join("origin"), dir.path().join("data"));
    fill(&origin);
    let steps = steps(&origin);
    assert!(steps > 50, "{steps}");
    for n in (0..steps).step_by(STRIDE) {
        copy(&origin, &data);
        fail_at(n);
        let repaired = once_free(|| store::repair(&Settings::at(&data), None));
        fail::remove("store.page");
        assert_eq!((repaired.changed, repaired.mended), (0, Vec::new()), "{n}: nothing was wrong but the page");
        assert_eq!(examine(&data).findings, [], "{n}: it is as it was");
        std::fs::remove_dir_all(&data).expect("removed");
    }
    scenario.teardown();
}

#[test]
fn what_is_counted_is_not_held_against_what_could_not_be_read() {
    let scenario = FailScenario::setup();
    let dir = tempfile::tempdir().expect("a folder");
    fill(dir.path());
    // An index row and a row of counters are gone.
    let all = rows(dir.path());
    remove(dir.path(), "names", &all["names"][0]);
    remove(dir.path(), "tallies", &all["tallies"][0]);
    fail_at(0);
    let looked = examine(dir.path());
    fail::remove("store.page");
    let page = looked.findings.iter().find(|one| one.check == "pages").expect("it is told");
    assert!(page.severity == Severity::Error && page.remedy.contains("--from-damaged"), "{page:?}");
    let checks: BTreeSet<&str> = looked.findings.iter().map(|one| one.check.as_str()).collect();
    assert_eq!(checks, BTreeSet::from(["indexes", "pages"]), "{:?}", looked.findings);
    assert_eq!(looked.grown, None, "nobody knows how large it is");
    scenario.teardown();
}

#[test]
fn what_is_behind_a_page_that_cannot_be_read_is_got_out_from_the_other_end() {
    let scenario = FailScenario::setup();
    let dir = tempfile::tempdir().expect("a folder");
    fill(dir.path());
    let got_out = |line: &dyn Fn(&Saved<'_>) -> Result<Vec<u8>, String>| {
        let mut lines = Vec::new();
        let done = once_free_rescue(dir.path(), line, &mut lines);
        (done, lines)
    };
    let kind = |saved: &Saved<'_>| {
        Ok(match saved {
            Saved::Account(account) => format!("account {}", account.id),
            Saved::Webhook(webhook, _) => format!("webhook {}", webhook.id),
            Saved::EventType(known, _) => format!("event type {}", known.name),
            Saved::Event(head, ..) => format!("event {}", head.id),
        }
        .into_bytes())
    };
    let (whole, mut all) = got_out(&kind);
    all.sort();
    assert_eq!((whole.lost, all.len() as u64), (0, whole.accounts + whole.webhooks + whole.event_types + whole.events));
    for n in 0..all.len() {
        fail_at(n);
        let (done, mut lines) = got_out(&kind);
        fail::remove("store.page");
        lines.sort();
        assert_eq!((lines, done.lost), (all.clone(), 1), "{n}: each once, and the page is told: {:?}", done.places);
        assert!(done.places[0].contains("what is on that page is left out"), "{:?}", done.places);
    }
    scenario.teardown();
}

fn once_free_rescue(
    data: &Path,
    told: &dyn Fn(&Saved<'_>) -> Result<Vec<u8>, String>,
    lines: &mut Vec<Vec<u8>>,
) -> store::Rescued {
    loop {
        let mut line = |line: &[u8]| {
            lines.push(line.to_vec());
            Ok(())
        };
        match store::rescue(&Settings::at(data), told, &mut line) {
            Err(OpenError::InUse(_)) => std::thread::yield_now(),
            done => return done.expect("it can be opened"),
        }
    }
}
