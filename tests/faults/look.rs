//! What a store says of itself when it is opened: a process of its own opens it, reads all that is in it, waits until the
//! scrub has seen all, and ends. Whoever started it compares.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::walk::Walk;
use hookwheel::store::{self, Settings, Store};

/// In a child's environment: where its store is.
pub const DIR: &str = "FAULTS_DIR";
/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(120);
/// What its lines begin with.
const SAYS: &str = "store: ";

/// What became of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// All is there.
    Whole,
    /// Something is missing, and it said so.
    Told,
    /// It was not opened, and said why.
    Refused,
    /// Something is missing, and it said nothing.
    Silent,
    /// It panicked, or did not end.
    Crashed,
}

/// What a child said.
#[derive(Debug)]
pub struct Seen {
    /// What is in the store.
    pub content: BTreeSet<String>,
    said: Vec<String>,
    rest: String,
    ended_well: bool,
}

impl Seen {
    /// What that means, where `whole` should be in it.
    pub fn found(&self, whole: &BTreeSet<String>) -> Found {
        match self.said.first().map(String::as_str) {
            _ if !self.ended_well || self.rest.contains("panicked") => Found::Crashed,
            Some(said) if said.starts_with("refused: ") => Found::Refused,
            Some("sound") if self.content == *whole => Found::Whole,
            Some("sound") | None => Found::Silent,
            Some(_) => Found::Told,
        }
    }

    /// Its own words.
    pub fn said(&self) -> String {
        self.said.join("; ")
    }

    /// All that it said.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.said(), self.rest)
    }
}

/// Has a child look at the store in `dir`.
pub fn in_child(dir: &Path) -> Seen {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test can be started");
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let (ends, ended) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).expect("it speaks UTF-8");
        ends.send(()).expect("somebody waits");
        text
    });
    let errors = thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text).expect("it speaks UTF-8")
    });
    let in_time = ended.recv_timeout(DEADLINE).is_ok();
    if !in_time {
        child.kill().expect("can be killed");
    }
    let ended_well = child.wait().expect("can be waited for").success() && in_time;
    let (text, errors) = (reader.join().expect("reads"), errors.join().expect("reads"));
    let (mut content, mut said, mut rest) = (BTreeSet::new(), Vec::new(), errors);
    for line in text.lines() {
        match line.split_once(SAYS) {
            Some((_, line)) => said.push(line.to_owned()),
            None => match line.split_once("row: ") {
                Some((_, row)) => drop(content.insert(row.to_owned())),
                None => writeln!(rest, "{line}").expect("fits"),
            },
        }
    }
    Seen { content, said, rest, ended_well }
}

/// The child's part.
pub fn look(dir: &Path) {
    println!();
    let opened = store::open(Settings::at(dir.join("data")), Clock::real(), Dice::from_system());
    let (store, committer) = match opened {
        Ok(opened) => opened,
        Err(error) => return println!("{SAYS}refused: {error}"),
    };
    let committer = thread::spawn(move || committer.run());
    let differences = loop {
        let soundness = store.soundness();
        if soundness.is_scrubbed {
            break soundness.differences;
        }
        // It tells nobody when it is done.
        thread::sleep(Duration::from_millis(5));
    };
    let wrong = show(&store).err().map(|error| error.to_string());
    match differences.into_iter().next().or(wrong) {
        Some(wrong) => println!("{SAYS}{wrong}"),
        None => println!("{SAYS}sound"),
    }
    store.close();
    committer.join().expect("ends");
}

/// All that is in the store, a line each.
fn show(store: &Store) -> Result<(), store::StoreError> {
    let mut numbers = Vec::new();
    for webhook in store.registry().webhooks() {
        println!("row: {webhook:?}");
        numbers.push(webhook.number());
    }
    for number in numbers {
        let tally = store.tally(number)?;
        println!("row: {number} {} {} {}", tally.deliveries, tally.succeeded, tally.dead);
    }
    let mut cursor = None;
    loop {
        let page = store.events(1, Walk::newest(100).past(cursor), None, |_| true)?;
        for head in &page.rows {
            let Some(event) = store.event(1, head.id)? else { continue };
            println!("row: {event:?}");
            println!(
                "row: {:?}",
                store.event_named(1, event.name.as_deref().unwrap_or_default())?.map(|event| event.id)
            );
            for delivery in store.deliveries_of(&event)? {
                println!("row: {delivery:?} {:?}", store.attempts(&delivery)?);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
