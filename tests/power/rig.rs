//! A power cut for a child process: it is killed, and what it leaves is rebuilt from what it had synced alone.
//!
//! The child writes below [`Rig::dir`] with `drop_unsynced.c` preloaded, which mirrors what fsync and fdatasync covered
//! into a shadow. [`Rig::cut`] kills the child and puts in place of the directory what the shadow holds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use hookwheel::clock::Dice;

/// What a child prints before each thing that it promises to keep.
const PROMISED: &str = "promised ";
/// What a disk writes whole.
const BLOCK: usize = 4096;
/// Names the part that a child plays, in its environment.
const PART: &str = "POWER_PART";

/// A directory whose power can be cut.
pub struct Rig {
    home: tempfile::TempDir,
}

impl Rig {
    /// An empty directory.
    pub fn new() -> Self {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory of the test's own");
        fs::create_dir(home.path().join("dir")).expect("can be made");
        Self { home }
    }

    /// Where the child writes. The directory itself outlives the cut.
    pub fn dir(&self) -> PathBuf {
        self.home.path().join("dir")
    }

    /// Starts this test binary anew to play `part`, which the test `test` looks for with [`part`]. After a cut,
    /// everything in the directory has long been on the disk; after a mere kill, that is as it was.
    pub fn play(&self, test: &str, part: &str) -> Player {
        self.play_with(test, part, None)
    }

    /// The same; the `n`-th fdatasync of the player fails, and what it was to sync is lost.
    pub fn play_losing(&self, test: &str, part: &str, n: u64) -> Player {
        self.play_with(test, part, Some(n))
    }

    fn play_with(&self, test: &str, part: &str, lost: Option<u64>) -> Player {
        let shadow = self.home.path().join("shadow");
        fs::create_dir_all(&shadow).expect("can be made");
        let lost = lost.map(|n| ("POWER_FAIL_SYNC", n.to_string()));
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .envs(lost)
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(PART, part)
            .env("POWER_DIR", self.dir())
            .env("POWER_SHADOW", shadow)
            .env("LD_PRELOAD", library())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test can be started");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        Player { child, said, promised: Vec::new() }
    }

    /// Cuts the power: kills the player and leaves in the directory only what was synced. Gives what was promised.
    pub fn cut(&self, player: Player) -> Vec<String> {
        self.cut_and(player, |_, _| {})
    }

    /// The same, but of what was written and not synced some blocks are on the disk too, as the dice fall: the kernel
    /// writes back what it likes, in any order.
    pub fn cut_unevenly(&self, player: Player, dice: &mut Dice) -> Vec<String> {
        self.cut_and(player, |written, kept| println!("{} unsynced blocks kept", mix(written, kept, dice)))
    }

    /// `and` is given the directory as it was written and as it was synced.
    fn cut_and(&self, player: Player, and: impl FnOnce(&Path, &Path)) -> Vec<String> {
        let promised = player.kill();
        let (shadow, written) = (self.home.path().join("shadow"), self.home.path().join("written"));
        fs::rename(self.dir(), &written).expect("can be moved");
        let root = fs::read_to_string(shadow.join("root")).expect("the rig was at work");
        rebuild(&shadow, &root, &self.dir());
        and(&written, &self.dir());
        fs::remove_dir_all(written).expect("can be removed");
        fs::remove_dir_all(shadow).expect("can be removed");
        promised
    }
}

/// Puts the directory `id` of the shadow at `to`. A name whose file was never synced is an empty file.
fn rebuild(shadow: &Path, id: &str, to: &Path) {
    fs::create_dir(to).expect("can be made");
    let Ok(entries) = fs::read_to_string(shadow.join("dirs").join(id)) else { return };
    for entry in entries.lines() {
        let mut parts = entry.splitn(3, ' ');
        let (kind, id, name) = (parts.next(), parts.next().expect("an id"), parts.next().expect("a name"));
        let kept = shadow.join("inodes").join(id);
        match kind {
            Some("d") => rebuild(shadow, id, &to.join(name)),
            _ if kept.exists() => drop(fs::copy(kept, to.join(name)).expect("can be copied")),
            _ => drop(fs::File::create(to.join(name)).expect("can be made")),
        }
    }
}

/// Puts some blocks of the files in `written` over those of the same names in `kept`. Gives how many.
fn mix(written: &Path, kept: &Path, dice: &mut Dice) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(kept).expect("a directory") {
        let kept = entry.expect("can be read").path();
        let written = written.join(kept.file_name().expect("a name"));
        if kept.is_dir() {
            count += mix(&written, &kept, dice);
        } else if let Ok(newer) = fs::read(&written) {
            let mut bytes = fs::read(&kept).expect("can be read");
            count += mix_bytes(&mut bytes, &newer, dice);
            fs::write(&kept, bytes).expect("can be written");
        }
    }
    count
}

/// Puts some of the blocks of `newer` over `older`. A block that was never written is zero.
fn mix_bytes(older: &mut Vec<u8>, newer: &[u8], dice: &mut Dice) -> usize {
    let mut count = 0;
    for (n, block) in newer.chunks(BLOCK).enumerate() {
        let (from, to) = (n * BLOCK, n * BLOCK + block.len());
        if older.get(from..to) != Some(block) && dice.bits().is_multiple_of(2) {
            older.resize(older.len().max(to), 0);
            older[from..to].copy_from_slice(block);
            count += 1;
        }
    }
    count
}

/// A child at work.
pub struct Player {
    child: Child,
    said: BufReader<ChildStdout>,
    promised: Vec<String>,
}

impl Player {
    /// Waits for the next promise; `None` when the child has ended.
    pub fn next_promise(&mut self) -> Option<&str> {
        let mut line = String::new();
        while self.said.read_line(&mut line).expect("the child speaks UTF-8") > 0 {
            // The test harness of the child may have begun the line; a line without its end was cut off by the kill.
            if let (Some((_, promise)), true) = (line.trim_end().split_once(PROMISED), line.ends_with('\n')) {
                self.promised.push(promise.to_owned());
                return self.promised.last().map(String::as_str);
            }
            line.clear();
        }
        None
    }

    /// Lets the child work on for a while that no signal marks: the moment of a cut is to be random.
    pub fn work_on(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Waits for the end of a child that ends by itself.
    pub fn finish(&mut self) {
        while self.next_promise().is_some() {}
        let status = self.child.wait().expect("can be waited for");
        assert!(status.success(), "the child failed: {status}");
    }

    /// Kills the child and reads what it had said until then. What it wrote stays, as after any kill.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("can be killed");
        while self.next_promise().is_some() {}
        self.child.wait().expect("can be waited for");
        std::mem::take(&mut self.promised)
    }
}

/// In a child: the part it is to play, and where it writes.
pub fn part() -> Option<(String, PathBuf)> {
    Some((std::env::var(PART).ok()?, PathBuf::from(std::env::var_os("POWER_DIR")?)))
}

/// In a child: promises that `what` is kept.
pub fn promise(what: impl std::fmt::Display) {
    println!("{PROMISED}{what}");
}

/// The preloaded library, built once a test run. A machine that can build Hookwheel has a C compiler.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/drop_unsynced.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (library, own) = (folder.join("libdrop_unsynced.so"), folder.join(format!("{}.so", std::process::id())));
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-U_FORTIFY_SOURCE", "-o"])
            .args([&own, &source])
            .args(["-lpthread", "-ldl"])
            .status()
            .expect("a C compiler");
        assert!(built.success(), "drop_unsynced.c does not build");
        // Another run of this test may be using the file that is there; it keeps it.
        fs::rename(own, &library).expect("can be moved");
        library
    })
}
