//! How much room a part of a page takes, about: so that pages are cut before they are too long, and a test can say that none is.
//! In pixels of a screen where text is 68 letters wide, and tables 48 rem; what is folded or behind a tab takes its heading only.

use super::block::{Block, Text};

/// Letters in a line of text, of a table, of a list.
const LINE: usize = 76;
const LINE_OF_TABLE: usize = 78;
const LINE_OF_LIST: usize = 72;

/// The room that a block takes.
pub(super) fn of(block: &Block) -> usize {
    match block {
        Block::Heading { level, .. } => 110_usize.saturating_sub(usize::from(*level) * 15),
        Block::Paragraph(text) => 12 + lines(text, LINE) * 26,
        Block::Note(text) => 40 + lines(text, LINE) * 26,
        Block::Code { text, .. } => 56 + text.lines().count() * 21,
        Block::Table { rows, .. } => 60 + rows.iter().map(|row| row_of_table(row)).sum::<usize>(),
        Block::List { items, .. } => 16 + items.iter().map(|item| 6 + lines(item, LINE_OF_LIST) * 26).sum::<usize>(),
        Block::Tabs { tabs, .. } => {
            50 + tabs.iter().map(|tab| tab.blocks.iter().map(of).sum::<usize>()).max().unwrap_or_default()
        }
        Block::Cards(cards) => cards.len().div_ceil(2) * 110,
        Block::Trial(trial) => 320 + trial.parameters.len() * 66 + trial.body.as_ref().map_or(0, |_| 240),
        Block::Details { .. } => 60,
    }
}

/// A row shares its width among its cells, and the longest get most of it.
fn row_of_table(row: &[Text]) -> usize {
    let letters: usize = row.iter().map(|cell| cell.plain().chars().count() + 3).sum();
    17 + letters.div_ceil(LINE_OF_TABLE).max(1) * 25
}

fn lines(text: &Text, letters: usize) -> usize {
    text.plain().chars().count().div_ceil(letters).max(1)
}
