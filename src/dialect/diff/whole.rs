//! All of two contracts: each key once.

use super::change::Number;
use super::change::{Change, Found, Kind, Safe, Side};
use super::message::{self, Message};
use super::{challenge, events, face, limits, secrets};
use crate::dialect::{Dialect, EventType, Ids};
use crate::domain::id::IdForm;
use crate::domain::time::TimeForm;

const TIMEOUT: Number = Number {
    side: Side::Receivers,
    key: "timeout_seconds",
    safe: Safe::Up,
    up: "endpoints have longer to answer",
    down: "an endpoint that needs longer fails",
};
const MAX_IN_FLIGHT: Number = Number {
    side: Side::Receivers,
    key: "max_in_flight",
    safe: Safe::Neither,
    up: "an endpoint that is built for fewer at once gets more",
    down: "fewer go out at once, so a busy webhook can fall behind",
};

/// What is otherwise in `new`, in the order of the keys of a file; none where both say the same.
pub fn changes(old: &Dialect, new: &Dialect) -> Vec<Change> {
    let mut found = Found::default();
    // Taken apart whole, so that a key without a rule does not compile.
    let Dialect {
        name: _,
        source: _,
        title,
        description,
        success,
        timeout_seconds,
        retry,
        retries,
        all_delays,
        disable,
        // What `disable` is made of.
        written_disable: _,
        max_in_flight,
        rate_limit,
        limits: bounds,
        secrets: secret_rule,
        url_is_secret,
        challenge: question,
        ids,
        times,
        body,
        shape,
        // What `shape` is made of.
        written_shape: _,
        envelope,
        user_agent,
        headers,
        signature,
        face: api,
        types,
        catalogue,
        sample_actor,
    } = old;
    let f = &mut found;
    f.words("title", title, &new.title);
    f.words("description", description, &new.description);
    limits::success(f, success, &new.success);
    TIMEOUT.compare(f, Some((*timeout_seconds).into()), Some(new.timeout_seconds.into()));
    limits::retry(f, (retry, all_delays), (&new.retry, &new.all_delays), *retries != new.retries);
    limits::disable(f, (disable, retry), (&new.disable, &new.retry));
    MAX_IN_FLIGHT.compare(f, Some((*max_in_flight).into()), Some(new.max_in_flight.into()));
    limits::rate(f, *rate_limit, new.rate_limit);
    limits::limits(f, *bounds, new.limits);
    secrets::compare(f, secret_rule, &new.secrets);
    secrets::url(f, *url_is_secret, new.url_is_secret);
    challenge::compare(f, (question.as_ref(), *times), (new.challenge.as_ref(), new.times));
    let sent = [Message::of(old), Message::of(new)];
    spelling_of_ids(f, ids, new, &sent);
    spelling_of_times(f, *times, new, &sent);
    message::body(f, body, &new.body, [&old.content_type(), &new.content_type()]);
    message::shape(f, shape.as_ref(), new.shape.as_ref());
    message::envelope(f, (envelope, *times), (&new.envelope, new.times));
    message::user_agent(f, user_agent, &new.user_agent);
    message::headers(f, (headers, *times), (&new.headers, new.times));
    message::signatures(f, (signature, *times), (&new.signature, new.times));
    face::compare(f, api.as_ref(), new.face.as_ref());
    events::types(f, *types, new.types);
    events::catalogue(f, &received(old, catalogue), &received(new, &new.catalogue), new.types);
    if sample_actor.as_ref().map(|actor| actor.get()) != new.sample_actor.as_ref().map(|actor| actor.get()) {
        f.compatible(
            Side::Receivers,
            Kind::Changed,
            "sample_actor",
            "another example; nothing else that is sent changes",
        );
    }
    found.0
}

/// The documented types as receivers get them.
fn received(dialect: &Dialect, events: &[EventType]) -> Vec<EventType> {
    events.iter().map(|event| dialect.received(event).into_owned()).collect()
}

/// Ids that somebody has kept no longer equal those that come.
fn spelling_of_ids(found: &mut Found, old: &Ids, new: &Dialect, sent: &[Message<'_>; 2]) {
    let Ids { webhook, event, delivery } = old;
    let kinds: [(&str, &IdForm, &IdForm); 3] = [
        ("webhook", webhook, &new.ids.webhook),
        ("event", event, &new.ids.event),
        ("delivery", delivery, &new.ids.delivery),
    ];
    for (kind, old, new_form) in kinds.into_iter().filter(|(_, old, new)| old != new) {
        let key = format!("ids.{kind}");
        let what = format!("{:?} → {:?}: ids that were kept do not equal those that come", old.prefix, new_form.prefix);
        let is_sent = sent.iter().any(|message| message.has_id(kind));
        if is_sent {
            found.breaking(Side::Receivers, Kind::Changed, key.clone(), what.clone());
        }
        if new.face.is_some() {
            found.breaking(Side::Callers, Kind::Changed, key, what);
        } else if !is_sent {
            found.compatible(Side::Receivers, Kind::Changed, key, "no such id is sent or shown");
        }
    }
}

/// What is sent shows it where it stands; here is told of what the API shows.
fn spelling_of_times(found: &mut Found, old: TimeForm, new: &Dialect, sent: &[Message<'_>; 2]) {
    if old == new.times {
        return;
    }
    let name = |form: TimeForm| TimeForm::NAMED.iter().find(|(_, known)| *known == form).map_or("", |(name, _)| *name);
    let what = format!("{:?} → {:?}", name(old), name(new.times));
    if new.face.is_some() {
        found.breaking(
            Side::Callers,
            Kind::Changed,
            "times",
            format!("{what}: times in replies are written otherwise"),
        );
    } else if !sent.iter().any(Message::has_own_time) {
        found.compatible(Side::Receivers, Kind::Changed, "times", format!("{what}: no such time is sent or shown"));
    }
}
