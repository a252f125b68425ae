//! A product's own API: whether the calls that work today still work, and whether their replies can still be read.

use super::change::{Found, Kind, Number, Safe, Side};
use crate::dialect::{DeliveriesRule, Face, ListRule, Operations, TestBody, View};

const SIDE: Side = Side::Callers;

/// Fields: the face's name, and what stands behind it.
type Fields<T> = [(String, T)];

pub(super) fn compare(found: &mut Found, old: Option<&Face>, new: Option<&Face>) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (None, Some(new)) => return found.compatible(SIDE, Kind::Added, "face", format!("calls at {}", new.base)),
        (Some(old), None) => {
            return found.breaking(SIDE, Kind::Removed, "face", format!("no call at {} is answered", old.base));
        }
        (Some(old), Some(new)) => (old, new),
    };
    let Face {
        base,
        operations,
        wrap,
        request,
        test,
        webhook,
        list,
        deliveries,
        names,
        rate_limit_headers,
        // What ids, times and names make of it.
        spelling: _,
    } = old;
    found.must_stay(SIDE, "face.base", (base, &new.base), "calls are answered elsewhere", String::clone);
    calls(found, operations, &new.operations);
    let show = |wrap: &Option<String>| wrap.clone().unwrap_or("bare".into());
    found.must_stay(SIDE, "face.wrap", (wrap, &new.wrap), "replies stand under another key", show);
    let taken = ["a call that has it is refused", "calls can have it"];
    fields(found, "face.request", request, &new.request, taken, |old, new| old == new);
    self::test(found, test, &new.test);
    views(found, "face.webhook", webhook, &new.webhook);
    self::list(found, LIST, list, &new.list);
    let DeliveriesRule { rows, only, list, fields } = deliveries;
    let why = "a row of the history is another thing";
    found.must_stay(SIDE, "face.deliveries.rows", (rows, &new.deliveries.rows), why, |rows| {
        format!("{rows:?}").to_lowercase()
    });
    let why = "other deliveries are in the history";
    found.must_stay(SIDE, "face.deliveries.only", (only, &new.deliveries.only), why, |only| {
        format!("{only:?}").to_lowercase()
    });
    self::list(found, DELIVERIES, list, &new.deliveries.list);
    views(found, "face.deliveries.fields", fields, &new.deliveries.fields);
    let why = "names that the file does not state are written otherwise";
    found.must_stay(SIDE, "face.names", (names, &new.names), why, |names| format!("{names:?}").to_lowercase());
    match (rate_limit_headers, new.rate_limit_headers) {
        (true, false) => {
            found.breaking(SIDE, Kind::Removed, "face.rate_limit_headers", "replies do not tell what is left")
        }
        (false, true) => found.compatible(SIDE, Kind::Added, "face.rate_limit_headers", "replies tell what is left"),
        _ => {}
    }
}

/// Which calls there are: each method and path by itself.
fn calls(found: &mut Found, old: &Operations, new: &Operations) {
    let rows = |operations: &Operations| -> Vec<(String, String, u16)> {
        let of = |operation| format!("face.operations.{operation:?}").to_lowercase();
        let calls =
            operations.0.iter().flat_map(|(operation, endpoints)| endpoints.iter().map(move |call| (operation, call)));
        calls
            .map(|(operation, call)| (of(operation), format!("{} {}", call.method, call.path), operation.status()))
            .collect()
    };
    let (old, new) = (rows(old), rows(new));
    for (key, call, status) in &old {
        match new.iter().find(|(_, other, _)| other == call) {
            None => found.breaking(SIDE, Kind::Removed, key.clone(), format!("{call} is not answered any more")),
            Some((now, _, _)) if now == key => {}
            Some((now, _, other)) => {
                let what = format!("{call} does what {now} says, and answers {other} in the place of {status}");
                found.breaking(SIDE, Kind::Changed, key.clone(), what);
            }
        }
    }
    for (key, call, _) in new.iter().filter(|(_, call, _)| !old.iter().any(|(_, other, _)| other == call)) {
        found.compatible(SIDE, Kind::Added, key.clone(), format!("{call} is answered"));
    }
}

