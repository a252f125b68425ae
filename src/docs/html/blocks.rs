//! A document as HTML: what stands in it, and the file that it is alone. What stays true: headings go down without a gap, and
//! nothing of a document is written unescaped.

use super::escape::escape;
use super::trial;
use crate::docs::assets::STYLE;
use crate::docs::block::{Block, Card, Document, Inline, Tab, Text};
use crate::docs::colour::{Kind, pieces};

impl Document {
    /// A page that needs nothing but itself: no scripts, nothing from elsewhere.
    pub fn to_html(&self) -> String {
        let mut out = Html::default();
        let Self { title, summary, blocks } = self;
        let (title, summary) = (escape(title), escape(summary));
        out.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
        out.raw(&format!("<title>{title}</title>\n<meta name=\"description\" content=\"{summary}\">\n"));
        out.raw(&format!("<style>\n{STYLE}</style>\n</head>\n<body class=\"alone\">\n"));
        out.raw("<a class=\"skip\" href=\"#content\">Skip to the content</a>\n<div class=\"page\">\n");
        out.raw("<nav class=\"side\" aria-label=\"Contents\">\n<p>Contents</p>\n");
        out.contents(blocks);
        out.raw("</nav>\n<main id=\"content\">\n");
        out.raw(&format!("<header>\n<h1>{title}</h1>\n<p class=\"lead\">"));
        out.text(&Text::from(self.summary.as_str()));
        out.raw("</p>\n</header>\n");
        out.blocks(blocks);
        out.raw("</main>\n</div>\n</body>\n</html>\n");
        out.text
    }
}

/// HTML that is being written.
#[derive(Debug, Default)]
pub(super) struct Html {
    pub(super) text: String,
    /// Whether there is a dashboard, in whose sessions operations can be tried.
    has_dashboard: bool,
    /// Choices of languages so far: each has a name of its own.
    tabs: usize,
}

impl Html {
    /// HTML of a server that has a dashboard to lead to, or has none.
    pub(super) fn leading_to(has_dashboard: bool) -> Self {
        Self { has_dashboard, ..Self::default() }
    }

    pub(super) fn raw(&mut self, html: &str) {
        self.text.push_str(html);
    }

    fn plain(&mut self, text: &str) {
        self.text.push_str(&escape(text));
    }

    pub(super) fn blocks(&mut self, blocks: &[Block]) {
        blocks.iter().for_each(|block| self.block(block));
    }

