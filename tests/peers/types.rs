//! Rows about event types.
use super::support::Stage;
pub fn list_event_types(_: &mut Stage) {
    todo!()
}
pub fn look_at_an_event_type(_: &mut Stage) {
    todo!()
}
pub fn describe_an_event_type(_: &mut Stage) {
    todo!()
}
pub fn change_an_event_type(_: &mut Stage) {
    todo!()
}
pub fn retire_an_event_type(_: &mut Stage) {
    todo!()
}
pub fn import_event_types_from_openapi(_: &mut Stage) {
    todo!()
}
