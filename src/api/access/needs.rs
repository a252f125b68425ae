//! What handlers need of who asks, as types: a scope of a key, or an ability of a person.

use crate::domain::ability::Ability;
use crate::domain::account::Scope;

/// A scope that a handler needs, as a type.
pub trait Needs {
    /// The scope; none: any key will do.
    const SCOPE: Option<Scope>;
    /// What a person must be able to do; none: whoever is logged in may.
    const ABILITY: Option<Ability> = ability_of(Self::SCOPE);
}

/// What a person must be able to do for what a key needs the scope for.
const fn ability_of(scope: Option<Scope>) -> Option<Ability> {
    match scope {
        None => None,
        Some(Scope::Read) => Some(Ability::View),
        Some(Scope::Publish) => Some(Ability::Publish),
        Some(Scope::Manage | Scope::Consume) => Some(Ability::Manage),
        Some(Scope::Admin) => Some(Ability::Admin),
    }
}

/// Needs a key, whatever that may do.
#[derive(Debug)]
pub struct Any;

impl Needs for Any {
    const SCOPE: Option<Scope> = None;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl Needs for $name { const SCOPE: Option<Scope> = Some(Scope::$name); }
    )* };
}

needs! {
    /// Needs `admin`.
    Admin
    /// Needs `publish`.
    Publish
    /// Needs `manage`.
    Manage
    /// Needs `read`.
    Read
    /// Needs `consume`.
    Consume
}

macro_rules! abilities {
    ($($(#[$doc:meta])* $name:ident $ability:ident)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl Needs for $name {
            const SCOPE: Option<Scope> = Some(Ability::$ability.needs());
            const ABILITY: Option<Ability> = Some(Ability::$ability);
        }
    )* };
}

abilities! {
    /// Needs that one may test, check and verify.
    Tests Test
    /// Needs that one may replay and discard.
    Replays Replay
    /// Needs that one may pause, resume, enable and disable.
    Steers Steer
    /// Needs that one may see and rotate secrets.
    Rotates Rotate
    /// Needs that one may see and change the users of the account.
    Peoples People
    /// Needs that one may look at the operator's pages.
    Oversees Server
}
