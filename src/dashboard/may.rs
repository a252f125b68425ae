//! What one must be able to do to change what deliveries come to: in one place, so that a page shows a button to those only whose
//! form is taken.

use super::seat::Seat;
use crate::api::access::auth::Replays;
use crate::api::jobs::routes::vet_stop;
use crate::api::jobs::view::JobView;
use crate::domain::ability::Ability;

/// What forms need that replay, discard, or stop a job.
pub type ToReplay = Replays;

/// Whether who looks may send such forms.
pub fn may_replay(seat: &Seat) -> bool {
    seat.can(Ability::Replay)
}

/// Whether who looks may stop this job. Nobody stops the deletion of an account: it is gone already.
pub fn may_stop(seat: &Seat, job: &JobView) -> bool {
    may_replay(seat) && job.of != "account" && vet_stop(seat.tenant(), job.kind).is_ok()
}

/// Whether who looks may purge and delete events. In a portal nobody may: to manage there is to manage webhooks, and what was
/// published is not the customer's to take away.
pub fn may_leave(seat: &Seat) -> bool {
    seat.can(Ability::Manage) && !seat.is_portal()
}

/// Whether who looks may pause and resume webhooks.
pub fn may_steer(seat: &Seat) -> bool {
    seat.can(Ability::Steer)
}
