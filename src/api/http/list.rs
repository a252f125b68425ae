//! Every list is answered here, whatever it is of: a page of it, or all of it line by line, from either end, and how many
//! rows it has. What stays true: all of a list is read page by page, each in the account's turn and only once the one before
//! is on its way, so however long a list is and however slow who reads it, one page of it is held.

use std::io;
use std::sync::Arc;

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::http::form::Form;
use crate::api::http::page::{LIMIT_DEFAULT, Listed, PAGE_NAMES, PageQuery, PageReply, RowCount, Window};
use crate::api::http::problem::Problem;
use crate::api::http::request::read_query;
use crate::api::http::table::Table;
use crate::domain::Invalid;
use crate::domain::id::AccountNumber;
use crate::domain::walk::First;
use crate::store::PAGE_ROWS_EXAMINED_MAX;

/// Rows that are read at once of a list of which all is asked for, or counted.
const ROWS_AT_ONCE: usize = 500;

/// What a request asks of a list: `F` says of which rows.
#[derive(Debug)]
pub struct ListQuery<F> {
    /// What filters.
    pub filter: F,
    /// Which part, and in which form.
    pub part: Part,
}

/// Of a list that nothing filters.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// Which part of a list is asked for, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Where it begins.
    window: Window,
    form: Form,
    /// Rows in all, where the form has no pages.
    rows_max: usize,
    count: bool,
}

impl<F: DeserializeOwned + 'static> FromRequest for ListQuery<F> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        std::future::ready(Self::read(request.query_string(), Form::of(request)))
    }
}

impl<F: DeserializeOwned> ListQuery<F> {
    /// What a query asks of a list that is shown page by page.
    pub fn of_pages(query: &str) -> Result<Self, Problem> {
        Self::read(query, Form::Json)
    }

    fn read(query: &str, form: Form) -> Result<Self, Problem> {
        let [page, rest] = split(query);
        let filter = read_query(&rest, &PAGE_NAMES)?;
        Ok(Self { filter, part: Part::read(&read_query(&page, &[])?, form)? })
    }
}

/// What says which page, and the rest.
fn split(query: &str) -> [String; 2] {
    let mut parts = [(); 2].map(|()| url::form_urlencoded::Serializer::new(String::new()));
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        parts[usize::from(!PAGE_NAMES.contains(&&*name))].append_pair(&name, &value);
    }
    parts.map(|mut part| part.finish())
}

impl Part {
    fn read(query: &PageQuery, form: Form) -> Result<Self, Problem> {
        let first = match query.order.as_deref() {
            None | Some("newest") => First::Newest,
            Some("oldest") => First::Oldest,
            Some(_) => return Err(Invalid::new("order", "must be newest or oldest").into()),
        };
        let count = match query.count.as_deref() {
            None | Some("false") => false,
            Some("true") if form == Form::Json => true,
            Some("true") => return Err(Invalid::new("count", "can be had in JSON only: count the lines").into()),
            Some(_) => return Err(Invalid::new("count", "must be true or false").into()),
        };
        let window = Window::read(LIMIT_DEFAULT, query.limit.as_deref(), query.cursor.as_deref())?;
        let window = Window { first, ..window };
        let rows_max = if query.limit.is_some() { window.limit } else { usize::MAX };
        Ok(Self { window, form, rows_max, count })
    }
}

/// A row of a list.
pub trait ListRow: Serialize + ToSchema + Send + 'static {
    /// The fields that only the reply about one such thing has.
    const ALONE: &'static [&'static str] = &[];
}

/// Answers a list of an account: `page` reads a page of it, as often as it takes.
pub async fn answer<T: ListRow>(
    api: &web::Data<Api>,
    account: AccountNumber,
    part: Part,
    page: impl Fn(&Api, Window) -> Result<Listed<T>, Problem> + Send + Sync + 'static,
) -> Result<HttpResponse, Problem> {
    List::of(api, account, page).answer(part).await
}

