//! Neighbours that speak HTTP by hand: bodies whose end never comes, and bodies with a key that is none. What stays true:
//! each connection that is closed is opened again, whatever the server said on it.

use std::io;
use std::time::Duration;

use actix_rt::time::sleep;
use futures_util::future::{Either, join_all, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;

/// The largest body that a server takes which nobody has configured.
const BODY_BYTES: usize = 10 << 20;
/// What is left out of a body whose end never comes.
const END_BYTES: usize = 64 << 10;
/// Sent again and again.
static PIECE: [u8; 64 << 10] = [b' '; 64 << 10];
/// A connection that was closed is opened again after this.
const PAUSE: Duration = Duration::from_secs(1);

/// So many connections that each send most of a body for this account, again and again.
pub async fn unfinished_bodies(server: &ServerArgs, account: &str, connections: u32) -> Result<(), CliError> {
    let key = server.key.as_deref().unwrap_or_default();
    let (authority, head) = head(server, &format!("Authorization: Bearer {key}\r\nHookwheel-Account: {account}\r\n"))?;
    join_all((0..connections).map(|_| on_and_on(authority, &head, BODY_BYTES - END_BYTES))).await;
    Ok(())
}

/// So many connections that each send a body with a key that is none, again and again.
pub async fn wrong_keys(server: &ServerArgs, connections: u32) -> Result<(), CliError> {
    let (authority, head) = head(server, "Authorization: Bearer a-key-that-is-none\r\n")?;
    join_all((0..connections).map(|_| on_and_on(authority, &head, BODY_BYTES))).await;
    Ok(())
}

fn head<'a>(server: &'a ServerArgs, headers: &str) -> Result<(&'a str, String), CliError> {
    let authority = server.url.strip_prefix("http://");
    let authority = authority.ok_or_else(|| CliError::Failed("the bench needs an http:// URL".into()))?;
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {authority}\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {BODY_BYTES}\r\n\r\n"
    );
    Ok((authority, head))
}

async fn on_and_on(authority: &str, head: &str, bytes: usize) {
    loop {
        // Whether it was answered, closed or reset: the next one follows.
        let _ = send(authority, head, bytes).await;
        sleep(PAUSE).await;
    }
}

/// Sends the head and so much of a body, until the server answers or closes.
async fn send(authority: &str, head: &str, bytes: usize) -> io::Result<()> {
    let (mut from, mut to) = TcpStream::connect(authority).await?.into_split();
    let sending = async {
        to.write_all(head.as_bytes()).await?;
        for at in (0..bytes).step_by(PIECE.len()) {
            to.write_all(&PIECE[..PIECE.len().min(bytes - at)]).await?;
        }
        io::Result::Ok(())
    };
    let mut answer = [0; 1024];
    let hearing = std::pin::pin!(from.read(&mut answer));
    if let Either::Left((sent, hearing)) = select(std::pin::pin!(sending), hearing).await {
        sent?;
        hearing.await?;
    }
    Ok(())
}
