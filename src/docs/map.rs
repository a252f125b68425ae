//! What there is in `/docs`, in the order in which one reads: the navigation of every page. What stays true: each page of the guide
//! stands in it once.

use super::guide;
use super::page::Place;
use super::paths;

/// Pages about one thing.
#[derive(Debug)]
pub(super) struct Group {
    pub title: &'static str,
    pub places: Vec<Place>,
}

/// An entry of the map.
enum Entry {
    /// A page of the guide.
    Guide(&'static str),
    /// Another page.
    At(&'static str, &'static str),
}
use Entry::{At, Guide};

const GROUPS: &[(&str, &[Entry])] = &[
    ("Begin", &[Guide("start"), Guide("concepts"), Guide("command-line"), Guide("clients")]),
    (
        "Events and webhooks",
        &[
            Guide("publishing"),
            Guide("event-types"),
            Guide("webhooks"),
            Guide("filters"),
            Guide("shapes"),
            Guide("endpoint-authentication"),
            Guide("pulling"),
            Guide("deliveries"),
            Guide("notices"),
            Guide("accounts"),
        ],
    ),
    (
        "API",
        &[At("API reference", paths::API), Guide("api-at-a-glance"), At("Beside other webhook servers", paths::PEERS)],
    ),
    (
        "Contracts",
        &[
            At("Contracts of this server", paths::CONTRACTS),
            Guide("contracts"),
            Guide("own-contracts"),
            At("Write a dialect from nothing", paths::TUTORIAL),
            Guide("dialect-files"),
            At("Every key of a dialect file", paths::DIALECTS),
            Guide("receivers"),
            Guide("side-by-side"),
            Guide("published-guides"),
        ],
    ),
    ("See", &[Guide("dashboard"), Guide("portal"), Guide("stream"), Guide("metrics"), Guide("traces-and-logs")]),
    (
        "Run",
        &[
            Guide("install"),
            Guide("operating"),
            Guide("restarts"),
            Guide("behind-a-proxy"),
            Guide("several-nodes"),
            Guide("backup"),
            Guide("moving"),
            Guide("configuration"),
            Guide("security"),
            Guide("promises"),
            Guide("figures"),
            Guide("proofs"),
            Guide("real-input"),
        ],
    ),
];

/// All groups.
pub(super) fn groups() -> Vec<Group> {
    let place = |entry: &Entry| match entry {
        Guide(name) => Place::new(guide::title(name).unwrap_or(name), guide::address(name)),
        At(title, address) => Place::new(*title, *address),
    };
    let group =
        |(title, entries): &(&'static str, &[Entry])| Group { title, places: entries.iter().map(place).collect() };
    GROUPS.iter().map(group).collect()
}

/// The group that an address is in.
pub(super) fn group_of(entry: &str) -> Option<&'static str> {
    groups().into_iter().find(|group| group.places.iter().any(|place| place.address == entry)).map(|group| group.title)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_page_of_the_guide_is_in_the_map_once() {
        let all: Vec<String> = groups().into_iter().flat_map(|group| group.places).map(|place| place.address).collect();
        let mapped: BTreeSet<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(mapped.len(), all.len(), "none is there twice");
        for name in guide::names() {
            assert!(mapped.contains(guide::address(name).as_str()), "{name} is not in the map");
        }
    }
}
