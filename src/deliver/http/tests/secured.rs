//! Connections over TLS: when nothing is there to read, how they end, and whose fault a broken one is.

use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::endpoint::{Frames, HOSTS, acceptor, client};
use super::kept::{hears_something, sockets};
use super::{destination, run};
use crate::deliver::descriptors::Descriptors;
use crate::deliver::failure::outcome_of;
use crate::deliver::http::h2::Session;
use crate::deliver::http::{Connection, Heard, Request, h1, h2};
use crate::domain::delivery::Outcome;
use crate::domain::probe::Method;

/// A connection of ours over `stream`.
async fn connected(all: &Arc<Descriptors>, stream: TcpStream) -> Connection {
    let name = ServerName::try_from(HOSTS[0]).unwrap();
    Connection::tls(client(all).tls.connect(name, stream).await.unwrap(), all.take().unwrap())
}

/// A connection, and its other end.
async fn secured(protocol: &str) -> (Connection, TlsStream<TcpStream>) {
    let (all, (ours, theirs)) = (Descriptors::new(8), sockets().await);
    let (ours, theirs) = tokio::join!(connected(&all, ours), acceptor(protocol, false).accept(theirs));
    (ours, theirs.unwrap())
}

#[test]
fn a_connection_over_tls_is_quiet_until_the_endpoint_says_something_or_ends_it() {
    run(async {
        let (mut ours, mut theirs) = secured("http/1.1").await;
        assert!(ours.is_quiet(), "tickets are no answer");
        theirs.write_all(b"x").await.unwrap();
        theirs.flush().await.unwrap();
        hears_something(&mut ours).await;

        let (mut ours, mut theirs) = secured("http/1.1").await;
        theirs.shutdown().await.unwrap();
        hears_something(&mut ours).await;
    });
}

#[test]
fn a_connection_over_tls_that_was_reset_is_not_quiet() {
    run(async {
        let (all, (ours, theirs)) = (Descriptors::new(8), sockets().await);
        let same = TcpStream::from_std(ours.as_fd().try_clone_to_owned().unwrap().into()).unwrap();
        let (mut ours, theirs) = tokio::join!(connected(&all, ours), acceptor("http/1.1", false).accept(theirs));
        ours.write_all(b"x").await.unwrap();
        ours.flush().await.unwrap();
        // Who closes while something lies there unread resets the connection. That it did is told once only.
        drop(theirs.unwrap());
        same.ready(Interest::ERROR).await.unwrap();
        assert!(!ours.is_quiet());
    });
}

#[test]
fn a_body_over_tls_may_end_without_the_word_that_it_ends() {
    run(async {
        let (ours, mut theirs) = secured("http/1.1").await;
        let (to, mut heard) = (destination(), Heard::default());
        let request = Request {
            method: Method::Post,
            to: &to,
            headers: &[],
            upper_case: false,
            body: Bytes::from_static(b"body"),
        };
        let say = async move {
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\nbody") {
                theirs.read_buf(&mut read).await.unwrap();
            }
            theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\nto the end").await.unwrap();
            theirs.flush().await.unwrap();
        };
        let ((status, back), ()) = tokio::join!(h1::exchange(ours, &request, &mut heard), say);
        assert_eq!((status.unwrap(), heard.body.as_slice(), back.is_none()), (200, b"to the end".as_slice(), true));
    });
}

#[test]
fn a_session_that_nobody_needs_any_more_says_that_it_ends() {
    run(async {
        let (ours, theirs) = secured("h2").await;
        let (session, mut theirs) = tokio::join!(Session::begin(ours, None), Frames::begin(theirs));
        drop(session.unwrap());
        let mut rest = Vec::new();
        theirs.0.read_to_end(&mut rest).await.expect("over TLS an end without a word is an error");
    });
}

#[test]
fn an_endpoint_that_takes_no_client_certificate_is_told_from_one_that_breaks_off() {
    run(async {
        let (all, (ours, theirs)) = (Descriptors::new(8), sockets().await);
        let refused = async {
            let refused = acceptor("h2", true).accept(theirs).into_fallible().await;
            refused.expect_err("it wants a certificate").1
        };
        let asked = async {
            // With TLS 1.3 the endpoint judges after we have finished.
            let session = Session::begin(connected(&all, ours).await, None).await.unwrap();
            let (to, mut heard) = (destination(), Heard::default());
            let request =
                Request { method: Method::Post, to: &to, headers: &[], upper_case: false, body: Bytes::new() };
            h2::exchange(session.first_stream(), &request, &mut heard).await
        };
        let (failure, _theirs) = tokio::join!(asked, refused);
        let outcome = outcome_of(failure.unwrap_err()).unwrap();
        assert!(matches!(&outcome, Outcome::Tls(why) if why.contains("client certificate")), "{outcome:?}");
    });
}
