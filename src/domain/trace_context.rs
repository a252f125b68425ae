//! Which trace an event belongs to, as W3C Trace Context says it in `traceparent`. What stays true: an event's trace and the
//! ids of its spans follow from what is stored of it, so an attempt that is made days later, by another process, joins the
//! same trace; and nothing is stored of an event whose producer named no trace. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::{DeliveryId, EventId};

/// The header by which a trace goes along.
pub const TRACEPARENT: &str = "traceparent";
/// Where a URL template names a trace.
pub const TRACE_ID_SLOT: &str = "{trace_id}";
/// Of version 00: two hexadecimal digits, 32, 16 and two, with hyphens between.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

/// A span that others continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraceContext {
    /// The trace, never 0.
    pub trace_id: u128,
    /// The span in it, never 0.
    pub span_id: u64,
    /// Whether its spans are recorded.
    pub sampled: bool,
}

/// What of an event a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanOf {
    /// Its publish: the root of what is ours.
    Publish(EventId),
    /// Its commit.
    Commit(EventId),
    /// An attempt of a delivery, counted from 1.
    Attempt(DeliveryId, u16),
}

impl SpanOf {
    /// Its id: the same whenever it is asked for, never 0.
    pub fn id(self) -> u64 {
        let (of, kind) = match self {
            Self::Publish(event) => (event.0, 1),
            Self::Commit(event) => (event.0, 2),
            Self::Attempt(delivery, number) => (delivery.0, 3 | u64::from(number) << 8),
        };
        (mixed(mixed((of >> 64) as u64) ^ of as u64 ^ mixed(kind))).max(1)
    }
}

impl TraceContext {
    /// Reads a `traceparent`. What is not one counts as none, as the specification asks. Of a version to come the part that is
    /// known is read.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        let (known, rest) = bytes.split_at_checked(LENGTH)?;
        let hex = |from: usize, to: usize| {
            let digits = &known[from..to];
            let is_hex = digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let text = is_hex.then(|| std::str::from_utf8(digits).ok()).flatten()?;
            u128::from_str_radix(text, 16).ok()
        };
        let (version, trace_id, span_id, flags) = (hex(0, 2)?, hex(3, 35)?, hex(36, 52)? as u64, hex(53, 55)? as u8);
        let has_hyphens = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        let ends = if version == 0 { rest.is_empty() } else { rest.first().is_none_or(|next| *next == b'-') };
        (has_hyphens && ends && version != 0xff && trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            span_id,
            sampled: flags & SAMPLED != 0,
        })
    }

    /// The trace of an event: the one that its producer named, else one of its own.
    pub fn trace_of(event: EventId, named: Option<Self>) -> u128 {
        named.map_or(event.0, |named| named.trace_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// A trace's id as everybody writes it.
pub fn spelt(trace_id: u128) -> String {
    format!("{trace_id:032x}")
}

/// Whether a trace that nobody has decided about is one of the share `ratio` of all: the same whoever asks.
pub fn is_of_share(trace_id: u128, ratio: f64) -> bool {
    // 53 bits, which a float holds exactly.
    let even = mixed((trace_id >> 64) as u64 ^ mixed(trace_id as u64)) >> 11;
    (even as f64) < ratio * (1_u64 << 53) as f64
}

/// The step of splitmix64: each bit of what comes out depends on all that go in.
fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read_and_what_is_none_is_none() {
        let read = TraceContext::parse(PARENT).expect("the specification's own");
        assert_eq!((read.trace_id, read.sampled), (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, true));
        assert_eq!(read.to_string(), PARENT);
        let not_sampled = TraceContext { sampled: false, ..read };
        assert_eq!(TraceContext::parse(&not_sampled.to_string()), Some(not_sampled));
        assert_eq!(TraceContext::parse(&format!("cc{}-what-comes", &PARENT[2..])), Some(read), "a version to come");
        for none in [
            "",
            &PARENT[1..],
            &PARENT.to_uppercase(),
            &PARENT.replace('-', "_"),
            &format!("ff{}", &PARENT[2..]),
            &format!("{PARENT}-more"),
            &format!("cc{}more", &PARENT[2..]),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &PARENT.replace("4bf9", "+bf9"),
            &PARENT.replace("4bf9", "äf9"),
        ] {
            assert_eq!(TraceContext::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn spans_have_ids_of_their_own_that_stay() {
        let event = |n: u128| EventId(n << 32);
        let all: Vec<u64> = (1..200)
            .flat_map(|n| {
                let delivery = event(n).delivery_to(n as u32);
                let attempts = (1..20).map(move |number| SpanOf::Attempt(delivery, number));
                [SpanOf::Publish(event(n)), SpanOf::Commit(event(n))].into_iter().chain(attempts)
            })
            .map(SpanOf::id)
            .collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        // Other processes, of other versions, make the attempts of a trace.
        assert_eq!(SpanOf::Publish(EventId(1 << 80)).id(), SpanOf::Publish(EventId(1 << 80)).id());
    }

    #[test]
    fn a_share_of_all_traces_is_about_so_many_and_none_and_all_are_exact() {
        let of = |ratio: f64| (1..10_000_u128).filter(|n| is_of_share(n << 40, ratio)).count();
        assert_eq!((of(0.0), of(1.0)), (0, 9_999));
        assert!((900..1_100).contains(&of(0.1)), "{}", of(0.1));
    }

    #[test]
    fn an_event_has_a_trace_of_its_own_unless_its_producer_names_one() {
        let named = TraceContext::parse(PARENT);
        assert_eq!(TraceContext::trace_of(EventId(7), None), 7);
        assert_eq!(spelt(TraceContext::trace_of(EventId(7), named)), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}
