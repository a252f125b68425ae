//! Backups that are encrypted: they hold what the others hold, for whoever has the key and nobody else, and one that is not whole is
//! refused.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::support::{Server, Stage, say};
use super::{BEFORE, as_of_one_moment, done, exported, hookwheel, names, plain, refused, under_load};

/// What each encrypted one begins with.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// A new key's file, and its recipient.
fn identity(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    let recipient = done(&hookwheel(None, &["backup", "--new-identity", plain(&file)])).trim().to_owned();
    assert!(recipient.starts_with("age1"), "{recipient}");
    (file, recipient)
}

fn checked(file: &Path, identity: &Path) -> std::process::Output {
    hookwheel(None, &["restore", plain(file), "--check", "--identity", plain(identity)])
}

#[test]
fn under_load_it_holds_what_was_kept_and_only_its_key_opens_it() {
    let mut stage = Stage::start(&[]);
    stage.webhook("http://127.0.0.1:9/a", json!({}));
    stage.webhook("http://127.0.0.1:9/b", json!({}));
    (0..BEFORE).for_each(|number| stage.publish(&format!("before-{number}")));
    let (key, recipient) = identity(stage.dir.path(), "key");
    let (other, second) = identity(stage.dir.path(), "other");
    let (stranger, _) = identity(stage.dir.path(), "stranger");
    let file = stage.dir.path().join("whole.backup.age");
    let server = &stage.server;
    let take = ["backup", plain(&file), "--encrypt-to", &recipient, "--encrypt-to", &second];
    let (taken, published) = under_load(server, || hookwheel(Some(server), &take));
    assert!(published > 0 && done(&taken).contains("whole, encrypted"));
    let bytes = fs::read(&file).expect("read");
    assert!(bytes.starts_with(MAGIC) && !bytes.windows(8).any(|at| at == b"hwbackup"));
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);

    refused(&hookwheel(None, &["restore", plain(&file), "--check"]), "--identity");
    refused(&checked(&file, &stranger), "another key");
    refused(&checked(&file, &file), "--identity");
    for key in [&key, &other] {
        assert!(done(&checked(&file, key)).contains("whole, encrypted"));
    }
    let mut piped = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    piped.args(["restore", "-", "--check", "--identity", plain(&key)]);
    done(&piped.stdin(Stdio::from(File::open(&file).expect("it is there"))).output().expect("it can be started"));

    let old = exported(&stage.server);
    let to = tempfile::tempdir().expect("a directory");
    let data = Server::data(to.path());
    let to_data = |identity: &Path| {
        hookwheel(None, &["restore", plain(&file), "--to", plain(&data), "--identity", plain(identity)])
    };
    refused(&to_data(&stranger), "another key");
    assert!(!data.exists(), "nothing was begun");
    done(&to_data(&key));
    fs::copy(Server::data(stage.dir.path()).join("master.key"), data.join("master.key")).expect("copied");
    as_of_one_moment(&old, &exported(&Server::start(to.path(), &[])));
}

#[test]
fn what_was_changed_or_broken_off_makes_no_store() {
    let mut stage = Stage::start(&[]);
    stage.publish("one");
    let (key, recipient) = identity(stage.dir.path(), "key");
    let taken = hookwheel(Some(&stage.server), &["backup", "-", "--encrypt-to", &recipient]);
    done_quietly(&taken);
    let whole = taken.stdout;
    let (file, data) = (stage.dir.path().join("changed"), stage.dir.path().join("restored"));
    let restored = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("written");
        hookwheel(None, &["restore", plain(&file), "--to", plain(&data), "--identity", plain(&key)])
    };
    let is_nothing = || !data.exists() || names(&data).is_empty();
    let head = whole.windows(4).position(|at| at == b"\n---").expect("an end of the head");
    for at in [MAGIC.len() + 12, head + 6, head + 60, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let output = restored(&changed);
        assert!(!output.status.success() && is_nothing(), "changed at {at}");
    }
    for cut in [MAGIC.len(), head, head + 60, whole.len() / 2, whole.len() - 1] {
        refused(&restored(&whole[..cut]), "broken off");
        assert!(is_nothing(), "cut at {cut}");
    }
    refused(&restored(&[whole.as_slice(), b"x"].concat()), "changed");
    done(&restored(&whole));
}

