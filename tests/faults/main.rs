//! One fault in a store that is at rest: a bit that flipped, a file that was cut, is missing, or is an older one, a row
//! that is garbage. What is left is opened by a process of its own, and is one of three: whole, told of, or refused in
//! words. None is silent, none a panic. The seed is printed; `HOOKWHEEL_SEED=n` runs it again, and `HOOKWHEEL_LONG=1`
//! tries 500 faults.

mod content;
mod fault;
mod look;
mod page;
mod refused;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use content::Original;
use hookwheel::clock::Dice;
use look::Found;

const FAULTS: usize = 60;
const FAULTS_LONG: usize = 500;

/// Opens the store that it is given; a test run of its own has none for it.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(look::DIR) {
        look::look(Path::new(&dir));
    }
}

#[test]
fn no_fault_is_silent_and_none_a_panic() {
    let seed = std::env::var("HOOKWHEEL_SEED").map_or_else(|_| Dice::from_system().bits() >> 1, |s| s.parse().unwrap());
    let faults = if std::env::var_os("HOOKWHEEL_LONG").is_some() { FAULTS_LONG } else { FAULTS };
    println!("HOOKWHEEL_SEED={seed}, {faults} faults");
    let home = scratch();
    let original = Original::make(home.path());
    let whole = look::in_child(&copy_of(&original.closed(), home.path()));
    assert_eq!(whole.found(&whole.content), Found::Whole, "without a fault: {whole:?}");
    assert!(whole.content.len() > 3 * content::EVENTS, "there is something to lose");

    let mut table: BTreeMap<(&str, Found), usize> = BTreeMap::new();
    let mut bad = Vec::new();
    for n in 0..faults {
        let mut dice = Dice::seeded(seed.wrapping_add(n as u64));
        let from = match dice.bits() % 3 {
            0 => original.closed(),
            1 => original.killed(),
            _ => original.rested(),
        };
        let dir = copy_of(&from, home.path());
        let fault = fault::throw(&dir.join("data"), &original, &mut dice);
        let seen = look::in_child(&dir);
        let found = seen.found(&whole.content);
        println!("{n}: {}: {found:?}: {}", fault.words, seen.said());
        if matches!(found, Found::Silent | Found::Crashed) {
            bad.push(format!("{n} ({}): {}: {found:?}\n{}", from.display(), fault.words, seen.all()));
        }
        *table.entry((fault.kind, found)).or_default() += 1;
    }
    for ((kind, found), count) in &table {
        println!("{kind:<24} {:<10} {count}", format!("{found:?}"));
    }
    assert!(bad.is_empty(), "{} of {faults}:\n{}", bad.len(), bad.join("\n"));
}

/// Where thousands of small files cost little.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
        .expect("a directory of the test's own")
}

/// A copy of a data directory, in place of the last one.
fn copy_of(data: &Path, home: &Path) -> std::path::PathBuf {
    let dir = home.join("copy");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir(&dir).expect("can be made");
    content::copy(data, &dir.join("data"));
    dir
}
