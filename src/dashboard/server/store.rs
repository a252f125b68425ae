//! The store: what it takes of the disk, how fast it grows and when that ends, what retention keeps, how sound it is, its master
//! keys and its clock.

use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use crate::api::access::auth::{Admin, Oversees};
use crate::api::health::readiness::StoreDetails;
use crate::api::master_keys::{MasterKeysView, master_keys, read_again};
use crate::api::retention_clock::{RetentionClock, let_go_on, retention_clock};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::gauge::gauge;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::parts::{amount, copy, time};
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::account::Scope;
use crate::domain::time::UnixMs;
use crate::store::{Amount, Disk, FULL_SOON_DAYS, Growth};

/// More days than this are "years".
const DAYS_TOLD_MAX: u64 = 3_650;
/// What says how long things are kept, and what it says.
const RETENTION: [(&str, &str); 7] = [
    ("retention.event_days", "Days that events are kept; 0: for ever"),
    ("retention.bytes_max", "Bytes kept in all; 0: any number"),
    ("limits.kept_bytes_max", "Bytes kept of one account; 0: any number"),
    ("retention.hold_days_max", "Days that a delivery is held at most"),
    ("retention.audit_days", "Days that the audit log is kept; 0: for ever"),
    ("retention.audit_entries_max", "Entries of an account's audit log; 0: any number"),
    ("store.free_bytes_min", "Bytes that stay free: below them no events are taken"),
];

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show).service(ask_trust).service(trust).service(reload);
}

#[get("/dashboard/server/store")]
async fn show(seat: Looks<Oversees>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let at = api.clone();
    let read = api.read(seat.account().number, move || {
        let known = (at.store.disk()?, at.store.amounts()?, master_keys(&at)?);
        Ok::<_, Problem>(known)
    });
    let (disk, amounts, keys) = read.await??;
    let (now, sound) = (api.clock.now(), StoreDetails::of(api.store.soundness()));
    let body = html! {
        (space(&disk))
        (trees(&amounts))
        (retention(&api))
        (soundness(&sound))
        (clock(&seat, &retention_clock(&api), now))
        (seals(&seat, &keys, &disk))
    };
    Ok(Page::new("Store", Part::Store).show(&seat, &body))
}

fn space(disk: &Disk) -> Markup {
    let kept = disk.kept;
    html! {
        (full(disk))
        dl.facts {
            dt { "Data directory" } dd { (copy::text(&disk.path.display().to_string())) }
            dt { "Format" } dd { (disk.format) ": an older one is brought to it at a start, a newer one is refused" }
            dt { "Files" } dd { (amount::bytes(disk.files_bytes)) }
            dt { "Of which kept" } dd {
                (amount::bytes(kept.total())) ": events " (amount::bytes(kept.events)) ", ended deliveries and attempts "
                (amount::bytes(kept.deliveries))
            }
            dt { "Free on its disk" } dd { @match disk.free_bytes {
                Some(free) => {
                    (amount::bytes(free))
                    @if disk.reserve_bytes > 0 { ", of which " (amount::bytes(disk.reserve_bytes)) " are the reserve" }
                    (gauge(disk.files_bytes, disk.files_bytes.saturating_add(free), "What the files take of what there is for them"))
                }
                None => span.none { "not known" },
            } }
            dt { "Growth" } dd { (growth(disk.growth)) }
        }
        p.hint { "Files do not shrink: what retention takes leaves room within them, which is used again." }
    }
}

/// How much there is of what.
fn trees(amounts: &[(&'static str, Amount)]) -> Markup {
    html! {
        h2 { "What there is" }
        @if amounts.is_empty() { p { "It is counted while all rows are looked at after the start: soon it is known." } } @else {
            div.table tabindex="0" { table {
                thead { tr { th scope="col" { "Tree" } th.number scope="col" { "Rows" } th.number scope="col" { "Bytes" } } }
                tbody { @for (tree, amount) in amounts { tr {
                    td { code { (tree) } } td.number { (amount::count(amount.rows)) } td.number { (amount::bytes(amount.bytes)) }
                } } }
            } }
        }
    }
}

/// When it will be full, in a sentence.
fn full(disk: &Disk) -> Markup {
    let (meaning, word, words) = match (disk.days_left(), disk.growth) {
        (Some(0), _) => (
            Meaning::Dead,
            "full",
            "At this pace no more events are taken within a day: free space, or keep less.".into(),
        ),
        (Some(days), _) if days < FULL_SOON_DAYS => (
            Meaning::Trouble,
            "soon full",
            format!("At this pace no more events are taken in {}.", amount::of(days, "day", "days")),
        ),
        (Some(days), _) if days > DAYS_TOLD_MAX => {
            (Meaning::Well, "room", "At this pace there is room for more than ten years.".into())
        }
        (Some(days), _) => {
            (Meaning::Well, "room", format!("At this pace there is room for {}.", amount::of(days, "day", "days")))
        }
        (None, None) => {
            (Meaning::Off, "not known yet", "How fast the files grow is known an hour after a start.".into())
        }
        (None, Some(_)) => (Meaning::Well, "room", "The files do not grow.".into()),
    };
    html! { p.verdict { (state(meaning, word)) " " (words) } }
}

fn growth(growth: Option<Growth>) -> Markup {
    html! {
        @match growth {
            None => span.none { "not known yet: an hour after a start it is" },
            Some(growth) => {
                @let a_day = growth.a_day();
                @if a_day < 0 { "−" } (amount::bytes(a_day.unsigned_abs())) " a day, as in the last " (time::span(growth.over_ms))
                " (since the start, or a week)"
            }
        }
    }
}

fn retention(api: &Api) -> Markup {
    let value = |name: &str| {
        let settings = api.settings();
        let knob = settings.knobs.iter().find(|knob| knob.name == name)?;
        Some(match knob.value.as_u64() {
            Some(bytes) if name.contains("bytes") => amount::bytes(bytes),
            Some(number) => amount::count(number),
            None => knob.value.to_string(),
        })
    };
    html! {
        h2 { "Retention" }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Setting" } th.number scope="col" { "Value" } th scope="col" { "What it says" } } }
            tbody { @for (name, words) in RETENTION { @if let Some(value) = value(name) {
                tr { td { code { (name) } } td.number { (value) } td.wide { (words) } }
            } } }
        } }
        p.hint { "An account may have limits of its own." }
    }
}

