//! The record of a request made smaller before it is sealed: names of headers, and many values, are the same in nearly all of them, and a
//! dictionary knows those. What stays true: the dictionary is never made again, since what it pressed is read with it;
//! `scripts/attempt-words` says how it was made.

use std::cell::RefCell;
use std::sync::LazyLock;

use zeroize::Zeroizing;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::CParameter;

static WORDS: &[u8] = include_bytes!("words.dict");
/// What the first byte of a pressed record is: those that are not begin with the version of all records.
const PRESSED: u8 = 0xff;
/// Quicker ones leave a tenth more, for half a microsecond less of one and a half.
const LEVEL: i32 = 1;

static PRESSING: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(WORDS, LEVEL));
static UNPRESSING: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(WORDS));

thread_local! {
    static PRESS: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPRESS: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A compressor that writes nothing of what is known where the frame lies.
fn compressor() -> Option<Compressor<'static>> {
    let mut made = Compressor::with_prepared_dictionary(&PRESSING).ok()?;
    for off in [CParameter::ContentSizeFlag(false), CParameter::ChecksumFlag(false), CParameter::DictIdFlag(false)] {
        made.set_parameter(off).ok()?;
    }
    Some(made)
}

/// The record behind a byte that no record begins with and its length; `None` where that saves nothing.
pub fn pressed(record: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(record.len()).ok()?;
    let frame = PRESS.with_borrow_mut(|press| {
        *press = press.take().or_else(compressor);
        press.as_mut()?.compress(record).ok()
    })?;
    let pressed = [&[PRESSED][..], &length.to_be_bytes(), &frame].concat();
    (pressed.len() < record.len()).then_some(pressed)
}

/// The record again, if it is pressed; `None` if it says that it is and cannot be read.
pub fn unpressed(stored: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let Some(pressed) = stored.strip_prefix(&[PRESSED]) else { return Some(stored) };
    let (length, frame) = pressed.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let record = UNPRESS.with_borrow_mut(|unpress| {
        *unpress = unpress.take().or_else(|| Decompressor::with_prepared_dictionary(&UNPRESSING).ok());
        unpress.as_mut()?.decompress(frame, length).ok()
    })?;
    (record.len() == length).then_some(record.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    /// A record whose reader needs the dictionary as it is now, for good.
    const STORED: &str = "ff00e728b52ffd0000850300c3c512facb16f3f65ea897243edc9d3c283c8acc64015245886a6149b0cc689160bac42a41c0100922b9d4cc4c1922af0089\
        22b9582f3d08a0af6427c5cda537fbd362ac255f6676ab59c49b84230bfc17072100144a0dc9ba9cfb080dfec30c2dcef481cea72283c8cd458214851380";

    const WORDS_ARE: &str = "248dfb8fe198a4117f3acf514cdab0fb360c4a2512dc24c39a08df806a6c3f7a";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn record() -> Vec<u8> {
        let headers = [
            ("content-type", "application/json"),
            ("user-agent", "Hookwheel/0.1.0"),
            ("webhook-id", "01a22215-9886-73fb-a924-3e4700000000"),
            ("webhook-signature", "v1,eYDmeHgFOseEJxEjduxeqFnP8q0GjDoFK+XbV55BPv0="),
            ("webhook-timestamp", "1795868170"),
        ];
        crate::store::record::encode(&("https://example.com/webhooks", headers.to_vec()))
    }

    #[test]
    fn what_was_pressed_once_is_read_for_good() {
        let stored = (0..STORED.len() / 2).map(|at| u8::from_str_radix(&STORED[2 * at..2 * at + 2], 16).unwrap());
        assert_eq!(unpressed(Zeroizing::new(stored.collect())).as_deref(), Some(&record()));
        assert_eq!(hex(&Sha256::digest(WORDS)), WORDS_ARE, "another dictionary is another file");
    }

    #[test]
    fn a_request_becomes_much_shorter() {
        let (record, pressed) = (record(), pressed(&record()).unwrap());
        assert!(pressed.len() * 5 < record.len() * 3, "{} of {}: {}", pressed.len(), record.len(), hex(&pressed));
        assert_eq!(unpressed(Zeroizing::new(pressed)).as_deref(), Some(&record));
    }

    #[test]
    fn what_would_not_become_shorter_stays_as_it_is() {
        assert_eq!(pressed(&[]), None);
        assert_eq!(pressed(&[1, 2, 3]), None);
        let long = [1; 1 << 16];
        assert_eq!(pressed(&long), None, "its length is not told");
        assert_eq!(unpressed(Zeroizing::new(long.to_vec())).as_deref().map(Vec::as_slice), Some(&long[..]));
    }

    proptest! {
        #[test]
        fn what_is_damaged_gives_no_record_that_is_longer_than_it_says(at in 3usize..100, bits in 1u8..=255, cut in 0usize..100) {
            let whole = pressed(&record()).unwrap();
            let mut changed = whole.clone();
            changed[at] ^= bits;
            for stored in [changed, whole[..whole.len() - cut].to_vec()] {
                let found = unpressed(Zeroizing::new(stored));
                prop_assert!(found.is_none_or(|found| found.len() == record().len()));
            }
        }

        #[test]
        fn every_record_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..3000), again in 1usize..20) {
            let record = [&[1][..], &bytes.repeat(again)].concat();
            if let Some(pressed) = pressed(&record) {
                prop_assert!(pressed.len() < record.len());
                let back = unpressed(Zeroizing::new(pressed));
                prop_assert_eq!(back.as_deref(), Some(&record));
            }
        }
    }
}