/// The page of a list of an account that is asked for, for whoever shows it otherwise; `page` reads a page, as [`answer`] has it.
pub async fn page_of<T: Send + 'static>(
    api: &web::Data<Api>,
    account: AccountNumber,
    part: Part,
    page: impl Fn(&Api, Window) -> Result<Listed<T>, Problem> + Send + Sync + 'static,
) -> Result<PageReply<T>, Problem> {
    List::of(api, account, page).reply(part).await
}

type ReadPage<T> = dyn Fn(&Api, Window) -> Result<Listed<T>, Problem> + Send + Sync;

/// A list of an account, read page by page.
pub struct List<T> {
    api: web::Data<Api>,
    account: AccountNumber,
    page: Arc<ReadPage<T>>,
    counted: Arc<ReadPage<()>>,
}

impl<T: ListRow> List<T> {
    /// Answers what is asked for of it.
    pub async fn answer(self, part: Part) -> Result<HttpResponse, Problem> {
        if part.form == Form::Json {
            return Ok(HttpResponse::Ok().json(self.reply(part).await?));
        }
        let told = Telling::begin(self, part).await?;
        let lines = stream::try_unfold(told, Telling::next);
        Ok(HttpResponse::Ok().content_type(part.form.content_type()).streaming(lines))
    }
}

impl<T: Send + 'static> List<T> {
    /// One of which `page` reads a page, as often as it takes. To count, it reads pages too, some rows at a time: they may be long.
    pub fn of(
        api: &web::Data<Api>,
        account: AccountNumber,
        page: impl Fn(&Api, Window) -> Result<Listed<T>, Problem> + Send + Sync + 'static,
    ) -> Self {
        let page: Arc<ReadPage<T>> = Arc::new(page);
        let rows = page.clone();
        let counted = move |api: &Api, window: Window| {
            let limit = window.limit.min(ROWS_AT_ONCE);
            Ok(rows(api, Window { limit, ..window })?.map(drop))
        };
        Self { api: api.clone(), account, page, counted: Arc::new(counted) }
    }

    /// The same, counted by `counted`: it finds the rows that `page` does, and shows none.
    pub fn counted_by(
        self,
        counted: impl Fn(&Api, Window) -> Result<Listed<()>, Problem> + Send + Sync + 'static,
    ) -> Self {
        Self { counted: Arc::new(counted), ..self }
    }

    /// The page that is asked for, and how many rows there are if that is asked for too.
    pub async fn reply(&self, part: Part) -> Result<PageReply<T>, Problem> {
        let listed = self.page(part.window).await?;
        let count = if part.count { Some(self.count(part.window.first).await?) } else { None };
        Ok(PageReply { count, ..PageReply::from(listed) })
    }

    async fn page(&self, window: Window) -> Result<Listed<T>, Problem> {
        let (api, page) = (self.api.clone(), self.page.clone());
        self.api.read(self.account, move || page(&api, window)).await?
    }

    /// Counts as many rows as one page looks at. What is found in fewer than [`ROWS_AT_ONCE`] is not looked for further.
    async fn count(&self, first: First) -> Result<RowCount, Problem> {
        let (mut at_least, mut past) = (0, None);
        loop {
            let window = Window { first, ..Window::newest(PAGE_ROWS_EXAMINED_MAX - at_least) }.after(past);
            let (api, counted) = (self.api.clone(), self.counted.clone());
            let listed = self.api.read(self.account, move || counted(&api, window)).await??;
            let found = listed.rows.len();
            at_least += found;
            past = listed.next;
            if past.is_none() || found < ROWS_AT_ONCE || at_least >= PAGE_ROWS_EXAMINED_MAX {
                return Ok(RowCount { at_least, exact: past.is_none() });
            }
        }
    }

    /// Whether more of it may be told: a stop waits for nobody who reads slowly, and nothing is told of an account that is gone.
    fn goes_on(&self) -> bool {
        !self.api.connections().is_stopping() && self.api.store.registry().is_served(self.account)
    }
}