fn soundness(sound: &StoreDetails) -> Markup {
    let is_sound = sound.quarantined.is_empty() && sound.differences.is_empty();
    let rows = amount::of(sound.scrubbed, "row", "rows");
    html! {
        h2 { "Soundness" }
        p.verdict {
            @if !is_sound { (state(Meaning::Trouble, "damaged")) " Look at the disk. What cannot be read was put aside; the rest goes on." }
            @else if sound.scrub_done { (state(Meaning::Well, "sound")) " All of " (rows) " were looked at after the start." }
            @else { (state(Meaning::Waiting, "being looked at")) " " (rows) " so far were as they were written." }
        }
        @if !sound.quarantined.is_empty() {
            dl.facts { @for (tree, rows) in &sound.quarantined {
                dt { (tree) } dd { (amount::of(*rows, "record was", "records were")) " put aside" }
            } }
        }
        @if !sound.differences.is_empty() { ul { @for one in &sound.differences { li { (one) } } } }
    }
}

fn clock(seat: &Seat, clock: &RetentionClock, now: UnixMs) -> Markup {
    html! {
        h2 { "Retention's clock" }
        @if clock.behind_seconds == 0 {
            p { (state(Meaning::Well, "right")) " It agrees with the machine's clock: " (time::text(Some(&clock.time), now)) "." }
        } @else {
            p { (state(Meaning::Trouble, "differs")) " " (apart(clock.behind_seconds)) ". By it retention tells how old things are; it never \
                follows by more than a day by itself, so that a wrong clock costs nothing that is kept." }
            @if seat.may(Scope::Admin) {
                p { a.button href=(seat.at_server("store/trust-clock")) { "The machine's clock is right" } }
            }
        }
    }
}

/// How far it is from the machine's clock.
fn apart(behind_seconds: i64) -> String {
    let span = time::span(behind_seconds.unsigned_abs() * 1000);
    format!("It is {span} {} the machine's clock", if behind_seconds > 0 { "behind" } else { "ahead of" })
}

fn seals(seat: &Seat, keys: &MasterKeysView, disk: &Disk) -> Markup {
    let sealed = |mark: &str| keys.in_use.get(mark).copied().unwrap_or(0) as u64;
    html! {
        h2 { "Master keys" }
        p { "They stand in " code { (disk.master_keys) } ". A mark tells nothing of its key." }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Mark" } th scope="col" { span.visually-hidden { "What it does" } } th.number scope="col" { "Records that it has sealed" } } }
            tbody { @for mark in &keys.known { tr {
                td { code { (mark) } }
                td { @if *mark == keys.current { (state(Meaning::Well, "seals")) } @else if sealed(mark) > 0 { (state(Meaning::Waiting, "opens")) }
                    @else { (state(Meaning::Off, "can be taken out")) } }
                td.number { (amount::count(sealed(mark))) }
            } } }
        } }
        p { "To rotate: put a new key before the old one, read them again, and take the old one out once it has sealed nothing." }
        @if seat.may(Scope::Admin) {
            form method="post" action=(seat.at_server("store/master-keys")) {
                (token(seat)) button type="submit" { "Read the master keys again" }
            }
        }
    }
}

#[get("/dashboard/server/store/trust-clock")]
async fn ask_trust(seat: Looks<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let clock = retention_clock(&api);
    let words = html! {
        p { @if clock.behind_seconds == 0 { "Retention's clock agrees with the machine's." } @else { (apart(clock.behind_seconds)) "." } }
        p { "If the machine's clock is right, retention's goes on to it at once: what is too old by it is deleted from then on, and what was \
             held for too long is cancelled. If it is wrong, set it first: what is deleted does not come back." }
    };
    let (action, back) = (seat.at_server("store/trust-clock"), seat.at_server("store"));
    let confirm =
        Confirm { words: &words, action: &action, button: "It is right: go on to it", back: &back, fields: &[] };
    Ok(Page::new("Is the machine's clock right?", Part::Store).show(&seat, &confirm.show(&seat)))
}

#[post("/dashboard/server/store/trust-clock")]
async fn trust(posted: Posted<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let_go_on(&api, posted.seat.tenant()).await?;
    Ok(on_to(&posted.seat.at_server("store"), "saved"))
}

#[post("/dashboard/server/store/master-keys")]
async fn reload(posted: Posted<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    read_again(&api, posted.seat.tenant()).await?;
    Ok(on_to(&posted.seat.at_server("store"), "read-again"))
}
