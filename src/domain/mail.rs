//! Mail addresses, as a webhook's URL names them: `mailto:ops@example.com,night@example.com`. What stays true: an address is made
//! of characters that mean nothing in a header, a command or a URL, so none can add a recipient, a line or a parameter.

use super::Invalid;
use super::names::is_host_name;
use super::rate_limit::RateLimit;

/// What such a URL begins with.
pub const SCHEME: &str = "mailto:";
/// Recipients of one webhook.
pub const RECIPIENTS_MAX: usize = 10;
/// How much mail goes out for one webhook, tests, retries and replays among it: quiet times bound only what the server tells by
/// itself. In five minutes, the usual quiet time, one of each kind of notice fits.
pub const PACE: RateLimit = RateLimit { per_second: None, per_minute: Some(3), burst: 5 };
/// The longest address, in bytes, and the longest part before its `@` (RFC 5321, 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;

/// Checks what stands behind `mailto:`, and gives it with hosts in lower case.
pub fn vet(text: &str) -> Result<String, Invalid> {
    let wrong = |message: String| Err(Invalid::new("url", message));
    if text.contains('?') {
        return wrong(
            "must hold addresses only: subject and text are the notice's, and all recipients are named".into(),
        );
    }
    let addresses: Vec<&str> = text.split(',').collect();
    if addresses.len() > RECIPIENTS_MAX {
        return wrong(format!("names more than {RECIPIENTS_MAX} recipients; make a list of them at your mail server"));
    }
    let mut vetted: Vec<String> = Vec::with_capacity(addresses.len());
    for (n, address) in addresses.iter().enumerate() {
        let Some(one) = plain(address) else {
            return wrong(format!(
                "has no mail address in its place {}: write them like mailto:ops@example.com,night@example.com, of letters, \
                 digits and . _ + - =",
                n + 1
            ));
        };
        if !vetted.contains(&one) {
            vetted.push(one);
        }
    }
    Ok(vetted.join(","))
}

/// Checks one address that a person logs in with, and gives it in lower case: nobody remembers which letters of it were great.
pub fn vet_one(field: &str, text: &str) -> Result<String, Invalid> {
    let message = "must be a mail address, such as ada@example.com, of letters, digits and . _ + - =";
    plain(text.trim()).map(|one| one.to_ascii_lowercase()).ok_or_else(|| Invalid::new(field, message))
}

/// The address, if it is one of the plain form that is taken.
fn plain(address: &str) -> Option<String> {
    let (local, host) = address.split_once('@')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-=".contains(&byte);
    let fits = (1..=LOCAL_BYTES_MAX).contains(&local.len())
        && address.len() <= ADDRESS_BYTES_MAX
        && local.bytes().all(is_plain)
        && local.split('.').all(|part| !part.is_empty())
        && host.split('.').all(|part| !part.is_empty())
        && is_host_name(host);
    fits.then(|| format!("{local}@{}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_their_plain_form() {
        assert_eq!(vet("Ops@Example.COM").unwrap(), "Ops@example.com");
        assert_eq!(vet("a.b+c=d_e-f@x.y,b@x.y,b@X.y").unwrap(), "a.b+c=d_e-f@x.y,b@x.y");
        let many = |count: usize| (0..count).map(|n| format!("a{n}@x.y")).collect::<Vec<_>>().join(",");
        assert!(vet(&many(RECIPIENTS_MAX)).is_ok() && vet(&many(RECIPIENTS_MAX + 1)).is_err());
        let long = |bytes: usize| vet(&format!("{}@x.y", "a".repeat(bytes)));
        assert!(long(LOCAL_BYTES_MAX).is_ok() && long(LOCAL_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn nothing_that_means_something_to_a_mail_server_gets_in() {
        let bad = [
            "",
            "a",
            "@x.y",
            "a@",
            "a@x..y",
            ".a@x.y",
            "a.@x.y",
            "a..b@x.y",
            "a@@x.y",
            "a@x.y,",
            ",a@x.y",
            "a@x.y b@x.y",
            "a@x.y\r\nBcc: b@x.y",
            "a@x.y%0d%0aBcc:b@x.y",
            "a@x.y?bcc=b@x.y",
            "a@x.y?subject=x",
            "<a@x.y>",
            "A <a@x.y>",
            "\"a b\"@x.y",
            "a\0@x.y",
            "a@[127.0.0.1]",
            "a;b@x.y",
            "ä@x.y",
            "a@x.y>\r\nRCPT TO:<b@x.y",
            "a%b@x.y",
            "a!b@x.y",
        ];
        for text in bad {
            assert_eq!(vet(text).unwrap_err().field, "url", "{text:?}");
        }
    }
}
