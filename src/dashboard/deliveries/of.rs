//! What paths name.

use serde::Deserialize;

use crate::dashboard::links;
use crate::dashboard::seat::Seat;

pub use crate::dashboard::of::Of;

/// One side of an attempt.
#[derive(Debug, Deserialize)]
pub struct OfAttempt {
    /// The delivery's id.
    pub id: String,
    /// Which attempt, from 1.
    pub number: String,
}

/// The address of a delivery's page.
pub fn page(seat: &Seat, delivery: &str) -> String {
    seat.at(&format!("deliveries/{}", links::part(delivery)))
}

/// The address of a webhook's page.
pub fn webhook_page(seat: &Seat, webhook: &str) -> String {
    seat.at(&format!("webhooks/{}", links::part(webhook)))
}

/// The address of an event's page.
pub fn event_page(seat: &Seat, event: &str) -> String {
    seat.at(&format!("events/{}", links::part(event)))
}
