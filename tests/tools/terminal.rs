//! The tools before a person: in a terminal that `script` makes, 79 columns wide.

use std::io::{Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;

use console::measure_text_width;
use rustix::process::{Pid, Signal, kill_process};

use super::Place;
use super::support::DEADLINE;

const WIDTH: usize = 79;

/// Runs a command in a terminal, and types `answer` once it has shown `prompt`. Its exit code, and what it showed.
fn on_terminal(
    place: &Place,
    tool: &str,
    env: &[(&str, &str)],
    (prompt, answer): (&str, &str),
) -> (Option<i32>, String) {
    let answer = |typed: &mut ChildStdin| typed.write_all(answer.as_bytes()).expect("it listens");
    watched(place, tool, env, prompt, answer)
}

/// The same, and does something once it has shown `prompt`. The number of its process is in the file `pid`.
fn watched(
    place: &Place,
    tool: &str,
    env: &[(&str, &str)],
    prompt: &str,
    act: impl FnOnce(&mut ChildStdin),
) -> (Option<i32>, String) {
    let line = format!("stty cols {WIDTH} rows 24; echo $$ >pid; exec {} {tool}", env!("CARGO_BIN_EXE_hookwheel"));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(place.dir.path());
    command.env("HOOKWHEEL_URL", place.server.url("")).env("HOOKWHEEL_KEY", place.server.key).env("TERM", "xterm");
    command
        .env("XDG_CONFIG_HOME", place.dir.path())
        .env("SHELL", "/bin/sh")
        .env_remove("NO_COLOR")
        .env("LC_ALL", "C.UTF-8");
    command.env_remove("CLICOLOR").envs(env.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script is part of the system");
    let (mut typed, shown) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || read(shown, &tell));
    let (mut bytes, mut act) = (Vec::new(), Some(act).filter(|_| !prompt.is_empty()));
    loop {
        match told.recv_timeout(DEADLINE) {
            Ok(block) => bytes.extend(block),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().expect("it runs");
                panic!("{tool} does not end:\n{}", String::from_utf8_lossy(&bytes));
            }
        }
        if let Some(act) = act.take_if(|_| String::from_utf8_lossy(&bytes).contains(prompt)) {
            act(&mut typed);
        }
    }
    (child.wait().expect("it ends").code(), String::from_utf8_lossy(&bytes).into_owned())
}

fn read(mut from: impl Read, tell: &mpsc::Sender<Vec<u8>>) {
    let mut block = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut block) {
        // Whoever does not listen any more has heard enough.
        let _ = tell.send(block[..length].to_vec());
    }
}

#[test]
fn a_table_fits_and_tells_states_in_shape_word_and_colour() {
    let place = Place::new(200);
    let id = place.webhook();
    let (code, shown) = on_terminal(&place, "webhooks list", &[], ("", ""));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("● active") && shown.contains("\u{1b}[32m") && shown.contains(&id), "{shown}");
    assert!(shown.lines().all(|line| measure_text_width(line.trim_end()) <= WIDTH), "{shown}");
    assert!(shown.contains("left out"), "what gave way is said: {shown}");
    let (_, ascii) = on_terminal(&place, "webhooks list", &[("LC_ALL", "C")], ("", ""));
    assert!(ascii.contains("* active") && ascii.is_ascii(), "what the terminal does not know is not shown: {ascii}");
    let (_, plain) = on_terminal(&place, "webhooks list", &[("NO_COLOR", "1")], ("", ""));
    assert!(plain.contains("● active") && !plain.contains("\u{1b}[32m"), "{plain}");
    let (_, shown) = on_terminal(&place, &format!("webhooks show {id}"), &[], ("", ""));
    assert!(shown.contains("created_at") && (shown.contains(" ago") || shown.contains("now")), "{shown}");
}

#[test]
fn what_destroys_asks_once_with_the_number() {
    let place = Place::new(200);
    let id = place.webhook();
    let left = || place.tool(&["webhooks", "list", "--json"]).objects().len();
    let delete = format!("webhooks delete {id}");
    let question = "Delete 1 webhook? [y/N]";
    let (code, shown) = on_terminal(&place, &delete, &[], (question, "n\n"));
    assert!(code == Some(1) && shown.contains("nothing was done") && left() == 1, "{shown}");
    let (code, shown) = on_terminal(&place, &delete, &[], (question, "y\n"));
    assert!(code == Some(0) && left() == 0, "{shown}");
}

#[test]
fn top_shows_what_is_not_well_until_it_is_ended() {
    let place = Place::new(500);
    place.webhook();
    place.dead_letters(1);
    // Only what is no space is written to the screen, so words come one by one.
    let (code, shown) = on_terminal(&place, "top", &[], ("failing", "q"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("deliveries:") && shown.contains("\u{1b}[?1049l"), "the screen is given back: {shown}");
}

#[test]
fn top_gives_the_screen_back_where_it_is_terminated() {
    let place = Place::new(200);
    let (code, shown) = watched(&place, "top", &[], "deliveries:", |_| {
        let pid = std::fs::read_to_string(place.dir.path().join("pid")).expect("it is written");
        let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process");
        kill_process(pid, Signal::TERM).expect("it runs");
    });
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("\u{1b}[?1049l"), "the screen is given back: {shown}");
}
