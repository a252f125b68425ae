//! What a request says of a user.

use serde::Deserialize;

use crate::domain::Invalid;
use crate::domain::user::{self, Role, User};

/// Somebody to invite.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserCreate)]
pub struct UserInput {
    /// What the user logs in with: a mail address that no other user of the server has.
    #[schema(max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// For people, at most 100 characters; the address if left out.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    pub name: Option<String>,
    /// What the user may do; `viewer` if left out.
    #[serde(default)]
    pub role: Option<Role>,
}

impl UserInput {
    /// The user, vetted.
    pub fn vet(self) -> Result<User, Invalid> {
        let email = user::vet_email(&self.email)?;
        let name = match self.name {
            Some(name) => user::vet_name(&name)?,
            None => email.chars().take(user::USER_NAME_CHARS_MAX).collect(),
        };
        Ok(User::invited(email, name, self.role.unwrap_or_default()))
    }
}

/// What to change of a user: what is left out stays.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// For people, at most 100 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, example = "Ada")]
    pub name: Option<String>,
    /// What the user may do from now on; all sessions of the user end.
    #[serde(default)]
    pub role: Option<Role>,
    /// Whether the user may not log in; all sessions of the user end.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// `false` takes the second factor away, of somebody who has lost it; only the user can set up another.
    #[serde(default)]
    pub second_factor: Option<bool>,
}
