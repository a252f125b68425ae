//! The headers of one request, in one piece of text: they are made with each attempt, and read with few. What stays true: they
//! are stored as a list of pairs of texts.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names and values, in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentHeaders {
    text: String,
    /// Where in the text each name ends, and each value.
    ends: Vec<(usize, usize)>,
}

impl SentHeaders {
    /// Without any, but with room for so many of the usual length.
    pub fn with_room_for(count: usize) -> Self {
        const USUAL_BYTES: usize = 48;
        Self { text: String::with_capacity(count * USUAL_BYTES), ends: Vec::with_capacity(count) }
    }

    /// Adds one behind the others, its name in lower case.
    pub fn push(&mut self, name: &str, value: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        self.text[start..].make_ascii_lowercase();
        let name_end = self.text.len();
        self.text.push_str(value);
        self.ends.push((name_end, self.text.len()));
    }

    /// Each with its value, in the order in which they were sent.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        (0..self.ends.len()).map(|at| {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
            let (name_end, end) = self.ends[at];
            (&self.text[start..name_end], &self.text[name_end..end])
        })
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for SentHeaders {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        pairs.into_iter().for_each(|(name, value)| headers.push(name.as_ref(), value.as_ref()));
        headers
    }
}

impl Serialize for SentHeaders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for SentHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<(String, String)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_stored_as_a_list_of_pairs_and_come_back_as_they_were() {
        let pairs = [("content-type", "application/json"), ("x-empty", ""), ("x-ä", "ö"), ("content-type", "again")];
        let headers: SentHeaders = pairs.into_iter().collect();
        assert_eq!(headers.iter().collect::<Vec<_>>(), pairs);
        let stored = serde_json::to_string(&headers).unwrap();
        assert_eq!(stored, serde_json::to_string(&pairs).unwrap());
        assert_eq!(serde_json::from_str::<SentHeaders>(&stored).unwrap(), headers);
        assert_eq!(SentHeaders::default().iter().len(), 0);
        let named: SentHeaders = [("X-Name", "Value")].into_iter().collect();
        assert_eq!(named.iter().next(), Some(("x-name", "Value")));
    }
}
