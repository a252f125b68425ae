//! What a power cut leaves: nothing that was acknowledged may be missing when only synced bytes and synced directory
//! entries are left. The rig is tried first, also on a store that is known to fail under it.
#![cfg(target_os = "linux")]

#[path = "power/retained.rs"]
mod retained;
#[path = "power/rig.rs"]
mod rig;
#[path = "power/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rig::{Rig, part, promise};

/// Plays the parts of children; a test run of its own has no part for it.
#[test]
fn child() {
    let Some((part, dir)) = part() else { return };
    match part.as_str() {
        "files" => write_files(&dir),
        "files again" => write_files_again(&dir),
        "sled" => fill_sled(&dir, false),
        "sled synced" => fill_sled(&dir, true),
        "store" => store::accept_until_killed(&dir),
        "store, going on" => store::accept_whatever_fails(&dir),
        "retained" => retained::refill_until_killed(&dir),
        other => panic!("no such part: {other}"),
    }
}

#[test]
fn the_rig_keeps_what_was_synced_and_nothing_else() {
    let rig = Rig::new();
    let mut player = rig.play("child", "files");
    player.finish();
    rig.cut(player);
    let left = read_all(&rig.dir());
    let expected = [
        ("bytes", "synced, ......."),
        ("by another descriptor", "0123456789"),
        ("entry only", ""),
        ("new name", "moved"),
        ("old name of an unsynced move", "stays"),
        ("shortened", "short"),
        ("sub/inner", "inside"),
        ("removed without sync", "still there"),
    ];
    assert_eq!(left, owned(&expected));

    let mut player = rig.play("child", "files again");
    player.finish();
    rig.cut(player);
    let mut expected = owned(&expected);
    expected.remove("removed without sync");
    expected.insert("bytes".into(), "synced, then more".into());
    expected.insert("sub/everything".into(), "by sync".into());
    assert_eq!(read_all(&rig.dir()), expected);
}

fn write_files(dir: &Path) {
    let at = |name: &str| dir.join(name);
    let write = |name: &str, text: &str, synced: bool| {
        let mut file = File::create(at(name)).expect("can be made");
        file.write_all(text.as_bytes()).expect("can be written");
        if synced {
            file.sync_data().expect("can be synced");
        }
        file
    };
    let bytes = write("bytes", "synced, .......", true);
    write("by another descriptor", "0123456789", false);
    File::open(at("by another descriptor")).and_then(|file| file.sync_all()).expect("can be synced");
    write("entry only", "never synced", false);
    write("old name", "moved", true);
    write("old name of an unsynced move", "stays", true);
    write("removed without sync", "still there", true);
    write("shortened", "short, but not at first", true).set_len(5).expect("can be shortened");
    File::open(at("shortened")).and_then(|file| file.sync_data()).expect("can be synced");
    fs::create_dir(at("sub")).expect("can be made");
    fs::create_dir(at("unsynced sub")).expect("can be made");
    write("sub/inner", "inside", true);
    sync_dir(&at("sub"));
    fs::rename(at("old name"), at("new name")).expect("can be moved");
    fs::remove_dir(at("unsynced sub")).expect("can be removed");
    sync_dir(dir);

    bytes.write_at(b"then", 8).expect("can be written");
    write("never listed", "synced, but its entry is not", true);
    fs::rename(at("old name of an unsynced move"), at("lost name")).expect("can be moved");
    fs::remove_file(at("removed without sync")).expect("can be removed");
    write("sub/never listed", "", true);
}

fn write_files_again(dir: &Path) {
    let mut file = OpenOptions::new().write(true).open(dir.join("bytes")).expect("there");
    file.seek(SeekFrom::Start(8)).expect("can be sought");
    file.write_all(b"then more").expect("can be written");
    file.try_clone().and_then(|clone| clone.sync_data()).expect("can be synced");
    file.write_all(b", unsynced").expect("can be written");
    drop(file);
    let text = OpenOptions::new().write(true).truncate(true).open(dir.join("shortened")).expect("there");
    fs::remove_file(dir.join("removed without sync")).expect("there");
    sync_dir(dir);
    drop(text);
    fs::write(dir.join("sub/everything"), "by sync").expect("can be written");
    sync_dir(&dir.join("sub"));
    File::open(dir.join("sub/everything")).and_then(|file| file.sync_all()).expect("can be synced");
}

fn sync_dir(dir: &Path) {
    File::open(dir).and_then(|dir| dir.sync_all()).expect("can be synced");
}

/// Every file below `dir`, by its path from there.
fn read_all(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("can be read").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(read_all(&path).into_iter().map(|(inner, text)| (format!("{name}/{inner}"), text)));
        } else {
            found.insert(name, fs::read_to_string(path).expect("can be read"));
        }
    }
    found
}

fn owned(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
    texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// How many writes the control is watched for.
const CONTROL_WRITES: usize = 50;

#[test]
fn the_rig_fails_a_store_that_only_asks_for_write_back() {
    let (promised, found) = cut_sled("sled");
    assert!(found < promised, "all {promised} writes outlived a power cut without one fdatasync: the rig is blind");
}

#[test]
fn the_rig_passes_the_same_store_with_fdatasync() {
    let (promised, found) = cut_sled("sled synced");
    assert_eq!(found, promised);
}

/// How many writes sled acknowledged, and how many of them outlived the cut.
fn cut_sled(part: &str) -> (usize, usize) {
    let rig = Rig::new();
    let mut player = rig.play("child", part);
    for _ in 0..CONTROL_WRITES {
        player.next_promise().expect("the child works on until it is killed");
    }
    let promised = rig.cut(player);
    let db = sled::Config::new().path(rig.dir()).open().expect("what is left can be opened");
    let found = promised.iter().filter(|key| db.contains_key(key).expect("can be read")).count();
    (promised.len(), found)
}

fn fill_sled(dir: &Path, synced: bool) {
    let db = sled::Config::new().path(dir).open().expect("can be opened");
    sync_dir(dir);
    let log = File::open(dir.join("db")).expect("sled's file");
    for n in 0_u64.. {
        let key = format!("{n:08}");
        db.insert(&key, vec![n as u8; 1024]).expect("can be written");
        db.flush().expect("can be flushed");
        if synced {
            log.sync_data().expect("can be synced");
        }
        promise(&key);
    }
}
