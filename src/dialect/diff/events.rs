//! The events that are documented, and which others may be sent.

use super::change::{Found, Kind, Side};
use super::schema;
use crate::dialect::{EventType, Types};

/// Whether events of other types may be sent.
pub(super) fn types(found: &mut Found, old: Types, new: Types) {
    if old == new {
        return;
    }
    let name = |types: Types| format!("{types:?}").to_lowercase();
    let (compatible, why) = match new {
        Types::Closed => (false, "an event of a type that is not documented is refused"),
        Types::Open => (true, "an event of a type that is not documented is taken with a warning"),
        Types::Examples => (true, "an event of any type is taken without a word"),
    };
    let what = format!("{} → {}: {why}", name(old), name(new));
    found.put(Side::Callers, Kind::Changed, "event_types".into(), what, compatible);
}

/// Which events there are, and what their data is. `types` says what becomes of those that are gone.
pub(super) fn catalogue(found: &mut Found, old: &[EventType], new: &[EventType], types: Types) {
    let key = |name: &str| format!("event ({name})");
    let find = |events: &[EventType], name: &str| events.iter().position(|event| event.name == name);
    for event in old {
        let EventType { name, description, sample, stated_schema } = event;
        let Some(now) = find(new, name).map(|n| &new[n]) else {
            let what = "who waits for it waits for ever";
            found.breaking(Side::Receivers, Kind::Removed, key(name), what);
            if types == Types::Closed {
                let what = "publishing one is refused";
                found.breaking(Side::Callers, Kind::Removed, key(name), what);
            }
            continue;
        };
        found.words(format!("{}.description", key(name)), description, &now.description);
        let before = found.0.len();
        schema::compare(found, &key(name), &event.schema(), &now.schema());
        let same_schema = found.0.len() == before;
        let said_otherwise =
            stated_schema.as_ref().map(|schema| schema.get()) != now.stated_schema.as_ref().map(|s| s.get());
        if same_schema && said_otherwise {
            let what = "stated otherwise, and says the same";
            found.compatible(Side::Receivers, Kind::Changed, format!("{}.schema", key(name)), what);
        }
        if same_schema && sample.get() != now.sample.get() {
            let what = "another example of the same form";
            found.compatible(Side::Receivers, Kind::Changed, format!("{}.sample", key(name)), what);
        }
    }
    for event in new.iter().filter(|event| find(old, &event.name).is_none()) {
        let what = "another event; only who asks for it, or for all, gets it";
        found.compatible(Side::Receivers, Kind::Added, key(&event.name), what);
    }
}
