//! The mark: a small file beside sled's that says which group was the last to be synced, and whether the store was closed
//! as it should. It is written after the sync and not synced itself, so it is never ahead of the log; it reaches the disk
//! each second and at the end, so a power cut can take back a second of it. There are two records, each in a block of its
//! own, written by turns: of a write that was torn the other one is left.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::ledger::Group;

/// The file.
pub const MARK: &str = "mark";
const MAGIC: &[u8; 8] = b"hw mark\x01";
/// Between the starts of the two records: what a disk writes whole.
const BLOCK: u64 = 4096;
/// What the checksum covers: magic, turn, number, chain, whether it was closed, bytes of the log.
const BODY: usize = 8 + 8 + 8 + 32 + 1 + 8;
const RECORD: usize = BODY + 4;

/// What a mark says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marked {
    /// The last group that was synced.
    pub group: Group,
    /// The bytes of the log when it was closed as it should; since then nobody had it open.
    pub closed: Option<u64>,
    turn: u64,
}

/// Reads the mark of a data directory; `None` if there is none that can be read.
pub fn read(path: &Path) -> io::Result<Option<Marked>> {
    let file = match File::open(path.join(MARK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let records = [0, BLOCK].map(|at| {
        let mut bytes = [0; RECORD];
        file.read_exact_at(&mut bytes, at).ok().and_then(|()| decoded(&bytes))
    });
    Ok(records.into_iter().flatten().max_by_key(|marked| marked.turn))
}

/// The mark of an open store.
#[derive(Debug)]
pub struct Mark {
    file: File,
    turn: u64,
}

impl Mark {
    /// Opens or makes it to go on after what was read, and says that the store is open at this group. That is synced:
    /// what is written from now on must not be taken for a store that nobody had open.
    pub fn open(path: &Path, before: Option<Marked>, group: Group) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join(MARK))?;
        let mut mark = Self { file, turn: before.map_or(0, |marked| marked.turn) };
        // Twice: of a mark that could not be read, nothing stays; and room is there for both records.
        mark.put(group, None)?;
        mark.put(group, None)?;
        mark.sync()?;
        Ok(mark)
    }

    /// The group was synced.
    pub fn put(&mut self, group: Group, closed: Option<u64>) -> io::Result<()> {
        self.turn += 1;
        let bytes = encoded(&Marked { group, closed, turn: self.turn });
        self.file.write_all_at(&bytes, (self.turn % 2) * BLOCK)
    }

    /// Makes what was put survive a power cut.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn encoded(marked: &Marked) -> [u8; RECORD] {
    let mut bytes = Vec::with_capacity(RECORD);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&marked.turn.to_be_bytes());
    bytes.extend_from_slice(&marked.group.number.to_be_bytes());
    bytes.extend_from_slice(&marked.group.chain);
    bytes.push(u8::from(marked.closed.is_some()));
    bytes.extend_from_slice(&marked.closed.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.try_into().expect("the parts are as long as the record")
}

fn decoded(bytes: &[u8; RECORD]) -> Option<Marked> {
    let (body, checksum) = bytes.split_at(BODY);
    if !body.starts_with(MAGIC) || crc32fast::hash(body).to_be_bytes() != *checksum {
        return None;
    }
    let number = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().expect("eight bytes"));
    let group = Group { number: number(16), chain: body[24..56].try_into().expect("32 bytes") };
    Some(Marked { group, closed: (body[56] != 0).then(|| number(57)), turn: number(8) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: u64) -> Group {
        Group { number, chain: [number as u8; 32] }
    }

    #[test]
    fn of_a_torn_write_the_record_before_is_left() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let mut mark = Mark::open(dir.path(), None, group(1)).unwrap();
        mark.put(group(2), None).unwrap();
        mark.put(group(3), Some(77)).unwrap();
        let last = read(dir.path()).unwrap().unwrap();
        assert_eq!((last.group, last.closed), (group(3), Some(77)));

        let file = OpenOptions::new().read(true).write(true).open(dir.path().join(MARK)).unwrap();
        let at = (last.turn % 2) * BLOCK;
        let mut written = [0; RECORD];
        file.read_exact_at(&mut written, at).unwrap();
        for bit in 0..RECORD * 8 {
            let mut torn = written;
            torn[bit / 8] ^= 1 << (bit % 8);
            file.write_all_at(&torn, at).unwrap();
            let left = read(dir.path()).unwrap().unwrap();
            assert_eq!((left.group, left.closed), (group(2), None), "bit {bit}");
        }
    }

    #[test]
    fn it_goes_on_after_what_was_read_and_replaces_what_could_not_be() {
        let dir = tempfile::tempdir().unwrap();
        Mark::open(dir.path(), None, group(5)).unwrap().put(group(6), Some(9)).unwrap();
        let before = read(dir.path()).unwrap();
        Mark::open(dir.path(), before, group(6)).unwrap();
        let now = read(dir.path()).unwrap().unwrap();
        assert_eq!((now.group, now.closed), (group(6), None), "open again");

        std::fs::write(dir.path().join(MARK), [1; 9000]).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        Mark::open(dir.path(), None, group(2)).unwrap();
        assert_eq!(read(dir.path()).unwrap().map(|marked| marked.group), Some(group(2)));
    }
}