/// The format is not ours, so what decrypts it is not either.
#[test]
fn age_reads_what_is_written_here_and_writes_what_is_read() {
    if !is_here("age") {
        return;
    }
    let mut stage = Stage::start(&[]);
    stage.publish("one");
    let (key, recipient) = identity(stage.dir.path(), "key");
    let [file, plaintext, again] = ["whole.age", "whole", "again.age"].map(|name| stage.dir.path().join(name));
    done(&hookwheel(Some(&stage.server), &["backup", plain(&file), "--encrypt-to", &recipient]));
    let age = |arguments: &[&str]| Command::new("age").args(arguments).output().expect("it can be started");
    done(&age(&["-d", "-i", plain(&key), "-o", plain(&plaintext), plain(&file)]));
    assert!(done(&hookwheel(None, &["restore", plain(&plaintext), "--check"])).contains("whole"));
    done(&age(&["-r", &recipient, "-o", plain(&again), plain(&plaintext)]));
    assert!(done(&checked(&again, &key)).contains("whole, encrypted"));
    done(&age(&["-a", "-r", &recipient, "-o", plain(&file), plain(&plaintext)]));
    refused(&checked(&file, &key), "age -d");
}

/// Whether a program is here; in CI it must be.
fn is_here(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{program} is not here: run scripts/test");
        say(&format!("SKIPPED: what {program} says of an encrypted backup; scripts/test installs it"));
    }
    there
}

/// What is written to standard output is no text.
#[track_caller]
fn done_quietly(output: &std::process::Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_folder_keeps_so_many_whether_they_are_encrypted_or_not() {
    let mut stage = Stage::start(&[]);
    stage.publish("one");
    let (key, recipient) = identity(stage.dir.path(), "key");
    let folder = stage.dir.path().join("backups");
    fs::create_dir(&folder).expect("a folder");
    let taken = |encrypt_to: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
        command.env("HOOKWHEEL_URL", stage.server.url("")).env("HOOKWHEEL_KEY", stage.server.key);
        command.env("HOOKWHEEL_BACKUP_ENCRYPT_TO", encrypt_to);
        command.args(["backup", "--to", plain(&folder), "--keep", "2"]).output().expect("it can be started")
    };
    let kept = || {
        let mut names = names(&folder);
        names.sort_unstable();
        names
    };
    done(&taken(&recipient));
    let first = kept();
    assert!(first[0].ends_with(".backup.age") && first.len() == 1, "{first:?}");
    done(&checked(&folder.join(&first[0]), &key));
    // Empty, it is unset.
    done(&taken(""));
    done(&taken(&recipient));
    let newest = kept();
    assert!(newest.len() == 2 && newest[0].ends_with(".backup") && newest[1].ends_with(".age"), "{newest:?}");
    refused(&checked(&folder.join(&newest[0]), &key), "not encrypted");

    // What is no recipient takes no backup; a key that was given by mistake is not shown.
    let secret = fs::read_to_string(&key).expect("read");
    let secret = secret.lines().last().expect("a line");
    for (wrong, why) in [("age1x", "no recipient"), (secret, "secret half")] {
        let output = taken(wrong);
        refused(&output, why);
        refused(&output, "--encrypt-to");
        assert_eq!(output.status.code(), Some(2));
        assert!(!String::from_utf8_lossy(&output.stderr).contains(secret));
    }
    assert_eq!(kept(), newest);
}

#[test]
fn a_key_is_made_for_its_owner_and_over_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, recipient) = identity(dir.path(), "key");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("read");
    assert!(text.contains(&recipient) && text.lines().last().is_some_and(|key| key.starts_with("AGE-SECRET-KEY-1")));
    assert!(!hookwheel(None, &["backup", "--new-identity", plain(&file)]).status.success());
    assert_eq!(fs::read_to_string(&file).expect("read"), text);
}
