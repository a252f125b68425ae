//! What is asked of PostgreSQL: the statements, with what they are given, and what their answers say.

use std::sync::Arc;
use std::time::Duration;

use sled::IVec;
use tokio_postgres::{Client, Error, Row, Statement};

use super::link::{Link, Reading, Writing};
use super::sql;
use crate::store::error::StoreError;
use crate::store::layout::Tree;
use crate::store::trees::database::{Beside, Called, Database, End, Found, Lasting, Node, Taken, Tenure, Told};
use crate::store::trees::lease::TERM;
use crate::store::trees::near::Span;
use crate::store::trees::placing::Placed;

/// All rows are of one shard.
const SHARD: i16 = 0;

impl Database for Link {
    fn is_lost(&self) -> bool {
        self.has_failed()
    }

    fn take(&self, node: &Called, told: Told, rests: bool) -> Result<Taken, StoreError> {
        let node = node.clone();
        self.converse(|client| async move { take(&client, &node, told, rests).await })
    }

    fn stand_by(&self, node: &Called) -> Result<(), StoreError> {
        let Called { name, address } = node.clone();
        let stand_by = |client: Arc<Client>| async move { client.execute(sql::STAND_BY, &[&name, &address]).await };
        self.converse(stand_by).map(drop)
    }

    fn row(&self, tree: Tree, key: &[u8], within: Duration) -> Result<Beside, StoreError> {
        let (tree, key) = (tree as i16, key.to_vec());
        let ask = |client: Arc<Client>, row: Statement| async move {
            let found = client.query_opt(&row, &[&SHARD, &tree, &key]).await?;
            let Some(found) = found else { return Ok::<_, Error>(Beside::Nothing(None)) };
            let next = || Beside::Nothing(Some(found.get(0)));
            Ok(found.get::<_, Option<&[u8]>>(1).map_or_else(next, |value| Beside::Row(IVec::from(value))))
        };
        self.ask(&self.reader, within, |of| &of.row, ask)
    }

    fn rows(&self, tree: Tree, span: &Span, end: End, count_max: usize, within: Duration) -> Result<Found, StoreError> {
        let (tree, Span { from, to }, count_max) = (tree as i16, span.clone(), count_max as i64);
        let of: fn(&Reading) -> &Statement = match (end, &to) {
            (End::First, Some(_)) => |of| &of.first,
            (End::First, None) => |of| &of.first_from,
            (End::Last, Some(_)) => |of| &of.last,
            (End::Last, None) => |of| &of.last_from,
        };
        let ask = |client: Arc<Client>, rows: Statement| async move {
            let found = match &to {
                Some(to) => client.query(&rows, &[&SHARD, &tree, &from, &count_max, to]).await?,
                None => client.query(&rows, &[&SHARD, &tree, &from, &count_max]).await?,
            };
            let (mut rows, mut behind) = (Vec::with_capacity(found.len()), None);
            for row in &found {
                match row.get::<_, Option<&[u8]>>(1) {
                    Some(value) => rows.push((row.get(0), IVec::from(value))),
                    None => behind = Some(row.get(0)),
                }
            }
            Ok::<_, Error>(Found { rows, behind })
        };
        self.ask(&self.reader, within, of, ask)
    }

    fn write(
        &self,
        of: &Tenure,
        group: i64,
        placed: &Placed<'_>,
        lasting: Lasting,
        within: Duration,
    ) -> Result<bool, StoreError> {
        let Arrays { put, gone } = Arrays::of(placed);
        let (own, term_ms) = (of.clone(), term_ms());
        let ask = |client: Arc<Client>, write: Statement| async move {
            let shards = (vec![SHARD; put.0.len()], vec![SHARD; gone.0.len()]);
            let row = client
                .query_one(
                    &write,
                    &[
                        &own.node,
                        &own.incarnation,
                        &group,
                        &term_ms,
                        &shards.0,
                        &put.0,
                        &put.1,
                        &put.2,
                        &shards.1,
                        &gone.0,
                        &gone.1,
                    ],
                )
                .await?;
            Ok::<_, Error>(row.get::<_, i64>(0) > 0)
        };
        let of: fn(&Writing) -> &Statement = match lasting {
            Lasting::Answered => |of| &of.write,
            Lasting::Later => |of| &of.write_later,
        };
        self.ask(&self.writer, within, of, ask)
    }

    fn renew(&self, of: &Tenure, within: Duration) -> Result<bool, StoreError> {
        let (own, term_ms) = (of.clone(), term_ms());
        let ask = |client: Arc<Client>, renew: Statement| async move {
            let renewed = client.execute(&renew, &[&own.node, &own.incarnation, &term_ms]).await?;
            Ok::<_, Error>(renewed > 0)
        };
        self.ask(&self.writer, within, |of| &of.renew, ask)
    }

