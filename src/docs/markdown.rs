//! A document as Markdown (CommonMark with tables), for a repository, a site generator or a reader without a browser.
//! What stays true: text that only looks like markup stays text.

use super::block::{Block, Document, Inline, Text};

impl Document {
    /// The whole document.
    pub fn to_markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n", escape(&self.title), line(&Text::from(self.summary.as_str())));
        for block in &self.blocks {
            out.push('\n');
            write(block, &mut out);
        }
        out
    }
}

fn write(block: &Block, out: &mut String) {
    match block {
        Block::Heading { level, text, .. } => {
            out.push_str(&format!("{} {}\n", "#".repeat(usize::from(*level)), line(text)));
        }
        Block::Paragraph(text) => out.push_str(&format!("{}\n", line(text))),
        Block::Note(text) => out.push_str(&format!("> **Note:** {}\n", line(text))),
        Block::Code { language, text } => {
            let fence = fence(text, 3);
            out.push_str(&format!("{fence}{language}\n{text}\n{fence}\n"));
        }
        Block::Table { head, rows, .. } => {
            out.push_str(&format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len())));
            for row in rows {
                // A bar ends a cell even inside code.
                let cells: Vec<String> = row.iter().map(|cell| line(cell).replace('|', "\\|")).collect();
                out.push_str(&format!("| {} |\n", cells.join(" | ")));
            }
        }
        Block::List { ordered, items } => {
            for (n, item) in items.iter().enumerate() {
                match ordered {
                    true => out.push_str(&format!("{}. {}\n", n + 1, line(item))),
                    false => out.push_str(&format!("- {}\n", line(item))),
                }
            }
        }
        Block::Tabs { level, tabs } => {
            for (n, tab) in tabs.iter().enumerate() {
                let before = if n == 0 { "" } else { "\n" };
                out.push_str(&format!("{before}{} {}\n", "#".repeat(usize::from(*level)), escape(&tab.title)));
                for block in &tab.blocks {
                    out.push('\n');
                    write(block, out);
                }
            }
        }
        Block::Cards(cards) => {
            for card in cards {
                let link = Text::default().link(card.title.as_str(), card.to.as_str());
                out.push_str(&format!("- {}: {}\n", line(&link), line(&card.text)));
            }
        }
        // It can be tried in a browser only.
        Block::Trial(_) => {}
        Block::Details { summary, blocks } => {
            out.push_str(&format!("<details>\n<summary>{}</summary>\n", html(&summary.plain())));
            for block in blocks {
                out.push('\n');
                write(block, out);
            }
            out.push_str("\n</details>\n");
        }
    }
}

/// A text on one line.
fn line(text: &Text) -> String {
    let part = |part: &Inline| match part {
        Inline::Plain(text) => escape(text),
        Inline::Code(text) => code(text),
        Inline::Strong(text) => format!("**{}**", escape(text)),
        Inline::Emphasis(text) => format!("*{}*", escape(text)),
        Inline::Link { text, to } => format!("[{}](<{}>)", escape(text), to.replace(['<', '>', '\n'], "")),
    };
    text.0.iter().map(part).collect::<String>().replace('\n', " ")
}

fn code(text: &str) -> String {
    let ticks = fence(text, 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// More backticks than there are anywhere in a row in `text`, but at least `least`.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(least.max(longest + 1).max(1))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // A bar is escaped where tables are written.
        if "\\`*_[]<>#~&".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::block::Draft;
    use super::*;

    #[test]
    fn what_looks_like_markup_stays_text() {
        let mut draft = Draft::new("A & B", "*x* <script>");
        draft.say("a_b `c_d|e` | [x](y)");
        draft.table("", &["k", "v"], vec![vec!["`a|b`".into(), "c|d\ne".into()]]);
        draft.code("bash", "```\nx");
        draft.details("a <b>", vec![Block::Paragraph("in".into())]);
        let expected = "# A \\& B\n\n\\*x\\* \\<script\\>\n\na\\_b `c_d|e` | \\[x\\](y)\n\n| k | v |\n|---|---|\n\
                        | `a\\|b` | c\\|d e |\n\n````bash\n```\nx\n````\n\n\
                        <details>\n<summary>a &lt;b&gt;</summary>\n\nin\n\n</details>\n";
        assert_eq!(draft.done().to_markdown(), expected);
    }
}
