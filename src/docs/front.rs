//! The front page: what this is, and the ways in.

use super::block::{Card, Document, Draft, Text};
use super::{contracts, guide, paths};
use crate::dialect::Dialect;

/// The front page, with the contracts that are served.
pub(super) fn page<'d>(dialects: impl Iterator<Item = &'d Dialect>) -> Document {
    let mut draft = Draft::new(
        "Hookwheel",
        "A webhook delivery server in one binary: your backend posts an event, and Hookwheel stores it, signs it and delivers it \
         to every webhook that wants it, until the endpoint says yes or the schedule ends. A product's whole webhook contract is \
         one file, every attempt is kept, and all of it can be seen and sent again.",
    );
    let d = &mut draft;
    d.heading(2, "Ways in");
    let of_guide = |name: &str, text: &str| card(guide::title(name).unwrap_or(name), &guide::address(name), text);
    d.cards(vec![
        of_guide("start", "One binary, one webhook, one event, one retry: with commands to copy."),
        of_guide("concepts", "What an event, a delivery, an attempt and a dead letter are, and the way between them."),
        card(
            "API reference",
            paths::API,
            "Every call with its fields, errors, and code in three languages. It can be tried there.",
        ),
        card(
            "Contracts of this server",
            paths::CONTRACTS,
            "What receivers read: events, headers, signatures, code that verifies.",
        ),
        of_guide(
            "own-contracts",
            "A product's contract as a file: how it is made, checked, and changed without surprises.",
        ),
        of_guide("operating", "As a service, with its store, its log and its stop."),
        of_guide("security", "What it is built against, how, and what it does not promise."),
        of_guide("configuration", "Every key with its bounds, its default, and its name in the environment."),
        of_guide(
            "dashboard",
            "What people see: webhooks, deliveries, dead letters, live; and a portal for their customers.",
        ),
        of_guide("figures", "What it does on two cores, measured; and how to measure your own machine."),
    ]);
    d.heading(2, "Contracts of this server");
    d.say("Each is written from the contract itself: what it shows is what is sent.");
    contracts::table(d, dialects);
    d.heading(2, "From elsewhere");
    d.say(
        Text::from("Who comes from another webhook server finds its operations ")
            .link("beside ours", paths::PEERS)
            .and("; programs read ")
            .link("/openapi.json", "/openapi.json")
            .and("."),
    );
    draft.done()
}

fn card(title: &str, to: &str, text: &str) -> Card {
    Card { title: title.into(), text: text.into(), to: to.into() }
}
