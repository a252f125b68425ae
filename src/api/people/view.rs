//! How users and their sessions are shown: never with what they log in by.

use serde::Serialize;

use crate::api::Api;
use crate::api::http::list::ListRow;
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::domain::ticket::{Link, Ticket};
use crate::domain::time;
use crate::domain::user::{Role, User};

/// Whether a user can log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "active")]
pub enum UserState {
    /// The user has not been here yet.
    Invited,
    /// The user can log in.
    Active,
    /// The user may not log in.
    Disabled,
}

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// The id.
    pub id: String,
    /// What the user logs in with.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// For people.
    #[schema(example = "Ada")]
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the user can log in.
    pub state: UserState,
    /// Whether the user is asked for a code when logging in.
    pub second_factor: bool,
    /// The identity provider by which the user logs in, if by one.
    pub identity_provider: Option<String>,
    /// When the user was invited.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the user logged in last; null if never.
    #[schema(format = DateTime)]
    pub logged_in_at: Option<String>,
    /// How the user comes in: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LinkView, required = false)]
    pub link: Option<LinkView>,
}

/// A link with which a user sets a password: good for one use.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = UserLink)]
pub struct LinkView {
    /// Where it leads.
    #[schema(example = "https://hooks.example.com/dashboard/ticket/AAAAAXo")]
    pub url: String,
    /// It is good until then.
    #[schema(format = DateTime)]
    pub ends_at: String,
}

/// A session of a user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// Its id.
    pub id: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last used, to some minutes.
    #[schema(format = DateTime)]
    pub last_used_at: String,
    /// When it ends at the latest.
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// Where it began: a proxy's address, if there is one before the server.
    #[schema(value_type = Option<String>, example = "192.0.2.7")]
    pub address: Option<std::net::IpAddr>,
    /// How the browser named itself.
    #[schema(example = "Mozilla/5.0")]
    pub user_agent: String,
    /// Which one it is, for who compares.
    #[serde(skip)]
    pub session: SessionId,
}

impl ListRow for UserView {
    const ALONE: &'static [&'static str] = &["link"];
}

impl ListRow for SessionView {}

/// A user, and perhaps the link that was made.
pub fn user_view(user: &User, link: Option<LinkView>) -> UserView {
    let state = match (user.disabled_at, user.password.is_some() || user.logged_in_at.is_some()) {
        (Some(_), _) => UserState::Disabled,
        (None, true) => UserState::Active,
        (None, false) => UserState::Invited,
    };
    UserView {
        id: user.id.to_string(),
        email: user.email.clone(),
        name: user.name.clone(),
        role: user.role,
        state,
        second_factor: user.has_second_factor(),
        identity_provider: user.external.as_ref().map(|external| external.issuer.clone()),
        created_at: time::rfc3339(user.created_at),
        logged_in_at: user.logged_in_at.map(time::rfc3339),
        link,
    }
}

/// A link at the server that is found at `base_url`.
pub fn link_view(api: &Api, base_url: &str, link: &Link, ticket: &Ticket) -> LinkView {
    let url = format!("{base_url}{}", link_path(link));
    LinkView { url, ends_at: time::rfc3339(api.store.shown(ticket.ends_at)) }
}

/// Where a link leads.
pub fn link_path(link: &Link) -> String {
    format!("/dashboard/ticket/{}", link.spell())
}

/// A session; one that was used meanwhile may not say so yet.
pub fn session_view(session: &Session) -> SessionView {
    SessionView {
        id: session.id.to_string(),
        created_at: time::rfc3339(session.created_at),
        last_used_at: time::rfc3339(session.last_used_at),
        ends_at: time::rfc3339(session.ends_at),
        address: session.address,
        user_agent: session.user_agent.clone(),
        session: session.id,
    }
}
