//! Random answers, cut anywhere, against a model that never parses: it knows what was written and why. Each delivery gets
//! exactly its own answer or a failure, and a connection is given back only where the model says so. proptest prints what
//! it found and keeps the seed.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{Came, ask, run};
use crate::domain::delivery::RESPONSE_BODY_BYTES_MAX;

/// How the end of a body is told.
#[derive(Debug, Clone, PartialEq)]
enum Framing {
    Length,
    /// So many bytes more than there are.
    TooLong(usize),
    /// Only so much of them.
    TooShort(usize),
    Chunked(Vec<usize>, bool),
    ChunkedAndLength,
    ToTheClose,
    TwoLengths,
    NotChunked,
}

#[derive(Debug, Clone)]
struct Answer {
    interim: Vec<u16>,
    is_1_0: bool,
    status: u16,
    framing: Framing,
    says_close: bool,
    body_bytes: usize,
    /// What comes behind it.
    extra: &'static str,
    /// The peer closes after it.
    closes: bool,
    cuts: Vec<usize>,
}

/// What is to come of it.
#[derive(Debug, PartialEq)]
enum Expected {
    Answer(u16, Vec<u8>),
    Failure,
    /// Nothing, for ever: a deadline ends it.
    Nothing,
}

impl Answer {
    /// A body that no other answer has.
    fn body(&self, turn: usize) -> Vec<u8> {
        format!("{turn}:{};", self.body_bytes).into_bytes().into_iter().cycle().take(self.body_bytes).collect()
    }

    fn has_body(&self) -> bool {
        !matches!(self.status, 101 | 204 | 304)
    }

    /// All bytes of it, as the peer writes them.
    fn bytes(&self, turn: usize) -> Vec<u8> {
        let body = self.body(turn);
        let mut text = String::new();
        for status in &self.interim {
            text += &format!("HTTP/1.1 {status} Before\r\nLink: </{turn}>\r\n\r\n");
        }
        text += &format!("HTTP/1.{} {} Told\r\nX-Turn: {turn}\r\n", u8::from(!self.is_1_0), self.status);
        if self.says_close {
            text += "connection: Close\r\n";
        }
        let mut out = Vec::new();
        if self.has_body() {
            let (headers, coded) = self.coded(&body);
            text += &headers;
            out = coded;
        }
        [text.as_bytes(), b"\r\n", &out, self.extra.as_bytes()].concat()
    }

    /// The headers that tell the end of the body, and the body as it is written.
    fn coded(&self, body: &[u8]) -> (String, Vec<u8>) {
        let length = |length: usize| format!("Content-Length: {length}\r\n");
        const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
        match &self.framing {
            Framing::Length => (length(body.len()), body.to_vec()),
            Framing::TooLong(more) => (length(body.len() + more), body.to_vec()),
            Framing::TooShort(kept) => (length((*kept).min(body.len())), body.to_vec()),
            Framing::Chunked(sizes, trailers) => {
                let end: &[u8] = if *trailers { b"0\r\nX-After: 1\r\n\r\n" } else { b"0\r\n\r\n" };
                (CHUNKED.into(), [chunks(body, sizes), end.to_vec()].concat())
            }
            Framing::ChunkedAndLength => (length(3) + CHUNKED, [chunks(body, &[7]), b"0\r\n\r\n".to_vec()].concat()),
            Framing::ToTheClose => (String::new(), body.to_vec()),
            Framing::TwoLengths => (length(body.len()) + &length(body.len() + 1), body.to_vec()),
            Framing::NotChunked => (CHUNKED.into(), b"nonsense".to_vec()),
        }
    }

    fn expected(&self, turn: usize) -> Expected {
        let mut body = self.body(turn);
        let cap = RESPONSE_BODY_BYTES_MAX;
        if !self.has_body() {
            return Expected::Answer(self.status, Vec::new());
        }
        let mut needs_close = false;
        match &self.framing {
            Framing::TwoLengths | Framing::NotChunked => return Expected::Failure,
            Framing::ToTheClose => {
                body.extend_from_slice(self.extra.as_bytes());
                needs_close = body.len() < cap;
            }
            // What comes behind it is taken for the rest.
            Framing::TooLong(more) => {
                let behind = self.extra.as_bytes();
                needs_close = behind.len() < *more && body.len() + behind.len() < cap;
                body.extend_from_slice(&behind[..behind.len().min(*more)]);
            }
            Framing::TooShort(kept) => body.truncate(*kept),
            Framing::Length | Framing::Chunked(..) | Framing::ChunkedAndLength => {}
        }
        body.truncate(cap);
        if needs_close && !self.closes { Expected::Nothing } else { Expected::Answer(self.status, body) }
    }

    /// Whether the next answer would begin right behind this one, and nothing else lies there.
    fn keeps(&self) -> bool {
        let whole = match &self.framing {
            _ if !self.has_body() => true,
            Framing::Length => self.body_bytes <= RESPONSE_BODY_BYTES_MAX,
            Framing::Chunked(..) => self.body_bytes <= RESPONSE_BODY_BYTES_MAX,
            Framing::TooShort(kept) => *kept >= self.body_bytes && self.body_bytes <= RESPONSE_BODY_BYTES_MAX,
            // By chance, what lies behind it is as long as what is missing.
            Framing::TooLong(more) => {
                return *more == self.extra.len()
                    && self.body_bytes + more <= RESPONSE_BODY_BYTES_MAX
                    && self.may_keep();
            }
            _ => false,
        };
        whole && self.extra.is_empty() && self.may_keep()
    }

