//! The languages that documented code is in, and how each is run over requests. JavaScript and Python must be there; the
//! others are run where the machine has them, and it is said where not.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::document::Markdown;
use super::requests::Case;
use super::support::say;

/// A language of the documentation.
pub struct Language {
    /// The heading that its code stands under.
    title: &'static str,
    /// What its files end in.
    extension: &'static str,
    /// Says whether it is here.
    probe: &'static [&'static str],
    /// Whether the tests need it.
    needed: bool,
    /// Runs the code in a folder, and gives what it says of each case.
    run: fn(&Path, &[String]) -> Command,
}

/// All of them.
pub const ALL: [Language; 6] = [
    Language {
        title: "JavaScript (Node)",
        extension: "mjs",
        probe: &["node", "--version"],
        needed: true,
        run: |dir, _| script(dir, "node", "verify.mjs"),
    },
    Language {
        title: "Python",
        extension: "py",
        probe: &["python3", "--version"],
        needed: true,
        run: |dir, _| script(dir, "python3", "verify.py"),
    },
    Language { title: "Go", extension: "go", probe: &["go", "version"], needed: false, run: go },
    Language {
        title: "Ruby",
        extension: "rb",
        probe: &["ruby", "--version"],
        needed: false,
        run: |dir, _| script(dir, "ruby", "verify.rb"),
    },
    Language {
        title: "PHP",
        extension: "php",
        probe: &["php", "--version"],
        needed: false,
        run: |dir, _| script(dir, "php", "verify.php"),
    },
    Language { title: "Rust", extension: "rs", probe: &["cargo", "--version"], needed: true, run: rust },
];

impl Language {
    /// What the code of these documents says wrongly of these cases.
    pub fn wrong(&self, dir: &Path, documents: &[(String, Markdown)], cases: &[Case]) -> Vec<String> {
        let here = Command::new(self.probe[0]).args(&self.probe[1..]).output().is_ok_and(|out| out.status.success());
        if !here {
            assert!(!self.needed, "{} is not here", self.title);
            say(&format!("SKIPPED: documented code in {}, which is not on this machine", self.title));
            return Vec::new();
        }
        for (name, document) in documents {
            let file = dir.join(format!("{name}.{}", self.extension));
            fs::write(file, format!("{}\n", document.code_of(self.title))).expect("written");
        }
        let names: Vec<String> = documents.iter().map(|(name, _)| name.clone()).collect();
        let mut command = (self.run)(dir, &names);
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", self.title);
        let said: Vec<bool> = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.title, String::from_utf8_lossy(&output.stdout)));
        assert_eq!(said.len(), cases.len(), "{}", self.title);
        let judged = cases.iter().zip(said).filter(|(case, said)| case.genuine != *said);
        judged.map(|(case, said)| format!("{}: {} {}: {said}", self.title, case.dialect, case.what)).collect()
    }
}

fn here(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docs").join(file)
}

fn script(dir: &Path, program: &str, file: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(here(file)).arg(dir.join("cases.json")).arg(dir);
    command
}

/// A module with a package a dialect, and a program over them.
fn go(dir: &Path, names: &[String]) -> Command {
    let module = dir.join("go");
    let package = |name: &str| format!("d_{}", name.replace('-', "_"));
    let mut table = String::from("package main\n\nimport (\n\t\"net/http\"\n");
    for name in names {
        let folder = module.join(package(name));
        fs::create_dir_all(&folder).expect("made");
        fs::rename(dir.join(format!("{name}.go")), folder.join("verify.go")).expect("moved");
        table.push_str(&format!("\t{0} \"documented/{0}\"\n", package(name)));
    }
    table.push_str(")\n\nvar functions = map[string]func(http.Header, []byte, []string, string) bool{\n");
    for name in names {
        let code = fs::read_to_string(module.join(package(name)).join("verify.go")).expect("moved");
        let url = if code.contains(", url string)") { ", url" } else { "" };
        let call = format!("{}.Verify(headers, body, secrets{url})", package(name));
        let takes = "headers http.Header, body []byte, secrets []string, url string";
        table.push_str(&format!("\t{name:?}: func({takes}) bool {{ return {call} }},\n"));
    }
    fs::write(module.join("table.go"), table + "}\n").expect("written");
    fs::copy(here("verify.go"), module.join("main.go")).expect("copied");
    fs::write(module.join("go.mod"), "module documented\n\ngo 1.19\n").expect("written");
    let mut command = Command::new("go");
    command.args(["run", "."]).arg(dir.join("cases.json")).current_dir(module);
    command.env("GOFLAGS", "-mod=mod").env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
    command
}

/// A crate with a module a dialect. Its dependencies are some of ours, so they are on this machine.
fn rust(dir: &Path, names: &[String]) -> Command {
    let package = dir.join("rust");
    fs::create_dir_all(package.join("src")).expect("made");
    let mut main = fs::read_to_string(here("verify.rs.in")).expect("it is there");
    let mut arms = String::new();
    for name in names {
        let module = format!("d_{}", name.replace('-', "_"));
        fs::rename(dir.join(format!("{name}.rs")), package.join(format!("src/{module}.rs"))).expect("moved");
        main.push_str(&format!("mod {module};\n"));
        let code = fs::read_to_string(package.join(format!("src/{module}.rs"))).expect("moved");
        let url = if code.contains(", url: &str)") { ", url" } else { "" };
        arms.push_str(&format!("        {name:?} => {module}::verify(header, body, secrets{url}),\n"));
    }
    fs::write(package.join("src/main.rs"), main.replace("        // one a dialect\n", &arms)).expect("written");
    let manifest = "[package]\nname = \"documented\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
                    [dependencies]\nhmac = \"0.13\"\nsha1 = \"0.11\"\nsha2 = \"0.11\"\nsubtle = \"2\"\nbase64 = \"0.22\"\n\
                    serde_json = \"1\"\nring = \"0.17\"\nform_urlencoded = \"1\"\njiff = { version = \"0.2\", default-features = false, features = [\"std\"] }\n";
    fs::write(package.join("Cargo.toml"), manifest).expect("written");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).expect("copied");
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--offline", "--"]).arg(dir.join("cases.json")).current_dir(package);
    // What is compiled once is there the next time.
    command.env("CARGO_TARGET_DIR", root.join("target/documented-rust"));
    command
}
