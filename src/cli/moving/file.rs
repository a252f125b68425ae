//! A file of an export, or standard input, line by line. What stays true: no more than a line is held, a longer one than any server
//! writes is passed over and told, and what stands behind it is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use super::entry::{self, Entry, Item, Line};
use super::importer::Importer;
use crate::cli::error::CliError;

/// A longer line is passed over.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Hands each line of the file over.
pub async fn read(file: &str, to: &mut Importer) -> Result<(), CliError> {
    let mut lines = Lines { from: open(file)?, number: 0 };
    // Lines of an account's own export say whose they are by their order.
    let mut last = None;
    // Of several files in a row, and of one that was turned round, too.
    let (mut heads, mut ends) = (0_u64, 0_u64);
    while let Some((number, line)) = lines.next(LINE_BYTES_MAX).map_err(CliError::io(file))? {
        let place = format!("line {number}");
        let Some(line) = line else {
            to.refuse(&place, format!("is longer than {LINE_BYTES_MAX} bytes"))?;
            continue;
        };
        let Ok(text) = str::from_utf8(&line) else {
            to.refuse(&place, "is not UTF-8".to_owned())?;
            continue;
        };
        match entry::read(text) {
            Ok(Line::Head) => heads += 1,
            Ok(Line::End) => ends += 1,
            Ok(Line::History(kind)) => to.history(kind),
            Ok(Line::Item(item, account)) => {
                if let Item::Account(line) = &item {
                    last = line["id"].as_str().map(str::to_owned);
                }
                let account = account.or_else(|| last.clone());
                to.take(Entry { place, account, item, left: Vec::new() }).await?;
            }
            Err(why) => to.refuse(&place, why)?,
        }
    }
    if heads > ends {
        let why = "is missing, so the export was broken off: what is not in it was not imported";
        to.refuse("the last line (kind end)", why.to_owned())?;
    }
    Ok(())
}

fn open(file: &str) -> Result<Box<dyn BufRead>, CliError> {
    if file == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened = File::open(file).map_err(CliError::io(file))?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, opened)))
}

struct Lines<R> {
    from: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is not blank, with its number from 1; no text, where it is longer than `max`.
    fn next(&mut self, max: usize) -> io::Result<Option<(u64, Option<Vec<u8>>)>> {
        loop {
            let mut line = Vec::new();
            if (&mut self.from).take(max as u64 + 1).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > max && !line.ends_with(b"\n") {
                self.skip()?;
                return Ok(Some((self.number, None)));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, Some(line))));
            }
        }
    }

    /// Passes over the rest of a line.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let held = self.from.fill_buf()?;
            let (length, is_end) = match held.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (held.len(), held.is_empty()),
            };
            self.from.consume(length);
            if is_end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_counted() {
        let from = BufReader::with_capacity(4, "one\n\nmuch too long\nfour\nthis as well".as_bytes());
        let mut lines = Lines { from, number: 0 };
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next(5).expect("reads") {
            all.push((number, line.map(|line| String::from_utf8(line).expect("text"))));
        }
        let expected = [(1, Some("one\n")), (3, None), (4, Some("four\n")), (5, None)];
        assert_eq!(all, expected.map(|(number, line)| (number, line.map(str::to_owned))));
    }
}
