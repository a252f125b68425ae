//! The keys that a provider shows, and what they have signed. What stays true: a signature is made in one of three ways, each with a
//! public key; whatever else a token says of itself, such as "none" or a secret that both know, is refused.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as Checked};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::signature::{Error as Unsigned, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

/// How a token may be signed.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
/// Keys of one provider.
const KEYS_MAX: usize = 64;

/// Makes `jsonwebtoken` check signatures by the cryptography that all else here has. Of several calls one counts.
pub fn install() {
    static INSTALLED: Once = Once::new();
    static BY_RING: CryptoProvider = CryptoProvider {
        signer_factory: |_, _: &EncodingKey| Err(ErrorKind::UnsupportedAlgorithm.into()),
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    // Nobody else here installs one.
    INSTALLED.call_once(|| assert!(BY_RING.install_default().is_ok(), "it is installed once"));
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Checked<Box<dyn JwtVerifier>> {
    if !ALGORITHMS.contains(algorithm) || key.family() != algorithm.family() {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    }
    Ok(Box::new(ByRing { algorithm: *algorithm, key: key.clone() }))
}

struct ByRing {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Unsigned> {
        use DecodingKeyKind::{RsaModulusExponent, SecretOrDer};
        let checked = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Algorithm::ES256, SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Algorithm::EdDSA, SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            _ => return Err(Unsigned::new()),
        };
        checked.map_err(|_| Unsigned::new())
    }
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// The keys that a provider shows.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    key: DecodingKey,
}

impl Keys {
    /// Reads a set. What is of another kind, or for something else, is passed over: a provider may show that too.
    pub fn read(json: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(json).ok()?;
        let keys = set.get("keys")?.as_array()?.iter().take(KEYS_MAX).filter_map(|one| {
            let jwk: Jwk = serde_json::from_value(one.clone()).ok()?;
            let signs = jwk.common.public_key_use.as_ref().is_none_or(|use_of| *use_of == PublicKeyUse::Signature);
            let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| signs)?;
            let is_taken = ALGORITHMS.iter().any(|algorithm| algorithm.family() == key.family());
            is_taken.then_some(Key { id: jwk.common.key_id, key })
        });
        Some(Self(keys.collect()))
    }

    /// The key that a token names. One that names none is signed by the only key there is of its kind.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut of_kind = self.0.iter().filter(|key| key.key.family() == algorithm.family());
        match id {
            Some(id) => of_kind.find(|key| key.id.as_deref() == Some(id)).map(|key| &key.key),
            None => of_kind.next().filter(|_| of_kind.next().is_none()).map(|key| &key.key),
        }
    }
}
