//! When keys were last used: known here at once, and written into the store at most once a minute and key, so that a busy
//! key costs a write a minute and not a write a request.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::account::ApiKey;
use crate::domain::id::KeyId;
use crate::domain::time::UnixMs;

/// Between two writes about one key.
const WRITE_EVERY_MS: u64 = 60_000;

/// The last uses. There are no more than keys.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<KeyId, Use>>);

#[derive(Debug, Clone, Copy)]
struct Use {
    at: UnixMs,
    written: Option<UnixMs>,
}

impl KeyUses {
    /// The key was used. Says whether that is to be written down now.
    pub fn note(&self, key: &ApiKey, now: UnixMs) -> bool {
        let mut uses = self.0.lock().expect("no holder of the lock panics");
        let one = uses.entry(key.id).or_insert(Use { at: now, written: key.last_used_at });
        one.at = now;
        let is_due = one.written.is_none_or(|last| now >= last + WRITE_EVERY_MS);
        if is_due {
            one.written = Some(now);
        }
        is_due
    }

    /// When the key was last used, if ever.
    pub fn last(&self, key: &ApiKey) -> Option<UnixMs> {
        let uses = self.0.lock().expect("no holder of the lock panics");
        uses.get(&key.id).map(|one| one.at).max(key.last_used_at)
    }

    /// The key is gone.
    pub fn forget(&self, key: KeyId) {
        self.0.lock().expect("no holder of the lock panics").remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_known_at_once_and_written_once_a_minute() {
        let mut key = ApiKey {
            id: KeyId(1),
            account: 1,
            scopes: Vec::new(),
            name: None,
            expires_at: None,
            created_at: 0,
            last_used_at: None,
        };
        let uses = KeyUses::default();
        assert_eq!(uses.last(&key), None);
        let now = 1_000_000;
        assert!(uses.note(&key, now), "the first");
        assert!(!uses.note(&key, now + WRITE_EVERY_MS - 1));
        assert_eq!(uses.last(&key), Some(now + WRITE_EVERY_MS - 1));
        assert!(uses.note(&key, now + WRITE_EVERY_MS));
        // After a restart what is written counts.
        key.last_used_at = Some(now + WRITE_EVERY_MS);
        let uses = KeyUses::default();
        assert_eq!(uses.last(&key), key.last_used_at);
        assert!(!uses.note(&key, now + WRITE_EVERY_MS + 5));
    }
}