    fn may_keep(&self) -> bool {
        !self.is_1_0 && !self.says_close && self.status != 101
    }
}

fn chunks(body: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut out, mut rest, mut sizes) = (Vec::new(), body, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = (*sizes.next().expect("there are sizes")).min(rest.len());
        out.extend_from_slice(format!("{size:x};note=\"{size}\"\r\n").as_bytes());
        out.extend_from_slice(&rest[..size]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[size..];
    }
    out
}

fn framing() -> impl Strategy<Value = Framing> {
    let sizes = vec(1_usize..5000, 1..4);
    prop_oneof![
        4 => Just(Framing::Length),
        4 => (sizes, any::<bool>()).prop_map(|(sizes, trailers)| Framing::Chunked(sizes, trailers)),
        1 => (1_usize..60).prop_map(Framing::TooLong),
        1 => (0_usize..60).prop_map(Framing::TooShort),
        1 => Just(Framing::ChunkedAndLength),
        1 => Just(Framing::ToTheClose),
        1 => Just(Framing::TwoLengths),
        1 => Just(Framing::NotChunked),
    ]
}

fn answers() -> impl Strategy<Value = Answer> {
    let status =
        prop_oneof![8 => Just(200_u16), 4 => Just(500), 2 => Just(413), 2 => Just(204), 1 => Just(304), 1 => Just(101)];
    let bytes = prop_oneof![9 => 0_usize..80, 1 => 16_000_usize..17_000];
    let extra = prop_oneof![
        6 => Just(""),
        1 => Just("x"),
        1 => Just("\r\n"),
        1 => Just("HTTP/1.1 200 Poison\r\nContent-Length: 6\r\n\r\npoison"),
    ];
    let interim =
        prop_oneof![3 => Just(Vec::new()), 1 => vec(prop_oneof![Just(100_u16), Just(102), Just(103), Just(199)], 1..6)];
    let flags = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.1), proptest::bool::weighted(0.2));
    (interim, flags, status, framing(), bytes, extra, vec(0_usize..400, 0..8)).prop_map(
        |(interim, (is_1_0, says_close, closes), status, framing, body_bytes, extra, cuts)| Answer {
            interim,
            is_1_0,
            status,
            framing,
            says_close,
            body_bytes,
            extra,
            closes,
            cuts,
        },
    )
}

/// Reads a request, and writes the answer in the pieces that its cuts make.
async fn serve(theirs: &mut DuplexStream, answer: &Answer, turn: usize) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\nbody") {
        assert!(theirs.read_buf(&mut request).await.unwrap() > 0, "a request comes");
    }
    let bytes = answer.bytes(turn);
    let mut rest = bytes.as_slice();
    for cut in &answer.cuts {
        let (piece, more) = rest.split_at((*cut).min(rest.len()));
        // Who has heard enough goes away.
        if theirs.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
        rest = more;
    }
    if theirs.write_all(rest).await.is_ok() && answer.closes {
        let _ = theirs.shutdown().await;
    }
}

/// Whether nothing is there to read.
async fn is_quiet(stream: &mut DuplexStream) -> bool {
    let mut byte = [0];
    tokio::select! {
        biased;
        _ = stream.read(&mut byte) => false,
        () = std::future::ready(()) => true,
    }
}

/// Everybody has done what there is to do.
async fn settled() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Sends requests over one connection for as long as it is given back, one for each answer.
async fn converse(all: &[Answer], buffer: usize) {
    let (ours, mut theirs) = duplex(buffer);
    let mut connection = Some(ours);
    for (turn, answer) in all.iter().enumerate() {
        let Some(ours) = connection.take() else { return };
        let mut asking = std::pin::pin!(ask(ours, Bytes::from_static(b"body")));
        let mut serving = std::pin::pin!(serve(&mut theirs, answer, turn));
        let mut is_served = false;
        let saying = async {
            (&mut serving).await;
            is_served = true;
            settled().await;
        };
        let came = tokio::select! {
            biased;
            came = &mut asking => Some(came),
            () = saying => None,
        };
        let expected = answer.expected(turn);
        let Some(Came { status, heard, back }) = came else {
            assert_eq!(expected, Expected::Nothing, "{answer:?}");
            return;
        };
        if back.is_some() {
            // Whoever has more to say than there is room for waits for ever.
            tokio::select! {
                biased;
                () = serving, if !is_served => {}
                () = settled() => {}
            }
        }
        let got = match status {
            Ok(status) => Expected::Answer(status, heard.body),
            Err(_) => Expected::Failure,
        };
        assert_eq!(got, expected, "{answer:?}");
        // What comes too late to lie behind the answer is seen before the connection is used again.
        let mut back = back.map(|back| back.stream);
        let is_quiet = match &mut back {
            Some(stream) => is_quiet(stream).await,
            None => false,
        };
        assert_eq!(is_quiet, answer.keeps() && !answer.closes, "{answer:?}");
        connection = back.filter(|_| is_quiet);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn each_delivery_gets_its_own_answer_or_a_failure(all in vec(answers(), 1..5), buffer in 16_usize..8192) {
        run(converse(&all, buffer));
    }
}
