//! Passwords are tried on other threads, two at once in the whole server: each takes 19 MiB and a core for some dozens of
//! milliseconds. What stays true: to say that nobody has an address takes as long as to try a password; and who comes while too
//! many wait is told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::api::http::problem::Problem;
use crate::domain::password::{self, SALT_BYTES};
use crate::domain::secret::Secret;

/// Tried at once.
const AT_ONCE: usize = 2;
/// Tried and waiting: about two seconds of work for one core.
const IN_LINE_MAX: usize = 64;
/// What a password is tried against where there is none: nobody knows what it was made of.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyBpdC4$Kc3g2yqjZ5h1k0c9o1mXhG9b3b0c3w1yqf1xw0l8Vb0";

/// The line of those who wait.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    in_line: AtomicUsize,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), in_line: AtomicUsize::new(0) }
    }
}

impl Passwords {
    /// Whether it is the password of which this is stored; never where nothing is, which takes as long.
    pub async fn is(&self, given: Zeroizing<String>, stored: Option<Secret>) -> Result<bool, Problem> {
        self.aside(move || {
            let nobodys = Secret::new(NOBODYS);
            let fits = password::is(&given, stored.as_ref().unwrap_or(&nobodys));
            fits && stored.is_some()
        })
        .await
    }

    /// What is to be stored of a password.
    pub async fn hash(&self, given: Zeroizing<String>, salt: [u8; SALT_BYTES]) -> Result<Secret, Problem> {
        self.aside(move || password::hash(&given, &salt)).await
    }

    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _in_line = InLine::enter(&self.in_line).ok_or_else(Problem::too_many_passwords)?;
        let place = self.places.clone().acquire_owned().await.map_err(Problem::internal)?;
        // It goes with the work: who asked may have gone away.
        let work = move || {
            let _place = place;
            work()
        };
        Ok(web::block(work).await?)
    }
}

/// A place in the line, given back however it ends.
struct InLine<'a>(&'a AtomicUsize);

impl<'a> InLine<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let place = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < IN_LINE_MAX).then_some(place)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_end_and_places_are_given_back() {
        let count = AtomicUsize::new(0);
        let all: Vec<_> = (0..IN_LINE_MAX).map(|_| InLine::enter(&count)).collect();
        assert!(all.iter().all(Option::is_some) && InLine::enter(&count).is_none() && InLine::enter(&count).is_none());
        assert_eq!(count.load(Ordering::Relaxed), IN_LINE_MAX);
        drop(all);
        assert!(InLine::enter(&count).is_some());
    }

    #[actix_web::test]
    async fn nobodys_password_is_tried_as_any_other_and_never_fits() {
        let passwords = Passwords::default();
        let given = || Zeroizing::new("correct horse battery".to_string());
        let stored = passwords.hash(given(), [1; SALT_BYTES]).await.unwrap();
        assert!(passwords.is(given(), Some(stored)).await.unwrap());
        assert!(!passwords.is(given(), None).await.unwrap());
        // A hash that cannot be read would be refused at once, and so tell on itself.
        assert!(NOBODYS.parse::<argon2::PasswordHash>().is_ok());
    }
}
