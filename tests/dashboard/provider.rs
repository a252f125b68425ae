//! An identity provider of a test's own: it shows a discovery document and keys, gives a token for a code once, and says of
//! somebody whatever the test wants it to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as CODED};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::browser::{Browser, Page};
use crate::here::START;
use crate::support::{Answer, Message, Receiver};

/// Whom the provider knows the server as, and what it wants to be shown.
pub const CLIENT: &str = "hookwheel: tests";
pub const SECRET: &str = "a secret+of both";
/// A key for tests alone.
const RSA_KEY: &str = include_str!("rsa-key.base64");

/// What a token is signed with.
pub enum Signer {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    pub fn rs256() -> Self {
        let lines: String = RSA_KEY.split_whitespace().collect();
        let key = BASE64_STANDARD.decode(lines).expect("base64");
        Self::Rs256(RsaKeyPair::from_pkcs8(&key).expect("a key"))
    }

    pub fn es256() -> Self {
        let (random, of) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(of, &random).expect("a key");
        Self::Es256(EcdsaKeyPair::from_pkcs8(of, key.as_ref(), &random).expect("a key"))
    }

    pub fn eddsa() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::EdDsa(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key"))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("it signs");
                signature
            }
            Self::Es256(key) => key.sign(&SystemRandom::new(), message).expect("it signs").as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key, as a provider shows it.
    fn shown(&self, id: &str) -> Value {
        let mut key = match self {
            Self::Rs256(key) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "n": CODED.encode(parts.n), "e": CODED.encode(parts.e)})
            }
            Self::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": CODED.encode(x), "y": CODED.encode(y)})
            }
            Self::EdDsa(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": CODED.encode(key.public_key())}),
        };
        key["kid"] = json!(id);
        key["use"] = json!("sig");
        key["alg"] = json!(self.name());
        key
    }
}

/// What the provider does and says.
pub struct Told {
    pub signer: Signer,
    /// The name of the key.
    pub key_id: &'static str,
    /// What is said beside the usual, or in its place; null: not at all.
    pub claims: Value,
    /// What the discovery document says in the place of the usual.
    pub discovery: Value,
    /// What is said of somebody when it is asked for.
    pub userinfo: Value,
    /// How often its keys were asked for.
    pub keys_asked: usize,
    /// Log-ins that have begun, by the code that is given for them: nonce and challenge.
    begun: HashMap<String, (String, String)>,
    /// A header in the place of the usual one.
    pub header: Option<Value>,
}

/// The provider.
pub struct Provider {
    receiver: Receiver,
    pub told: Arc<Mutex<Told>>,
}

impl Provider {
    pub fn start() -> Self {
        let told = Told {
            signer: Signer::es256(),
            key_id: "one",
            claims: json!({}),
            discovery: json!({}),
            userinfo: json!({}),
            keys_asked: 0,
            begun: HashMap::new(),
            header: None,
        };
        let told = Arc::new(Mutex::new(told));
        let by = told.clone();
        let receiver = Receiver::start(move |path, message| answer(&by, path, message));
        Self { receiver, told }
    }

    pub fn issuer(&self) -> String {
        self.receiver.url("")
    }

    /// Says this of whoever logs in from now on.
    pub fn says(&self, claims: Value) {
        self.told.lock().expect("no panic").claims = claims;
    }

    /// Goes there with a browser, as far as the provider's own page: what that was asked with.
    #[track_caller]
    pub fn asked(&self, browser: &mut Browser, from: &str) -> HashMap<String, String> {
        let there = browser.get(from);
        assert_eq!(there.status, 303, "{}", there.text);
        let address = Url::parse(there.location()).expect("an address");
        assert!(there.location().starts_with(&self.receiver.url("/authorize?")), "{address}");
        address.query_pairs().into_owned().collect()
    }

    /// Lets somebody in who was asked for with this: the path that the browser is sent back by, with a code.
    pub fn lets_in(&self, asked: &HashMap<String, String>) -> String {
        let mut told = self.told.lock().expect("no panic");
        let code = format!("code-{}", told.begun.len());
        told.begun.insert(code.clone(), (asked["nonce"].clone(), asked["code_challenge"].clone()));
        let mut back = Url::parse(&asked["redirect_uri"]).expect("an address");
        back.query_pairs_mut().extend_pairs([
            ("code", &code),
            ("state", &asked["state"]),
            ("session_state", &"x".into()),
        ]);
        format!("{}?{}", back.path(), back.query().expect("it has one"))
    }

    /// A whole log-in.
    #[track_caller]
    pub fn log_in(&self, browser: &mut Browser) -> Page {
        let asked = self.asked(browser, "/dashboard/sign-on");
        let back = self.lets_in(&asked);
        browser.get(&back)
    }
}

fn answer(told: &Mutex<Told>, path: &str, message: &Message) -> Answer {
    let mut told = told.lock().expect("no panic");
    let host = message.header("host").expect("a host");
    let (status, body) = match path {
        "/.well-known/openid-configuration" => (200, discovery(&told, &format!("http://{host}"))),
        "/keys" => {
            told.keys_asked += 1;
            let strange = json!({"kty": "XYZ", "kid": "strange"});
            let secret = json!({"kty": "oct", "kid": "secret", "k": CODED.encode([7; 32])});
            (200, json!({"keys": [strange, secret, told.signer.shown(told.key_id)]}))
        }
        "/userinfo" if message.header("authorization") == Some("Bearer x") => (200, told.userinfo.clone()),
        "/token" => token(&mut told, message, &format!("http://{host}")),
        _ => (404, json!({})),
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nConnection: close\r\n");
    // Some kilobytes a test.
    Answer::Bytes(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).leak().as_bytes())
}

fn discovery(told: &Told, issuer: &str) -> Value {
    let mut said = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    });
    put(&mut said, &told.discovery);
    said
}

/// A token for a code that nobody has used, for whoever knows what was begun, and shows the secret.
fn token(told: &mut Told, message: &Message, issuer: &str) -> (u16, Value) {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&message.body).into_owned().collect();
    // As RFC 6749 has it: each part written as in a form.
    let coded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let shown = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", coded(CLIENT), coded(SECRET))));
    if message.header("authorization") != Some(&shown) {
        return (401, json!({"error": "invalid_client"}));
    }
    let refused = (400, json!({"error": "invalid_grant", "error_description": "the code is good no more"}));
    let Some((nonce, challenge)) = form.get("code").and_then(|code| told.begun.remove(code)) else { return refused };
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let is_proven = CODED.encode(Sha256::digest(verifier)) == challenge;
    if !is_proven || form.get("grant_type").map(String::as_str) != Some("authorization_code") {
        return refused;
    }
    let seconds = START / 1000;
    let mut claims = json!({
        "iss": issuer, "aud": CLIENT, "sub": "subject-1", "exp": seconds + 300, "iat": seconds, "nonce": nonce,
        "email": "Ada@Example.com", "email_verified": true, "name": "Ada Lovelace",
    });
    put(&mut claims, &told.claims);
    let header = told.header.clone().unwrap_or_else(|| json!({"alg": told.signer.name(), "kid": told.key_id}));
    let message = [header, claims].map(|part| CODED.encode(part.to_string())).join(".");
    let signature = CODED.encode(told.signer.sign(message.as_bytes()));
    (200, json!({"access_token": "x", "token_type": "Bearer", "id_token": format!("{message}.{signature}")}))
}

fn put(into: &mut Value, other: &Value) {
    for (name, value) in other.as_object().expect("an object") {
        match value {
            Value::Null => drop(into.as_object_mut().expect("an object").remove(name)),
            value => into[name] = value.clone(),
        }
    }
}
