//! The guide: pages that people write, in files beside this one, readable in the repository as they are. What stays true: a page is
//! what its file says, and the title in it is the one in the map.

use super::block::Document;
use super::prose;

/// The pages by name; their order is the map's.
const PAGES: &[(&str, &str)] = &[
    ("start", include_str!("start.md")),
    ("concepts", include_str!("concepts.md")),
    ("command-line", include_str!("command-line.md")),
    ("clients", include_str!("clients.md")),
    ("publishing", include_str!("publishing.md")),
    ("event-types", include_str!("event-types.md")),
    ("webhooks", include_str!("webhooks.md")),
    ("filters", include_str!("filters.md")),
    ("shapes", include_str!("shapes.md")),
    ("endpoint-authentication", include_str!("endpoint-authentication.md")),
    ("pulling", include_str!("pulling.md")),
    ("deliveries", include_str!("deliveries.md")),
    ("notices", include_str!("notices.md")),
    ("accounts", include_str!("accounts.md")),
    ("api-at-a-glance", include_str!("api-at-a-glance.md")),
    ("contracts", include_str!("contracts.md")),
    ("own-contracts", include_str!("own-contracts.md")),
    ("dialect-files", include_str!("dialect-files.md")),
    ("receivers", include_str!("receivers.md")),
    ("side-by-side", include_str!("side-by-side.md")),
    ("published-guides", include_str!("published-guides.md")),
    ("dashboard", include_str!("dashboard.md")),
    ("portal", include_str!("portal.md")),
    ("stream", include_str!("stream.md")),
    ("metrics", include_str!("metrics.md")),
    ("traces-and-logs", include_str!("traces-and-logs.md")),
    ("install", include_str!("install.md")),
    ("operating", include_str!("operating.md")),
    ("restarts", include_str!("restarts.md")),
    ("behind-a-proxy", include_str!("behind-a-proxy.md")),
    ("several-nodes", include_str!("several-nodes.md")),
    ("backup", include_str!("backup.md")),
    ("moving", include_str!("moving.md")),
    ("configuration", include_str!("configuration.md")),
    ("security", include_str!("security.md")),
    ("promises", include_str!("promises.md")),
    ("figures", include_str!("figures.md")),
    ("proofs", include_str!("proofs.md")),
    ("real-input", include_str!("real-input.md")),
];

/// The names of all pages.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(name, _)| *name)
}

/// Where a page is.
pub(super) fn address(name: &str) -> String {
    format!("{}/{name}", prose::GUIDE)
}

/// A page.
pub(super) fn page(name: &str) -> Option<Document> {
    source(name).map(prose::read)
}

/// What a page is called.
pub(super) fn title(name: &str) -> Option<&'static str> {
    source(name)?.lines().next()?.strip_prefix("# ")
}

fn source(name: &str) -> Option<&'static str> {
    PAGES.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::block::Block;

    #[test]
    fn each_file_is_a_page_with_title_and_sentence() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/guide");
        let files = std::fs::read_dir(folder).expect("it is there").filter_map(|file| {
            let name = file.expect("can be read").file_name().into_string().expect("UTF-8");
            name.strip_suffix(".md").map(str::to_owned)
        });
        let mut files: Vec<String> = files.collect();
        files.sort();
        let mut known: Vec<&str> = names().collect();
        known.sort_unstable();
        assert_eq!(files, known);
        for name in names() {
            let page = page(name).expect("it is there");
            assert_eq!(Some(page.title.as_str()), title(name), "{name}");
            assert!(!page.summary.is_empty() && !page.blocks.is_empty(), "{name}");
            let code = page.blocks.iter().filter_map(|block| match block {
                Block::Code { language, text } => Some((*language, text)),
                _ => None,
            });
            code.for_each(|(language, text)| assert!(!language.is_empty() && !text.is_empty(), "{name}"));
        }
    }
}
