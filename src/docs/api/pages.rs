//! The pages of the reference: where one begins, the parts, the operations.

use super::document::{Operation, Reference};
use super::operation;
use crate::docs::block::{Card, Document, Draft, Text, row};
use crate::docs::page::{Below, Page, Place};
use crate::docs::paths;
use crate::docs::words;

/// The page of a part or an operation; the first one without a name.
pub(in crate::docs) fn page(reference: &Reference, name: Option<&str>, base_url: &str) -> Option<Page> {
    let Some(name) = name else {
        return Some(Page { below: below(reference, None), ..Page::new(paths::API, home(reference, base_url)) });
    };
    let (noun, document) = match reference.operation(name) {
        Some(found) => (found.noun(), operation::page(reference, found, base_url)),
        None => {
            let noun = reference.nouns().into_iter().find(|noun| noun.name == name)?;
            (noun.name, part(reference, noun.name, noun.description))
        }
    };
    let home = Place::new("API reference", paths::API);
    let over = Place::new(title(noun), address(noun));
    let trail = if noun == name { vec![home] } else { vec![home, over] };
    let page = Page::new(address(name), document);
    Some(Page { entry: paths::API.into(), trail, below: below(reference, Some(noun)), ..page })
}

/// All of them.
pub(in crate::docs) fn pages(reference: &Reference, base_url: &str) -> Vec<Page> {
    let names = reference.nouns().into_iter().flat_map(|noun| {
        let operations = reference.operations_of(noun.name).into_iter().map(|operation| operation.id);
        std::iter::once(noun.name).chain(operations)
    });
    let pages = names.filter_map(|name| page(reference, Some(name), base_url));
    page(reference, None, base_url).into_iter().chain(pages).collect()
}

fn address(name: &str) -> String {
    format!("{}/{name}", paths::API)
}

fn title(noun: &str) -> String {
    words::capital(&noun.replace('_', " "))
}

/// The parts, and the operations of one of them.
fn below(reference: &Reference, open: Option<&str>) -> Vec<Below> {
    let mut all = vec![Below { place: Place::new("API reference", paths::API), depth: 1 }];
    for noun in reference.nouns() {
        all.push(Below { place: Place::new(title(noun.name), address(noun.name)), depth: 1 });
        if Some(noun.name) == open {
            let place = |one: Operation<'_>| Place::new(one.summary(), address(one.id));
            all.extend(reference.operations_of(noun.name).into_iter().map(|one| Below { place: place(one), depth: 2 }));
        }
    }
    all
}

fn home(reference: &Reference, base_url: &str) -> Document {
    let mut draft = Draft::new(
        "API reference",
        "Every call of the native API, from the document that the server gives of itself: JSON over HTTP, with a key.",
    );
    let d = &mut draft;
    d.heading(2, "How calls are made");
    let base = base_url.trim_end_matches('/');
    d.code("bash", format!("curl \"{base}/api/v1/whoami\" \\\n  -H \"Authorization: Bearer $HOOKWHEEL_KEY\""));
    d.list([
        Text::from("Replies are `{\"data\": …}`, with `warnings` where there is something to know; lists come in pages, with `next_cursor`."),
        Text::from("Errors are `{\"error\": {\"code\", \"message\", \"field\"?}}`. 503 means not now, with `Retry-After`."),
        Text::from("An admin key acts for the account `default`, unless the header `Hookwheel-Account` names another."),
        Text::from("All of it on one page: ").link("the API at a glance", "/docs/guide/api-at-a-glance").and("."),
        Text::from("For programs, and to generate clients from: ").link("/openapi.json", "/openapi.json").and("."),
    ]);
    d.heading(2, "Parts");
    let cards = reference.nouns().into_iter().map(|noun| Card {
        title: title(noun.name),
        text: Text::from(noun.description),
        to: address(noun.name),
    });
    d.cards(cards.collect());
    draft.done()
}

fn part(reference: &Reference, noun: &str, description: &str) -> Document {
    let mut draft = Draft::new(title(noun), description);
    let rows = reference.operations_of(noun).into_iter().map(|one| {
        let call = format!("`{} {}`", one.method.to_uppercase(), one.path);
        let scope = one.said["x-scope"]
            .as_str()
            .map_or(Text::from(if one.has_key() { "any key" } else { "no key" }), Text::code);
        row![Text::default().link(one.summary(), address(one.id)), call, scope]
    });
    draft.heading(2, "Calls");
    draft.table(format!("Calls of {noun}"), &["What it does", "Call", "Scope"], rows.collect());
    draft.done()
}
