//! How a verb of the table is done: what is asked, and what is shown of the answer.

use clap::ArgMatches;
use serde_json::{Map, Value, json};

use super::command::{needs_account, places};
use super::fields::{body, is_said, query, said};
use super::given::ToolArgs;
use super::show;
use super::table::{Kind, Verb};
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::cli::terminal::{Screen, ask, note, print};
use crate::client::Client;

/// Rows of a page, the most that the API gives.
const PAGE_ROWS: u64 = 250;
/// A table is held whole before its first line is written, so it ends somewhere.
const TABLE_ROWS_MAX: u64 = 10_000;

/// Does what is asked for.
pub async fn run(args: ToolArgs, server: &ServerArgs) -> Result<(), CliError> {
    let ToolArgs { noun, verb, given } = &args;
    // The account of keys stands in their path.
    let account = said(given, "account").filter(|_| !needs_account(verb));
    let client = server.prompt_client(account)?;
    let asking = Asking { client: &client, one: noun.one, verb, given, is_json: is_said(given, "json") };
    let path = asking.path().await?;
    match verb.kind {
        Kind::Rows => asking.rows(&path).await,
        Kind::One => asking.shown(&asking.answer(&path, None).await?),
        Kind::Act if verb.flags.is_empty() => asking.shown(&asking.answer(&path, None).await?),
        Kind::Act => asking.shown(&asking.answer(&path, Some(body(verb, given)?.into())).await?),
        Kind::Write => asking.write(&path).await,
        Kind::Gone => asking.gone(&path).await,
        Kind::Many => asking.many(&path).await,
    }
}

/// A verb that is being done.
struct Asking<'a> {
    client: &'a Client,
    one: &'static str,
    verb: &'static Verb,
    given: &'a ArgMatches,
    is_json: bool,
}

