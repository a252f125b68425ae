//! All dialects of a server, by name: those that are compiled in and the user's own beside the config file. A user's
//! file with the name of a compiled-in one takes its place. All are known, and deliveries are made by any of them; only those
//! that are mounted have their API and their documentation served. What stays true: files of the user's own are mounted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::Dialect;
use super::error::DialectError;
use super::routes::{Route, Routes, overlap};
use crate::domain::Invalid;

/// The files that are compiled in.
const SHIPPED: &[(&str, &str)] = &[
    ("standard.toml", include_str!("standard.toml")),
    ("daycopilot.toml", include_str!("daycopilot.toml")),
    ("workspace.toml", include_str!("workspace.toml")),
    ("taskflow.toml", include_str!("taskflow.toml")),
    ("hub.toml", include_str!("hub.toml")),
    ("cathcr.toml", include_str!("cathcr.toml")),
    ("github.toml", include_str!("github.toml")),
    ("stripe.toml", include_str!("stripe.toml")),
    ("slack.toml", include_str!("slack.toml")),
    ("shopify.toml", include_str!("shopify.toml")),
    ("paddle.toml", include_str!("paddle.toml")),
    ("zoom.toml", include_str!("zoom.toml")),
    ("linear.toml", include_str!("linear.toml")),
    ("square.toml", include_str!("square.toml")),
    ("mailgun.toml", include_str!("mailgun.toml")),
    ("twilio.toml", include_str!("twilio.toml")),
    ("hubspot.toml", include_str!("hubspot.toml")),
    ("discord.toml", include_str!("discord.toml")),
    ("cloudevents.toml", include_str!("cloudevents.toml")),
    ("cloudevents_binary.toml", include_str!("cloudevents_binary.toml")),
    ("svix.toml", include_str!("svix.toml")),
    ("slack_incoming.toml", include_str!("slack_incoming.toml")),
    ("teams_incoming.toml", include_str!("teams_incoming.toml")),
    ("discord_incoming.toml", include_str!("discord_incoming.toml")),
];

/// All dialects of a server. Share it in an `Arc`; a reload makes a new one.
#[derive(Debug, Clone, Default)]
pub struct Dialects {
    by_name: BTreeMap<String, Arc<Dialect>>,
    /// Those that no file has taken the place of.
    compiled_in: BTreeSet<String>,
    /// Those of them that are mounted; `None`: all.
    wanted: Option<BTreeSet<String>>,
    routes: Routes,
}

impl Dialects {
    /// Those that are compiled in.
    ///
    /// # Panics
    /// If one of them is broken, which a test would have told.
    pub fn shipped() -> Self {
        let mut dialects = Self::default();
        for (file, text) in SHIPPED {
            dialects.add(file, text).unwrap_or_else(|error| panic!("a shipped dialect is broken: {error}"));
        }
        dialects.compiled_in = dialects.by_name.keys().cloned().collect();
        dialects
    }

    /// Those that are compiled in and all `*.toml` in `dir`, by name. A directory that is not there is an empty one.
    /// All mistakes in all files are reported together.
    pub fn load(dir: Option<&Path>) -> Result<Self, Vec<DialectError>> {
        let mut dialects = Self::shipped();
        let files = dir.map_or(Ok(Vec::new()), toml_files).map_err(|error| vec![error])?;
        let errors: Vec<_> = files.iter().filter_map(|path| dialects.add_file(path).err()).collect();
        if errors.is_empty() { Ok(dialects) } else { Err(errors) }
    }

