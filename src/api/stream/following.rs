//! A stream under way. What stays true: it holds its place and what is on its way to the connection, and reads on only once there
//! is room there, in its account's turn; so a slow reader costs nobody anything, and one that falls behind what is kept is told so
//! and dropped. It ends with the server, and with the key, session or account that it was let in by.

use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::rt::time::sleep;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::watch;

use super::input::{Asked, Sought};
use super::place::Place;
use super::telling::Teller;
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::door::connections::Admitted;
use crate::api::http::problem::Problem;
use crate::clock::Stopwatch;
use crate::domain::byte_budget::Charge;
use crate::domain::id::AccountNumber;
use crate::domain::time::{self, UnixMs};
use crate::store::{JournalRow, StoreError};

/// What is made at once, in bytes, or one message more.
const CHUNK_BYTES: usize = 64 * 1024;
/// Rows of the journal that are read at once.
const ROWS_AT_ONCE: usize = 16;
/// Of what those tell so much is looked up at once, or that of one row more, whether it is asked for then or not.
const LOOKS_AT_ONCE: usize = 256;
/// Between two looks: what happens meanwhile is told together.
const PACE: Duration = Duration::from_millis(20);
/// So many streams look at that pace; where more are read, each looks more seldom, so that all together cost no more.
const AT_PACE: usize = 16;
/// A stream that has nothing to tell says at least so often that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that was cut off comes back after so many milliseconds.
const RETRY_MS: u64 = 3_000;

/// Whether who reads it would still be let in.
pub type LetIn = Box<dyn Fn(&Api) -> bool + Send>;

/// Begins a stream for who asks, on this connection.
///
/// # Errors
/// As many are read as may be.
pub fn begin(
    api: &web::Data<Api>,
    tenant: &Tenant,
    asked: Asked,
    connection: Option<Arc<Admitted>>,
    let_in: LetIn,
) -> Result<HttpResponse, Problem> {
    let room = api.may_stream(tenant.home()).map_err(Problem::too_many_streams)?;
    let following = Following::of(api.clone(), tenant.account().number, asked, (connection, let_in, room));
    let chunks = stream::try_unfold(following, Following::next);
    let mut reply = HttpResponse::Ok();
    // Proxies that gather replies before they hand them on are asked not to.
    reply
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"));
    Ok(reply.streaming(chunks))
}

/// Where what happens from now on begins, for who first looks at what there is and then reads what comes.
pub fn beginning(api: &Api) -> u128 {
    let newest = api.store.newest_of_journal();
    api.store.watch_journal();
    *newest.borrow()
}

struct Following {
    api: web::Data<Api>,
    /// In whose turn it is read.
    account: AccountNumber,
    sought: Sought,
    /// Behind what it goes on.
    place: Place,
    /// Whether what comes next must follow that, or else something is missing.
    is_strict: bool,
    /// Ends with this row, if it does not go on.
    until: Option<u128>,
    newest: watch::Receiver<u128>,
    connection: Option<Arc<Admitted>>,
    let_in: LetIn,
    /// What is told before all else.
    opening: Option<String>,
    /// Something was told; that may be: a slow reader has had its chance.
    has_begun: bool,
    /// There may be more to read at once.
    has_more: bool,
    /// All there was has just been told.
    rests: bool,
    /// Since anything was said.
    said: Stopwatch,
    is_over: bool,
    _room: Charge,
}

impl Following {
    fn of(
        api: web::Data<Api>,
        account: AccountNumber,
        asked: Asked,
        (connection, let_in, room): (Option<Arc<Admitted>>, LetIn, Charge),
    ) -> Self {
        let Asked { sought, place, since, follows } = asked;
        let newest = api.store.newest_of_journal();
        let was_watched = api.store.watch_journal();
        let here = Place { row: *newest.borrow(), taken: None, all: sought.account.is_none() };
        let mut opening = format!("retry: {RETRY_MS}\n\n");
        let (place, is_strict) = match place {
            None => match since {
                Some(row) => (Place { row, ..here }, false),
                None => (here, was_watched && here.row > 0),
            },
            // Nobody watched in between; or what it tells of is none of what was told here, or was lost since.
            Some(place) if !was_watched || place.row > here.row => {
                tell_gap(&mut opening, place, api.clock.wall(), None);
                (here, false)
            }
            // Of another kind of stream: what its row tells is told again.
            Some(place) if place.all != here.all => (Place { taken: Some(0), all: here.all, ..place }, true),
            Some(place) => (place, true),
        };
        Self {
            api,
            account,
            sought,
            place,
            is_strict,
            until: (!follows).then_some(here.row),
            newest,
            connection,
            let_in,
            opening: Some(opening),
            has_begun: false,
            has_more: true,
            rests: false,
            said: Stopwatch::start(),
            is_over: false,
            _room: room,
        }
    }

