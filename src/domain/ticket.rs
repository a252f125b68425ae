//! Tickets: links that are used once. What stays true: the link is with whoever it was given to, its SHA-256 is stored; it is
//! gone when it is used, also if two use it at the same moment: the commit thread gives it to one of them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::id::{AccountNumber, TicketId, UserId};
use super::session::Guest;
use super::time::{DAY_MS, HOUR_MS, UnixMs};

/// How long an invitation is good for.
pub const INVITE_MS: u64 = 7 * DAY_MS;
/// The same of a link to set another password.
pub const RESET_MS: u64 = HOUR_MS;
/// The same of the link that a development server prints.
pub const DEV_MS: u64 = 5 * 60 * 1000;
/// The same of a portal's link.
pub const PORTAL_MS: u64 = 10 * 60 * 1000;
/// Links of an account that are not used yet: beyond, the oldest go.
pub const TICKETS_MAX: usize = 256;
/// Random bytes of a link.
const SECRET_BYTES: usize = 32;

/// What a link is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// This user sets the first password, and is logged in.
    Invite(UserId),
    /// This user sets another password, and is logged in.
    Reset(UserId),
    /// This user is logged in: of a development server.
    Dev(UserId),
    /// A customer comes into the portal.
    Portal(Guest),
}

impl Errand {
    /// The account that it belongs to.
    pub fn account(&self) -> AccountNumber {
        match self {
            Self::Invite(user) | Self::Reset(user) | Self::Dev(user) => user.account(),
            Self::Portal(guest) => guest.account,
        }
    }

    /// The user that it is for.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::Invite(user) | Self::Reset(user) | Self::Dev(user) => Some(*user),
            Self::Portal(_) => None,
        }
    }

    /// How long it is good for, in milliseconds.
    pub fn lasts_ms(&self) -> u64 {
        match self {
            Self::Invite(_) => INVITE_MS,
            Self::Reset(_) => RESET_MS,
            Self::Dev(_) => DEV_MS,
            Self::Portal(_) => PORTAL_MS,
        }
    }
}

/// A link that is not used yet. In the store it grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Given by the commit thread; not what the link holds.
    pub id: TicketId,
    /// What it is for.
    pub errand: Errand,
    /// It is good until then.
    pub ends_at: UnixMs,
}

/// What a link holds: where its ticket lies, and the secret. It cannot print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    account: AccountNumber,
    secret: [u8; SECRET_BYTES],
}

impl Link {
    /// A new one of these random bytes.
    pub fn new(errand: &Errand, random: [u8; SECRET_BYTES]) -> Self {
        Self { account: errand.account(), secret: random }
    }

    /// Reads what [`Link::spell`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 4 + SECRET_BYTES] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (account, secret) = bytes.split_first_chunk::<4>()?;
        Some(Self { account: AccountNumber::from_be_bytes(*account), secret: secret.try_into().ok()? })
    }

    /// As an address holds it.
    pub fn spell(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.account.to_be_bytes()[..], &self.secret].concat())
    }

    /// The account that its ticket belongs to.
    pub fn account(&self) -> AccountNumber {
        self.account
    }

    /// What is stored in place of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_again_and_leads_to_its_account() {
        let link = Link::new(&Errand::Invite(UserId(5 << 80 | 7)), [3; 32]);
        let again = Link::parse(&link.spell()).unwrap();
        assert_eq!((again.account(), again.hash()), (7, link.hash()));
        assert_eq!(link.spell().len(), 48);
        for bad in ["", "a", &link.spell()[4..], "ü/../"] {
            assert!(Link::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{link:?}"), "Link(…)");
    }
}
