//! What the proofs of a dialect ask of its other parts. What stays true: a receiver is told every fact that is signed, knows
//! where each signature stands, and no body goes out that nothing vouches for by oversight.

use super::Dialect;
use super::encoding::Encoding;
use super::form::BodyFormat;
use super::headers::{HeaderKey, HeaderRule};
use super::mac::Algorithm;
use super::nearest::nearest;
use super::placeholder::Placeholder;
use super::signature::SignatureRule;
use super::wording::missing;
use crate::domain::Invalid;

impl Dialect {
    /// Checks all signature rules, and finds the headers that they name.
    pub(super) fn check_proofs(&mut self) -> Result<(), Invalid> {
        self.check_headers()?;
        self.find_headers()?;
        for (n, rule) in self.signature.iter().enumerate() {
            let wrong = |(key, message): (&str, String)| Invalid::new(format!("signature[{n}].{key}"), message);
            if rule.header.is_none() && self.envelope.path_of(&Placeholder::Signature).is_none() {
                let message =
                    format!("{}, unless a field of the body is \"{{signature}}\" alone", missing("signature.header"));
                return Err(wrong(("header", message)));
            }
            rule.check_alone().map_err(wrong)?;
            self.check_told(rule).map_err(|message| wrong(("signed", message)))?;
        }
        self.check_signature_in_body()
    }

    /// Every header is there once.
    fn check_headers(&self) -> Result<(), Invalid> {
        let mut names: Vec<&HeaderKey> = Vec::new();
        let own = self.headers.iter().map(|rule| (format!("headers.{}", rule.key.spelled), Some(&rule.key)));
        let signed = self.signature.iter().enumerate();
        let signed = signed.map(|(n, rule)| (format!("signature[{n}].header"), rule.header.as_ref()));
        for (key, header) in own.chain(signed) {
            let Some(header) = header else { continue };
            if names.iter().any(|known| known.name == header.name) {
                return Err(Invalid::new(key, "this header is there already"));
            }
            names.push(header);
        }
        Ok(())
    }

    /// Puts the place of each `{header.NAME}` beside its name.
    fn find_headers(&mut self) -> Result<(), Invalid> {
        let Self { headers, signature, .. } = self;
        let names = || headers.iter().map(|rule: &HeaderRule| rule.key.spelled.as_str());
        for (n, rule) in signature.iter_mut().enumerate() {
            for slot in rule.signed.slots_mut() {
                let Placeholder::Header(header) = slot else { continue };
                let Some(place) = names().position(|known| known.eq_ignore_ascii_case(&header.name)) else {
                    let near = nearest(&header.name, names());
                    let near = near.map_or(String::new(), |near| format!("; the nearest is {{header.{near}}}"));
                    let message = format!("signs {{header.{}}}, which is none of [headers]{near}", header.name);
                    return Err(Invalid::new(format!("signature[{n}].signed"), message));
                };
                header.place = place;
            }
        }
        Ok(())
    }

    /// A receiver must know every fact that is signed.
    fn check_told(&self, rule: &SignatureRule) -> Result<(), String> {
        let sorted = rule.signed.slots().any(|slot| *slot == Placeholder::BodySorted);
        if sorted && self.body.format != BodyFormat::Form {
            return Err("signs {body.sorted}, the parameters of a form; that needs body.format = \"form\"".into());
        }
        match rule.signed.slots().find(|slot| !self.is_told(rule, slot)) {
            Some(slot) => {
                Err(format!("signs {slot}, which no header tells the receiver, and no field of the body has alone"))
            }
            None => Ok(()),
        }
    }

    fn is_told(&self, rule: &SignatureRule, slot: &Placeholder) -> bool {
        use Placeholder::{AttemptMethod, Body, BodySorted, Header, WebhookUrl};
        matches!(slot, Body | BodySorted | WebhookUrl | AttemptMethod | Header(_))
            || rule.own_slots().chain(self.headers.iter().flat_map(|header| header.value.slots())).any(|s| s == slot)
            || self.envelope.path_of(slot).is_some()
    }

    /// A signature that no header carries stands in the body, once.
    fn check_signature_in_body(&self) -> Result<(), Invalid> {
        let mut bare = self.signature.iter().enumerate().filter(|(_, rule)| rule.header.is_none()).map(|(n, _)| n);
        match (bare.next(), bare.next()) {
            (_, Some(n)) => {
                let message = "is missing: the body can carry one signature, which is there already";
                Err(Invalid::new(format!("signature[{n}].header"), message))
            }
            (None, None) if self.envelope.has(&Placeholder::Signature) => {
                let message = "has {signature}, but each [[signature]] has a header; leave one's out";
                Err(Invalid::new("envelope", message))
            }
            _ => Ok(()),
        }
    }
}

impl SignatureRule {
    /// Checks what concerns nothing but the rule: the key that is wrong, and why.
    fn check_alone(&self) -> Result<(), (&'static str, String)> {
        self.check_several().map_err(|message| ("several", message.to_string()))?;
        let in_header = self.header.is_some();
        let (shows_secret, signs_nothing) = (self.algorithm == Algorithm::Secret, self.signed.parts.is_empty());
        let unsigned = missing("signature.signed");
        let rules: &[(bool, &'static str, &str)] = &[
            (shows_secret && !signs_nothing, "signed", "a secret that is shown signs nothing; leave it out"),
            (
                shows_secret && !in_header,
                "header",
                "is missing: a secret is shown in a header, such as \"Authorization\"",
            ),
            (shows_secret && self.several.is_some(), "several", "a secret that is shown can be the newest only"),
            (shows_secret && self.ed25519.is_some(), "ed25519", "a secret that is shown signs nothing; leave it out"),
            (
                !shows_secret && self.encoding == Encoding::Plain,
                "encoding",
                "\"plain\" is for algorithm = \"secret\"; take \"hex\" or \"base64\"",
            ),
            (!shows_secret && signs_nothing, "signed", &unsigned),
            (
                !shows_secret && in_header && !self.signs_body(),
                "signed",
                "must hold {body}: what is not signed can be changed on its way",
            ),
            (!in_header && self.signs_body(), "signed", "a signature in the body cannot sign the body"),
            (
                !in_header && self.value.only().is_none(),
                "value",
                "must be \"{signature}\" alone where the body carries it",
            ),
            (!in_header && self.before.is_some(), "before", "is for headers"),
            (!in_header && self.several.is_some(), "several", "is for headers"),
        ];
        match rules.iter().find(|(is_broken, ..)| *is_broken) {
            Some((_, key, message)) => Err((*key, (*message).to_string())),
            None => Ok(()),
        }
    }
}
