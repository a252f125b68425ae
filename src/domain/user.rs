//! Users: people who look at an account's pages. What stays true: a user belongs to one account; those of the account `operator`
//! are the server's own people, who may look at every account.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::ability::{Abilities, Ability};
use super::id::{AccountNumber, UserId};
use super::mail;
use super::second_factor::SecondFactor;
use super::secret::Secret;
use super::time::UnixMs;
use super::words::words;

/// A user's name, in characters.
pub const USER_NAME_CHARS_MAX: usize = 100;
/// What an identity provider says of a user, each part in bytes.
pub const EXTERNAL_BYTES_MAX: usize = 512;

/// What a user may do; the greater one may more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See, and change nothing.
    #[default]
    Viewer,
    /// See, and run deliveries: test, replay, discard, publish, pause and resume.
    Operator,
    /// Everything of the account, its users included.
    Owner,
}

words!(Role {
    Self::Viewer => "viewer",
    Self::Operator => "operator",
    Self::Owner => "owner",
});

impl Role {
    /// Every role, the one that may least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Owner];

    /// The role of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// What it may do in an account. `is_of_server`: it is a role in the account `operator`, whose owners may do everything, for
    /// every account.
    pub fn abilities(self, is_of_server: bool) -> Abilities {
        use Ability::{Admin, Manage, People, Publish, Replay, Rotate, Server, Steer, Test, View};
        let own: &[Ability] = match self {
            Self::Viewer => &[View],
            Self::Operator => &[View, Test, Replay, Publish, Steer],
            Self::Owner => &[View, Test, Replay, Publish, Steer, Manage, Rotate, People],
        };
        let of_server: &[Ability] = match (is_of_server, self) {
            (false, _) => &[],
            (true, Self::Owner) => &[Server, Admin],
            (true, _) => &[Server],
        };
        own.iter().chain(of_server).copied().collect()
    }
}

/// Whom an identity provider knows a user as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct External {
    /// The provider.
    pub issuer: String,
    /// Its own id of the user, which never changes.
    pub subject: String,
}

/// A user. In the store it is sealed, and grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Given by the commit thread; it names the account.
    pub id: UserId,
    /// What the user logs in with: a mail address in lower case, unique in the server.
    pub email: String,
    /// For people.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// A PHC string; none: the user has not set one yet, or logs in by an identity provider.
    pub password: Option<Secret>,
    /// Codes of an app, if the user has set them up or is about to.
    pub second_factor: Option<SecondFactor>,
    /// Whom an identity provider knows the user as.
    pub external: Option<External>,
    /// When the user was made.
    pub created_at: UnixMs,
    /// When the user logged in last.
    pub logged_in_at: Option<UnixMs>,
    /// Since when the user may not log in.
    pub disabled_at: Option<UnixMs>,
}

impl User {
    /// One who is to be invited.
    pub fn invited(email: String, name: String, role: Role) -> Self {
        Self {
            id: UserId(0),
            email,
            name,
            role,
            password: None,
            second_factor: None,
            external: None,
            created_at: 0,
            logged_in_at: None,
            disabled_at: None,
        }
    }

    /// The number of the account.
    pub fn account(&self) -> AccountNumber {
        self.id.account()
    }

    /// Whether the user is asked for a code when logging in.
    pub fn has_second_factor(&self) -> bool {
        self.second_factor.as_ref().is_some_and(|factor| factor.confirmed_at.is_some())
    }
}

/// Checks an address to log in with, and gives it as it is stored.
pub fn vet_email(text: &str) -> Result<String, Invalid> {
    mail::vet_one("email", text)
}

/// Checks a user's name: 1 to 100 characters on one line.
pub fn vet_name(text: &str) -> Result<String, Invalid> {
    let name = text.trim();
    let fits = !name.is_empty() && name.chars().count() <= USER_NAME_CHARS_MAX && !name.chars().any(char::is_control);
    let message = || format!("must be 1 to {USER_NAME_CHARS_MAX} characters on one line");
    if fits { Ok(name.to_string()) } else { Err(Invalid::new("name", message())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_one_below_it_may_and_only_owners_of_the_server_everything() {
        for is_of_server in [false, true] {
            let all = Role::ALL.map(|role| role.abilities(is_of_server));
            for pair in all.windows(2) {
                assert!(pair[0].all().all(|ability| pair[1].has(ability)) && pair[0] != pair[1]);
            }
            assert_eq!(all.map(|abilities| abilities.has(Ability::Admin)), [false, false, is_of_server]);
            assert_eq!(all.map(|abilities| abilities.has(Ability::Server)), [is_of_server; 3]);
            assert_eq!(all.map(|abilities| abilities.has(Ability::Manage)), [false, false, true]);
            assert_eq!(all.map(|abilities| abilities.has(Ability::Replay)), [false, true, true]);
        }
    }

    #[test]
    fn an_address_is_known_whatever_letters_are_great() {
        assert_eq!(vet_email(" Ada@Example.COM ").as_deref(), Ok("ada@example.com"));
        for bad in ["ada", "ada@", "a b@x.y", "ada@x.y,b@x.y", "<ada@x.y>"] {
            assert!(vet_email(bad).is_err(), "{bad}");
        }
        assert_eq!(vet_name("  Ada ").as_deref(), Ok("Ada"));
        assert!(["", " ", "a\nb", &"é".repeat(101)].iter().all(|name| vet_name(name).is_err()));
    }
}
