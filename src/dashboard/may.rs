//! What one must be allowed to change what deliveries come to: in one place, so that a page shows a button to those only whose form
//! it takes.

use super::seat::Seat;
use crate::api::access::auth::Manage;
use crate::domain::account::Scope;

/// What forms need that replay, discard, or stop a job.
pub type ToReplay = Manage;

/// Whether who looks may send such forms.
pub fn may_replay(seat: &Seat) -> bool {
    seat.may(Scope::Manage)
}

/// Whether who looks may pause and resume webhooks.
pub fn may_steer(seat: &Seat) -> bool {
    seat.may(Scope::Manage)
}
