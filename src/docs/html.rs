//! A document as one HTML file: no scripts, nothing from elsewhere. What stays true: whatever stands in a document is
//! escaped here, in one place, and the headings go down without a gap.

use super::block::{Block, Document, Inline, Text};
use super::json::{Token, tokens};

const STYLE: &str = include_str!("style.css");

impl Document {
    /// The whole page.
    pub fn to_html(&self) -> String {
        let mut out = Html(String::with_capacity(64 * 1024));
        let Self { title, summary, blocks } = self;
        let (title, summary) = (escape(title), escape(summary));
        out.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        out.raw(&format!("<title>{title}</title>\n<meta name=\"description\" content=\"{summary}\">\n"));
        out.raw(&format!("<style>\n{STYLE}</style>\n</head>\n<body>\n"));
        out.raw("<a class=\"skip\" href=\"#content\">Skip to the content</a>\n<div class=\"page\">\n");
        out.contents(blocks);
        out.raw("<main id=\"content\">\n");
        out.raw(&format!("<header>\n<h1>{title}</h1>\n<p class=\"lead\">"));
        out.text(&Text::from(self.summary.as_str()));
        out.raw("</p>\n</header>\n");
        for block in blocks {
            out.block(block);
        }
        out.raw("</main>\n</div>\n</body>\n</html>\n");
        out.0
    }
}

struct Html(String);

impl Html {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn plain(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    /// The contents: headings of levels 2 and 3.
    fn contents(&mut self, blocks: &[Block]) {
        let headings = blocks.iter().filter_map(|block| match block {
            Block::Heading { level: level @ (2 | 3), id, text } => Some((*level, id, text)),
            _ => None,
        });
        let (mut inside, mut any) = (false, false);
        for (level, id, text) in headings {
            if !any {
                self.raw("<nav aria-label=\"Contents\">\n<p>Contents</p>\n<ul>\n");
            }
            match (level, inside) {
                (2, true) => self.raw("</li>\n</ul>\n</li>\n<li>"),
                (2, false) => self.raw(if any { "</li>\n<li>" } else { "<li>" }),
                (_, true) => self.raw("</li>\n<li>"),
                (_, false) => self.raw("\n<ul>\n<li>"),
            }
            (inside, any) = (level == 3, true);
            self.raw(&format!("<a href=\"#{}\">", escape(id)));
            self.text(text);
            self.raw("</a>");
        }
        if any {
            self.raw(if inside { "</li>\n</ul>\n</li>\n</ul>\n</nav>\n" } else { "</li>\n</ul>\n</nav>\n" });
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, id, text } => {
                let id = escape(id);
                self.raw(&format!("<h{level} id=\"{id}\">"));
                self.text(text);
                let name = escape(&text.plain());
                self.raw(&format!(
                    " <a class=\"anchor\" href=\"#{id}\" aria-label=\"Link to “{name}”\">#</a></h{level}>\n"
                ));
            }
            Block::Paragraph(text) => self.element("p", text),
            Block::Note(text) => {
                self.raw("<aside class=\"note\">");
                self.element("p", text);
                self.raw("</aside>\n");
            }
            Block::Code { language, text } => self.code(language, text),
            Block::Table { caption, head, rows } => self.table(caption, head, rows),
            Block::List { ordered, items } => {
                let tag = if *ordered { "ol" } else { "ul" };
                self.raw(&format!("<{tag}>\n"));
                for item in items {
                    self.element("li", item);
                }
                self.raw(&format!("</{tag}>\n"));
            }
            Block::Details { summary, blocks } => {
                self.raw("<details>\n");
                self.element("summary", summary);
                for block in blocks {
                    self.block(block);
                }
                self.raw("</details>\n");
            }
        }
    }

    fn element(&mut self, tag: &str, text: &Text) {
        self.raw(&format!("<{tag}>"));
        self.text(text);
        self.raw(&format!("</{tag}>\n"));
    }

    fn text(&mut self, text: &Text) {
        for part in &text.0 {
            match part {
                Inline::Plain(text) => self.plain(text),
                Inline::Code(code) => self.raw(&format!("<code>{}</code>", escape(code))),
                Inline::Link { text, to } => self.raw(&format!("<a href=\"{}\">{}</a>", escape(to), escape(text))),
            }
        }
    }

