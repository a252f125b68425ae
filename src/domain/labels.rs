//! The words by which people call things in their own systems: a webhook's own id, its tags and metadata, and the channels of
//! webhooks and events. What stays true: each is bounded, and lists of them are sets, written in one order.

use std::collections::BTreeMap;

use super::Invalid;
use super::id::WebhookId;

/// A webhook's own id, in bytes.
pub const UID_BYTES_MAX: usize = 128;
/// Tags of one webhook.
pub const TAGS_MAX: usize = 16;
/// A tag, in bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// Channels of one webhook, and of one event.
pub const CHANNELS_MAX: usize = 10;
/// A channel, in bytes.
pub const CHANNEL_BYTES_MAX: usize = 128;
/// Entries of a webhook's metadata.
pub const METADATA_MAX: usize = 32;
/// A name in a webhook's metadata, in bytes.
pub const METADATA_NAME_BYTES_MAX: usize = 64;
/// Names and values of a webhook's metadata together, in bytes.
pub const METADATA_BYTES_MAX: usize = 4096;

/// Checks a webhook's own id: 1–128 of `[A-Za-z0-9_.-]`. It stands in paths in the place of ours, so it is neither what a path
/// has for "here" or "above", nor like one of ours.
pub fn check_uid(uid: &str) -> Result<(), Invalid> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if !(1..=UID_BYTES_MAX).contains(&uid.len()) || !uid.bytes().all(plain) || uid == "." || uid == ".." {
        let message = "must be 1 to 128 of the characters A-Z a-z 0-9 _ . -, and neither \".\" nor \"..\"";
        return Err(Invalid::new("uid", message));
    }
    match WebhookId::parse(uid) {
        Some(_) => Err(Invalid::new("uid", "must not be a UUID, nor end with `_` and one: that is how our ids look")),
        None => Ok(()),
    }
}

/// Checks tags: at most 16, each 1–64 of `[A-Za-z0-9_.:/-]`. Ascending, each once.
pub fn vet_tags(tags: Vec<String>) -> Result<Vec<String>, Invalid> {
    vet_words("tags", tags, TAGS_MAX, TAG_BYTES_MAX)
}

/// Checks one tag, as a filter of lists and bulk calls says it in `field`.
pub fn check_tag(field: &str, tag: &str) -> Result<(), Invalid> {
    let checked = vet_words("", vec![tag.to_string()], 1, TAG_BYTES_MAX);
    checked.map(drop).map_err(|invalid| Invalid { field: field.into(), ..invalid })
}

/// Checks channels: at most 10, each 1–128 of `[A-Za-z0-9_.:/-]`. Ascending, each once.
pub fn vet_channels(channels: Vec<String>) -> Result<Vec<String>, Invalid> {
    vet_words("channels", channels, CHANNELS_MAX, CHANNEL_BYTES_MAX)
}

fn vet_words(field: &str, mut words: Vec<String>, max: usize, bytes_max: usize) -> Result<Vec<String>, Invalid> {
    if words.len() > max {
        return Err(Invalid::new(field, format!("has more than {max}; leave some out")));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'/' | b'-');
    let fits = |word: &String| (1..=bytes_max).contains(&word.len()) && word.bytes().all(plain);
    if let Some(index) = words.iter().position(|word| !fits(word)) {
        let message = format!("must be 1 to {bytes_max} of the characters A-Z a-z 0-9 _ . : / -");
        return Err(Invalid::new(format!("{field}[{index}]"), message));
    }
    words.sort_unstable();
    words.dedup();
    Ok(words)
}

