//! Users of accounts: who they are (`routes`, `acts`), how they come in (`entering`, `links`, `first`, `sign_on`), and what one changes of
//! oneself (`own`, `codes`). What stays true: whatever lets somebody in is decided in the commit thread, so a password that was
//! changed, a link that was used or a user who was removed a moment ago lets nobody in.

pub mod acts;
pub mod browser;
pub mod codes;
pub mod entering;
pub mod first;
pub mod halfway;
pub mod input;
pub mod links;
pub mod own;
pub mod routes;
pub mod sign_on;
pub mod view;