    /// What is told next. An error breaks the stream off; who comes back with its last id misses nothing.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if let Some(opening) = self.opening.take() {
            return Ok(Some((opening.into(), self)));
        }
        if std::mem::take(&mut self.rests) {
            sleep(self.pace()).await;
        }
        loop {
            if self.is_over {
                return Ok(None);
            }
            if let Some(why) = self.must_end() {
                self.is_over = true;
                return Ok(Some((format!(": {why}\n\n").into(), self)));
            }
            self.connection.iter().for_each(|connection| connection.goes_on());
            self.api.store.watch_journal();
            let newest = *self.newest.borrow_and_update();
            self.is_over = self.until.is_some_and(|until| self.place.row >= until && self.place.taken.is_none());
            if !self.is_over && (self.has_more || newest != self.place.row) {
                let (api, account) = (self.api.clone(), self.account);
                let read = move || (self.chunk(newest), self);
                let (chunk, goes_on) = api.read(account, read).await.map_err(io::Error::other)?;
                self = goes_on;
                let chunk = chunk.map_err(|error| io::Error::other(error.to_string()))?;
                if !chunk.is_empty() {
                    (self.rests, self.said) = (!self.has_more, Stopwatch::start());
                    return Ok(Some((chunk.into(), self)));
                }
                if self.has_more {
                    continue;
                }
            }
            if self.until.is_some() {
                self.is_over = true;
            } else if !self.waits().await {
                self.said = Stopwatch::start();
                return Ok(Some((self.sign().into(), self)));
            }
        }
    }

    /// Why it goes on no more.
    fn must_end(&self) -> Option<&'static str> {
        if self.connection.as_ref().is_some_and(|connection| connection.is_left()) {
            return Some("its client has gone");
        }
        if self.api.connections().is_stopping() {
            return Some("the server stops");
        }
        (!(self.let_in)(&self.api)).then_some("who reads this would not be let in any more")
    }

    /// Waits until something may have happened; false: for so long that it is time for a sign.
    async fn waits(&mut self) -> bool {
        sleep(self.pace()).await;
        let idle = Duration::from_secs(self.api.settings().limits.idle_seconds.max(2)) / 2;
        // What happens meanwhile and is not asked for puts no sign off.
        let silence = KEEP_ALIVE.min(idle).saturating_sub(self.said.elapsed());
        if silence.is_zero() {
            return false;
        }
        tokio::select! {
            told = self.newest.changed() => {
                // The store is closed: so is the server, in a moment.
                self.is_over = told.is_err();
                true
            }
            () = self.api.connections().stopping() => true,
            () = sleep(silence) => false,
        }
    }

    fn pace(&self) -> Duration {
        PACE * (1 + self.api.streams() / AT_PACE) as u32
    }

    /// A sign that it is there, with how far it is: what is not asked for need not be read again by who comes back.
    fn sign(&self) -> String {
        if self.is_strict { format!(":\nid: {}\n\n", self.place) } else { ":\n\n".into() }
    }

    /// Some of what comes next, up to the newest row that is to be told; nothing where nothing of it is asked for.
    fn chunk(&mut self, newest: u128) -> Result<String, StoreError> {
        let (mut out, mut looks) = (String::new(), 0);
        let rows = self.api.store.journal(self.place.row, ROWS_AT_ONCE)?;
        self.has_more = rows.len() == ROWS_AT_ONCE;
        let api = self.api.clone();
        for (id, row) in rows {
            if id > newest {
                self.has_more = false;
                break;
            }
            if out.len() >= CHUNK_BYTES || looks >= LOOKS_AT_ONCE {
                self.has_more = true;
                break;
            }
            let taken = match self.place.taken {
                None if id == self.place.row => continue,
                Some(taken) if id == self.place.row => taken,
                taken => {
                    let follows = taken.is_none() && row.previous == self.place.row;
                    if self.is_strict && !follows {
                        self.tell_missing(&mut out, id);
                        if self.is_over {
                            return Ok(out);
                        }
                    }
                    0
                }
            };
            looks += row.happened.iter().filter(|one| self.sought.is_seen(one)).count();
            let taken = self.tell(&api, &mut out, (id, &row), taken)?;
            self.place = Place { row: id, taken, ..self.place };
            (self.is_strict, self.has_begun) = (true, true);
            if taken.is_some() {
                self.has_more = true;
                break;
            }
        }
        Ok(out)
    }

    /// Tells what a row tells, but for what was taken of it before. Gives how much is taken then, if that is not all.
    fn tell(
        &self,
        api: &Api,
        out: &mut String,
        (id, row): (u128, &JournalRow),
        taken: u32,
    ) -> Result<Option<u32>, StoreError> {
        let mut teller = Teller::of(api, &self.sought);
        let count = row.happened.iter().filter(|one| self.sought.is_seen(one)).count() as u32;
        let seen = row.happened.iter().filter(|one| self.sought.is_seen(one));
        for (number, happening) in (1..).zip(seen).filter(|(number, _)| *number > taken) {
            let Some(told) = teller.tell(happening)? else { continue };
            let taken = (number < count).then_some(number);
            let place = Place { row: id, taken, ..self.place };
            let _ = write!(out, "id: {place}\nevent: {}\ndata: {told}\n\n", happening.what.word());
            if out.len() >= CHUNK_BYTES && taken.is_some() {
                return Ok(taken);
            }
        }
        Ok(None)
    }

    /// What comes next does not follow what was told last. Who was told something before has read too slowly.
    fn tell_missing(&mut self, out: &mut String, id: u128) {
        let goes_on = Place { row: id, taken: Some(0), ..self.place };
        tell_gap(out, self.place, time_of(id), Some(goes_on));
        if self.has_begun {
            self.is_over = true;
            self.api.streams_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells that what happened behind a place and before a time is missing.
fn tell_gap(out: &mut String, place: Place, to: UnixMs, goes_on: Option<Place>) {
    let message =
        "what happened in between is not kept for streams any more; list events and deliveries of that time to see it";
    let gap = json!({"from": time::rfc3339(time_of(place.row).min(to)), "to": time::rfc3339(to), "message": message});
    let id = goes_on.map_or(String::new(), |place| format!("id: {place}\n"));
    let _ = write!(out, "{id}event: gap\ndata: {gap}\n\n");
}

/// When a row was written.
fn time_of(row: u128) -> UnixMs {
    (row >> 80) as u64
}