/// Checks a webhook's metadata: at most 32 texts, under names of 1–64 of `[A-Za-z0-9_.-]`, with 4,096 bytes in all.
pub fn vet_metadata(metadata: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Invalid> {
    let wrong = |message: String| Err(Invalid::new("metadata", message));
    if metadata.len() > METADATA_MAX {
        return wrong(format!("has more than {METADATA_MAX} entries; leave some out"));
    }
    if metadata_bytes(&metadata) > METADATA_BYTES_MAX {
        return wrong(format!("is longer than {METADATA_BYTES_MAX} bytes in all; shorten it"));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let fits = |name: &String| (1..=METADATA_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    match metadata.keys().find(|name| !fits(name)) {
        Some(name) => {
            let message = format!("a name must be 1 to {METADATA_NAME_BYTES_MAX} of the characters A-Z a-z 0-9 _ . -");
            Err(Invalid::new(format!("metadata.{name}"), message))
        }
        None => Ok(metadata),
    }
}

/// Names and values of metadata, in bytes.
pub fn metadata_bytes(metadata: &BTreeMap<String, String>) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Whether a webhook of these channels hears of an event of those: one that names none hears of every event, another of those
/// that it shares a channel with, and so of none without any.
pub fn hears(webhook: &[String], event: &[String]) -> bool {
    webhook.is_empty() || webhook.iter().any(|channel| event.contains(channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| word.to_string()).collect()
    }

    #[test]
    fn an_own_id_stands_in_a_path_and_is_never_taken_for_one_of_ours() {
        for good in ["a", "crm.prod-2_x", "9", "...", &"x".repeat(UID_BYTES_MAX), "wh_2024"] {
            assert_eq!(check_uid(good), Ok(()), "{good}");
        }
        let ours = "01935b6e-7c1a-7abc-8def-012300000001";
        for bad in ["", ".", "..", "a b", "a/b", "ä", &"x".repeat(UID_BYTES_MAX + 1), ours, &format!("wh_{ours}")] {
            assert_eq!(check_uid(bad).unwrap_err().field, "uid", "{bad}");
        }
        assert!(check_uid(&ours.replace('-', "")).is_err());
    }

    #[test]
    fn tags_and_channels_are_sets_of_so_many_words() {
        assert_eq!(vet_tags(words(&["b", "a", "b"])), Ok(words(&["a", "b"])));
        assert_eq!(vet_channels(words(&["team/7", "a:b"])), Ok(words(&["a:b", "team/7"])));
        assert_eq!(vet_tags(words(&["a", ""])).unwrap_err().field, "tags[1]");
        assert_eq!(vet_channels(words(&["a b"])).unwrap_err().field, "channels[0]");
        let many = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
        assert!(vet_tags(many(TAGS_MAX)).is_ok() && vet_channels(many(CHANNELS_MAX)).is_ok());
        assert_eq!(vet_tags(many(TAGS_MAX + 1)).unwrap_err().field, "tags");
        assert_eq!(vet_channels(many(CHANNELS_MAX + 1)).unwrap_err().field, "channels");
        let long = |n: usize| vec!["x".repeat(n)];
        assert!(vet_tags(long(TAG_BYTES_MAX)).is_ok() && vet_tags(long(TAG_BYTES_MAX + 1)).is_err());
        assert!(vet_channels(long(CHANNEL_BYTES_MAX)).is_ok() && vet_channels(long(CHANNEL_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn metadata_is_a_few_texts() {
        let of = |name: &str, value: String| vet_metadata(BTreeMap::from([(name.to_string(), value)]));
        assert!(of("crm.id", "Anything at all: ä".into()).is_ok());
        assert!(of("n", "x".repeat(METADATA_BYTES_MAX - 1)).is_ok());
        assert_eq!(of("n", "x".repeat(METADATA_BYTES_MAX)).unwrap_err().field, "metadata");
        assert_eq!(of("a b", String::new()).unwrap_err().field, "metadata.a b");
        assert!(of("", String::new()).is_err() && of(&"x".repeat(METADATA_NAME_BYTES_MAX + 1), String::new()).is_err());
        let many = |n: usize| vet_metadata((0..n).map(|n| (n.to_string(), String::new())).collect());
        assert!(many(METADATA_MAX).is_ok() && many(METADATA_MAX + 1).is_err());
    }

    #[test]
    fn a_webhook_with_channels_hears_of_what_shares_one_and_another_of_everything() {
        let (none, one, both) = (words(&[]), words(&["a"]), words(&["a", "b"]));
        for event in [&none, &one, &both] {
            assert!(hears(&none, event));
        }
        assert!(hears(&one, &both) && hears(&both, &one));
        assert!(!hears(&one, &none) && !hears(&one, &words(&["c"])));
    }
}
