//! A table that fits. What stays true: an id is never shortened; long texts give way first, then the columns of the greatest
//! rank are left out, one by one, and the reader is told which.

use std::fmt::Write;

use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// Between two columns.
const GAP: usize = 2;
/// A long text is shortened to this before a column is left out for it.
const LONG_MIN: usize = 20;

/// A column's head, and how it gives way.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Its title.
    pub title: &'static str,
    /// 0: it is never left out; else the greater goes first.
    pub rank: u8,
    /// Whether its texts may be shortened.
    pub is_long: bool,
    /// Whether it holds numbers.
    pub is_number: bool,
}

/// The table, a line a row; of a terminal so wide.
pub fn grid(heads: &[Head], rows: &[Vec<String>], width: Option<usize>) -> String {
    let natural: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(at, head)| rows.iter().map(|row| measure_text_width(&row[at])).fold(head.title.len(), usize::max))
        .collect();
    let (kept, widths) = match width {
        Some(width) => fitted(heads, &natural, width),
        None => ((0..heads.len()).collect(), natural),
    };
    let mut text = String::new();
    let titles: Vec<String> = heads.iter().map(|head| head.title.to_uppercase()).collect();
    line(&mut text, heads, &titles, (&kept, &widths));
    for row in rows {
        line(&mut text, heads, row, (&kept, &widths));
    }
    let left_out: Vec<_> = (0..heads.len()).filter(|at| !kept.contains(at)).map(|at| heads[at].title).collect();
    if let Some(width) = width.filter(|_| !left_out.is_empty()) {
        let told = format!("(left out: {}; --json has all)", left_out.join(", "));
        let _ = writeln!(text, "{}", truncate_str(&told, width, "…"));
    }
    text
}

fn line(text: &mut String, heads: &[Head], cells: &[String], (kept, widths): (&[usize], &[usize])) {
    let padded = kept.iter().map(|&at| {
        let side = if heads[at].is_number { Alignment::Right } else { Alignment::Left };
        pad_str(&cells[at], widths[at], side, heads[at].is_long.then_some("…")).into_owned()
    });
    let joined = padded.collect::<Vec<_>>().join(&" ".repeat(GAP));
    let _ = writeln!(text, "{}", joined.trim_end());
}

/// Which columns stay, and how wide each is.
fn fitted(heads: &[Head], natural: &[usize], width: usize) -> (Vec<usize>, Vec<usize>) {
    let mut kept: Vec<usize> = (0..heads.len()).collect();
    loop {
        let taken = kept.iter().map(|&at| natural[at] + GAP).sum::<usize>().saturating_sub(GAP);
        let mut excess = taken.saturating_sub(width);
        let mut widths = natural.to_vec();
        for &at in kept.iter().filter(|&&at| heads[at].is_long) {
            let given = widths[at].saturating_sub(LONG_MIN.max(heads[at].title.len())).min(excess);
            widths[at] -= given;
            excess -= given;
        }
        let dropped = kept.iter().copied().filter(|&at| heads[at].rank > 0).max_by_key(|&at| heads[at].rank);
        match dropped {
            Some(at) if excess > 0 => kept.retain(|&one| one != at),
            _ => return (kept, widths),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: &[Head] = &[
        Head { title: "id", rank: 0, is_long: false, is_number: false },
        Head { title: "url", rank: 0, is_long: true, is_number: false },
        Head { title: "age", rank: 2, is_long: false, is_number: false },
        Head { title: "open", rank: 1, is_long: false, is_number: true },
    ];

    fn shown(width: Option<usize>) -> Vec<String> {
        let row = |id: &str, url: &str| vec![id.into(), url.into(), "3 min ago".into(), "12".into()];
        let rows = [row("abcdefghij", "https://example.com/a/long/path"), row("b", "https://ä")];
        grid(HEADS, &rows, width).lines().map(str::to_owned).collect()
    }

    #[test]
    fn nothing_gives_way_where_no_width_is_given() {
        let lines = shown(None);
        assert_eq!(lines[0], "ID          URL                              AGE        OPEN");
        assert_eq!(lines[1], "abcdefghij  https://example.com/a/long/path  3 min ago    12");
        assert_eq!(lines[2], "b           https://ä                        3 min ago    12");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn long_texts_give_way_then_columns_by_their_rank_and_never_an_id() {
        let lines = shown(Some(50));
        assert!(lines[1].contains("https://example.com…") || lines[1].contains('…'), "{lines:#?}");
        assert!(lines.iter().all(|line| measure_text_width(line) <= 50), "{lines:#?}");
        let narrow = shown(Some(40));
        assert!(narrow[1].starts_with("abcdefghij  ") && !narrow[0].contains("AGE"), "{narrow:#?}");
        assert!(
            narrow[0].contains("OPEN") && narrow[3].contains("left out") && narrow[3].contains("age"),
            "{narrow:#?}"
        );
    }
}
