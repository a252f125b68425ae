//! Tells the build which commit it is of, where that is known: from `HOOKWHEEL_COMMIT`, else in a release from git. A tarball has
//! none, and that is no error. Only a release asks git: others would be built anew with each commit.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HOOKWHEEL_COMMIT");
    let given = std::env::var("HOOKWHEEL_COMMIT").ok().filter(|given| !given.is_empty());
    // …/target/release/build/hookwheel-…/out: other profiles have folders of their own.
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    let folder = Path::new(&out).ancestors().nth(3);
    let is_release = folder.is_some_and(|folder| folder.ends_with("release") || folder.ends_with("dist"));
    let commit = given.or_else(|| if is_release { of_git() } else { None });
    if let Some(commit) = commit {
        println!("cargo::rustc-env=HOOKWHEEL_BUILD_COMMIT={commit}");
    }
}

/// The commit that is checked out. Cargo looks again when another one is.
fn of_git() -> Option<String> {
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let head = git(&["symbolic-ref", "-q", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(head.as_deref()) {
        // What is not there counts as changed each time.
        let file = git(&["rev-parse", "--git-path", name]).filter(|file| Path::new(file).exists());
        if let Some(file) = file {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    Some(commit)
}

fn git(arguments: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(arguments).output().ok().filter(|ran| ran.status.success())?;
    let text = String::from_utf8(ran.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
