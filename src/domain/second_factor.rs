//! The second factor: codes of six digits that an app makes anew every half minute (TOTP, RFC 6238), and recovery codes for the
//! day on which that app is gone. What stays true: a code is taken once, and so is a recovery code; what is stored of recovery
//! codes is their SHA-256.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use totp_rs::{Algorithm, Builder, Totp};

use super::secret::Secret;
use super::time::UnixMs;

/// Recovery codes that are made together.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: as they cannot be guessed, a quick hash is enough.
pub const RECOVERY_BYTES: usize = 10;
/// Random bytes of what app and server share (RFC 4226, 4: 160 bits).
pub const SHARED_BYTES: usize = 20;
/// How long a code is shown, in seconds.
const STEP_SECONDS: u64 = 30;
/// Steps before and after that are taken too: clocks differ.
const SKEW: u16 = 1;
/// What the app shows beside the address.
const ISSUER: &str = "Hookwheel";
/// Digits and letters of recovery codes, without those that are taken for each other (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A user's second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactor {
    /// What app and server share, in base 32.
    shared: Secret,
    /// When the first code of it was shown to be known; before that it is asked of nobody.
    pub confirmed_at: Option<UnixMs>,
    /// The step of the last code that was taken.
    last_step: u64,
    /// The SHA-256 of recovery codes that are left.
    recovery: Vec<[u8; 32]>,
}

/// What was taken for a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A code of the app.
    Code,
    /// A recovery code, which is gone now.
    Recovery,
}

impl SecondFactor {
    /// One that is to be confirmed, of these random bytes.
    pub fn new(shared: [u8; SHARED_BYTES]) -> Self {
        let shared = Secret::new(totp_rs::Secret::from(shared).to_base32());
        Self { shared, confirmed_at: None, last_step: 0, recovery: Vec::new() }
    }

    /// What app and server share, to be typed where nothing can be scanned.
    pub fn shared(&self) -> &Secret {
        &self.shared
    }

    /// What an app scans: an `otpauth` URL for a user of this address.
    pub fn url(&self, email: &str) -> Secret {
        let url = self.totp(email).and_then(|totp| totp.to_url().ok());
        Secret::new(url.unwrap_or_default())
    }

    /// How many recovery codes are left.
    pub fn recovery_left(&self) -> usize {
        self.recovery.len()
    }

    /// Confirms it by a code; gives the recovery codes, made of these random bytes. None if the code is not the one.
    pub fn confirm(
        &mut self,
        code: &str,
        wall: UnixMs,
        random: &[[u8; RECOVERY_BYTES]; RECOVERY_CODES],
        now: UnixMs,
    ) -> Option<Vec<String>> {
        self.take_code(code, wall).then(|| {
            self.confirmed_at = Some(now);
            self.renew_recovery(random)
        })
    }

    /// New recovery codes, in place of those before.
    pub fn renew_recovery(&mut self, random: &[[u8; RECOVERY_BYTES]; RECOVERY_CODES]) -> Vec<String> {
        let codes: Vec<String> = random.iter().map(spell).collect();
        self.recovery = codes.iter().map(|code| digest(code)).collect();
        codes
    }

    /// Takes a code of the app, or a recovery code; each once. `wall`: what clocks of others show.
    pub fn take(&mut self, code: &str, wall: UnixMs) -> Option<Taken> {
        if self.take_code(code, wall) {
            return Some(Taken::Code);
        }
        let digest = digest(code);
        let found = self.recovery.iter().position(|known| *known == digest)?;
        self.recovery.remove(found);
        Some(Taken::Recovery)
    }

    fn take_code(&mut self, code: &str, wall: UnixMs) -> bool {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let step = self.totp("").and_then(|totp| totp.check(&code, wall / 1000));
        match step.filter(|step| *step > self.last_step) {
            Some(step) => {
                self.last_step = step;
                true
            }
            None => false,
        }
    }

    fn totp(&self, email: &str) -> Option<Totp> {
        let shared = totp_rs::Secret::try_from_base32(self.shared.reveal()).ok()?;
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(SKEW);
        let builder = builder.with_step_duration(STEP_SECONDS).with_secret(shared);
        builder.with_issuer(Some(ISSUER)).with_account_name(email).build().ok()
    }
}

/// Such as `0a1b-2c3d-4e5f-6g7h`.
fn spell(random: &[u8; RECOVERY_BYTES]) -> String {
    let bits = random.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let letter = |n: usize| LETTERS[(bits >> (75 - 5 * n) & 31) as usize] as char;
    let groups = (0..4).map(|group| (0..4).map(|n| letter(4 * group + n)).collect::<String>());
    groups.collect::<Vec<_>>().join("-")
}

/// Of a recovery code however it is typed.
fn digest(code: &str) -> [u8; 32] {
    let plain = code.chars().filter(char::is_ascii_alphanumeric).map(|c| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    });
    Sha256::digest(plain.collect::<String>()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: UnixMs = 1_800_000_000_000;

    fn code_at(factor: &SecondFactor, wall: UnixMs) -> String {
        factor.totp("").unwrap().generate(wall / 1000).to_string()
    }

    fn random() -> [[u8; RECOVERY_BYTES]; RECOVERY_CODES] {
        std::array::from_fn(|n| [n as u8; RECOVERY_BYTES])
    }

    #[test]
    fn a_code_is_that_of_rfc_6238_and_is_taken_once() {
        let mut factor = SecondFactor::new(*b"12345678901234567890");
        assert_eq!(code_at(&factor, 59_000), "287082");
        let code = code_at(&factor, WALL);
        assert_eq!(factor.take("000000", WALL), None);
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(factor.take(&spaced, WALL + 30_000), Some(Taken::Code), "a clock may be a step behind");
        assert_eq!(factor.take(&code, WALL + 30_000), None, "it was taken");
        let next = code_at(&factor, WALL + 30_000);
        assert_eq!(factor.take(&next, WALL + 30_000), Some(Taken::Code));
        assert_eq!(factor.take(&code_at(&factor, WALL), WALL), None, "and none of before");
    }

    #[test]
    fn it_is_confirmed_by_a_code_and_each_recovery_code_is_taken_once() {
        let mut factor = SecondFactor::new([9; SHARED_BYTES]);
        assert_eq!(factor.confirm("123", WALL, &random(), WALL), None);
        assert_eq!(factor.confirmed_at, None);
        let codes = factor.confirm(&code_at(&factor, WALL), WALL, &random(), WALL).unwrap();
        assert_eq!((codes.len(), factor.recovery_left()), (RECOVERY_CODES, RECOVERY_CODES));
        assert_eq!(codes[1], "040g-2081-040g-2081");
        let typed = codes[1].to_uppercase().replace('-', " ").replace('0', "O");
        assert_eq!(factor.take(&typed, WALL), Some(Taken::Recovery));
        assert_eq!((factor.take(&codes[1], WALL), factor.recovery_left()), (None, RECOVERY_CODES - 1));
        factor.renew_recovery(&random().map(|bytes| bytes.map(|byte| byte + 77)));
        assert_eq!((factor.take(&codes[2], WALL), factor.recovery_left()), (None, RECOVERY_CODES));
    }

    #[test]
    fn what_is_scanned_names_the_address_and_what_is_shared() {
        let factor = SecondFactor::new([0; SHARED_BYTES]);
        let url = factor.url("ada@example.com");
        assert!(url.reveal().starts_with("otpauth://totp/"), "{}", url.reveal());
        assert!(url.reveal().contains("ada%40example.com") && url.reveal().contains(factor.shared().reveal()));
        assert!(!format!("{factor:?}").contains("AAAA"));
    }
}
