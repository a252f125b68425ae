//! The connections to the database, and the thread that they live on: whoever asks waits for the answer, on whatever thread that is, and
//! never longer than it says. What stays true: a connection that was lost is not used again.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::try_join;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sql;
use super::target::Target;
use crate::store::error::StoreError;
use crate::store::trees::database::Unlinked;

/// How long a question may take for which no lease says it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing waits for ever in the database either.
const SESSION: &str =
    "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s'";

/// Every question names its rows, or where they begin. To read a whole table is quicker while that is small, and a statement keeps the plan that
/// was made for it then until somebody looks at the table again: 250,000 events after the first one, a group took ten times as long.
/// Others than PostgreSQL may not know of these.
const BY_KEY: [&str; 4] = [
    "SET enable_seqscan = off",
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    // Before version 18 what cannot be avoided and is off counts as so costly that it is worth compiling, anew each time.
    "SET jit = off",
];

/// Connections: one that writes, and one for whoever reads, so that nobody who reads waits behind a group.
pub struct Link {
    handle: Handle,
    /// The one that writes.
    pub writer: Line<Writing>,
    /// The one that reads.
    pub reader: Line<Reading>,
    is_lost: Arc<AtomicBool>,
    /// As long as it is there, so is the thread.
    _stop: oneshot::Sender<()>,
}

/// A connection, and the statements that it has prepared.
pub struct Line<S> {
    client: Arc<Client>,
    statements: S,
}

/// What is asked of the connection that writes.
pub struct Writing {
    pub write: Statement,
    pub write_later: Statement,
    pub renew: Statement,
}

/// What is asked of the one that reads.
pub struct Reading {
    pub row: Statement,
    pub first: Statement,
    pub first_from: Statement,
    pub last: Statement,
    pub last_from: Statement,
}

impl From<Error> for Unlinked {
    fn from(error: Error) -> Self {
        if is_away(&error) { Self::Away(words(error)) } else { Self::Refused(words(error)) }
    }
}

/// Whether an error says that nobody is there, or not yet, or no more.
fn is_away(error: &Error) -> bool {
    const PASSING: [SqlState; 4] = [
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
    ];
    if let Some(code) = error.code() {
        return PASSING.contains(code);
    }
    let mut cause = std::error::Error::source(error);
    while let Some(behind) = cause {
        if let Some(io) = behind.downcast_ref::<std::io::Error>() {
            // What TLS finds wrong comes as one of these too.
            return !io.get_ref().is_some_and(|within| within.is::<rustls::Error>());
        }
        cause = behind.source();
    }
    error.is_closed()
}

impl Link {
    /// Connects, and makes the tables where there are none.
    pub fn open(target: &Target) -> Result<Self, Unlinked> {
        let tls = target.connector()?;
        let (handle, stop) = start_thread()?;
        let is_lost = Arc::<AtomicBool>::default();
        let (target, lost) = (target.clone(), is_lost.clone());
        // Both at once: a host that is gone is waited for by both.
        let opened = wait(&handle, target.patience(), async move {
            let (writer, reader) = try_join!(connect(&target, &tls, &lost), connect(&target, &tls, &lost))?;
            prepare_tables(&writer).await?;
            let statements = Writing::of(&writer).await?;
            let writer = Line { client: Arc::new(writer), statements };
            let statements = Reading::of(&reader).await?;
            Ok::<_, Unlinked>((writer, Line { client: Arc::new(reader), statements }))
        });
        let (writer, reader) = opened.unwrap_or_else(|| Err(Unlinked::Away("it does not answer".into())))?;
        Ok(Self { handle, writer, reader, is_lost, _stop: stop })
    }

