//! What a dialect's rule for secrets must fulfil for its signatures: where there are pairs, beside shared secrets or instead of
//! them, every signature can be made with them.

use base64::Engine as _;
use zeroize::Zeroizing;

use super::encoding::BASE64;
use super::keys::{PairKind, PublicForm};
use super::secrets::SecretRule;
use super::{Dialect, SignatureRule};
use crate::domain::Invalid;
use crate::domain::secret::Secret;

impl SecretRule {
    /// Every signature can be made with a key pair, or none.
    pub(super) fn check_pair(&self, signatures: &[SignatureRule]) -> Result<(), Invalid> {
        let Some(pair) = &self.ed25519 else {
            return match signatures.iter().position(|rule| rule.ed25519.is_some()) {
                Some(n) => Err(Invalid::new(
                    format!("signature[{n}].ed25519"),
                    "needs [secrets.ed25519], the form of its keys",
                )),
                None => Ok(()),
            };
        };
        pair.check(&self.prefix)?;
        match signatures.iter().position(|rule| rule.ed25519.is_none()) {
            Some(n) => Err(Invalid::new(
                format!("signature[{n}].ed25519"),
                "is missing: [secrets.ed25519] lets key pairs sign",
            )),
            None => Ok(()),
        }
    }

    /// Where there are pairs only, all signatures are made with the same kind.
    pub(super) fn check_pkcs8(&mut self, signatures: &[SignatureRule]) -> Result<(), Invalid> {
        let wrong = |key: String, message: &str| Err(Invalid::new(key, message));
        self.pair = signatures.first().and_then(|rule| rule.algorithm.pair());
        if self.pair.is_none() {
            let message = "needs a [[signature]] with algorithm = \"ed25519\", \"ecdsa-p256\" or \"rsa-sha256\"";
            return wrong("secrets.key".into(), message);
        }
        if let Some(n) = signatures.iter().position(|rule| rule.algorithm.pair() != self.pair) {
            return wrong(
                format!("signature[{n}].algorithm"),
                "must be that of the other signatures: they share a key",
            );
        }
        if let Some(n) = signatures.iter().position(|rule| rule.ed25519.is_some()) {
            return wrong(
                format!("signature[{n}].ed25519"),
                "is for dialects with shared secrets: here all keys are pairs",
            );
        }
        if self.public == PublicForm::Hex && self.pair != Some(PairKind::Ed25519) {
            return wrong("secrets.public".into(), "\"hex\" is for Ed25519 only; take \"pem\" or \"base64\"");
        }
        let others = [
            ("prefix", !self.prefix.is_empty()),
            ("bytes_min", self.bytes_min.is_some()),
            ("bytes_max", self.bytes_max.is_some()),
            ("warn_below_bytes", self.warn_below_bytes > 0),
            ("ed25519", self.ed25519.is_some()),
        ];
        match others.iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => wrong(format!("secrets.{key}"), "is for shared secrets; key = \"pkcs8\" has none"),
            None => Ok(()),
        }
    }
}

impl Dialect {
    pub(super) fn generate_pair(&self, random: &[u8; 32]) -> Option<Secret> {
        let pair = self.secrets.ed25519.as_ref()?;
        let bytes = Zeroizing::new(ed25519_dalek::SigningKey::from_bytes(random).to_keypair_bytes());
        Some(Secret::new(format!("{}{}", pair.prefix, BASE64.encode(bytes.as_slice()))))
    }
}