    /// As [`Self::load`], when a server runs with these: where a file cannot be taken its dialect stays as it is here.
    pub(super) fn read_again(&self, dir: &Path) -> (Self, Vec<DialectError>) {
        let files = match toml_files(dir) {
            Ok(files) => files,
            Err(error) => return (self.clone(), vec![error]),
        };
        let (mut dialects, mut errors, mut kept) = (Self::shipped(), Vec::new(), Vec::new());
        for path in files {
            if let Err(error) = dialects.add_file(&path) {
                kept.extend(path.file_stem().and_then(|stem| stem.to_str()).and_then(|name| self.get(name)).cloned());
                errors.push(error);
            }
        }
        for dialect in kept {
            // It was read from a file of this name.
            let file = format!("{}.toml", dialect.name);
            errors.extend(dialects.put(&file, "", dialect).err());
        }
        dialects.want(self.wanted.clone());
        (dialects, errors)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), DialectError> {
        let file = path.display().to_string();
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| DialectError::whole(&file, format!("cannot be read: {error}")))?;
        self.add(&file, &text)
    }

    /// Adds a file, or puts it in the place of the dialect of the same name. On an error nothing has changed.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), DialectError> {
        self.put(file, text, Arc::new(Dialect::parse(file, text)?))
    }

    fn put(&mut self, file: &str, text: &str, dialect: Arc<Dialect>) -> Result<(), DialectError> {
        let base = |dialect: &Dialect| dialect.face.as_ref().map(|face| face.base.clone());
        for other in self.by_name.values().filter(|other| other.name != dialect.name) {
            if let (Some(mine), Some(theirs)) = (base(&dialect), base(other))
                && overlap(&mine, &theirs)
            {
                let message = format!("is in the way of {theirs} of the dialect {}", other.name);
                return Err(DialectError::from_check(file, text, Invalid::new("face.base", message)));
            }
        }
        self.compiled_in.remove(&dialect.name);
        self.by_name.insert(dialect.name.clone(), dialect);
        self.routes = Routes::of(self.mounted());
        Ok(())
    }

    /// Mounts of those that are compiled in only these; `None` mounts all.
    pub fn want(&mut self, names: Option<BTreeSet<String>>) {
        self.wanted = names;
        self.routes = Routes::of(self.mounted());
    }

    /// The same with one more; `None` if it is mounted already.
    pub(super) fn with(&self, name: &str) -> Option<Self> {
        let wanted = self.wanted.as_ref().filter(|_| !self.is_mounted(name))?;
        let mut more = self.clone();
        more.want(Some(wanted.iter().cloned().chain([name.to_string()]).collect()));
        Some(more)
    }

    /// Whether the API and the documentation of this dialect are served.
    pub fn is_mounted(&self, name: &str) -> bool {
        let is_wanted = || self.wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
        self.by_name.contains_key(name) && (!self.compiled_in.contains(name) || is_wanted())
    }

    /// Those whose API and documentation are served, by name.
    pub fn mounted(&self) -> impl Iterator<Item = &Arc<Dialect>> {
        self.iter().filter(|dialect| self.is_mounted(&dialect.name))
    }

    /// The dialect of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Dialect>> {
        self.by_name.get(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dialect>> {
        self.by_name.values()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The call of a face that a request is. `method` is upper case; `path` without its query. `None`: no face that is
    /// mounted has this path.
    pub fn route<'p>(&self, method: &str, path: &'p str) -> Option<Route<'p>> {
        self.routes.find(method, path)
    }
}

fn toml_files(dir: &Path) -> Result<Vec<std::path::PathBuf>, DialectError> {
    let wrong =
        |error: std::io::Error| DialectError::whole(&dir.display().to_string(), format!("cannot be read: {error}"));
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(wrong)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let mut files: Vec<_> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wants_is_known_and_not_served() {
        let mut dialects = Dialects::shipped();
        assert_eq!(dialects.mounted().count(), dialects.iter().count(), "all, where nobody says");
        let own = dialects.get("hub").expect("it is shipped").source.clone();
        dialects.add("hub.toml", &own).expect("it takes the place of the shipped one");
        dialects.want(Some(BTreeSet::from(["standard".to_string()])));
        let names = |dialects: &Dialects| dialects.mounted().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&dialects), ["hub", "standard"], "a file of one's own is served");
        let served = |dialects: &Dialects, path: &str| dialects.route("POST", path).is_some();
        assert!(served(&dialects, "/api/webhooks") && !served(&dialects, "/v2/webhooks"));
        assert!(dialects.get("taskflow").is_some(), "deliveries are made by it all the same");
        assert!(dialects.with("standard").is_none(), "nothing changes");
        let more = dialects.with("taskflow").expect("one more");
        assert!(served(&more, "/v2/webhooks") && names(&more) == ["hub", "standard", "taskflow"]);
        assert!(!more.is_mounted("klingon"));
    }
}
