//! Sessions: somebody has logged in, or come by a portal's link, and looks at pages. What stays true: the token is with the
//! browser alone, its SHA-256 is stored; a session ends when nothing was asked for a while, and in any case after some days.

use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::ability::Abilities;
use super::id::{AccountNumber, SessionId, UserId};
use super::time::UnixMs;

/// Sessions that one user may have, or all guests of an account: beyond, those that were quiet for longest end.
pub const SESSIONS_MAX: usize = 32;
/// The same of all guests of an account together.
pub const GUEST_SESSIONS_MAX: usize = 256;
/// What is kept of how a browser names itself, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 200;
/// Between two writes about when a session was last used: as near as lists tell it.
pub const USE_WRITTEN_EVERY_MS: u64 = 5 * 60 * 1000;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// A customer who came by a portal's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The account whose pages are shown.
    pub account: AccountNumber,
    /// What the guest may do there.
    pub abilities: Abilities,
    /// Whom the one who made the link knows the guest as, for the audit log; may be empty.
    pub name: String,
    /// How long the session is, in milliseconds.
    pub lasts_ms: u64,
    /// Where the guest goes back to; may be empty.
    pub return_url: String,
    /// On whose pages the session may stand in a frame, beside those that the account and the server name.
    pub origins: Vec<String>,
}

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// A user.
    User(UserId),
    /// A customer in the portal.
    Guest(Guest),
}

impl Holder {
    /// The account that the session is kept with.
    pub fn account(&self) -> AccountNumber {
        match self {
            Self::User(user) => user.account(),
            Self::Guest(guest) => guest.account,
        }
    }

    /// What the sessions of one holder lie under: a user's id, or for all guests of an account its number alone.
    pub fn place(&self) -> UserId {
        match self {
            Self::User(user) => *user,
            Self::Guest(guest) => UserId(guest.account.into()),
        }
    }

    /// How many sessions there may be in that place.
    pub fn sessions_max(&self) -> usize {
        match self {
            Self::User(_) => SESSIONS_MAX,
            Self::Guest(_) => GUEST_SESSIONS_MAX,
        }
    }
}

/// A session. In the store it grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Given by the commit thread; it names the session in lists, and is not what its cookie holds.
    pub id: SessionId,
    /// Who looks.
    pub holder: Holder,
    /// When it began.
    pub created_at: UnixMs,
    /// When it was last used, as far as that is written down.
    pub last_used_at: UnixMs,
    /// When it ends, whatever happens.
    pub ends_at: UnixMs,
    /// Where it began: a proxy's address, if there is one before the server.
    pub address: Option<IpAddr>,
    /// How the browser named itself then.
    pub user_agent: String,
}

impl Session {
    /// One that begins at `now` and lasts for so long at most.
    pub fn new(holder: Holder, now: UnixMs, lasts_ms: u64) -> Self {
        Self {
            id: SessionId(0),
            holder,
            created_at: now,
            last_used_at: now,
            ends_at: now.saturating_add(lasts_ms),
            address: None,
            user_agent: String::new(),
        }
    }

    /// The same from this address and browser.
    pub fn from_browser(self, address: Option<IpAddr>, user_agent: &str) -> Self {
        let mut end = user_agent.len().min(USER_AGENT_BYTES_MAX);
        while !user_agent.is_char_boundary(end) {
            end -= 1;
        }
        Self { address, user_agent: user_agent[..end].to_string(), ..self }
    }

    /// Whether it has ended at `now`, where it may be quiet for `idle_ms`.
    pub fn has_ended(&self, now: UnixMs, idle_ms: u64) -> bool {
        now >= self.ends_at || now >= self.last_used_at.saturating_add(idle_ms)
    }

    /// Whether it is time to write down that it is used.
    pub fn is_use_to_be_written(&self, now: UnixMs) -> bool {
        now >= self.last_used_at.saturating_add(USE_WRITTEN_EVERY_MS)
    }
}

/// What a cookie holds: where the session lies, and the secret. It cannot print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    place: UserId,
    secret: [u8; TOKEN_BYTES],
}

impl Token {
    /// A new one of these random bytes.
    pub fn new(holder: &Holder, random: [u8; TOKEN_BYTES]) -> Self {
        Self { place: holder.place(), secret: random }
    }

    /// Reads what [`Token::spell`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16 + TOKEN_BYTES] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (place, secret) = bytes.split_first_chunk::<16>()?;
        Some(Self { place: UserId::from_bytes(*place), secret: secret.try_into().ok()? })
    }

    /// As the cookie holds it.
    pub fn spell(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.place.to_bytes()[..], &self.secret].concat())
    }

    /// Where the session lies.
    pub fn place(&self) -> UserId {
        self.place
    }

    /// What is stored in place of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// What every form of the session holds: only who has the cookie, and reads the page, knows it.
    pub fn form_token(&self) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length will do");
        mac.update(b"hookwheel form");
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether a form of this session was sent, in a time that tells nothing.
    pub fn is_form_token(&self, said: &str) -> bool {
        self.form_token().as_bytes().ct_eq(said.as_bytes()).into()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId(7 << 80 | 3);

    #[test]
    fn a_session_ends_when_it_was_quiet_for_long_or_at_its_end() {
        let mut session = Session::new(Holder::User(USER), 1_000, 10_000);
        assert_eq!([3_999, 4_000].map(|now| session.has_ended(now, 3_000)), [false, true]);
        session.last_used_at = 10_500;
        assert_eq!([10_999, 11_000].map(|now| session.has_ended(now, 3_000)), [false, true]);
        assert!(!session.is_use_to_be_written(10_500 + USE_WRITTEN_EVERY_MS - 1));
        assert!(session.is_use_to_be_written(10_500 + USE_WRITTEN_EVERY_MS));
    }

    #[test]
    fn a_token_is_read_again_and_leads_to_its_holder_and_its_forms() {
        let token = Token::new(&Holder::User(USER), [9; 32]);
        let again = Token::parse(&token.spell()).unwrap();
        assert_eq!((again.place(), again.hash()), (USER, token.hash()));
        assert!(again.is_form_token(&token.form_token()));
        let other = Token::new(&Holder::User(USER), [8; 32]);
        assert!(!other.is_form_token(&token.form_token()) && !other.is_form_token("") && other.hash() != token.hash());
        for bad in ["", "a", &token.spell()[1..], &format!("{}A", token.spell()), "ü"] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn of_a_browsers_name_so_much_is_kept() {
        let session = Session::new(Holder::User(USER), 0, 1).from_browser(None, &"é".repeat(200));
        assert_eq!(session.user_agent, "é".repeat(100));
        let session = session.from_browser(None, &format!("a{}", "é".repeat(200)));
        assert_eq!(session.user_agent.len(), USER_AGENT_BYTES_MAX - 1);
    }

    #[test]
    fn guests_of_an_account_lie_together_and_apart_from_every_user() {
        let guest = Guest {
            account: 3,
            abilities: Abilities::default(),
            name: String::new(),
            lasts_ms: 1,
            return_url: String::new(),
            origins: Vec::new(),
        };
        let (guest, user) = (Holder::Guest(guest), Holder::User(USER));
        assert_eq!((guest.account(), user.account()), (3, 3));
        assert_ne!(guest.place(), user.place());
        assert_eq!(guest.place().account(), 3);
    }
}
