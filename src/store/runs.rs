//! Ascending numbers in few bytes: as runs of neighbours, each told by its gap to the one before. A webhook's number costs a
//! byte or two so, and next to nothing where its neighbours are there as well: an event to a thousand webhooks names them all
//! in some bytes.

/// More numbers than there can be in one list: a damaged length must not be believed.
const NUMBERS_MAX: usize = 1 << 26;
/// Bits of a number in each byte; the highest one says that more follow.
const BITS: u32 = 7;

/// The numbers, which must ascend, as bytes.
pub fn encode(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Where the next run could begin.
    let mut next: u64 = 0;
    for run in numbers.chunk_by(|one, other| one.checked_add(1) == Some(*other)) {
        let first = u64::from(run[0]);
        assert!(first >= next, "numbers ascend");
        // One alone is the usual case: it is told by a bit, not by a length.
        push(&mut bytes, (first - next) << 1 | u64::from(run.len() > 1));
        if run.len() > 1 {
            push(&mut bytes, run.len() as u64 - 2);
        }
        next = first + run.len() as u64;
    }
    bytes
}

/// The numbers again; an error says in words what is wrong.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<u32>, String> {
    let mut numbers = Vec::new();
    let mut next: u64 = 0;
    while !bytes.is_empty() {
        let gap = take(&mut bytes)?;
        let first = next.saturating_add(gap >> 1);
        let length = if gap & 1 == 0 { 1 } else { take(&mut bytes)?.saturating_add(2) };
        let end = first.saturating_add(length);
        if end > 1 << 32 || length > (NUMBERS_MAX - numbers.len()) as u64 {
            return Err("a run of numbers goes too far".into());
        }
        numbers.extend((first..end).map(|number| number as u32));
        next = end;
    }
    Ok(numbers)
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 1 << BITS {
        bytes.push(number as u8 | 1 << BITS);
        number >>= BITS;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(BITS as usize) {
        let Some((first, rest)) = bytes.split_first() else { return Err("a number has no end".into()) };
        *bytes = rest;
        number |= u64::from(first & !(1 << BITS)) << shift;
        if first >> BITS == 0 {
            return Ok(number);
        }
    }
    Err("a number is too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_cost_next_to_nothing_and_others_a_byte_or_two() {
        let bytes = |numbers: &[u32]| encode(numbers).len();
        assert_eq!(bytes(&[]), 0);
        assert_eq!(bytes(&(1..=1_000).collect::<Vec<_>>()), 3);
        assert_eq!(bytes(&(1..=1_000).map(|n| n * 3).collect::<Vec<_>>()), 1_000);
        assert_eq!(bytes(&(1..=1_000).map(|n| n * 100).collect::<Vec<_>>()), 2_000);
        assert_eq!(bytes(&[u32::MAX]), 5);
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let mut behind = encode(&[u32::MAX]);
        assert_eq!(decode(&behind), Ok(vec![u32::MAX]));
        behind.push(0);
        let mut long = Vec::new();
        push(&mut long, 1);
        push(&mut long, NUMBERS_MAX as u64);
        for bytes in [&behind[..], &long, &[0x80], &[0xff; 12], &[1], &[0xff, 0xff, 0xff, 0xff, 0x3f]] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(gaps in prop::collection::vec((0_u32..400, 1_u32..9), 0..60)) {
            let mut next = 0;
            let mut numbers = Vec::new();
            for (gap, length) in gaps {
                numbers.extend(next + gap..next + gap + length);
                next += gap + length;
            }
            prop_assert_eq!(decode(&encode(&numbers)), Ok(numbers));
        }

        #[test]
        fn whatever_is_read_ascends(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(numbers) = decode(&bytes) && numbers.len() < 100_000 {
                prop_assert!(numbers.is_sorted_by(|one, other| one < other));
                prop_assert_eq!(decode(&encode(&numbers)), Ok(numbers));
            }
        }
    }
}