/// Fields of a body: what is gone breaks, what is new does not. `words` says what each means.
fn fields<T: PartialEq + std::fmt::Debug>(
    found: &mut Found,
    part: &str,
    old: &Fields<T>,
    new: &Fields<T>,
    words: [&str; 2],
    is_same: impl Fn(&T, &T) -> bool,
) {
    let key = |name: &str| format!("{part}.{name}");
    let at = |fields: &'_ Fields<T>, name: &str| fields.iter().position(|(known, _)| known == name);
    let mut came: Vec<&(String, T)> = new.iter().filter(|(name, _)| at(old, name).is_none()).collect();
    for (name, value) in old {
        match at(new, name).map(|n| &new[n].1) {
            Some(now) if is_same(value, now) => {}
            Some(_) => found.breaking(SIDE, Kind::Changed, key(name), "it means something else"),
            None => match came.iter().position(|(_, other)| other == value) {
                Some(n) => {
                    let what = format!("it is called {} now", came.remove(n).0);
                    found.breaking(SIDE, Kind::Renamed, key(name), what);
                }
                None => found.breaking(SIDE, Kind::Removed, key(name), words[0]),
            },
        }
    }
    for (name, _) in came {
        found.compatible(SIDE, Kind::Added, key(name), words[1]);
    }
}

fn test(found: &mut Found, old: &TestBody, new: &TestBody) {
    match (old, new) {
        (TestBody::Data, TestBody::Data) => {}
        (TestBody::Fields(old), TestBody::Fields(new)) => {
            let words = ["a test call that has it is refused", "test calls can have it"];
            fields(found, "face.test", old, new, words, |old, new| old == new);
        }
        _ => found.breaking(SIDE, Kind::Changed, "face.test", "the body of a test call is read as something else"),
    }
}

/// Fields of a reply.
fn views(found: &mut Found, part: &str, old: &Fields<View>, new: &Fields<View>) {
    let words = ["who reads it finds nothing", "another field, which nobody has to read"];
    // A field that was left out at times and is always there is as good as before.
    let is_same = |old: &View, new: &View| match (old, new) {
        (
            View::Native { field, kind, optional },
            View::Native { field: now, kind: now_kind, optional: now_optional },
        ) => field == now && kind == now_kind && (*optional || !now_optional),
        (View::Word { .. } | View::Constant(_) | View::Native { .. }, _) => old == new,
    };
    fields(found, part, old, new, words, is_same);
    for (name, view) in old {
        let now = new.iter().find(|(other, _)| other == name).map(|(_, now)| now);
        if now.is_some_and(|now| now != view && is_same(view, now)) {
            found.compatible(SIDE, Kind::Changed, format!("{part}.{name}"), "it is always there");
        }
    }
}

/// The keys of a list, as the file calls them.
struct List {
    key: &'static str,
    paging: &'static str,
    limit: Number,
}

const LIMIT: Number = Number {
    side: SIDE,
    key: "face.list.limit_default",
    safe: Safe::Up,
    up: "a page has more rows unless the caller says how many",
    down: "who reads one page only sees fewer",
};
const LIST: List = List { key: "face.list.key", paging: "face.list.paging", limit: LIMIT };
const DELIVERIES: List = List {
    key: "face.deliveries.list.key",
    paging: "face.deliveries.list.paging",
    limit: Number { key: "face.deliveries.list.limit_default", ..LIMIT },
};

fn list(found: &mut Found, names: List, old: &ListRule, new: &ListRule) {
    let ListRule { key, paging, limit_default } = old;
    found.must_stay(SIDE, names.key, (key, &new.key), "the list stands under another key", String::clone);
    let why = "the next page is found another way";
    found.must_stay(SIDE, names.paging, (paging, &new.paging), why, |paging| format!("{paging:?}").to_lowercase());
    names.limit.compare(found, Some((*limit_default).into()), Some(new.limit_default.into()));
}
