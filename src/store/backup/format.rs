//! The file of a backup, which the guide's page documents. What stays true: it is a backup only with its last frame, frames
//! count only in their order, and nothing of a frame is used before its checksum fits.
//!
//! It begins with `hwbackup` and a byte of the version. Then come frames: kind, length unpacked, length packed, CRC32, and that
//! many bytes packed by zstd. The CRC32 is over the frame's number, its kind, both lengths and the packed bytes.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::store::layout::Tree;

/// What a backup begins with.
const MAGIC: [u8; 8] = *b"hwbackup";
/// The version of this format.
const VERSION: u8 = 1;
/// Unpacked bytes of a frame, at most.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes of a frame before what is packed in it.
const HEAD: usize = 1 + 4 + 4 + 4;
/// In place of a value's length: the row is removed.
const REMOVED: u32 = u32::MAX;
/// How hard zstd tries: its own default.
const LEVEL: i32 = 3;

/// Why a file is no backup that can be used.
#[derive(Debug, Error)]
pub enum FormatError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// It is something else.
    #[error("it is no backup of Hookwheel's: it does not begin as one does")]
    Other,
    /// A later Hookwheel wrote it.
    #[error("its version is {0}, and this Hookwheel knows versions up to {VERSION}: use a newer one")]
    Newer(u8),
    /// Its end is missing.
    #[error("it was broken off: its end is missing, so it is no whole backup")]
    BrokenOff,
    /// A frame of it is not as it was written.
    #[error("it is damaged: its part {0} is not as it was written")]
    Damaged(u64),
    /// There is something behind its end.
    #[error("it is damaged: something follows its end")]
    Trailing,
}

/// What a backup says of itself at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The Hookwheel that made it.
    pub version: String,
    /// The format of the rows in it.
    pub format: u32,
    /// When it was begun, in milliseconds since 1970.
    pub begun_at: u64,
    /// The marks of the master keys that its rows need. The keys are not in it.
    pub master_keys: Vec<String>,
}

/// What it says at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// Records in it.
    pub records: u64,
    /// The last group commit that it has: it holds what was kept as of that one.
    pub group: u64,
    /// The sum over all rows as of that group, where it is known.
    pub sum: Option<[u8; 16]>,
    /// Rows whose checksums did not fit when they were scanned: they are in it as they lay there.
    #[serde(default)]
    pub unreadable: u64,
    /// Rows that had been put aside: they are in it as such.
    #[serde(default)]
    pub put_aside: u64,
    /// How often the store knew that its rows do not come to what was counted.
    #[serde(default)]
    pub differences: u64,
}

