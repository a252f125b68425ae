//! A look at a database from outside, which changes nothing.

use std::sync::Arc;
use std::time::Duration;

use super::link::{connect, start_thread, version, wait};
use super::sql;
use super::target::Target;
use crate::clock::Stopwatch;
use crate::store::trees::database::{Seen, Tables, Unlinked};

/// A question is asked so often, and the quickest answer counts: the others tell of something else.
const ASKED: usize = 5;

/// Connects, and looks.
pub fn look(target: &Target) -> Result<Seen, Unlinked> {
    let (tls, (handle, _stop)) = (target.connector()?, start_thread()?);
    let target = target.clone();
    let seen = wait(&handle, target.patience(), async move {
        let client = connect(&target, &tls, &Arc::default()).await?;
        let tables = match version(&client).await? {
            Some(sql::VERSION) => Tables::There,
            Some(found) => Tables::OfVersion { found, known: sql::VERSION },
            None if client.query_one(sql::MAY_MAKE, &[]).await?.get(0) => Tables::ToBeMade,
            None => Tables::NotToBeMade,
        };
        let (question, mut answer) = (client.prepare("SELECT 1").await?, Duration::MAX);
        for _ in 0..ASKED {
            let watch = Stopwatch::start();
            client.query_one(&question, &[]).await?;
            answer = answer.min(watch.elapsed());
        }
        Ok::<_, Unlinked>(Seen { tables, answer })
    });
    seen.unwrap_or_else(|| Err(Unlinked::Away("it does not answer".into())))
}
