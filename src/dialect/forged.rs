//! Requests with other proofs than a delivery has: of something else, changed, cut or empty. They are for the test of a
//! receiver, which must refuse them. What stays true: all but the proof is as in a delivery, and a proof is written by the
//! rules that write the real one.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::Dialect;
use super::body::Prepared;
use super::headers::{AttemptFacts, header_value};
use super::mac::SigningKey;
use super::placeholder::Placeholder;
use super::signature::SignatureRule;

/// The proofs of a request that is made for a test.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// The attempt that is signed, which need not be the one that is told.
    pub of: &'a AttemptFacts<'a>,
    /// The bytes that are signed, which need not be those that are sent.
    pub body: &'a [u8],
    /// What signs, the newest first; at least one.
    pub keys: &'a [SigningKey],
    /// What is then done to each signature.
    pub harm: Harm,
}

/// What is done to a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nothing.
    None,
    /// Its first character is another.
    Changed,
    /// Its second half is missing.
    Cut,
    /// Nothing of it is left.
    Empty,
}

impl Harm {
    fn done_to(self, mut signature: String) -> String {
        match self {
            Self::None => {}
            Self::Changed if signature.is_empty() => {}
            // Both are digits of hexadecimal and of base64.
            Self::Changed => signature.replace_range(..1, if signature.starts_with('0') { "1" } else { "0" }),
            Self::Cut => signature.truncate(signature.len() / 2),
            Self::Empty => signature.clear(),
        }
        signature
    }
}

impl Dialect {
    /// Appends the headers of an attempt, as [`Self::headers`] does, with these proofs.
    pub fn headers_with(&self, what: &AttemptFacts<'_>, proof: &Proof<'_>, out: &mut Vec<(HeaderName, HeaderValue)>) {
        self.headers(what, proof.body, &[], out);
        for (rule, key) in self.signatures_in_headers() {
            out.push((key.name.clone(), header_value(&self.proof_text(rule, what, proof))));
        }
    }

    /// The body of an attempt, as [`Self::body`] makes it, with this proof where it carries one.
    pub fn body_with(&self, prepared: &Prepared, what: &AttemptFacts<'_>, proof: &Proof<'_>) -> Bytes {
        if prepared.is_whole() {
            return self.body(prepared, what, proof.keys);
        }
        let rule = self.signature.iter().find(|rule| rule.header.is_none());
        let newest = Proof { body: b"", keys: &proof.keys[..1], ..*proof };
        let json = prepared.filled(&|slot, out| match (slot, rule) {
            (Placeholder::Signature, Some(rule)) => out.push_str(&self.proof_text(rule, what, &newest)),
            (other, _) => self.fact(what, other, out),
        });
        self.formatted(json.into())
    }

    fn proof_text(&self, rule: &SignatureRule, what: &AttemptFacts<'_>, proof: &Proof<'_>) -> String {
        let used = if rule.several.is_some() { proof.keys } else { &proof.keys[..1] };
        let signed = |key: &SigningKey| rule.sign(key, proof.body, &|slot, out| self.fact(proof.of, slot, out));
        let items = used.iter().map(|key| (rule.item(key), proof.harm.done_to(signed(key))));
        rule.text_with(items, &|slot, out| self.fact(what, slot, out))
    }
}
