//! Attempts as they are stored: where one went and what was sent is sealed with a key that only its webhook's sealed record
//! holds. So a copy of the store without the master key tells neither, changing the master key seals webhooks again and
//! nothing else, and the attempts of a webhook that is forgotten can never be read again.

mod words;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{layout, record};
use crate::clock::Dice;
use crate::domain::delivery::{Attempt, SealedAttempt};
use crate::domain::id::DeliveryId;
use crate::domain::secret::DataKey;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::trace::Trace;

const NONCE_BYTES: usize = 24;

/// What is sealed of an attempt: its URL, the headers that were sent, and what more there is to see of it. That came later: of
/// an attempt that was sealed before there is nothing.
type Request = (String, SentHeaders, Trace);

/// A new key of random bytes.
pub fn new_key(dice: &mut Dice) -> DataKey {
    let mut random = Zeroizing::new([0; 32]);
    dice.fill(&mut *random);
    DataKey::new(*random)
}

/// The attempt as it is stored. Without a key nothing is kept of the request.
pub fn seal(key: Option<&DataKey>, id: DeliveryId, attempt: &Attempt, dice: &mut Dice) -> SealedAttempt {
    let Attempt { summary, url, request_headers, response_body, resent, trace } = attempt;
    let request = key.map(|key| {
        let mut nonce = [0; NONCE_BYTES];
        dice.fill(&mut nonce);
        let request = record::encode(&(url, request_headers, trace));
        let mut request = words::pressed(&request).unwrap_or(request);
        let place = layout::attempt(id, summary.number);
        let sealed = XChaCha20Poly1305::new(key.bytes().into()).encrypt_in_place(&nonce.into(), &place, &mut request);
        sealed.expect("a request is shorter than the cipher's bound of 256 GiB");
        request.extend_from_slice(&nonce);
        request
    });
    let (summary, response_body) = (summary.clone(), response_body.clone());
    SealedAttempt { summary, request: request.unwrap_or_default(), response_body, resent: *resent }
}

/// The attempt again. What cannot be opened (its webhook's key is gone, or it was changed) stays empty.
pub fn open(key: Option<&DataKey>, id: DeliveryId, sealed: SealedAttempt) -> Attempt {
    let SealedAttempt { summary, request, response_body, resent } = sealed;
    let place = layout::attempt(id, summary.number);
    let (url, request_headers, trace) = key.and_then(|key| open_request(key, &place, request)).unwrap_or_default();
    Attempt { summary, url, request_headers, response_body, resent, trace }
}

fn open_request(key: &DataKey, place: &[u8], mut request: Vec<u8>) -> Option<Request> {
    let nonce: [u8; NONCE_BYTES] = *request.last_chunk()?;
    request.truncate(request.len() - NONCE_BYTES);
    let mut request = Zeroizing::new(request);
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    cipher.decrypt_in_place(&XNonce::from(nonce), place, &mut *request).ok()?;
    record::decode_grown(&words::unpressed(request)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{AttemptSummary, Outcome};
    use crate::domain::trace::{Phases, SentBody};

    fn attempt(number: u16) -> Attempt {
        let summary = AttemptSummary { number, started_at: 5, duration_ms: 2, outcome: Outcome::Status(200) };
        let request_headers = [("x-token", "hush-header")].into_iter().collect();
        let trace = Trace {
            response_headers: [("x-session", "hush-answer")].into_iter().collect(),
            phases: Phases { resolve_us: Some(1), first_byte_us: Some(70_000), ..Phases::default() },
            body: Some(SentBody::of(b"{}", 5)),
            auth_us: Some(9),
            reauthorized: true,
        };
        Attempt {
            summary,
            url: "https://example.com/hush-path".into(),
            request_headers,
            response_body: vec![1],
            resent: true,
            trace,
        }
    }

    #[test]
    fn what_was_sealed_before_there_was_more_to_see_opens() {
        let (mut dice, id) = (Dice::seeded(1), DeliveryId(7));
        let key = new_key(&mut dice);
        let Attempt { url, request_headers, .. } = attempt(1);
        let mut request = record::encode(&(&url, &request_headers));
        let nonce = [7; NONCE_BYTES];
        let cipher = XChaCha20Poly1305::new(key.bytes().into());
        cipher.encrypt_in_place(&nonce.into(), &layout::attempt(id, 1), &mut request).unwrap();
        request.extend_from_slice(&nonce);
        let sealed = SealedAttempt { request, ..seal(None, id, &attempt(1), &mut dice) };
        assert_eq!(open(Some(&key), id, sealed), Attempt { trace: Trace::default(), ..attempt(1) });
    }

    #[test]
    fn what_was_sent_opens_with_its_webhooks_key_and_in_its_place_only() {
        let (mut dice, id) = (Dice::seeded(1), DeliveryId(7));
        let (key, other) = (new_key(&mut dice), new_key(&mut dice));
        let sealed = seal(Some(&key), id, &attempt(1), &mut dice);
        let stored = record::encode(&sealed);
        assert!(!stored.windows(4).any(|part| part == b"hush"));
        assert_eq!(open(Some(&key), id, sealed.clone()), attempt(1));
        let request_headers = SentHeaders::default();
        let emptied = Attempt { url: String::new(), request_headers, trace: Trace::default(), ..attempt(1) };
        assert_eq!(open(None, id, sealed.clone()), emptied);
        assert_eq!(open(Some(&other), id, sealed.clone()), emptied);
        assert_eq!(open(Some(&key), DeliveryId(8), sealed.clone()), emptied, "another delivery's place");
        let mut second = sealed.clone();
        second.summary.number = 2;
        assert_eq!(open(Some(&key), id, second).url, "", "another attempt's place");
        for n in 0..sealed.request.len() {
            let mut changed = sealed.clone();
            changed.request[n] ^= 1;
            assert_eq!(open(Some(&key), id, changed), emptied, "byte {n}");
        }
        assert_eq!(seal(None, id, &attempt(1), &mut dice).request, b"");
        assert_ne!(seal(Some(&key), id, &attempt(1), &mut dice), sealed, "no two seals are the same");
    }
}