    /// Whether a connection was lost, or an answer did not come.
    pub fn has_failed(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Asks a connection something that it has prepared.
    pub fn ask<S, T, F>(
        &self,
        line: &Line<S>,
        within: Duration,
        of: fn(&S) -> &Statement,
        ask: impl FnOnce(Arc<Client>, Statement) -> F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.answer(within, ask(line.client.clone(), of(&line.statements).clone()))
    }

    /// Asks the connection that writes several things, one after the other.
    pub fn converse<T, F>(&self, ask: impl FnOnce(Arc<Client>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.answer(PATIENCE, ask(self.writer.client.clone()))
    }

    /// After a question without an answer nothing more is asked here: what came of it is not known, and what comes behind would wait for it.
    fn answer<T: Send + 'static>(
        &self,
        within: Duration,
        asked: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.has_failed() {
            return Err(StoreError::Unavailable);
        }
        let answer = wait(&self.handle, within, asked);
        // What the database itself refused is over; it hears the next question, unless it said that it goes.
        let is_over = match &answer {
            Some(Ok(_)) => true,
            Some(Err(error)) => error.as_db_error().is_some() && !is_away(error),
            None => false,
        };
        if !is_over {
            self.is_lost.store(true, Ordering::Relaxed);
        }
        let answer = answer.map_or_else(|| Err("it does not answer".into()), |answer| answer.map_err(words));
        answer.map_err(|why: String| StoreError::Io(format!("the database: {why}")))
    }
}

impl Writing {
    async fn of(client: &Client) -> Result<Self, Error> {
        let (write, renew) = (client.prepare(sql::WRITE).await?, client.prepare(sql::RENEW).await?);
        Ok(Self { write, write_later: client.prepare(&sql::write_later()).await?, renew })
    }
}

impl Reading {
    async fn of(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            row: client.prepare(sql::ROW).await?,
            first: client.prepare(sql::FIRST).await?,
            first_from: client.prepare(sql::FIRST_FROM).await?,
            last: client.prepare(sql::LAST).await?,
            last_from: client.prepare(sql::LAST_FROM).await?,
        })
    }
}

/// A thread for connections, which is there as long as the other half of what is given with it.
pub fn start_thread() -> Result<(Handle, oneshot::Sender<()>), Unlinked> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let run = move || runtime.block_on(async { drop(stopped.await) });
    std::thread::Builder::new().name("database".into()).spawn(run).map_err(|error| error.to_string())?;
    Ok((handle, stop))
}

/// Has it done on the thread of the connections; `None` if it takes longer.
pub fn wait<T: Send + 'static>(
    handle: &Handle,
    within: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (tell, told) = sync_channel(1);
    let task = handle.spawn(async move { drop(tell.send(work.await)) });
    match told.recv_timeout(within) {
        Ok(answer) => Some(answer),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            task.abort();
            None
        }
    }
}

/// One connection.
pub async fn connect(target: &Target, tls: &MakeRustlsConnect, is_lost: &Arc<AtomicBool>) -> Result<Client, Unlinked> {
    let (client, connection) = target.config.connect(tls.clone()).await?;
    let is_lost = is_lost.clone();
    tokio::spawn(async move {
        let ended = connection.await;
        if !is_lost.swap(true, Ordering::Relaxed)
            && let Err(error) = ended
        {
            tracing::warn!(error = words(error), "a connection to the database was lost");
        }
    });
    client.batch_execute(SESSION).await?;
    for set in BY_KEY {
        if let Err(error) = client.batch_execute(set).await
            && error.as_db_error().is_none()
        {
            return Err(error.into());
        }
    }
    let commits = client.query_one("SHOW synchronous_commit", &[]).await?;
    // Else what is acknowledged is not on the disk yet.
    if commits.get::<_, &str>(0) == "off" {
        client.batch_execute("SET synchronous_commit = on").await?;
    }
    Ok(client)
}

/// The version of its tables; `None` where there are none.
pub async fn version(client: &Client) -> Result<Option<i32>, Error> {
    match client.query_one(sql::SCHEMA_VERSION, &[]).await {
        Ok(found) => Ok(Some(found.get(0))),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the tables where there are none, whoever does so at the same time.
async fn prepare_tables(client: &Client) -> Result<(), Unlinked> {
    let found = match version(client).await? {
        Some(found) => found,
        None => {
            let made = client.batch_execute(sql::SCHEMA).await;
            match (made, client.query_one(sql::SCHEMA_VERSION, &[]).await.map(|found| found.get(0))) {
                (Ok(()), Ok(found)) => {
                    // Others than PostgreSQL do not know of it.
                    if let Err(error) = client.batch_execute(sql::TUNING).await {
                        tracing::info!(why = words(error), "the database's tables are left as they were made");
                    }
                    found
                }
                // Another node was quicker.
                (Err(_), Ok(found)) => found,
                (Err(error), Err(_)) | (Ok(()), Err(error)) => {
                    return Err(format!(
                        "its tables are not there, and cannot be made: {}. Let somebody who may make them run what \
                         `hookwheel schema` prints",
                        words(error)
                    )
                    .into());
                }
            }
        }
    };
    match found == sql::VERSION {
        true => Ok(()),
        false => Err(format!(
            "its tables have version {found}, this hookwheel knows {}; use the hookwheel that made them",
            sql::VERSION
        )
        .into()),
    }
}

/// What went wrong, with what is behind it.
fn words(error: Error) -> String {
    if let Some(refused) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", refused.message(), refused.code().code());
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(behind) = cause {
        words.push_str(": ");
        words.push_str(&behind.to_string());
        cause = behind.source();
    }
    words
}