/// A list of which all is told.
struct Telling<T> {
    list: List<T>,
    window: Window,
    rows_left: usize,
    /// In CSV: its columns.
    table: Option<Table>,
    /// What is told before the next row.
    head: Option<Vec<String>>,
    ahead: Ahead<T>,
}

/// What is told next.
enum Ahead<T> {
    /// This page.
    Page(Listed<T>),
    /// The page that begins there.
    From((u128, u16)),
    /// Nothing: that was all.
    Nothing,
}

impl<T: ListRow> Telling<T> {
    /// With the first page: what is wrong with the request is an answer of its own.
    async fn begin(list: List<T>, part: Part) -> Result<Self, Problem> {
        let window = Window { limit: ROWS_AT_ONCE.min(part.rows_max), ..part.window };
        let table = (part.form == Form::Csv).then(|| Table::of::<T>(T::ALONE));
        let ahead = Ahead::Page(list.page(window).await?);
        Ok(Self { list, window, rows_left: part.rows_max, head: table.as_ref().map(Table::head), table, ahead })
    }

    /// The next lines. An error breaks the reply off, so nobody takes half of a list for the whole.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            let listed = match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
                Ahead::Page(listed) => listed,
                Ahead::From(_) if !self.list.goes_on() => {
                    return Err(io::Error::other("the server stops, or it is gone"));
                }
                Ahead::From(next) => {
                    let limit = ROWS_AT_ONCE.min(self.rows_left);
                    let page = self.list.page(Window { limit, ..self.window }.after(Some(next))).await;
                    page.map_err(|problem| io::Error::other(problem.to_string()))?
                }
                Ahead::Nothing => return Ok(None),
            };
            self.rows_left -= listed.rows.len().min(self.rows_left);
            if let Some(next) = listed.next.filter(|_| self.rows_left > 0) {
                self.ahead = Ahead::From(next);
            }
            let lines = self.lines(&listed.rows)?;
            // An empty piece would be the end of the reply.
            if !lines.is_empty() {
                return Ok(Some((lines.into(), self)));
            }
        }
    }

    fn lines(&mut self, rows: &[T]) -> io::Result<Vec<u8>> {
        let Some(table) = &self.table else {
            let mut lines = Vec::new();
            for row in rows {
                serde_json::to_writer(&mut lines, row)?;
                lines.push(b'\n');
            }
            return Ok(lines);
        };
        let mut lines = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        if let Some(head) = self.head.take() {
            lines.write_record(head)?;
        }
        for row in rows {
            lines.write_record(table.cells(&serde_json::to_value(row)?))?;
        }
        lines.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(query: &str, form: Form) -> Result<Part, Option<String>> {
        let query = read_query::<PageQuery>(query, &[]).expect("known names");
        Part::read(&query, form).map_err(|problem| problem.field().map(str::to_string))
    }

    #[test]
    fn what_says_which_page_is_read_apart_from_what_filters() {
        let [page, rest] = split("state=dead&limit=2&url=a%26b&order=oldest");
        assert_eq!((page.as_str(), rest.as_str()), ("limit=2&order=oldest", "state=dead&url=a%26b"));
    }

    #[test]
    fn a_part_is_a_page_or_as_many_rows_as_are_asked_for() {
        assert_eq!(part("", Form::Json).unwrap().window, Window::newest(LIMIT_DEFAULT));
        assert_eq!(part("order=oldest", Form::Json).unwrap().window.first, First::Oldest);
        let wrong = |query: &str, form, field: &str| assert_eq!(part(query, form).unwrap_err().as_deref(), Some(field));
        wrong("limit=251", Form::Json, "limit");
        wrong("order=up", Form::Json, "order");
        wrong("count=yes", Form::Json, "count");
        wrong("count=true", Form::Csv, "count");
        wrong("limit=0", Form::Lines, "limit");
        assert_eq!(part("limit=250", Form::Lines).unwrap().rows_max, 250);
        assert_eq!(part("", Form::Csv).unwrap().rows_max, usize::MAX);
    }
}
