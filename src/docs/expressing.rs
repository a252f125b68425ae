//! What a contract can say and what none can, for those who write one. Short: the file format is told elsewhere.

use super::block::{Draft, Text};
use super::paths;

/// The two lists.
pub(super) fn write(draft: &mut Draft) {
    draft.heading(2, "What a contract can say");
    let file = Text::from("A contract is one file: here is ")
        .link("every key of it", paths::DIALECTS)
        .and(", and ")
        .link("how one is written from nothing", paths::TUTORIAL);
    draft.say(file.and(". It says:"));
    draft.list([
        "what the body is: the event's data alone, inside of something or with fields around it; facts of the event, the \
         account, the webhook, the delivery and the attempt; times in six forms; the signature itself; all as JSON or as a \
         form, under any `Content-Type`",
        "what the headers are, of the same facts",
        "what shows who sends: an HMAC (SHA-1, SHA-256, SHA-512), an Ed25519, ECDSA or RSA signature, a bearer token, basic \
         authentication, or several of them; over the body, the form's parameters by name, the URL, the method, headers, \
         times and ids",
        "how an endpoint shows that it wants deliveries: by a `POST` or a `GET`, with the question in the body or the query, \
         and with an answer that repeats it or signs it, or by refusing what is wrongly signed",
        "what is a success, when to try again, when to give an endpoint up, and the limits",
        "which events there are, and the paths and names of its own API",
    ]);
    draft.heading(2, "What no contract can say");
    draft.list([
        "several events in one request",
        "deliveries by another method than `POST`",
        "proofs by a hash without a key, JSON Web Tokens, certificates that are fetched, or HTTP Message Signatures (RFC 9421)",
        "signatures over single fields of the data, or by keys that are written in hexadecimal",
        "an ownership check that is answered in headers, such as by `OPTIONS`",
        "a status that ends a delivery at once",
    ]);
}
