//! Upgrades as who runs a server meets them: what a start would do is said before, a copy is made first and goes after a clean
//! stop, and what cannot be done is refused in words and changes nothing.

mod filled;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::Server;

/// A folder with the data directory of that format in it.
fn unpacked(format: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}/data.tar.xz"));
    let ran = Command::new("tar").arg("-xJf").arg(file).arg("-C").arg(dir.path()).status();
    assert!(ran.expect("tar runs").success());
    dir
}

/// The files of the store, without sled's snapshots: it makes them anew whenever it opens its log.
fn files(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all =
        fs::read_dir(data).expect("a folder").map(|entry| entry.expect("one").path()).filter(|path| path.is_file());
    let kept = all.filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")));
    kept.map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

fn run(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Server::run(dir, arguments, &[]).end();
    (ended.status.code(), ended.output)
}

#[test]
fn what_a_start_would_do_is_said_and_not_done() {
    let dir = tempfile::tempdir().expect("a folder");
    let (code, output) = run(dir.path(), &["serve", "--check"]);
    assert!(code == Some(0) && output.contains("a start makes one of format 13"), "{code:?}: {output}");
    assert!(!Server::data(dir.path()).exists(), "nothing is made");
    let (code, output) = run(dir.path(), &["serve", "--check", "--dialect", "klingon"]);
    assert!(code == Some(1) && output.contains("\"klingon\" is not known"), "{code:?}: {output}");

    for format in 4..=12 {
        let dir = unpacked(format);
        let data = Server::data(dir.path());
        let before = files(&data);
        let (code, output) = run(dir.path(), &["serve", "--check"]);
        assert_eq!(code, Some(0), "{format}: {output}");
        assert!(output.contains(&format!("has format {format}: a start brings it to 13")), "{format}: {output}");
        assert!(output.contains(" bytes are copied before"), "{format}: {output}");
        assert!(files(&data) == before && !data.join("copies").exists(), "{format}: it is as it was");
    }

    let server = Server::start(dir.path(), &[]);
    let (code, output) = run(dir.path(), &["serve", "--check"]);
    assert!(code == Some(0) && output.contains("a server has "), "{code:?}: {output}");
    assert!(server.terminate().success());
    let (code, output) = run(dir.path(), &["serve", "--check"]);
    assert!(code == Some(0) && output.contains("has format 13, and needs no upgrade"), "{code:?}: {output}");
    let db = sled::Config::new().path(Server::data(dir.path())).segment_size(4 << 20).open().expect("nobody has it");
    db.open_tree("meta").and_then(|meta| meta.insert("format", &999u32.to_be_bytes())).expect("written");
    drop(db);
    filled::let_go(&Server::data(dir.path()));
    let (code, output) = run(dir.path(), &["serve", "--check"]);
    assert!(
        code == Some(1) && output.contains("has format 999") && output.contains("use the newer"),
        "{code:?}: {output}"
    );
}

#[test]
fn the_doctor_tells_of_an_older_format_and_leaves_it_to_the_upgrade() {
    for format in 4..=12 {
        let dir = unpacked(format);
        let doctor = |arguments: &[&str]| run(dir.path(), &[&["doctor", "--offline"], arguments].concat());
        let (code, output) = doctor(&[]);
        assert_eq!(code, Some(0), "{format}: {output}");
        assert!(output.contains(&format!("has format {format}, which is older")), "{format}: {output}");
        let (code, output) = doctor(&["--repair"]);
        assert!(code == Some(2) && output.contains("`hookwheel store upgrade`, brings it to 13"), "{format}: {output}");
        assert!(!Server::data(dir.path()).join("copies").exists(), "{format}: nothing was begun");
        assert_eq!(run(dir.path(), &["store", "upgrade", "--no-copy"]).0, Some(0), "{format}");
        let (code, output) = doctor(&["--repair"]);
        assert!(code == Some(0) && output.contains("nothing was mended"), "{format}: {output}");
    }
}

#[test]
fn a_copy_is_made_before_and_goes_after_a_clean_stop() {
    for format in 4..=12 {
        let dir = unpacked(format);
        let data = Server::data(dir.path());
        let (copy, key) = (data.join("copies/before-format-13"), fs::read(data.join("master.key")).expect("a key"));
        let server = Server::start(dir.path(), &[]);
        assert!(copy.join("db").exists() && !copy.join("master.key").exists(), "{format}");
        assert!(server.terminate().success());
        assert!(copy.join("db").exists(), "{format}: it stays until somebody has started again");

        // What was put aside can be put back: it is the store as it was.
        let back = tempfile::tempdir().expect("a folder");
        let restored = Server::data(back.path());
        fs::create_dir(&restored).expect("a folder");
        for entry in fs::read_dir(&copy).expect("a folder") {
            let path = entry.expect("one").path();
            fs::copy(&path, restored.join(path.file_name().expect("a name"))).expect("copied");
        }
        fs::write(restored.join("master.key"), key).expect("written");
        let (code, output) = run(back.path(), &["serve", "--check"]);
        assert!(code == Some(0) && output.contains(&format!("has format {format}: ")), "{format}: {output}");

        assert!(Server::start(dir.path(), &[]).terminate().success());
        assert!(!data.join("copies").exists(), "{format}: it is gone");
    }
}

#[test]
fn an_upgrade_by_hand_makes_no_copy_where_none_is_wanted() {
    let dir = unpacked(9);
    let data = Server::data(dir.path());
    let (code, output) = run(dir.path(), &["store", "upgrade", "--no-copy"]);
    assert!(code == Some(0) && output.contains("had format 9, and has 13 now"), "{code:?}: {output}");
    assert!(!data.join("copies").exists());
    let (code, output) = run(dir.path(), &["store", "upgrade"]);
    assert!(code == Some(0) && output.contains("has format 13 already"), "{code:?}: {output}");
}

#[test]
fn without_room_for_the_copy_nothing_is_changed_and_the_words_say_what_to_do() {
    for format in [4, 12] {
        let dir = unpacked(format);
        let before = files(&Server::data(dir.path()));
        let env = [("FAILPOINTS", "copy.free_bytes=return;migrate.free_bytes=return")];
        let ended = Server::start_process(dir.path(), &env).end();
        assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
        assert!(ended.output.contains("free bytes") && ended.output.contains("are free"), "{}", ended.output);
        assert!(files(&Server::data(dir.path())) == before, "{format}");
        assert!(Server::start(dir.path(), &[]).terminate().success());
    }
}

#[test]
fn a_version_says_what_it_is_built_of() {
    let dir = tempfile::tempdir().expect("a folder");
    let (code, output) = run(dir.path(), &["version", "--json"]);
    let about: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!((code, &about["store_format"], &about["store_format_oldest"]), (Some(0), &13.into(), &4.into()));
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert!(about["features"].is_array() && about.get("commit").is_some(), "{about}");
    let (code, output) = run(dir.path(), &["version"]);
    assert!(code == Some(0) && output.contains("store format  13"), "{output}");
}