    /// The contents: headings of levels 2 and 3.
    pub(super) fn contents(&mut self, blocks: &[Block]) {
        let headings = blocks.iter().filter_map(|block| match block {
            Block::Heading { level: level @ (2 | 3), id, text } => Some((*level, id, text)),
            _ => None,
        });
        let (mut inside, mut any) = (false, false);
        for (level, id, text) in headings {
            if !any {
                self.raw("<ul>\n");
            }
            match (level, inside) {
                (2, true) => self.raw("</li>\n</ul>\n</li>\n<li>"),
                (2, false) => self.raw(if any { "</li>\n<li>" } else { "<li>" }),
                (_, true) => self.raw("</li>\n<li>"),
                (_, false) => self.raw(if any { "\n<ul>\n<li>" } else { "<li>\n<ul>\n<li>" }),
            }
            (inside, any) = (level == 3, true);
            self.raw(&format!("<a href=\"#{}\">", escape(id)));
            self.text(text);
            self.raw("</a>");
        }
        if any {
            self.raw(if inside { "</li>\n</ul>\n</li>\n</ul>\n" } else { "</li>\n</ul>\n" });
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
                self.blocks(blocks);
                self.raw("</details>\n");
            }
            Block::Tabs { tabs, .. } => self.tabs(tabs),
            Block::Cards(cards) => self.cards(cards),
            Block::Trial(trial) => self.raw(&trial::html(trial, self.has_dashboard)),
        }
    }

    fn element(&mut self, tag: &str, text: &Text) {
        self.raw(&format!("<{tag}>"));
        self.text(text);
        self.raw(&format!("</{tag}>\n"));
    }

    pub(super) fn text(&mut self, text: &Text) {
        for part in &text.0 {
            match part {
                Inline::Plain(text) => self.plain(text),
                Inline::Code(code) => self.raw(&format!("<code>{}</code>", escape(code))),
                Inline::Strong(text) => self.raw(&format!("<strong>{}</strong>", escape(text))),
                Inline::Emphasis(text) => self.raw(&format!("<em>{}</em>", escape(text))),
                Inline::Link { text, to } => self.raw(&format!("<a href=\"{}\">{}</a>", escape(to), escape(text))),
            }
        }
    }

    fn code(&mut self, language: &str, text: &str) {
        self.raw(&format!("<pre tabindex=\"0\" data-language=\"{language}\"><code class=\"language-{language}\">"));
        for (kind, piece) in pieces(language, text) {
            let class = match kind {
                Kind::Name => "k",
                Kind::Text => "s",
                Kind::Word => "w",
                Kind::Aside => "c",
                Kind::Plain => {
                    self.plain(piece);
                    continue;
                }
            };
            self.raw(&format!("<span class=\"{class}\">{}</span>", escape(piece)));
        }
        self.raw("</code></pre>\n");
    }

    /// One language at a time, chosen by radio buttons: so it works without scripts, and by keyboard as people expect.
    fn tabs(&mut self, tabs: &[Tab]) {
        if let [only] = tabs {
            return self.blocks(&only.blocks);
        }
        self.tabs += 1;
        let group = self.tabs;
        self.raw("<fieldset class=\"tabs\">\n<legend>Language</legend>\n");
        for (n, tab) in tabs.iter().enumerate() {
            let checked = if n == 0 { " checked" } else { "" };
            self.raw(&format!(
                "<input type=\"radio\" name=\"language-{group}\" id=\"language-{group}-{n}\" value=\"{}\"{checked}>\n\
                 <label for=\"language-{group}-{n}\">{}</label>\n",
                tab.language,
                escape(&tab.title)
            ));
        }
        for tab in tabs {
            self.raw(&format!("<div role=\"group\" aria-label=\"{}\">\n", escape(&tab.title)));
            self.blocks(&tab.blocks);
            self.raw("</div>\n");
        }
        self.raw("</fieldset>\n");
    }

    fn cards(&mut self, cards: &[Card]) {
        self.raw("<ul class=\"cards\">\n");
        for Card { title, text, to } in cards {
            self.raw(&format!("<li><a href=\"{}\">{}</a>\n", escape(to), escape(title)));
            self.element("p", text);
            self.raw("</li>\n");
        }
        self.raw("</ul>\n");
    }

    /// A wide table becomes a list of cards on a phone; its roles are named because its layout no longer tells them.
    fn table(&mut self, caption: &str, head: &[String], rows: &[Vec<Text>]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::block::Draft;

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
        let tab = |language| Tab { title: evil.into(), language, blocks: vec![Block::Paragraph(evil.into())] };
        draft.tabs(3, vec![tab("go")]);
        draft.tabs(3, vec![tab("go"), tab("rust")]);
        draft.cards(vec![Card { title: evil.into(), text: evil.into(), to: evil.into() }]);
        let html = draft.done().to_html();
        assert!(!html.contains("<script") && !html.contains("\" onload"), "{html}");
        assert!(html.contains("<style>") && !html.contains("/docs/assets"), "it needs nothing but itself: {html}");
        assert_eq!(html.matches("<fieldset").count(), 1, "one language alone is no choice");
        for tag in [
            "html", "body", "main", "nav", "ul", "li", "table", "details", "pre", "code", "div", "aside", "a",
            "fieldset",
        ] {
            let count = |text: String| html.matches(&text).count();
            let opened = count(format!("<{tag}>")) + count(format!("<{tag} "));
            assert_eq!(opened, count(format!("</{tag}>")), "{tag}");
        }
    }
}