    fn leave(&self, of: &Tenure) -> Result<(), StoreError> {
        let own = of.clone();
        let leave =
            |client: Arc<Client>| async move { client.execute(sql::LEAVE, &[&own.node, &own.incarnation]).await };
        self.converse(leave).map(drop)
    }

    fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows = self.converse(|client| async move { client.query(sql::NODES, &[]).await })?;
        let node = |row: &Row| Node {
            name: row.get(0),
            address: row.get(1),
            is_owner: row.get::<_, bool>(2) && row.get::<_, i64>(3) > 0,
            lease_ms: row.get::<_, i64>(3) as u64,
            seen_ms: row.get::<_, i64>(4) as u64,
        };
        Ok(rows.iter().map(node).collect())
    }

    fn size_bytes(&self) -> Result<u64, StoreError> {
        let size = self.converse(|client| async move { client.query_one(sql::SIZE, &[]).await })?;
        Ok(size.get::<_, i64>(0) as u64)
    }
}

/// While another has the rows, nobody is held up for the question.
async fn take(client: &Client, node: &Called, told: Told, rests: bool) -> Result<Taken, Error> {
    if let Some(owner) = client.query_opt(sql::PEEK, &[&SHARD]).await? {
        let (by, left_ms, address): (String, i64, String) = (owner.get(0), owner.get(1), owner.get(2));
        if !told.may_take(&node.name, (&by, left_ms)) {
            return Ok(Taken::Held { by, left_ms, address });
        }
    }
    if rests && let Some(other) = client.query_opt(sql::ANOTHER, &[&node.name]).await? {
        return Ok(Taken::Left { to: other.get(0) });
    }
    client.batch_execute("BEGIN").await?;
    let taken = take_within(client, node, told).await;
    let end = if matches!(taken, Ok(Taken::Given { .. })) { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await;
    let taken = taken?;
    ended.map(|()| taken)
}

async fn take_within(client: &Client, Called { name, address }: &Called, told: Told) -> Result<Taken, Error> {
    client.execute(sql::ENTER, &[name]).await?;
    client.execute(sql::ENTER_SHARD, &[name, &SHARD]).await?;
    let owner: String = client.query_one(sql::OWNER, &[&SHARD]).await?.get(0);
    client.execute(sql::LOCK, &[&owner]).await?;
    let left_ms: i64 = client.query_one(sql::LEFT, &[&owner]).await?.get(0);
    if !told.may_take(name, (&owner, left_ms)) {
        // Where it is found is heard with the next look.
        return Ok(Taken::Held { by: owner, left_ms, address: String::new() });
    }
    let last = client.query_one(sql::LAST_GROUP, &[name]).await?;
    if let Some(lost) = told.misses((last.get(0), last.get(1))) {
        return Ok(lost);
    }
    client.execute(sql::BURY, &[&owner]).await?;
    client.execute(sql::MOVE, &[name, &SHARD]).await?;
    client.execute(sql::FORGET, &[]).await?;
    let begun = client.query_one(sql::BEGIN_ANEW, &[name, &term_ms(), address]).await?;
    Ok(Taken::Given { incarnation: begun.get(0), group: begun.get(1), wall: begun.get::<_, i64>(2) as u64 })
}

/// What the database is asked to write down.
fn term_ms() -> i64 {
    TERM.as_millis() as i64
}

/// What a group changes, as the arrays of a statement.
#[derive(Default)]
struct Arrays {
    put: (Vec<i16>, Vec<Vec<u8>>, Vec<Vec<u8>>),
    gone: (Vec<i16>, Vec<Vec<u8>>),
}

impl Arrays {
    fn of(placed: &Placed<'_>) -> Self {
        let mut arrays = Self::default();
        for (tree, changes) in placed.by_tree() {
            for (key, value) in changes {
                match value {
                    Some(value) => {
                        arrays.put.0.push(tree as i16);
                        arrays.put.1.push(key.clone());
                        arrays.put.2.push(value.clone());
                    }
                    None => {
                        arrays.gone.0.push(tree as i16);
                        arrays.gone.1.push(key.clone());
                    }
                }
            }
        }
        arrays
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By their numbers, from 0 on. A new tree goes to the end: a number is never given to another.
    const NUMBERED: &str = "meta accounts keys webhooks tallies events chunks names idempotency fresh waiting \
        due closed attempts replays ordered blocked dead jobs stats account_tallies audit \
        quarantine fan_out bodies quiet event_types users sessions tickets journal";

    #[test]
    fn what_lies_in_a_table_keeps_the_number_of_its_tree() {
        let named = |number: i16| Tree::ALL.into_iter().find(|(tree, _)| *tree as i16 == number).expect("it has one").1;
        let names: Vec<_> = (0..Tree::ALL.len() as i16).map(named).collect();
        assert_eq!(names, NUMBERED.split_whitespace().collect::<Vec<_>>());
    }
}