    fn code(&mut self, language: &str, text: &str) {
        self.raw(&format!("<pre tabindex=\"0\" data-language=\"{language}\"><code class=\"language-{language}\">"));
        if language == "json" {
            for (kind, token) in tokens(text) {
                match kind {
                    Token::Key => self.raw(&format!("<span class=\"k\">{}</span>", escape(token))),
                    Token::Text => self.raw(&format!("<span class=\"s\">{}</span>", escape(token))),
                    Token::Word => self.raw(&format!("<span class=\"w\">{}</span>", escape(token))),
                    Token::Other => self.plain(token),
                }
            }
        } else {
            for line in text.split_inclusive('\n') {
                match is_comment(language, line) {
                    true => self.raw(&format!("<span class=\"c\">{}</span>", escape(line))),
                    false => self.plain(line),
                }
            }
        }
        self.raw("</code></pre>\n");
    }

    /// A wide table becomes a list of cards on a phone; its roles are named because its layout no longer tells them.
    fn table(&mut self, caption: &str, head: &[&'static str], rows: &[Vec<Text>]) {
        let name = escape(caption);
        let is_wide = head.len() > 2;
        let role = |role: &str| if is_wide { format!(" role=\"{role}\"") } else { String::new() };
        let class = if is_wide { " class=\"wide\"" } else { "" };
        self.raw(&format!("<div class=\"table\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">\n"));
        self.raw(&format!("<table{class}{}>\n<caption>{name}</caption>\n", role("table")));
        self.raw(&format!("<thead{0}>\n<tr{1}>", role("rowgroup"), role("row")));
        for cell in head {
            self.raw(&format!("<th scope=\"col\"{}>{}</th>", role("columnheader"), escape(cell)));
        }
        self.raw(&format!("</tr>\n</thead>\n<tbody{}>\n", role("rowgroup")));
        for row in rows {
            self.raw(&format!("<tr{}>", role("row")));
            for (n, (cell, label)) in row.iter().zip(head).enumerate() {
                let tag = if n == 0 { "th" } else { "td" };
                match n {
                    0 => self.raw(&format!("<th scope=\"row\"{}>", role("rowheader"))),
                    _ if is_wide => self.raw(&format!("<td role=\"cell\" data-label=\"{}\">", escape(label))),
                    _ => self.raw("<td>"),
                }
                self.text(cell);
                self.raw(&format!("</{tag}>"));
            }
            self.raw("</tr>\n");
        }
        self.raw("</tbody>\n</table>\n</div>\n");
    }
}

/// Whether a line is nothing but a comment.
fn is_comment(language: &str, line: &str) -> bool {
    let line = line.trim_start();
    match language {
        "bash" | "python" | "ruby" => line.starts_with('#'),
        "javascript" | "go" | "rust" | "php" => ["//", "/*", "* ", "*/"].iter().any(|start| line.starts_with(start)),
        _ => false,
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // HTML cannot hold these at all.
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::block::Draft;
    use super::*;

    #[test]
    fn whatever_it_holds_is_escaped() {
        let evil = "<script>alert(1)</script>\" onload='x' & \u{0}";
        let mut draft = Draft::new(evil, evil);
        draft.heading(2, evil);
        draft.heading(3, format!("`{evil}`"));
        draft.heading(2, "End");
        draft.note(Text::from(evil).link(evil, evil));
        draft.code("json", format!("{{\"{evil}\": \"{evil}\"}}"));
        draft.code("bash", format!("# {evil}\n{evil}"));
        draft.table(evil, &["one", "two"], vec![vec![evil.into(), evil.into()]]);
        draft.details(evil, vec![Block::Paragraph(evil.into())]);
        let html = draft.done().to_html();
        assert!(!html.contains("<script") && !html.contains("\" onload"), "{html}");
        for tag in ["html", "body", "main", "nav", "ul", "li", "table", "details", "pre", "code", "div", "aside", "a"] {
            let count = |text: String| html.matches(&text).count();
            let opened = count(format!("<{tag}>")) + count(format!("<{tag} "));
            assert_eq!(opened, count(format!("</{tag}>")), "{tag}");
        }
    }
}
