//! A place in what happened: the `id` of each message. Pure.

use std::fmt;

use uuid::Uuid;

/// Behind what of the journal a stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// A row of the journal.
    pub row: u128,
    /// So much of what it tells was taken; `None`: all.
    pub taken: Option<u32>,
    /// Whether it is one among what happened in all accounts: they count what a row tells in another way than one.
    pub all: bool,
}

/// What the ids of a stream of all accounts begin with.
const ALL: &str = "all_";

impl Place {
    /// Reads what its `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (all, rest) = text.strip_prefix(ALL).map_or((false, text), |rest| (true, rest));
        let (row, taken) = rest.split_once('_').map_or((rest, None), |(row, taken)| (row, Some(taken)));
        let is_number = |taken: &str| taken.bytes().all(|byte| byte.is_ascii_digit());
        let taken = match taken {
            Some(taken) => Some(taken.parse().ok().filter(|_| is_number(taken))?),
            None => None,
        };
        Some(Self { row: Uuid::try_parse(row).ok()?.as_u128(), taken, all })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.all { ALL } else { "" }, Uuid::from_u128(self.row))?;
        self.taken.map_or(Ok(()), |taken| write!(f, "_{taken}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for (taken, all) in [(None, false), (Some(0), false), (Some(7), true), (None, true)] {
            let place = Place { row: 0x0190_1234_5678_7000_8000_0000_0000_0000, taken, all };
            assert_eq!(Place::parse(&place.to_string()), Some(place), "{place}");
        }
        for text in
            ["", "1", "all_", "01901234-5678-7000-8000-000000000000_", "01901234-5678-7000-8000-000000000000_+1"]
        {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
