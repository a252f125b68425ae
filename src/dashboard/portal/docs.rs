//! The documentation of the account's own contract, for those who receive its webhooks. What stays true: it is that contract's and no
//! other's; what leads out of it is text here, and no link.

use actix_web::{HttpRequest, HttpResponse, get, web};
use maud::{Markup, html};

use crate::api::Api;
use crate::api::access::auth::Read;
use crate::api::docs::site::site;
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::parts::copy;
use crate::dashboard::seat::Looks;
use crate::docs::{Block, Inline, Text, document};

/// The page.
#[get("/docs")]
pub async fn show(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let dialect = api.any_dialect(&seat.account().dialect)?;
    let document = document(&dialect, &site(&api, &request));
    let body = html! {
        div.document {
            p.lead { (document.summary) }
            (contents(&document.blocks))
            @for one in &document.blocks { (block(one)) }
        }
    };
    Ok(Page::new(&document.title, Part::Docs).show(&seat, &body))
}

fn contents(blocks: &[Block]) -> Markup {
    html! {
        nav.contents aria-label="On this page" {
            ul {
                @for one in blocks {
                    @if let Block::Heading { level: 2, id, text: words } = one { li { a href={ "#" (id) } { (words.plain()) } } }
                }
            }
        }
    }
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Heading { level, id, text: words } => html! {
            @match level { 2 => h2 id=(id) { (text(words)) }, 3 => h3 id=(id) { (text(words)) }, _ => h4 id=(id) { (text(words)) } }
        },
        Block::Paragraph(words) => html! { p { (text(words)) } },
        Block::Note(words) => html! { p.note { (text(words)) } },
        Block::Code { text: code, .. } => copy::command(code),
        Block::Table { caption, head, rows } => html! {
            div.table tabindex="0" {
                table {
                    caption.visually-hidden { (caption) }
                    thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (at, cell) in row.iter().enumerate() {
                                    @if at == 0 { th scope="row" { (text(cell)) } } @else { td.wide { (text(cell)) } }
                                }
                            }
                        }
                    }
                }
            }
        },
        Block::List { ordered, items } => {
            let items = html! { @for item in items { li { (text(item)) } } };
            if *ordered {
                html! { ol { (items) } }
            } else {
                html! { ul { (items) } }
            }
        }
        // One below the other: each can be closed.
        Block::Tabs { tabs, .. } => html! {
            @for (at, tab) in tabs.iter().enumerate() {
                details open[at == 0] { summary { (tab.title) } @for one in &tab.blocks { (self::block(one)) } }
            }
        },
        // They lead out of it, or are of the whole API.
        Block::Cards(_) | Block::Trial(_) => html! {},
        Block::Details { summary, blocks } => html! {
            details { summary { (text(summary)) } @for one in blocks { (self::block(one)) } }
        },
    }
}

fn text(text: &Text) -> Markup {
    html! {
        @for part in &text.0 {
            @match part {
                Inline::Plain(words) => (words),
                Inline::Code(code) => code { (code) },
                Inline::Strong(words) => strong { (words) },
                Inline::Emphasis(words) => em { (words) },
                Inline::Link { text: words, to } => {
                    @if to.starts_with('#') { a href=(to) { (words) } } @else { (words) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_is_no_link_and_what_is_written_is_escaped() {
        let words =
            Text::from("a `<b>` ").link("there", "#there").and(" or ").link("elsewhere", "/docs/webhooks/other");
        assert_eq!(text(&words).into_string(), "a <code>&lt;b&gt;</code> <a href=\"#there\">there</a> or elsewhere");
    }
}
