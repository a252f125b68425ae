//! Halfway in: the password was right, a code is still to come. What stays true: nothing is stored of it; it is good for some
//! minutes, for one user as that one logs in now, and only at the server that has given it.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::id::UserId;
use crate::domain::secret::Secret;
use crate::domain::time::UnixMs;
use crate::domain::user::User;

/// How long a code may take to come.
const LASTS_MS: u64 = 10 * 60 * 1000;
/// A user's id, and until when.
const SAID_BYTES: usize = 16 + 8;

/// Gives and knows proofs that a password was right.
pub struct Halfway(Zeroizing<[u8; 32]>);

impl Halfway {
    /// With a key of these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// That this user's password was right at `now`.
    pub fn prove(&self, user: &User, now: UnixMs) -> String {
        let said = [&user.id.to_bytes()[..], &(now + LASTS_MS).to_be_bytes()].concat();
        let mac = self.mac(&said, user.password.as_ref()).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&said[..], &mac].concat())
    }

    /// Whose it is, if it is of the form that [`Halfway::prove`] writes: nothing is known by that.
    pub fn user(proof: &str) -> Option<UserId> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(proof).ok()?;
        bytes.first_chunk::<16>().map(|id| UserId::from_bytes(*id))
    }

    /// Whether it proves this user's password at `now`.
    pub fn is_proven(&self, proof: &str, user: &User, now: UnixMs) -> bool {
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(proof) else { return false };
        let Some((said, mac)) = bytes.split_at_checked(SAID_BYTES) else { return false };
        let until = said.last_chunk::<8>().map_or(0, |until| u64::from_be_bytes(*until));
        let is_his = said.first_chunk::<16>() == Some(&user.id.to_bytes());
        is_his && now < until && self.mac(said, user.password.as_ref()).verify_slice(mac).is_ok()
    }

    fn mac(&self, said: &[u8], password: Option<&Secret>) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("a key of any length will do");
        mac.update(said);
        mac.update(password.map_or(&[], |password| password.reveal().as_bytes()));
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::Role;

    const NOW: UnixMs = 1_800_000_000_000;

    #[test]
    fn it_proves_one_users_password_as_it_is_for_some_minutes() {
        let halfway = Halfway::new([1; 32]);
        let user = |n: u128, password: &str| User {
            id: UserId(n << 80 | 1),
            password: Some(Secret::new(password)),
            ..User::invited("ada@x.y".into(), "Ada".into(), Role::Viewer)
        };
        let proof = halfway.prove(&user(1, "one"), NOW);
        assert_eq!(Halfway::user(&proof), Some(user(1, "").id));
        assert!(halfway.is_proven(&proof, &user(1, "one"), NOW + LASTS_MS - 1));
        assert!(!halfway.is_proven(&proof, &user(1, "one"), NOW + LASTS_MS), "too late");
        assert!(!halfway.is_proven(&proof, &user(1, "two"), NOW), "another password since");
        assert!(!halfway.is_proven(&proof, &user(2, "one"), NOW), "another user");
        assert!(!Halfway::new([2; 32]).is_proven(&proof, &user(1, "one"), NOW), "another server");
        for bad in ["", "a", &proof[2..], &proof[..proof.len() - 2], "ü"] {
            assert!(!halfway.is_proven(bad, &user(1, "one"), NOW), "{bad}");
        }
    }
}
