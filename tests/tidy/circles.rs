//! Files that need each other in a circle: none can be read, moved or tested without all of them. What stays true: a name is
//! looked for where it is defined, so a folder's `mod.rs` that only passes names on is in no circle; tests do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, is_word, sources};

/// Rooms that still have circles. Each of them must have one: a room that has none any more leaves the list.
const STILL_WITH_CIRCLES: &[&str] = &[];

/// A module's path below the crate, such as `["api", "auth"]`.
type Module = Vec<String>;
/// A path as a file writes it, such as `["super", "auth", "Tenant"]`.
type Path = Vec<String>;

#[test]
fn files_need_each_other_in_one_direction() {
    let mut wrong = Vec::new();
    let circles = Modules::of(sources()).circles();
    for circle in &circles {
        let room = circle.first().map_or("", |module| module[0].as_str());
        if !STILL_WITH_CIRCLES.contains(&room) {
            let names: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
            wrong.push(format!("a circle: {}", names.join(", ")));
        }
    }
    for room in STILL_WITH_CIRCLES {
        if !circles.iter().any(|circle| circle.iter().any(|module| module[0] == *room)) {
            wrong.push(format!("{room} has no circle any more: take it off the list"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn circles_are_seen() {
    let circles = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| Source::new(format!("src/{path}"), text)).collect();
        let circles = Modules::of(files).circles();
        circles
            .iter()
            .map(|circle| circle.iter().map(|module| module.join("/")).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let passed_on = ("x/mod.rs", "mod a; mod b; pub use a::{A, Other as Another};");
    let two = [passed_on, ("x/a.rs", "use super::b::{self, B};"), ("x/b.rs", "fn f(a: super::A) {}")];
    assert_eq!(circles(&two), [["x/a", "x/b"]]);
    assert_eq!(circles(&[passed_on, two[1], ("x/b.rs", "fn f() {}")]), [[""; 0]; 0]);
    let tested = ("x/b.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use super::super::A; }");
    assert_eq!(circles(&[passed_on, two[1], tested]), [[""; 0]; 0]);
    let own = ("x/mod.rs", "mod a; struct S; fn f() { a::g(); }");
    assert_eq!(circles(&[own, ("x/a.rs", "use crate::x::S;")]), [["x", "x/a"]]);
    let three = [("x.rs", "use crate::y::{Y};"), ("y.rs", "fn f() { crate::z::g() }"), ("z.rs", "use crate::x;")];
    assert_eq!(circles(&three), [["x", "y", "z"]]);
}

/// All modules, and what they say of each other.
struct Modules {
    /// The paths that each one names.
    named: BTreeMap<Module, Vec<Path>>,
    /// What each one passes on: the name, and where it has it from.
    passed_on: BTreeMap<(Module, String), Path>,
}

impl Modules {
    fn of(sources: Vec<Source>) -> Self {
        let mut all = Self { named: BTreeMap::new(), passed_on: BTreeMap::new() };
        for source in sources.iter().filter(|source| source.room.is_some()) {
            let mut module: Module =
                source.path.with_extension("").iter().skip(1).map(|part| part.to_string_lossy().into()).collect();
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            if module.iter().any(|part| part == "tests") {
                continue;
            }
            let code = source.code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let mut named = Vec::new();
            for (passes_on, path) in paths(code) {
                match path.last().filter(|_| passes_on).cloned() {
                    Some(name) => drop(all.passed_on.insert((module.clone(), name), path)),
                    None => named.push(path),
                }
            }
            all.named.insert(module, named);
        }
        all
    }

    /// Sets of modules each of which leads to all others of its set.
    fn circles(&self) -> Vec<BTreeSet<Module>> {
        let needs: BTreeMap<_, BTreeSet<Module>> = self
            .named
            .iter()
            .map(|(module, paths)| {
                let needed = paths
                    .iter()
                    .filter_map(|path| self.home(module, path, 0))
                    .filter(|home| home != module && self.named.contains_key(home));
                (module.clone(), needed.collect())
            })
            .collect();
        let reached: BTreeMap<_, _> = needs.keys().map(|from| (from, reach(&needs, from))).collect();
        let circle = |from: &Module| -> BTreeSet<Module> {
            reached[from].iter().filter(|to| reached[to].contains(from)).cloned().collect()
        };
        let found: BTreeSet<_> = needs.keys().map(circle).filter(|circle| circle.len() > 1).collect();
        found.into_iter().collect()
    }

    /// The module in which what a path names is defined; `None` for what is not of this crate.
    fn home(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut at = from.clone();
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            child => {
                at.push(child.to_owned());
                self.named.contains_key(&at).then_some(())?;
            }
        }
        while let Some((next, further)) = rest.split_first() {
            let child = [&at[..], std::slice::from_ref(next)].concat();
            if next == "super" {
                at.pop();
            } else if self.named.contains_key(&child) {
                at = child;
            } else {
                let passed_on = self.passed_on.get(&(at.clone(), next.clone())).filter(|_| depth < 8);
                return passed_on.and_then(|path| self.home(&at, path, depth + 1)).or(Some(at));
            }
            rest = further;
        }
        Some(at)
    }
}

fn reach(needs: &BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<Module> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in needs.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    reached
}

/// The paths of more than one name that code writes, and those that it imports; and of each whether it is passed on.
fn paths(code: &str) -> Vec<(bool, Path)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = code[at..].find(is_word).map(|next| at + next) {
        let end = code[start..].find(|c| !is_word(c)).map_or(code.len(), |length| start + length);
        let before = &code[..start];
        at = end;
        if &code[start..end] == "use" {
            at = code[end..].find(';').map_or(code.len(), |length| end + length);
            let before = before.trim_end();
            let passes_on = before.ends_with("pub") || before.ends_with(')');
            found.extend(leaves(&code[end..at]).into_iter().map(|path| (passes_on, path)));
        } else if code[end..].starts_with("::") && !before.ends_with("::") && !before.ends_with('.') {
            let length = code[start..].find(|c| !is_word(c) && c != ':').unwrap_or(code.len() - start);
            at = start + length;
            found.push((false, steps(&code[start..at])));
        }
    }
    found
}

/// The paths of an import, which may hold groups in braces.
fn leaves(tree: &str) -> Vec<Path> {
    let tree = tree.trim();
    let Some((stem, group)) = tree.split_once('{') else {
        let path = steps(tree.split(" as ").next().unwrap_or_default());
        return if path.is_empty() { Vec::new() } else { vec![path] };
    };
    let group = &group[..group.rfind('}').unwrap_or(group.len())];
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in group.chars() {
        match c {
            ',' if depth == 0 => items.push(String::new()),
            c => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                items.last_mut().expect("there is one").push(c);
            }
        }
    }
    let stem = steps(stem);
    items.iter().flat_map(|item| leaves(item)).map(|leaf| [&stem[..], &leaf].concat()).collect()
}

fn steps(path: &str) -> Path {
    path.split("::").map(str::trim).filter(|step| !step.is_empty()).map(str::to_owned).collect()
}
