//! Whoever reads only the first lines: standard output that nobody reads any more ends a command in silence.

use serde_json::Value;

use super::{Place, Said, text};

/// Runs a command whose standard output is closed already.
fn unread(place: &Place, arguments: &[&str]) -> Said {
    let (nobody, out) = std::io::pipe().expect("a pipe");
    drop(nobody);
    let url = place.server.url("");
    let env = [("HOOKWHEEL_URL", url.as_str()), ("HOOKWHEEL_KEY", place.server.key)];
    let ended = super::command(place.dir.path(), arguments, &env).stdout(out).output().expect("it can be started");
    Said { code: ended.status.code(), out: String::new(), err: String::from_utf8(ended.stderr).expect("text") }
}

#[test]
fn what_nobody_reads_ends_in_silence() {
    let place = Place::new(200);
    let webhook = place.webhook();
    let mut tail = place.start(&["tail", "--json", "--kind", "event"]);
    tail.line("following");
    place.tool(&["send", "task.created"]).done();
    let seen: Value = serde_json::from_str(&tail.line("\"kind\":\"event\"")).expect("an object");
    place.tool(&["send", "task.created"]).done();
    let after = text(&seen, "id");
    let commands: &[&[&str]] = &[
        &["events", "list"],
        &["events", "list", "--json"],
        &["webhooks", "show", &webhook],
        &["webhooks", "pause", &webhook],
        &["tail", "--no-follow", "--after", &after],
        &["tail", "--no-follow", "--json", "--after", &after],
        &["stats"],
        &["stats", "--json"],
        &["status"],
        &["config", "show"],
        &["config", "explain", "server"],
        &["version"],
        &["guard", "explain", "http://127.0.0.1/"],
    ];
    for command in commands {
        let ended = unread(&place, command);
        assert!(ended.code == Some(0) && ended.err.is_empty(), "{command:?}: {ended:?}");
    }
    let refused = unread(&place, &["guard", "explain", "http://169.254.169.254/"]);
    assert!(refused.code == Some(1) && refused.err.contains("dialled"), "the verdict counts: {refused:?}");
    let backup = unread(&place, &["backup", "-"]);
    assert!(backup.code == Some(1) && backup.err.contains("cannot be written"), "half of one is none: {backup:?}");
    let top = place.tool(&["top"]);
    assert!(top.code == Some(2) && top.err.contains("needs a terminal"), "{top:?}");
    tail.terminate();
}
