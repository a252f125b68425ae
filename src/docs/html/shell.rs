//! What is around a page of `/docs`: the bar with the search, where one is, the navigation, what comes next. What stays true: no
//! script and no style stands in a page, so none that somebody else wrote can; all of it works without scripts.

use super::blocks::Html;
use super::escape::escape;
use crate::docs::assets::{MARK, MARK_FILE, SCRIPT_FILE, STYLE_FILE};
use crate::docs::block::Text;
use crate::docs::map::{self, Group};
use crate::docs::page::{Page, Place};
use crate::docs::paths;

impl Page {
    /// The whole page.
    pub fn to_html(&self) -> String {
        let mut out = Html::leading_to(self.has_dashboard);
        let groups = map::groups();
        head(&mut out, self);
        bar(&mut out, self);
        out.raw("<div class=\"page\">\n<main id=\"content\">\n");
        title(&mut out, self);
        out.raw("<details class=\"menu\">\n<summary>All pages</summary>\n<nav aria-label=\"All pages\">\n");
        navigation(&mut out, self, &groups);
        out.raw("</nav>\n</details>\n");
        out.blocks(&self.document.blocks);
        out.raw("</main>\n");
        onward(&mut out, self, &groups);
        out.raw("<nav class=\"side\" aria-label=\"Documentation\">\n");
        navigation(&mut out, self, &groups);
        out.raw("</nav>\n</div>\n</body>\n</html>\n");
        out.text
    }
}

fn head(out: &mut Html, page: &Page) {
    let title = match page.trail.last() {
        Some(over) if page.trail.len() > 1 => format!("{} – {}", page.document.title, over.title),
        _ => page.document.title.clone(),
    };
    let brand = if page.address == paths::FRONT { "" } else { " – Hookwheel" };
    let summary = Text::from(page.document.summary.as_str()).plain();
    out.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    out.raw(&format!("<title>{}{brand}</title>\n", escape(&title)));
    if !summary.is_empty() {
        out.raw(&format!("<meta name=\"description\" content=\"{}\">\n", escape(&summary)));
    }
    out.raw(&format!("<link rel=\"icon\" type=\"image/svg+xml\" href=\"{}\">\n", MARK_FILE.address));
    out.raw(&format!("<link rel=\"stylesheet\" href=\"{}\">\n", STYLE_FILE.address));
    out.raw(&format!("<script src=\"{}\" defer></script>\n</head>\n", SCRIPT_FILE.address));
}

/// The bar at the top: the way to the front page, and the search.
fn bar(out: &mut Html, page: &Page) {
    let asked = page.asked.as_deref().map_or_else(String::new, escape);
    out.raw("<body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n<header class=\"bar\">\n");
    out.raw(&format!("<a class=\"brand\" href=\"{}\">{}<span>Hookwheel</span></a>\n", paths::FRONT, MARK.trim_end()));
    out.raw(&format!(
        "<form class=\"search\" role=\"search\" action=\"{}\" data-index=\"{}\">\n\
         <label for=\"search\">Search the documentation</label>\n\
         <input id=\"search\" name=\"q\" type=\"search\" value=\"{asked}\" placeholder=\"Search\" autocomplete=\"off\" \
         maxlength=\"100\" aria-keyshortcuts=\"/\">\n<kbd aria-hidden=\"true\">/</kbd>\n</form>\n",
        paths::SEARCH,
        paths::SEARCH_INDEX
    ));
    if page.has_dashboard {
        out.raw("<a class=\"to-dashboard\" href=\"/dashboard\">Dashboard</a>\n");
    }
    out.raw("</header>\n");
}

/// Where one is, and what the page is.
fn title(out: &mut Html, page: &Page) {
    out.raw("<header class=\"title\">\n");
    if page.address != paths::FRONT {
        out.raw("<nav class=\"trail\" aria-label=\"Where you are\">\n<ol>\n");
        out.raw(&format!("<li><a href=\"{}\">Documentation</a></li>\n", paths::FRONT));
        if let Some(group) = map::group_of(&page.entry) {
            out.raw(&format!("<li>{}</li>\n", escape(group)));
        }
        for Place { title, address } in &page.trail {
            out.raw(&format!("<li><a href=\"{}\">{}</a></li>\n", escape(address), escape(title)));
        }
        out.raw("</ol>\n</nav>\n");
    }
    let anchor = page.anchor.as_deref().map_or_else(String::new, |id| format!(" id=\"{}\"", escape(id)));
    out.raw(&format!("<h1{anchor}>{}</h1>\n", escape(&page.document.title)));
    if !page.document.summary.is_empty() {
        out.raw("<p class=\"lead\">");
        out.text(&Text::from(page.document.summary.as_str()));
        out.raw("</p>\n");
    }
    out.raw("</header>\n");
}

/// All groups; of the entry that the page belongs to, its pages, or the sections of the page.
fn navigation(out: &mut Html, page: &Page, groups: &[Group]) {
    for group in groups {
        out.raw(&format!("<p>{}</p>\n<ul>\n", escape(group.title)));
        for place in &group.places {
            out.raw("<li>");
            link(out, page, place);
            if place.address == page.entry {
                below(out, page);
            }
            out.raw("</li>\n");
        }
        out.raw("</ul>\n");
    }
}

fn link(out: &mut Html, page: &Page, place: &Place) {
    let current = match place.address == page.address {
        true => " aria-current=\"page\"",
        false if place.address == page.entry => " aria-current=\"true\"",
        false => "",
    };
    out.raw(&format!("<a href=\"{}\"{current}>{}</a>", escape(&place.address), escape(&place.title)));
}

fn below(out: &mut Html, page: &Page) {
    if page.below.is_empty() {
        out.raw("\n");
        out.contents(&page.document.blocks);
        return;
    }
    let mut depth = 0;
    for below in page.below.iter().filter(|below| below.place.address != page.entry) {
        match below.depth.cmp(&depth) {
            std::cmp::Ordering::Greater => (depth..below.depth).for_each(|_| out.raw("\n<ul>\n<li>")),
            std::cmp::Ordering::Equal => out.raw("</li>\n<li>"),
            std::cmp::Ordering::Less => {
                (below.depth..depth).for_each(|_| out.raw("</li>\n</ul>\n"));
                out.raw("</li>\n<li>");
            }
        }
        depth = below.depth;
        link(out, page, &below.place);
    }
    (0..depth).for_each(|_| out.raw("</li>\n</ul>\n"));
}

/// What is read before and after it: within its entry, else by the map.
fn onward(out: &mut Html, page: &Page, groups: &[Group]) {
    let (before, after) = page.beside();
    let all: Vec<&Place> = groups.iter().flat_map(|group| &group.places).collect();
    let at = all.iter().position(|place| place.address == page.entry);
    let before = before.or_else(|| at.and_then(|at| at.checked_sub(1)).map(|at| all[at]));
    let after = after.or_else(|| at.and_then(|at| all.get(at + 1).copied()));
    if before.is_none() && after.is_none() {
        return;
    }
    out.raw("<nav class=\"onward\" aria-label=\"Before and after\">\n");
    for (word, rel, place) in [("Before", "prev", before), ("Next", "next", after)] {
        if let Some(Place { title, address }) = place {
            out.raw(&format!(
                "<a class=\"{rel}\" rel=\"{rel}\" href=\"{}\"><span>{word}</span> {}</a>\n",
                escape(address),
                escape(title)
            ));
        }
    }
    out.raw("</nav>\n");
}
