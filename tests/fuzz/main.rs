//! Random input for everything that reads what others wrote. Each target is given its kept corpus (`corpus/<target>`),
//! then mutations of it for some seconds: 2, or 10 where CI=true; `HOOKWHEEL_FUZZ_SECONDS` says otherwise. The seed is
//! printed; `HOOKWHEEL_SEED=n` mutates the same way again. An input that fails is written to the temporary files; it
//! belongs into the corpus, before its mistake is mended.

mod mutate;
mod targets;

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hookwheel::clock::Dice;
use mutate::mutate;
use targets::{TARGETS, Target};

/// Inputs never grow beyond this.
const BYTES_MAX: usize = 16 << 10;

#[test]
fn nothing_that_others_wrote_makes_a_reader_fail() {
    let time = std::env::var("HOOKWHEEL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let usual = if std::env::var("CI").as_deref() == Ok("true") { 10 } else { 2 };
    let time = Duration::from_secs(time.unwrap_or(usual));
    let seed = std::env::var("HOOKWHEEL_SEED").ok().map(|text| text.parse().expect("a number"));
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one("fuzz"));
    say(&format!("HOOKWHEEL_SEED={seed}, {} seconds a target", time.as_secs()));
    std::thread::scope(|scope| {
        let running = TARGETS.map(|(name, target)| (name, scope.spawn(move || fuzz(name, target, seed, time))));
        for (name, target) in running {
            let runs = target.join().unwrap_or_else(|_| panic!("{name} failed with HOOKWHEEL_SEED={seed}"));
            say(&format!("{name}: {runs} inputs"));
            assert!(runs > 100, "{name}: {runs} inputs are none");
        }
    });
}

fn fuzz(name: &str, target: Target, seed: u64, time: Duration) -> u64 {
    let corpus = corpus(name);
    for (path, input) in &corpus {
        run(name, target, input, &format!("{} of the corpus", path.display()));
    }
    let seeds: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).chain(beside(name)).collect();
    assert!(!seeds.is_empty(), "{name} has no corpus");
    let (mut dice, begun, mut runs) = (Dice::seeded(seed), Instant::now(), 0);
    while begun.elapsed() < time {
        let mut input = mutate(&seeds, &mut dice);
        input.truncate(BYTES_MAX);
        run(name, target, &input, &format!("run {runs}"));
        runs += 1;
    }
    runs
}

fn run(name: &str, target: Target, input: &[u8], which: &str) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let path = std::env::temp_dir().join(format!("hookwheel-fuzz-{name}-{}", std::process::id()));
        fs::write(&path, input).expect("the temporary files take it");
        panic!("{name} fails on {which}: {}", path.display());
    }
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    files(&root().join("tests/fuzz/corpus").join(name))
}

/// What is already elsewhere in the repository, to begin with.
fn beside(name: &str) -> Vec<Vec<u8>> {
    let dialects = ["src/dialect", "tests/docs/dialects"].map(|dir| files(&root().join(dir)));
    let dialects = dialects.into_iter().flatten().filter(|(path, _)| path.extension().is_some_and(|end| end == "toml"));
    if name == "dialect" { dialects.map(|(_, text)| text).collect() } else { Vec::new() }
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("it can be read"))).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "fuzz: {line}").expect("standard error is open");
}