/// What fills an operation's path in.
type Path = Vec<(&'static str, String)>;

impl Asking<'_> {
    /// All of the path but the last, where that stands for many.
    async fn path(&self) -> Result<Path, CliError> {
        let mut path = Vec::new();
        if needs_account(self.verb) {
            let account = match said(self.given, "account") {
                Some(account) => account.to_owned(),
                None => {
                    let who = self.client.accounts_whoami().get().await?;
                    who["account"]["id"].as_str().unwrap_or_default().to_owned()
                }
            };
            path.push(("id", account));
        }
        let mut places = places(self.verb);
        if self.verb.kind == Kind::Gone {
            places.pop();
        }
        path.extend(places.into_iter().filter_map(|place| Some((place, said(self.given, place)?.to_owned()))));
        Ok(path)
    }

    async fn answer(&self, path: &[(&'static str, String)], fields: Option<Value>) -> Result<Value, CliError> {
        let path: Vec<_> = path.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(self.client.by_name(self.verb.operation, &path, &[], fields.as_ref()).await?)
    }

    async fn rows(&self, path: &[(&'static str, String)]) -> Result<(), CliError> {
        let limit = self.given.get_one::<u64>("limit").copied().unwrap_or(PAGE_ROWS);
        let most = most(limit, is_said(self.given, "all"), self.is_json);
        let path: Vec<_> = path.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut query = query(self.verb, self.given);
        query.push(("limit", most.min(PAGE_ROWS).to_string()));
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut pages = self.client.rows_by_name(self.verb.operation, &path, &query);
        let (mut shown, mut count) = (Vec::new(), 0);
        while count < most
            && let Some(row) = pages.next().await?
        {
            count += 1;
            if self.is_json { line(&row)? } else { shown.push(row) }
        }
        if self.is_json {
            return Ok(());
        }
        print(&show::rows(&Screen::of_process(), self.verb.columns, &shown))?;
        if count == most && pages.next().await?.is_some() {
            let remedy = if most == TABLE_ROWS_MAX {
                "--json has as many as you like, and --all --json all"
            } else {
                "--all or --limit has more"
            };
            note(format_args!("hookwheel: {count} are shown, and there are more: {remedy}"));
        }
        Ok(())
    }

    async fn write(&self, path: &[(&'static str, String)]) -> Result<(), CliError> {
        let fields = body(self.verb, self.given)?;
        if fields.is_empty() {
            let why = format!("nothing is said about the {}: give a flag, --set FIELD=VALUE or --data", self.one);
            return Err(CliError::Usage(why));
        }
        self.shown(&self.answer(path, Some(fields.into())).await?)
    }

    /// Deletes each by itself; the first that cannot be ends it.
    async fn gone(&self, path: &[(&'static str, String)]) -> Result<(), CliError> {
        let place = places(self.verb).pop().expect("it has one");
        let ids: Vec<&String> = self.given.get_many::<String>(place).into_iter().flatten().collect();
        self.sure(ids.len() as u64, self.one)?;
        for id in ids {
            let path: Vec<_> = path.iter().cloned().chain([(place, id.clone())]).collect();
            let answer = self.answer(&path, None).await?;
            if is_job(&answer) {
                let job = ask::job_ended(self.client, &answer, None).await?;
                self.shown(&job)?;
                ask::goes_well(&job)?;
            } else if self.is_json {
                line(&json!({"id": id, "done": true}))?;
            } else {
                print(&format!("{}: {id}\n", self.verb.name))?;
            }
        }
        Ok(())
    }

    /// Counts, asks, and does it to all of them.
    async fn many(&self, path: &[(&'static str, String)]) -> Result<(), CliError> {
        let fields = self.selection(!path.is_empty())?;
        // Of one webhook it is its open deliveries.
        let of = if path.is_empty() { self.one } else { "open delivery" };
        let dry = fields.clone().into_iter().chain([("dry_run".into(), true.into())]).collect::<Map<_, _>>();
        let counted = self.answer(path, Some(dry.into())).await?;
        if is_said(self.given, "dry-run") {
            return self.shown(&counted);
        }
        let count = counted["count"].as_u64().unwrap_or(0);
        if count == 0 {
            return Err(CliError::Failed(format!("there is no such {of}: nothing was done")));
        }
        self.sure(count, of)?;
        let answer = self.answer(path, Some(fields.into())).await?;
        if !is_job(&answer) || is_said(self.given, "no-wait") {
            return self.shown(&answer);
        }
        let job = ask::job_ended(self.client, &answer, Some(count)).await?;
        self.shown(&job)?;
        ask::goes_well(&job)
    }

    /// Which are meant. Where nothing is said it is not all of them.
    fn selection(&self, is_of_one: bool) -> Result<Map<String, Value>, CliError> {
        let mut fields = body(self.verb, self.given)?;
        let ids: Vec<Value> = self
            .given
            .try_get_many::<String>("ids")
            .ok()
            .flatten()
            .into_iter()
            .flatten()
            .cloned()
            .map(Value::from)
            .collect();
        if !ids.is_empty() {
            fields.insert("ids".into(), ids.into());
        }
        if fields.is_empty() && !is_of_one && !is_said(self.given, "all") {
            return Err(CliError::Usage(format!("say which {}: ids, or a filter; --help lists them", self.one)));
        }
        Ok(fields)
    }

    fn sure(&self, count: u64, of: &str) -> Result<(), CliError> {
        let verb = self.verb.name;
        let what = match of.strip_suffix('y').filter(|_| of != "key") {
            _ if count == 1 => format!("{verb} 1 {of}"),
            Some(stem) => format!("{verb} {count} {stem}ies"),
            None => format!("{verb} {count} {of}s"),
        };
        // A sentence begins with a capital.
        ask::sure(&(what[..1].to_uppercase() + &what[1..]), is_said(self.given, "yes"))
    }

    fn shown(&self, answer: &Value) -> Result<(), CliError> {
        match answer {
            _ if self.is_json => line(answer),
            Value::Null => Ok(()),
            answer => print(&show::one(&Screen::of_process(), answer, self.verb.inner)),
        }
    }
}

/// How many rows are shown.
fn most(limit: u64, is_all: bool, is_json: bool) -> u64 {
    let wanted = if is_all { u64::MAX } else { limit };
    if is_json { wanted } else { wanted.min(TABLE_ROWS_MAX) }
}

/// Whether an answer is a job, which goes on.
fn is_job(answer: &Value) -> bool {
    answer["state"].is_string() && answer["kind"].is_string() && answer["id"].is_string()
}

fn line(value: &Value) -> Result<(), CliError> {
    print(&format!("{value}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_ends_somewhere_and_lines_end_where_they_are_told_to() {
        assert_eq!((most(50, false, false), most(50, false, true)), (50, 50));
        assert_eq!((most(u64::MAX, false, false), most(50, true, false)), (TABLE_ROWS_MAX, TABLE_ROWS_MAX));
        assert_eq!((most(20_000, false, true), most(50, true, true)), (20_000, u64::MAX));
    }
}
