//! The rows of a pack made smaller together: neighbours are much alike, so their keys and words are paid once. Quick rather than small, since
//! the one thread that writes does it.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// The quickest there is: a higher one takes several times as long for a few per cent.
const LEVEL: i32 = 1;
/// Shorter ones stay as they are.
const BYTES_MIN: usize = 256;

thread_local! {
    /// What a thread needs to press, and to undo it: to make it takes longer than to use it.
    static PRESS: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPRESS: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The same bytes in less, if that saves an eighth or more.
pub fn pressed(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < BYTES_MIN {
        return None;
    }
    let pressed = PRESS.with_borrow_mut(|press| {
        *press = press.take().or_else(|| Compressor::new(LEVEL).ok());
        press.as_mut()?.compress(bytes).ok()
    })?;
    (pressed.len() <= bytes.len() - bytes.len() / 8).then_some(pressed)
}

#[cfg(test)]
thread_local! {
    static UNPRESSINGS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How often this thread has unpressed something.
#[cfg(test)]
pub fn unpressings() -> usize {
    UNPRESSINGS.get()
}

/// The bytes again, which are so many; `None` if they are not.
pub fn unpressed(pressed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    #[cfg(test)]
    UNPRESSINGS.set(UNPRESSINGS.get() + 1);
    let unpressed = UNPRESS.with_borrow_mut(|unpress| {
        *unpress = unpress.take().or_else(|| Decompressor::new().ok());
        unpress.as_mut()?.decompress(pressed, bytes).ok()
    })?;
    (unpressed.len() == bytes).then_some(unpressed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_alike_becomes_smaller_and_what_is_not_stays_as_it_is() {
        let alike = br#"{"type":"task.created","data":{"n":1}}"#.repeat(100);
        let small = pressed(&alike).expect("it is smaller");
        assert!(small.len() < alike.len() / 10);
        assert_eq!(unpressed(&small, alike.len()), Some(alike.clone()));
        for wrong in [0, alike.len() - 1, alike.len() + 1] {
            assert_eq!(unpressed(&small, wrong), None, "{wrong}");
        }
        assert_eq!(pressed(&alike[..BYTES_MIN - 1]), None);
        let mut state = 1u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        assert_eq!(pressed(&noise.take(4000).collect::<Vec<_>>()), None);
    }

    proptest! {
        #[test]
        fn nothing_is_read_beyond_what_is_there(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0..70_000_usize) {
            if let Some(unpressed) = unpressed(&bytes, length) {
                prop_assert_eq!(unpressed.len(), length);
            }
        }
    }
}
