//! Rows about polling.
use super::support::Stage;
pub fn take_deliveries_by_polling(_: &mut Stage) {
    todo!()
}
pub fn say_what_was_handled(_: &mut Stage) {
    todo!()
}
pub fn poll_again_from_an_earlier_time(_: &mut Stage) {
    todo!()
}
pub fn give_a_poller_a_key(_: &mut Stage) {
    todo!()
}
