//! How a node takes the lease, and why it does not. What stays true: whoever had it before writes nothing any more once it is taken, and
//! a database that lacks what it acknowledged is found out first.

use tokio_postgres::{Client, Error};

use super::super::lease::TERM;
use super::sql;
use crate::domain::time::UnixMs;

/// All rows are of one shard.
pub const SHARD: i16 = 0;

/// What the database has told this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The incarnation that it was last, and the last group of that which was acknowledged.
    pub last: Option<(i64, i64)>,
    /// Another process took what it had, though this one was alive.
    pub was_fenced: bool,
}

/// How a node stands in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub incarnation: i64,
    pub group: i64,
    /// How long it is alive yet.
    left_ms: i64,
}

/// What came of asking for the lease.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    Given {
        standing: Standing,
        /// What the database's clock shows.
        wall: UnixMs,
    },
    /// Another has it.
    Held {
        by: String,
        left_ms: i64,
        /// Where it is found, as far as is known.
        address: String,
    },
    /// Nobody has it, and another may take it before.
    Left { to: String },
    /// The database does not know of what it acknowledged.
    Lost { found: i64, known: i64 },
}

/// Takes the lease in one transaction, after whatever its owner writes right now. While another has it, nobody is held up for the question.
pub async fn take(client: &Client, own: (&str, &str), (told, rests): (Told, bool)) -> Result<Asked, Error> {
    if let Some(owner) = client.query_opt(sql::PEEK, &[&SHARD]).await? {
        let (by, left_ms, address): (String, i64, String) = (owner.get(0), owner.get(1), owner.get(2));
        if !is_free((&by, left_ms), own.0, told) {
            return Ok(Asked::Held { by, left_ms, address });
        }
    }
    if rests && let Some(other) = client.query_opt(sql::ANOTHER, &[&own.0]).await? {
        return Ok(Asked::Left { to: other.get(0) });
    }
    client.batch_execute("BEGIN").await?;
    let asked = take_within(client, own, told).await;
    let end = if matches!(asked, Ok(Asked::Given { .. })) { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await;
    let asked = asked?;
    ended.map(|()| asked)
}

async fn take_within(client: &Client, (name, address): (&str, &str), told: Told) -> Result<Asked, Error> {
    client.execute(sql::ENTER, &[&name]).await?;
    client.execute(sql::ENTER_SHARD, &[&name, &SHARD]).await?;
    let owner: String = client.query_one(sql::OWNER, &[&SHARD]).await?.get(0);
    client.execute(sql::LOCK, &[&owner]).await?;
    let of_owner = standing(client, &owner).await?;
    if !is_free((&owner, of_owner.left_ms), name, told) {
        // Where it is found is heard with the next look.
        return Ok(Asked::Held { by: owner, left_ms: of_owner.left_ms, address: String::new() });
    }
    let own = if owner == name { of_owner } else { standing(client, name).await? };
    if let Some((incarnation, known)) = told.last
        && (own.incarnation < incarnation || (own.incarnation == incarnation && own.group < known))
    {
        return Ok(Asked::Lost { found: own.group, known });
    }
    client.execute(sql::BURY, &[&owner]).await?;
    client.execute(sql::MOVE, &[&name, &SHARD]).await?;
    client.execute(sql::FORGET, &[]).await?;
    let begun = client.query_one(sql::BEGIN_ANEW, &[&name, &term_ms(), &address]).await?;
    let standing = Standing { incarnation: begun.get(0), group: begun.get(1), left_ms: term_ms() };
    Ok(Asked::Given { standing, wall: begun.get::<_, i64>(2) as u64 })
}

/// Whether a node may take what another has, which is alive for so long yet. A process that was killed and is there again need not wait
/// for itself; two of one name must not take turns.
fn is_free((owner, left_ms): (&str, i64), name: &str, told: Told) -> bool {
    left_ms <= 0 || (owner == name && !told.was_fenced)
}

async fn standing(client: &Client, name: &str) -> Result<Standing, Error> {
    let row = client.query_one(sql::STANDING, &[&name]).await?;
    Ok(Standing { incarnation: row.get(0), group: row.get(1), left_ms: row.get(2) })
}

/// What the database is asked to write down.
pub fn term_ms() -> i64 {
    TERM.as_millis() as i64
}