impl Closing {
    /// What was wrong with the store that was backed up, in words; `None` where nothing was. Rows that are put aside are no more than
    /// that: nothing else is missing for them.
    pub fn wrong(&self) -> Option<String> {
        let mut wrong = Vec::new();
        if self.unreadable > 0 {
            wrong.push(format!("{} rows could not be read and are in it as they lay there", self.unreadable));
        }
        if self.differences > 0 {
            wrong.push("rows were missing or were others than those that were written".to_owned());
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

/// A row: its value as it is stored, or `None` where it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub tree: Tree,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// Adds a record: tree, length of the key, length of the value, key, value, and a CRC32 over all of these.
pub fn push_record(onto: &mut Vec<u8>, tree: Tree, key: &[u8], value: Option<&[u8]>) {
    let from = onto.len();
    onto.push(tree as u8);
    onto.extend_from_slice(&length(key.len()));
    onto.extend_from_slice(&value.map_or(REMOVED.to_be_bytes(), |value| length(value.len())));
    onto.extend_from_slice(key);
    onto.extend_from_slice(value.unwrap_or_default());
    let sum = crc32fast::hash(&onto[from..]);
    onto.extend_from_slice(&sum.to_be_bytes());
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("keys, values and frames are far shorter").to_be_bytes()
}

/// Takes the next record off; `None` if it is not as it was written.
pub fn take_record(bytes: &mut &[u8]) -> Option<Record> {
    let whole = *bytes;
    let (tree, rest) = whole.split_first()?;
    let (tree, _) = *Tree::ALL.get(usize::from(*tree))?;
    let (key, rest) = rest.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*key) as usize)?;
    let (value, rest) = match u32::from_be_bytes(*value) {
        REMOVED => (None, rest),
        bytes => rest.split_at_checked(bytes as usize).map(|(value, rest)| (Some(value.to_vec()), rest))?,
    };
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body = &whole[..whole.len() - rest.len() - 4];
    *bytes = rest;
    (crc32fast::hash(body).to_be_bytes() == *sum).then(|| Record { tree, key: key.to_vec(), value })
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Header = 1,
    Records = 2,
    Closing = 3,
}

/// Makes the frames of a backup, one after the other.
#[derive(Debug, Default)]
pub struct Frames {
    number: u64,
}

impl Frames {
    /// The beginning of the file.
    pub fn header(&mut self, header: &Header) -> io::Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.frame(Kind::Header, &serde_json::to_vec(header)?)?);
        Ok(bytes)
    }

    /// Records, at most [`FRAME_BYTES_MAX`] bytes of them.
    pub fn records(&mut self, records: &[u8]) -> io::Result<Vec<u8>> {
        self.frame(Kind::Records, records)
    }

    /// The end of the file.
    pub fn closing(&mut self, closing: &Closing) -> io::Result<Vec<u8>> {
        self.frame(Kind::Closing, &serde_json::to_vec(closing)?)
    }

    fn frame(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let packed = zstd::bulk::compress(bytes, LEVEL)?;
        let mut frame = vec![kind as u8];
        frame.extend_from_slice(&length(bytes.len()));
        frame.extend_from_slice(&length(packed.len()));
        frame.extend_from_slice(&sum(self.number, &frame, &packed));
        frame.extend_from_slice(&packed);
        self.number += 1;
        Ok(frame)
    }
}

fn sum(number: u64, head: &[u8], packed: &[u8]) -> [u8; 4] {
    let mut sum = crc32fast::Hasher::new();
    for part in [&number.to_be_bytes(), head, packed] {
        sum.update(part);
    }
    sum.finalize().to_be_bytes()
}

/// Reads a backup from its beginning.
pub struct Reader<R> {
    from: R,
    number: u64,
    records: u64,
    header: Header,
}

/// What comes next in a backup.
pub enum Part {
    /// Records, in the order in which they count: a later one of the same key replaces an earlier one.
    Records(Vec<Record>),
    /// It is over, and whole.
    Closing(Closing),
}

impl<R: Read> Reader<R> {
    /// Reads its beginning.
    pub fn open(mut from: R) -> Result<Self, FormatError> {
        let mut start = [0; MAGIC.len() + 1];
        fill(&mut from, &mut start).map_err(|error| match error {
            FormatError::BrokenOff => FormatError::Other,
            error => error,
        })?;
        match start.split_last() {
            Some((&VERSION, magic)) if magic == MAGIC => {}
            Some((newer, magic)) if magic == MAGIC => return Err(FormatError::Newer(*newer)),
            _ => return Err(FormatError::Other),
        }
        let (kind, bytes) = frame(&mut from, 0)?;
        let header = (kind == Kind::Header as u8).then(|| serde_json::from_slice(&bytes).ok()).flatten();
        let header = header.ok_or(FormatError::Damaged(0))?;
        Ok(Self { from, number: 1, records: 0, header })
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What comes next; nothing may be asked for behind the closing.
    pub fn part(&mut self) -> Result<Part, FormatError> {
        let number = self.number;
        let (kind, bytes) = frame(&mut self.from, number)?;
        self.number += 1;
        let damaged = || FormatError::Damaged(number);
        if kind == Kind::Records as u8 {
            let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
            while !rest.is_empty() {
                records.push(take_record(&mut rest).ok_or_else(damaged)?);
            }
            self.records += records.len() as u64;
            return Ok(Part::Records(records));
        }
        let closing = (kind == Kind::Closing as u8).then(|| serde_json::from_slice::<Closing>(&bytes).ok()).flatten();
        let closing = closing.filter(|closing| closing.records == self.records).ok_or_else(damaged)?;
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(Part::Closing(closing)),
            Ok(_) => Err(FormatError::Trailing),
            Err(error) => Err(FormatError::Io(error)),
        }
    }
}

fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), FormatError> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FormatError::BrokenOff,
        _ => FormatError::Io(error),
    })
}

fn frame(from: &mut impl Read, number: u64) -> Result<(u8, Vec<u8>), FormatError> {
    let mut head = [0; HEAD];
    fill(from, &mut head)?;
    let damaged = || FormatError::Damaged(number);
    let at = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes")) as usize;
    let (unpacked, packed) = (at(1), at(5));
    if unpacked > FRAME_BYTES_MAX || packed > FRAME_BYTES_MAX + FRAME_BYTES_MAX / 8 {
        return Err(damaged());
    }
    let mut bytes = vec![0; packed];
    fill(from, &mut bytes)?;
    if sum(number, &head[..9], &bytes) != head[9..] {
        return Err(damaged());
    }
    let bytes = zstd::bulk::decompress(&bytes, unpacked).map_err(|_| damaged())?;
    if bytes.len() == unpacked { Ok((head[0], bytes)) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { version: "1.0.0".into(), format: 10, begun_at: 7, master_keys: vec!["0badcafe".into()] }
    }

    fn closing(sum: Option<[u8; 16]>) -> Closing {
        Closing { records: 3, group: 5, sum, unreadable: 0, put_aside: 7, differences: 0 }
    }

    #[test]
    fn what_was_wrong_is_told_and_what_an_older_one_did_not_count_is_nothing() {
        assert_eq!(closing(None).wrong(), None);
        let wrong = Closing { unreadable: 2, differences: 1, ..closing(None) }.wrong().unwrap();
        assert!(wrong.contains("2 rows could not be read") && wrong.contains("missing"), "{wrong}");
        let older: Closing = serde_json::from_str(r#"{"records": 3, "group": 5, "sum": null}"#).unwrap();
        assert_eq!(older, Closing { put_aside: 0, ..closing(None) });
    }

    fn whole() -> Vec<u8> {
        let (mut frames, mut records) = (Frames::default(), Vec::new());
        push_record(&mut records, Tree::Events, b"a", Some(b"1"));
        push_record(&mut records, Tree::Dead, b"", Some(b""));
        push_record(&mut records, Tree::Events, b"a", None);
        let mut bytes = frames.header(&header()).unwrap();
        bytes.extend(frames.records(&records).unwrap());
        bytes.extend(frames.records(&[]).unwrap());
        bytes.extend(frames.closing(&closing(Some([9; 16]))).unwrap());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<(Vec<Record>, Closing), FormatError> {
        let (mut reader, mut all) = (Reader::open(bytes)?, Vec::new());
        assert_eq!(*reader.header(), header());
        loop {
            match reader.part()? {
                Part::Records(records) => all.extend(records),
                Part::Closing(closing) => return Ok((all, closing)),
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (records, closing) = read(&whole()).unwrap();
        let told: Vec<_> = records.iter().map(|one| (one.tree, one.key.as_slice(), one.value.as_deref())).collect();
        let a = b"a".as_slice();
        let expected =
            [(Tree::Events, a, Some(b"1".as_slice())), (Tree::Dead, b"", Some(b"")), (Tree::Events, a, None)];
        assert_eq!((told.as_slice(), closing.group), (expected.as_slice(), 5));
    }

    #[test]
    fn whatever_is_cut_off_or_flipped_or_put_behind_is_refused() {
        let whole = whole();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {bit}");
        }
        assert!(matches!(read(&[whole.as_slice(), b"x"].concat()), Err(FormatError::Trailing)));
    }

    #[test]
    fn frames_count_only_in_their_order() {
        let mut frames = Frames::default();
        let mut bytes = frames.header(&header()).unwrap();
        let of = |key: &[u8]| {
            let mut records = Vec::new();
            push_record(&mut records, Tree::Events, key, Some(b"1"));
            records
        };
        let (first, second) = (frames.records(&of(b"a")).unwrap(), frames.records(&of(b"b")).unwrap());
        bytes.extend([second, first].concat());
        assert!(matches!(read(&bytes), Err(FormatError::Damaged(1))));
    }
}
