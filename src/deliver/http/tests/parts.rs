//! Answers as they arrive, part by part: what is read when, what is told of one that breaks off, and each bound at the bound.

use bytes::BytesMut;

use crate::deliver::http::Heard;
use crate::deliver::http::framing::{CHUNK_LINE_BYTES_MAX, HEAD_BYTES_MAX, Progress, Reading, TRAILER_BYTES_MAX};

/// What is read of these parts, and what of them is left.
fn read(parts: &[&[u8]]) -> (Result<Progress, String>, usize) {
    let (mut reading, mut heard, mut bytes) = (Reading::new(), Heard::default(), BytesMut::new());
    let mut progress = Ok(Progress::Missing);
    for part in parts {
        bytes.extend_from_slice(part);
        progress = reading.take(&mut bytes, &mut heard);
    }
    (progress, bytes.len())
}

const MISSING: Result<Progress, String> = Ok(Progress::Missing);

#[test]
fn a_head_may_fill_its_room_and_not_be_longer() {
    let head = |length: usize| {
        let (begin, end) = ("HTTP/1.1 204 None\r\nX: ", "\r\n\r\n");
        [begin, &"x".repeat(length - begin.len() - end.len()), end].concat().into_bytes()
    };
    assert_eq!(read(&[&head(HEAD_BYTES_MAX)]), (Ok(Progress::Whole), 0));
    let (one_more, room) = (head(HEAD_BYTES_MAX + 1), HEAD_BYTES_MAX);
    assert!(read(&[&one_more]).0.is_err());
    // The room is full and the end is not there, whether the head was parsed just before or is parsed now.
    for before in [room * 3 / 4, room / 4] {
        assert_eq!(read(&[&one_more[..before], &one_more[before..room - 1]]).0, MISSING);
        assert!(read(&[&one_more[..before], &one_more[before..room]]).0.is_err());
    }
}

#[test]
fn empty_lines_before_a_head_are_dropped_and_count() {
    assert_eq!(read(&[b"\r\n", b"\n"]), (MISSING, 0));
    assert_eq!(read(&[b"\r\n\r\n", b"HTTP/1.1 204 None\r\n\r\n"]), (Ok(Progress::Whole), 0));
    let many = "\r\n".repeat(HEAD_BYTES_MAX / 2);
    assert_eq!(read(&[&many.as_bytes()[2..]]), (MISSING, 0));
    for before in ["", "HTTP/1.1 103 Hints\r\n\r\n"] {
        let longer = read(&[before.as_bytes(), many.as_bytes()]).0.unwrap_err();
        assert!(longer.contains("longer"), "{longer}");
    }
}

#[test]
fn what_follows_a_chunk_has_its_bounds() {
    let chunked = |more: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{more}").into_bytes();
    let line = |length: usize| chunked(&format!("1;{}", "x".repeat(length - 2)));
    assert_eq!(read(&[&line(CHUNK_LINE_BYTES_MAX - 1)]).0, MISSING);
    assert!(read(&[&line(CHUNK_LINE_BYTES_MAX)]).0.is_err());
    let trailers = |length: usize| chunked(&format!("0\r\nX: {}\r\n\r\n", "x".repeat(length - 7)));
    assert_eq!(read(&[&trailers(TRAILER_BYTES_MAX)]).0, Ok(Progress::Whole));
    assert!(read(&[&trailers(TRAILER_BYTES_MAX + 1)]).0.is_err());
}

#[test]
fn of_an_answer_that_breaks_off_it_is_told_whether_it_had_begun() {
    for (bytes, why) in [("", "without an answer"), ("HTTP/1.1 2", "amid the answer's headers")] {
        let (mut reading, mut heard) = (Reading::new(), Heard::default());
        assert_eq!(reading.take(&mut bytes.into(), &mut heard), MISSING);
        let broken = reading.closed(&heard).unwrap_err();
        assert!(broken.contains(why), "{broken}");
    }
}

#[test]
fn the_first_retry_after_counts_and_no_other_header() {
    let (mut reading, mut heard) = (Reading::new(), Heard::default());
    let head = "HTTP/1.1 503 No\r\nX: 1\r\nRetry-After: 7\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(reading.take(&mut head.into(), &mut heard), Ok(Progress::Whole));
    assert_eq!(heard.retry_after.as_deref(), Some("7"));
}

#[test]
fn a_head_that_comes_byte_by_byte_is_parsed_at_its_end_and_whenever_it_has_doubled() {
    for end in ["\r\n\r\n", "\n\n"] {
        let head = ["HTTP/1.1 200 OK\r\nServer: x\r\nX: y", end].concat();
        let mut reading = Reading::new();
        let is_parsed = |length: &usize| reading.is_worth_parsing(&head.as_bytes()[..*length]);
        let parsed: Vec<usize> = (1..=head.len()).filter(is_parsed).collect();
        assert_eq!(parsed, [1, 2, 4, 8, 16, 32, head.len()]);
    }
}
