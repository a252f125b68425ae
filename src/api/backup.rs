//! A backup of the whole store, as a file that is made while it is read. What stays true: one at a time; it is read in short steps
//! with a rest behind each, in the turn of who asked, and a file that was broken off lacks its end.

use std::io;
use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use futures_util::stream;

use crate::api::Api;
use crate::api::access::auth::{Admin, May};
use crate::api::http::problem::Problem;
use crate::clock::Stopwatch;
use crate::domain::audit::Deed;
use crate::domain::id::AccountNumber;
use crate::store::{Backup, BackupError};

/// How long the backup before may take to be over.
const PATIENCE: Duration = Duration::from_secs(2);

/// Take a backup of the whole store, while it goes on
///
/// The reply is the file that `hookwheel backup` writes and `hookwheel restore` reads: all that was kept as of one moment near its
/// end. A file without its last part was broken off, and is refused. What is sealed with a master key stays so; the key is not
/// in it.
#[utoipa::path(
    operation_id = "server.backup.get", security(("key" = ["admin"])),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream", body = String),
        (status = 409, description = "Another backup is being taken"),
    )
)]
#[get("/api/v1/backup")]
pub async fn take(tenant: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let backup = api.store.back_up_within(PATIENCE).await.map_err(|error| match error {
        BackupError::Running => Problem::wrong_state(error.to_string()),
        error => Problem::internal(error),
    })?;
    let account = tenant.account();
    let (number, deed) = (account.number, Deed::new(account.number, "store.backed_up", &account.id));
    api.change(&tenant, move |_| Ok((Some(deed), ()))).await?;
    let chunks = stream::try_unfold(backup, move |backup| next(api.clone(), number, backup));
    Ok(HttpResponse::Ok().content_type("application/octet-stream").streaming(chunks))
}

/// Its next bytes.
async fn next(
    api: web::Data<Api>,
    account: AccountNumber,
    mut backup: Backup,
) -> Result<Option<(Bytes, Backup)>, io::Error> {
    loop {
        if api.connections().is_stopping() {
            return Err(told(&"the server is being stopped"));
        }
        if backup.is_at_cut() {
            backup.cut().await.map_err(|error| told(&error))?;
        }
        let step = move || {
            let watch = Stopwatch::start();
            let bytes = backup.step();
            (backup, bytes, watch.elapsed())
        };
        let (goes_on, bytes, took) = api.read(account, step).await.map_err(io::Error::other)?;
        backup = goes_on;
        match bytes.map_err(|error| told(&error))? {
            None => return Ok(None),
            Some(bytes) if bytes.is_empty() => {}
            Some(bytes) => {
                // Others have as much of the disk and of a core as it has.
                actix_web::rt::time::sleep(took).await;
                return Ok(Some((bytes.into(), backup)));
            }
        }
    }
}

/// The reply has begun, so the log is where the reason can be told.
fn told(why: &impl std::fmt::Display) -> io::Error {
    tracing::error!(%why, "a backup was broken off");
    io::Error::other(why.to_string())
}
