//! Passwords: which are taken, and how they are kept (argon2id). What stays true: nothing of a password is stored but what takes
//! 19 MiB and some dozens of milliseconds to try one against.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use super::Invalid;
use super::secret::Secret;

/// The shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// The longest, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// Random bytes that each password is hashed with.
pub const SALT_BYTES: usize = 16;

/// What OWASP's password storage cheat sheet says of argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Of those that are guessed first, those that are long enough to be taken otherwise; without digits and signs at their end.
const COMMONEST: [&str; 16] = [
    "password",
    "passwort",
    "motdepasse",
    "contraseña",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "letmeinplease",
    "iloveyou",
    "administrator",
    "administrador",
    "changeme",
    "changemenow",
    "welcome",
    "hookwheel",
    "webhooks",
];

/// Checks a new password of a user of this name and address.
pub fn vet(password: &str, email: &str, name: &str) -> Result<(), Invalid> {
    let refuse = |message: String| Err(Invalid::new("password", message));
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return refuse(format!("must have at least {PASSWORD_CHARS_MIN} characters; a few words are easy to remember"));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return refuse(format!("must have at most {PASSWORD_BYTES_MAX} bytes"));
    }
    let folded = password.trim().to_lowercase();
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let is_own = [email, name].iter().any(|own| !own.is_empty() && folded == own.to_lowercase());
    if is_own {
        return refuse("must not be your name or address: those are tried first".into());
    }
    let is_one_sign = folded.chars().all(|c| folded.starts_with(c));
    if is_one_sign || is_run_of_digits(&folded) || COMMONEST.contains(&core) {
        return refuse(
            "is among those that are guessed first; a few words that have nothing to do with each other are better"
                .into(),
        );
    }
    Ok(())
}

/// Such as 1234567890: each follows from the one before.
fn is_run_of_digits(text: &str) -> bool {
    let digits = text.as_bytes();
    let step =
        |pair: &[u8], by: u8| pair[0].is_ascii_digit() && (pair[0] - b'0' + by) % 10 == pair[1].wrapping_sub(b'0');
    digits.windows(2).all(|pair| step(pair, 1)) || digits.windows(2).all(|pair| step(pair, 9))
}

/// What is stored of a password: a PHC string. It takes long and 19 MiB, so never on a thread that others wait for.
///
/// # Panics
/// If there is no memory for it.
pub fn hash(password: &str, salt: &[u8; SALT_BYTES]) -> Secret {
    let hash: PasswordHash =
        hasher().hash_password_with_salt(password.as_bytes(), salt).expect("its parameters are within their bounds");
    Secret::new(hash.to_string())
}

/// Whether it is the password of which this is stored. It takes as long as [`hash`].
pub fn is(password: &str, stored: &Secret) -> bool {
    let Ok(stored) = PasswordHash::new(stored.reveal()) else { return false };
    password.len() <= PASSWORD_BYTES_MAX && hasher().verify_password(password.as_bytes(), &stored).is_ok()
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("they are within their bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guessed_first_is_refused_and_a_few_words_are_taken() {
        let said =
            |password: &str| vet(password, "ada@example.com", "Ada Lovelace Byron").err().map(|error| error.message);
        for bad in [
            "too short",
            "ADA@example.com",
            "ada lovelace byron",
            "1234567890",
            "9876543210",
            "aaaaaaaaaaaa",
            "Password123!",
            "hookwheel-2026",
        ] {
            assert!(said(bad).is_some(), "{bad}");
        }
        assert!(said(&"é".repeat(129)).is_some_and(|message| message.contains("256 bytes")));
        for good in ["correct horse battery", "ünïcödé wörds", "password of a goose", "12345 and 67890"] {
            assert_eq!(said(good), None, "{good}");
        }
    }

    #[test]
    fn a_password_is_known_again_and_another_is_not() {
        let stored = hash("correct horse battery", &[7; SALT_BYTES]);
        assert!(stored.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.reveal());
        assert!(is("correct horse battery", &stored) && !is("correct horse batterz", &stored));
        assert_ne!(hash("correct horse battery", &[8; SALT_BYTES]).reveal(), stored.reveal());
        assert!(!is("x", &Secret::new("what is no hash")));
    }
}
