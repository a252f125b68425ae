//! The binary over a data directory that lacks something: it ends with words that say what to do, and never takes an event.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::content;
use crate::support::process::Ended;
use crate::support::{Running, Server};

#[test]
fn a_log_that_is_gone_or_cut_is_refused_until_the_loss_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let data = Server::data(dir.path());
    let server = Server::start(dir.path(), &[]);
    publish(&server, 50);
    assert!(server.terminate().success());
    content::copy(&data, &dir.path().join("whole"));
    let length = fs::metadata(data.join("db")).unwrap().len();

    fs::remove_file(data.join("db")).unwrap();
    let words = refused(dir.path());
    assert!(words.contains("missing or empty") && words.contains("hookwheel store accept-loss --yes"), "{words}");
    assert!(!data.join("db").exists(), "nothing was made in its place");

    let half = fs::read(dir.path().join("whole/db")).unwrap();
    fs::write(data.join("db"), &half[..half.len() / 2]).unwrap();
    let words = refused(dir.path());
    assert!(words.contains(&format!("has {} bytes, and it had {length}", half.len() / 2)), "{words}");
    fs::write(data.join("db"), &half[..half.len() / 2]).unwrap();
    let words = foreseen(dir.path());
    assert!(words.contains(&format!("has {} bytes, and it had {length}", half.len() / 2)), "{words}");

    // A whole copy is as good as new.
    fs::remove_dir_all(&data).unwrap();
    content::copy(&dir.path().join("whole"), &data);
    let server = Server::start(dir.path(), &[]);
    publish(&server, 50);
    server.kill();

    // An older log beside the newer mark.
    fs::copy(dir.path().join("whole/db"), data.join("db")).unwrap();
    let (told, words) = (foreseen(dir.path()), refused(dir.path()));
    for words in [told, words] {
        assert!(words.contains("group commits") && words.contains("accept-loss"), "{words}");
    }

    let asked = store_command(dir.path(), &["store", "accept-loss"]);
    assert!(!asked.status.success() && asked.output.contains("--yes"), "{}", asked.output);
    let words = refused(dir.path());
    assert!(words.contains("accept-loss"), "nothing changed: {words}");
    let accepted = store_command(dir.path(), &["store", "accept-loss", "--yes"]);
    assert!(accepted.status.success() && accepted.output.contains("are lost"), "{}", accepted.output);
    let server = Server::start(dir.path(), &[]);
    publish(&server, 1);
    assert!(server.terminate().success());
}

#[test]
fn a_data_directory_without_a_mark_gets_one_and_one_without_a_log_can_begin_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = Server::data(dir.path());
    let server = Server::start(dir.path(), &[]);
    publish(&server, 3);
    assert!(server.terminate().success());
    fs::remove_file(data.join("mark")).unwrap();
    let server = Server::start(dir.path(), &[]);
    publish(&server, 3);
    server.kill();
    assert!(data.join("mark").exists());

    fs::remove_file(data.join("db")).unwrap();
    refused(dir.path());
    let accepted = store_command(dir.path(), &["store", "accept-loss", "--yes"]);
    assert!(accepted.status.success() && accepted.output.contains("nothing was left"), "{}", accepted.output);
    let server = Server::start(dir.path(), &[]);
    publish(&server, 1);
    assert!(server.terminate().success());
}

fn publish(server: &Server, events: usize) {
    for n in 0..events {
        let mut client = server.client();
        let reply = client.post("/api/v1/events", &json!({"type": "a", "data": {"n": n}}));
        assert_eq!(reply.status, 202);
    }
}

/// Asks what a start would do, which is to refuse. Gives the words.
#[track_caller]
fn foreseen(dir: &Path) -> String {
    let ended = store_command(dir, &["serve", "--check"]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    ended.output
}

/// Starts the server, which ends at once. Gives its words.
#[track_caller]
fn refused(dir: &Path) -> String {
    let ended = store_command(dir, &["serve"]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    assert!(!ended.output.contains("panicked"), "{}", ended.output);
    ended.output
}

fn store_command(dir: &Path, arguments: &[&str]) -> Ended {
    let path = Server::data(dir);
    let env = [("HOOKWHEEL__STORE__PATH", path.to_str().unwrap()), ("HOOKWHEEL__SERVER__LISTEN", "127.0.0.1:0")];
    Running::start(dir, arguments, &env).end()
}
