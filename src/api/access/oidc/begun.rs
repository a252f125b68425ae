//! What a browser keeps between the beginning of a log-in by a provider and its end. What stays true: nobody but that browser has
//! it, so nobody else can end the log-in, in another's place or name.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::domain::time::UnixMs;

/// Random bytes of each part.
const PART_BYTES: usize = 32;
/// How long a log-in may take.
const LASTS_MS: UnixMs = 10 * 60 * 1000;

/// A log-in that has begun. It cannot print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    random: [u8; 3 * PART_BYTES],
    ends_at: UnixMs,
    next: String,
}

impl Begun {
    /// Of these random bytes, at `now`; `next`: where one is sent in the end.
    pub fn new(random: [u8; 3 * PART_BYTES], now: UnixMs, next: &str) -> Self {
        Self { random, ends_at: now.saturating_add(LASTS_MS), next: next.into() }
    }

    /// Reads what [`Begun::spell`] writes, if it may still be ended at `now`.
    pub fn parse(text: &str, now: UnixMs) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (random, rest) = bytes.split_first_chunk()?;
        let (ends_at, next) = rest.split_first_chunk()?;
        let begun = Self {
            random: *random,
            ends_at: UnixMs::from_be_bytes(*ends_at),
            next: std::str::from_utf8(next).ok()?.into(),
        };
        (now < begun.ends_at && begun.ends_at <= now.saturating_add(LASTS_MS)).then_some(begun)
    }

    /// As a cookie holds it.
    pub fn spell(&self) -> String {
        let parts = [&self.random[..], &self.ends_at.to_be_bytes(), self.next.as_bytes()];
        BASE64_URL_SAFE_NO_PAD.encode(parts.concat())
    }

    /// What comes back with the code, so that it is of this log-in.
    pub fn state(&self) -> String {
        self.part(0)
    }

    /// Whether this came back, in a time that tells nothing.
    pub fn is_state(&self, said: &str) -> bool {
        self.state().as_bytes().ct_eq(said.as_bytes()).into()
    }

    /// What the token must hold, so that it is of this log-in.
    pub fn nonce(&self) -> String {
        self.part(1)
    }

    /// What is shown with the code, so that whoever reads the code on its way has nothing of it.
    pub fn verifier(&self) -> String {
        self.part(2)
    }

    /// What the provider is told of it at the beginning.
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    /// Where one is sent in the end, as it was said at the beginning.
    pub fn next(&self) -> &str {
        &self.next
    }

    fn part(&self, n: usize) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.random[n * PART_BYTES..(n + 1) * PART_BYTES])
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.random.zeroize();
    }
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Begun(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_again_in_its_time_and_its_parts_are_apart() {
        let random = std::array::from_fn(|n| n as u8);
        let begun = Begun::new(random, 1_000, "/dashboard/@a/");
        let again = |now| Begun::parse(&begun.spell(), now);
        assert_eq!((again(1_000), again(999 + LASTS_MS)), (Some(begun.clone()), Some(begun.clone())));
        assert_eq!((again(1_000 + LASTS_MS), again(999)), (None, None), "it is over, or of a time to come");
        let parts = [begun.state(), begun.nonce(), begun.verifier(), begun.challenge()];
        assert!(parts.iter().enumerate().all(|(n, part)| part.len() == 43 && !parts[..n].contains(part)));
        assert!(begun.is_state(&begun.state()) && !begun.is_state("") && !begun.is_state(&begun.nonce()));
        assert_eq!((begun.next(), format!("{begun:?}").as_str()), ("/dashboard/@a/", "Begun(…)"));
        for bad in ["", "AAAA", "%"] {
            assert_eq!(Begun::parse(bad, 1_000), None);
        }
    }

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B: the verifier's own bytes are there as well.
        let verifier = BASE64_URL_SAFE_NO_PAD.decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").expect("the RFC's");
        let random = [&[0; 64][..], &verifier].concat();
        let begun = Begun::new(random.try_into().expect("as many"), 0, "");
        assert_eq!(begun.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
