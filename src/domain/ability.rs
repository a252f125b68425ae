//! What somebody who looks at pages may do. What stays true: a key has scopes and a person has abilities, which are finer; each
//! ability says which scope it stands for, so what the API asks of a key it can ask of a person.

use serde::{Deserialize, Serialize};

use super::account::Scope;
use super::words::words;

/// One thing that a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// See webhooks, events, deliveries, statistics.
    View,
    /// Send a test event, check and verify an endpoint, try a filter.
    Test,
    /// Replay and discard, in bulk too, and cancel jobs.
    Replay,
    /// Publish events.
    Publish,
    /// Pause, resume, enable and disable webhooks.
    Steer,
    /// Create, change and delete webhooks and event types.
    Manage,
    /// See, make and rotate signing secrets.
    Rotate,
    /// Invite, change and remove the users of the account.
    People,
    /// See the operator's pages, and every account.
    Server,
    /// Change everything, of every account.
    Admin,
}

words!(Ability {
    Self::View => "view",
    Self::Test => "test",
    Self::Replay => "replay",
    Self::Publish => "publish",
    Self::Steer => "steer",
    Self::Manage => "manage",
    Self::Rotate => "rotate",
    Self::People => "people",
    Self::Server => "server",
    Self::Admin => "admin",
});

impl Ability {
    /// Every ability, in the order of the enum.
    pub const ALL: [Self; 10] = [
        Self::View,
        Self::Test,
        Self::Replay,
        Self::Publish,
        Self::Steer,
        Self::Manage,
        Self::Rotate,
        Self::People,
        Self::Server,
        Self::Admin,
    ];

    /// The scope with which a key may do it.
    pub const fn needs(self) -> Scope {
        match self {
            Self::View => Scope::Read,
            Self::Publish => Scope::Publish,
            Self::Test | Self::Replay | Self::Steer | Self::Manage | Self::Rotate => Scope::Manage,
            Self::People | Self::Server | Self::Admin => Scope::Admin,
        }
    }

    /// The scope of a key that it stands for, where there is one that allows no more than it.
    fn scope(self) -> Option<Scope> {
        match self {
            Self::View => Some(Scope::Read),
            Self::Publish => Some(Scope::Publish),
            Self::Manage => Some(Scope::Manage),
            Self::Admin => Some(Scope::Admin),
            Self::Test | Self::Replay | Self::Steer | Self::Rotate | Self::People | Self::Server => None,
        }
    }
}

/// A set of abilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities(u32);

impl Abilities {
    /// Whether one of them is this one.
    pub fn has(self, ability: Ability) -> bool {
        self.0 & (1 << ability as u32) != 0
    }

    /// All of them, in the order of the enum.
    pub fn all(self) -> impl Iterator<Item = Ability> {
        Ability::ALL.into_iter().filter(move |ability| self.has(*ability))
    }

    /// The scopes that they stand for.
    pub fn scopes(self) -> Vec<Scope> {
        self.all().filter_map(Ability::scope).collect()
    }

    /// These without those that only the server's own people have.
    pub fn without_server(self) -> Self {
        self.all().filter(|ability| !matches!(ability, Ability::Server | Ability::Admin)).collect()
    }
}

impl FromIterator<Ability> for Abilities {
    fn from_iter<I: IntoIterator<Item = Ability>>(abilities: I) -> Self {
        Self(abilities.into_iter().fold(0, |set, ability| set | 1 << ability as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it_and_nothing_else() {
        let set: Abilities = [Ability::Replay, Ability::View].into_iter().collect();
        assert_eq!(set.all().collect::<Vec<_>>(), [Ability::View, Ability::Replay]);
        assert_eq!(set.scopes(), [Scope::Read], "to replay is less than to manage");
        let all: Abilities = Ability::ALL.into_iter().collect();
        assert!(all.has(Ability::Admin) && !all.without_server().has(Ability::Admin));
        assert_eq!(all.without_server().all().count(), Ability::ALL.len() - 2);
    }

    #[test]
    fn every_ability_has_its_word() {
        assert_eq!(Ability::WORDS, Ability::ALL.map(|ability| ability.word()));
    }
}
