//! What the address of a list says: the API's own filters, and which page. What stays true: a form sends its empty fields too, and
//! they ask for nothing; what a person writes as a time of a form is read as UTC.

use serde::de::DeserializeOwned;

use super::filter;
use crate::api::Problem;
use crate::api::http::list::ListQuery;
use crate::dashboard::links;
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::Seat;

/// What is not the API's: what was done before, and how many rows a page has, which is always the same.
const OF_PAGES: [&str; 2] = ["said", "limit"];
/// What says where a list begins, and not which list it is.
const OF_PLACES: [&str; 3] = ["cursor", "count", "order"];

/// What the address of a list says.
#[derive(Debug)]
pub struct Asked {
    address: String,
    fields: Fields,
}

impl Asked {
    /// Reads the address of the page that is looked at.
    pub fn of(seat: &Seat) -> Self {
        Self::read(seat.asked())
    }

    fn read(address: &str) -> Self {
        let gone: Vec<_> = OF_PAGES.iter().map(|name| (*name, None)).collect();
        let address = links::changed(address, &gone);
        Self { fields: Fields::asked(&address), address }
    }

    /// The text of a field; empty if nothing is said.
    pub fn text(&self, name: &str) -> &str {
        self.fields.text(name).unwrap_or_default()
    }

    /// Whether it asks for anything but all.
    pub fn is_filtered(&self) -> bool {
        self.pairs(&OF_PLACES).next().is_some()
    }

    /// The list that the API is asked for; `own` are names that only the page knows.
    pub fn list<F: DeserializeOwned>(&self, own: &[&str]) -> Result<ListQuery<F>, Problem> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.pairs(own) {
            let value = if matches!(name, "from" | "to") { filter::moment(value) } else { value.to_owned() };
            query.append_pair(name, &value);
        }
        ListQuery::of_pages(&query.finish())
    }

    /// What filters, to be said to another page: names and values.
    pub fn filters<'a>(&'a self, own: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.pairs(&OF_PLACES).filter(move |(name, _)| !own.contains(name))
    }

    /// The same list from its beginning, with its rows counted or not.
    pub fn first_page(&self, counted: bool) -> String {
        links::changed(&self.address, &[("cursor", None), ("count", counted.then_some("true"))])
    }

    /// The address from which pages go on: counted is once.
    pub fn uncounted(&self) -> String {
        links::changed(&self.address, &[("count", None)])
    }

    /// Whether it is the first page.
    pub fn is_first(&self) -> bool {
        self.fields.text("cursor").is_none()
    }

    fn pairs<'a>(&'a self, without: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        let said = self.fields.iter().map(|(name, value)| (name, value.trim()));
        said.filter(move |(name, value)| !value.is_empty() && !without.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::deliveries::filter::DeliveriesFilter;

    #[test]
    fn an_empty_field_asks_for_nothing_and_the_pages_own_names_are_not_the_apis() {
        let asked =
            Asked::read("/d?state=dead&status_code=&from=2024-02-10T16%3A45&said=saved&limit=9&find=x&count=true");
        let query = asked.list::<DeliveriesFilter>(&["find"]).unwrap().filter;
        assert_eq!((query.state.as_deref(), query.status_code), (Some("dead"), None));
        assert_eq!(query.from.as_deref(), Some("2024-02-10T16:45:00Z"));
        assert_eq!((asked.text("state"), asked.text("status_code")), ("dead", ""));
        assert!(asked.is_filtered() && !Asked::read("/d?count=true&cursor=a&state=").is_filtered());
        assert_eq!(asked.list::<DeliveriesFilter>(&[]).unwrap_err().field(), Some("find"));
        assert_eq!(Asked::read("/d?a=1&cursor=x").first_page(true), "/d?a=1&count=true");
        assert_eq!(Asked::read("/d?a=1&count=true").uncounted(), "/d?a=1");
    }
}
