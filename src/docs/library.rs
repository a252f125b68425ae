//! All that is found below `/docs`, by its address. What stays true: an address that once led to a document, or names a section of
//! one, still leads there.

use super::api::{self, Reference};
use super::assets::{self, Asset};
use super::block::Document;
use super::configuration::{self, Key};
use super::page::{Below, Page, Place};
use super::paged;
use super::search::Index;
use super::site::Site;
use super::{contracts, document, front, guide, map, paths, peers, reference, tutorial};
use crate::dialect::Dialect;

/// What pages are made from.
#[derive(Debug, Clone, Copy)]
pub struct Library<'a> {
    /// The contracts that are served.
    pub dialects: &'a [&'a Dialect],
    /// The server.
    pub site: &'a Site,
    /// What it says of its API.
    pub reference: &'a Reference,
    /// The keys of its configuration.
    pub keys: &'a [Key],
}

/// What is at an address.
#[derive(Debug)]
pub enum Found {
    /// A page.
    Page(Box<Page>),
    /// Another address, which has it now.
    Moved(String),
    /// A file that pages are shown with.
    Asset(&'static Asset),
}

impl Library<'_> {
    /// What is at an address.
    pub fn at(&self, address: &str) -> Option<Found> {
        let address = address.trim_end_matches('/');
        if let Some(asset) = assets::at(address) {
            return Some(Found::Asset(asset));
        }
        match address {
            paths::FRONT => return page(Page::new(paths::FRONT, front::page(self.dialects.iter().copied()))),
            paths::CONTRACTS => {
                return page(Page::new(paths::CONTRACTS, contracts::page(self.dialects.iter().copied())));
            }
            paths::API => return page(api::page(self.reference, None, &self.site.base_url)?),
            paths::DIALECTS | paths::TUTORIAL | paths::PEERS => return in_parts(&self.long(address)?, None),
            _ => {}
        }
        let rest = address.strip_prefix(paths::FRONT)?.strip_prefix('/')?;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["api", name] => page(api::page(self.reference, Some(name), &self.site.base_url)?),
            ["webhooks", name] => in_parts(&self.of_dialect(name)?, None),
            ["webhooks", name, part] => in_parts(&self.of_dialect(name)?, Some(part)),
            ["guide", name] => in_parts(&self.of_guide(name)?, None),
            ["guide", name, part] => in_parts(&self.of_guide(name)?, Some(part)),
            ["dialects", "tutorial", part] => in_parts(&self.long(paths::TUTORIAL)?, Some(part)),
            ["dialects", part] => in_parts(&self.long(paths::DIALECTS)?, Some(part)),
            ["peers", part] => in_parts(&self.long(paths::PEERS)?, Some(part)),
            _ => None,
        }
    }

    /// The long document that begins at an address of the map.
    fn long(&self, address: &str) -> Option<Long> {
        match address {
            paths::DIALECTS => Some(Long::new(paths::DIALECTS, reference())),
            paths::TUTORIAL => Some(Long::new(paths::TUTORIAL, tutorial())),
            paths::PEERS => Some(Long::new(paths::PEERS, peers())),
            other => self.of_guide(other.rsplit('/').next()?),
        }
    }

    /// A page of the guide; its configuration has the keys in it.
    fn of_guide(&self, name: &str) -> Option<Long> {
        let document = match name {
            configuration::NAME => configuration::page(self.keys),
            other => guide::page(other)?,
        };
        Some(Long::new(guide::address(name), document))
    }

    fn of_dialect(&self, name: &str) -> Option<Long> {
        let dialect = self.dialects.iter().find(|dialect| dialect.name == name)?;
        let trail = vec![Place::new("Contracts of this server", paths::CONTRACTS)];
        let long = Long::new(contracts::address(name), document(dialect, self.site));
        Some(Long { entry: paths::CONTRACTS.into(), trail, ..long })
    }

    /// What there is to be searched: the map's pages in its order, and what is below them.
    pub fn index(&self) -> Index {
        let mut index = Index::default();
        self.every(|page| index.add(page));
        index
    }

    /// Shows every page, one after the other.
    pub fn every(&self, mut show: impl FnMut(&Page)) {
        show(&Page::new(paths::FRONT, front::page(self.dialects.iter().copied())));
        for place in map::groups().into_iter().flat_map(|group| group.places) {
            match place.address.as_str() {
                paths::API => api::pages(self.reference, &self.site.base_url).iter().for_each(&mut show),
                paths::CONTRACTS => show(&Page::new(paths::CONTRACTS, contracts::page(self.dialects.iter().copied()))),
                other => self.long(other).iter().flat_map(Long::pages).for_each(|page| show(&page)),
            }
        }
        for dialect in self.dialects {
            let long = self.of_dialect(&dialect.name).expect("it is one of them");
            long.pages().iter().for_each(&mut show);
        }
    }
}

/// A document that may be several pages.
struct Long {
    home: String,
    entry: String,
    trail: Vec<Place>,
    document: Document,
}

impl Long {
    fn new(home: impl Into<String>, document: Document) -> Self {
        let home = home.into();
        Self { entry: home.clone(), home, trail: Vec::new(), document }
    }

    /// All of its pages.
    fn pages(&self) -> Vec<Page> {
        let parts = paged::parts(&self.document, &self.home);
        let places: Vec<Place> = parts
            .iter()
            .map(|part| Place::new(part.document.title.as_str(), paged::address(&self.home, &part.id)))
            .collect();
        // A contract is itself below the page of all contracts.
        let is_below = self.entry != self.home;
        let depth = |n: usize| if is_below && n > 0 { 2 } else { 1 };
        let all = places.iter().cloned().enumerate().map(|(n, place)| Below { place, depth: depth(n) });
        let below: Vec<Below> = if places.len() > 1 || is_below { all.collect() } else { Vec::new() };
        let pages = parts.into_iter().zip(&places).enumerate().map(|(n, (part, place))| {
            let mut trail = self.trail.clone();
            if n > 0 {
                trail.push(places[0].clone());
            }
            Page {
                whole: (n == 0).then(|| self.document.clone()),
                anchor: part.anchor,
                entry: self.entry.clone(),
                trail,
                below: below.clone(),
                ..Page::new(place.address.as_str(), part.document)
            }
        });
        pages.collect()
    }
}

/// A page of a long document; a section that has none of its own is on one of them.
fn in_parts(long: &Long, part: Option<&str>) -> Option<Found> {
    let wanted = paged::address(&long.home, part.unwrap_or_default());
    if let Some(found) = long.pages().into_iter().find(|page| page.address == wanted) {
        return page(found);
    }
    paged::place_of(&paged::parts(&long.document, &long.home), &long.home, part?).map(Found::Moved)
}

fn page(page: Page) -> Option<Found> {
    Some(Found::Page(Box::new(page)))
}
