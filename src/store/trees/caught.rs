//! sled panics where it finds what it did not expect: in a call, or in one of its own I/O threads. A panic in a call becomes
//! an error like any other, in our words. A lost I/O thread cannot be replaced, and whoever waits for it would wait for
//! ever: while the store is being opened that is a reason not to open it, and later it ends the process, so that whoever
//! supervises it starts it again. sled's own texts go to the log's `debug` level.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, Once};

use crate::pulse;
use crate::store::error::StoreError;

/// How sled's threads are named.
const IO_THREADS: &str = "sled-io-";

thread_local! {
    /// How many calls of [`caught`] this thread is in.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Where the last panic inside one was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Of this process.
static OPENINGS: Openings = Openings(Mutex::new((0, None)));

/// Stores that are being opened: how many, and where an I/O thread was lost meanwhile.
struct Openings(Mutex<(usize, Option<String>)>);

impl Openings {
    /// One more. What was lost while none was being opened, or for one before, is none of its own.
    fn begin(&self) {
        let mut held = self.lock();
        if held.0 == 0 {
            held.1 = None;
        }
        held.0 += 1;
    }

    /// One fewer; says where a thread was lost meanwhile.
    fn end(&self) -> Option<String> {
        let mut held = self.lock();
        held.0 -= 1;
        held.1.clone()
    }

    /// A thread was lost; says whether a store was being opened, which then is not.
    fn lose(&self, place: &str) -> bool {
        let mut held = self.lock();
        if held.0 > 0 {
            held.1 = Some(place.to_owned());
        }
        held.0 > 0
    }

    fn lock(&self) -> MutexGuard<'_, (usize, Option<String>)> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

/// Calls into sled; a panic there is an error.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| hear(info, &before)));
    });
    DEPTH.set(DEPTH.get() + 1);
    let done = panic::catch_unwind(AssertUnwindSafe(call));
    DEPTH.set(DEPTH.get() - 1);
    done.map_err(|_| StoreError::Io(does_not_fit(&PLACE.take())))
}

/// The same while the store is being opened: that is damage, and a lost I/O thread is an error as well.
pub fn caught_opening<T>(call: impl FnOnce() -> T) -> Result<T, StoreError> {
    OPENINGS.begin();
    let done = caught(call);
    match OPENINGS.end() {
        Some(place) => Err(StoreError::Broken(does_not_fit(&place))),
        None => done.map_err(|error| StoreError::Broken(error.to_string())),
    }
}

fn does_not_fit(place: &str) -> String {
    format!("its files do not fit together (sled stopped at {place})")
}

/// Hears of every panic in the process; those that are not sled's are heard as before.
fn hear(info: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>)) {
    let is_io_thread = std::thread::current().name().is_some_and(|name| name.starts_with(IO_THREADS));
    if DEPTH.get() == 0 && !is_io_thread {
        return before(info);
    }
    let place = place(info);
    tracing::debug!(place, text = info.payload_as_str(), "sled panicked");
    if DEPTH.get() > 0 {
        return PLACE.set(place);
    }
    if !OPENINGS.lose(&place) {
        tracing::error!("the store cannot go on: {}; the process ends", does_not_fit(&place));
        pulse::exit();
    }
}

/// The file's name and the line.
fn place(info: &PanicHookInfo<'_>) -> String {
    let location = info.location().expect("a panic has a place");
    let file = Path::new(location.file()).file_name().unwrap_or_default().to_string_lossy();
    format!("{file}:{}", location.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_error_and_says_nothing_of_its_own() {
        let error = caught(|| panic!("a text of sled")).map(|()| 0).unwrap_err().to_string();
        assert!(error.contains("caught.rs:") && !error.contains("a text of sled"), "{error}");
        assert_eq!(caught(|| 3), Ok(3));
        assert_eq!(DEPTH.get(), 0, "what comes after is outside");
        let outside = panic::catch_unwind(|| panic!("heard as before"));
        assert!(outside.is_err());
    }

    #[test]
    fn a_thread_that_was_lost_is_told_to_who_opens_then_and_not_to_the_next() {
        let openings = Openings(Mutex::default());
        assert!(!openings.lose("before"), "it is of a store that is open");
        openings.begin();
        openings.begin();
        assert!(openings.lose("here"));
        assert_eq!([openings.end(), openings.end()], [Some("here".to_owned()), Some("here".to_owned())]);
        openings.begin();
        assert_eq!(openings.end(), None, "one that is opened afterwards has threads of its own");
    }
}
