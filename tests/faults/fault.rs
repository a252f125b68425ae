//! One fault, as the dice fall.

use std::fs;
use std::path::{Path, PathBuf};

use hookwheel::clock::Dice;

use crate::content::Original;

/// What was done.
pub struct Fault {
    /// Of which kind.
    pub kind: &'static str,
    /// In words.
    pub words: String,
}

/// What lies in a data directory beside the log.
const OTHERS: [&str; 4] = ["conf", "mark", "master.key", "snap."];

/// Does one thing to a data directory.
pub fn throw(data: &Path, original: &Original, dice: &mut Dice) -> Fault {
    match dice.bits() % 20 {
        0..9 => flip("a bit of the log", &data.join("db"), dice),
        9 => flip("a bit of another file", &file(data, OTHERS[dice.bits() as usize % OTHERS.len()]), dice),
        10 | 11 => cut(&data.join("db"), dice),
        12 => remove(&data.join("db")),
        13 => remove(&file(data, OTHERS[dice.bits() as usize % OTHERS.len()])),
        14 => {
            let (old, new) = (file(&original.earlier(), "snap."), file(data, "snap."));
            fs::remove_file(new).expect("it is there");
            fs::copy(&old, data.join(old.file_name().expect("a name"))).expect("can be copied");
            Fault { kind: "an older snapshot", words: old.display().to_string() }
        }
        15 => {
            fs::copy(original.earlier().join("db"), data.join("db")).expect("can be copied");
            Fault { kind: "an older log", words: "db".into() }
        }
        16 => {
            fs::copy(original.earlier().join("mark"), data.join("mark")).expect("can be copied");
            Fault { kind: "an older mark", words: "mark".into() }
        }
        17 => bad_header(&data.join("db")),
        _ => spoil_row(data, dice),
    }
}

/// The header of a segment that is whole and cannot be: one of sled's own threads panics over it.
fn bad_header(log: &Path) -> Fault {
    let mut bytes = fs::read(log).expect("can be read");
    // The checksum of what follows, which reads as the greatest position in the log.
    let header = [[0xaa, 0xb4, 0x44, 0x13].as_slice(), &[0; 16]].concat();
    bytes[4 << 20..][..header.len()].copy_from_slice(&header);
    fs::write(log, bytes).expect("can be written");
    Fault { kind: "a header that cannot be", words: "of the second segment".into() }
}

/// The file whose name begins so.
pub fn file(data: &Path, name: &str) -> PathBuf {
    let files = fs::read_dir(data).expect("a directory").map(|entry| entry.expect("can be read").path());
    let mut files = files.filter(|path| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(name)));
    files.next().unwrap_or_else(|| panic!("no {name} in {}", data.display()))
}

fn flip(kind: &'static str, path: &Path, dice: &mut Dice) -> Fault {
    let mut bytes = fs::read(path).expect("can be read");
    // Where the log was never written, a bit means nothing: half of the throws go where something is.
    let mut at = dice.bits() as usize % bytes.len();
    for _ in 0..100 {
        if bytes[at] != 0 {
            break;
        }
        at = dice.bits() as usize % bytes.len();
    }
    let bit = dice.bits() % 8;
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).expect("can be written");
    Fault { kind, words: format!("bit {bit} of byte {at} of {}", path.display()) }
}

fn cut(path: &Path, dice: &mut Dice) -> Fault {
    let file = fs::OpenOptions::new().write(true).open(path).expect("can be opened");
    let length = dice.bits() % file.metadata().expect("can be read").len();
    file.set_len(length).expect("can be cut");
    Fault { kind: "a log cut short", words: format!("db cut at {length}") }
}

fn remove(path: &Path) -> Fault {
    fs::remove_file(path).expect("it is there");
    Fault { kind: "a missing file", words: path.display().to_string() }
}

/// A row that is garbage, though sled reads it well.
fn spoil_row(data: &Path, dice: &mut Dice) -> Fault {
    let db = sled::Config::new().path(data).segment_size(4 << 20).flush_every_ms(None).open().expect("opens");
    let mut rows = Vec::new();
    for name in db.tree_names() {
        let tree = db.open_tree(&name).expect("opens");
        if name.as_ref() != b"meta" {
            rows.extend(tree.iter().map(|row| (name.clone(), row.expect("can be read").0)));
        }
    }
    let (name, key) = &rows[dice.bits() as usize % rows.len()];
    let garbage = [dice.bits().to_be_bytes(), dice.bits().to_be_bytes()].concat();
    db.open_tree(name).expect("opens").insert(key, garbage).expect("can be written");
    db.flush().expect("can be flushed");
    Fault { kind: "a damaged row", words: format!("a row of {}", String::from_utf8_lossy(name)) }
}
