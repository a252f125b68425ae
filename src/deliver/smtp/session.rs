//! A session with the mail server, in which it is handed one mail. What stays true: a recipient whom it refuses keeps the mail from
//! nobody else; and what it says before it has heard of any recipient, or when it goes away, is about itself and us, and never
//! taken for a word about them.

use std::time::Duration;

use actix_rt::time::timeout;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::{Address, Message};

use crate::domain::delivery::Outcome;

/// The server goes away, whatever it was asked (RFC 5321, 3.8).
const GOES_AWAY: u16 = 421;
/// Answers that say that the server does not let us in, which is no matter of the recipients (RFC 4954, 6).
const NOT_LET_IN: [u16; 5] = [454, 530, 534, 535, 538];
/// How long the server may take to say goodbye: what came of the mail is known by then.
const GOODBYE: Duration = Duration::from_secs(2);

/// The mail server, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Who says hello.
    pub hello: ClientId,
    /// Whom to log in as.
    pub login: Option<Credentials>,
    /// How long connecting may take.
    pub timeout: Duration,
}

/// What came of a mail, and what the server said.
pub type Said = (Outcome, String);

/// A connection that takes mail.
pub struct Session(AsyncSmtpConnection);

impl Session {
    /// Connects, encrypts and logs in.
    ///
    /// # Errors
    /// The server is away, or does not let us in: the mail's outcome.
    pub async fn begin(server: &Server) -> Result<Self, Said> {
        let wrapped = if let Tls::Wrapper(tls) = &server.tls { Some(tls.clone()) } else { None };
        let (to, limit) = ((server.host.as_str(), server.port), Some(server.timeout));
        let connected = AsyncSmtpConnection::connect_tokio1(to, limit, &server.hello, wrapped, None).await;
        let mut connection = connected.map_err(|error| of_server(&error))?;
        if let Tls::Required(tls) = &server.tls {
            connection.starttls(tls.clone(), &server.hello).await.map_err(|error| of_server(&error))?;
        }
        if let Some(login) = &server.login {
            connection.auth(DEFAULT_MECHANISMS, login).await.map_err(|error| of_server(&error))?;
        }
        Ok(Self(connection))
    }

    /// Hands over a mail, to those of its recipients whom the server takes.
    pub async fn hand_over(&mut self, mail: &Message) -> Said {
        let (connection, envelope) = (&mut self.0, mail.envelope());
        let is_plain = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let is_plain = envelope.from().into_iter().chain(envelope.to()).all(is_plain);
        let options = if is_plain { Vec::new() } else { vec![MailParameter::SmtpUtfEight] };
        if let Err(error) = connection.command(Mail::new(envelope.from().cloned(), options)).await {
            return of_server(&error);
        }
        let mut refused = Vec::new();
        for to in envelope.to() {
            let Err(error) = connection.command(Rcpt::new(to.clone(), Vec::new())).await else { continue };
            match status(&error) {
                None | Some(GOES_AWAY) => return of_server(&error),
                Some(code) => refused.push(Refused { code, said: format!("{to}: {code} {}", why(&error)) }),
            }
        }
        if refused.len() == envelope.to().len() {
            return of_refused(&refused);
        }
        let answered = match connection.command(Data).await {
            Ok(_) => connection.message(&mail.formatted()).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(answer) => {
                let taken = answer.message().collect::<Vec<_>>().join("\n");
                let said =
                    std::iter::once(taken).chain(refused.into_iter().map(|one| format!("refused: {}", one.said)));
                (Outcome::Status(u16::from(answer.code())), said.collect::<Vec<_>>().join("\n"))
            }
            Err(error) => match status(&error).filter(|code| !is_about_us(*code)) {
                Some(code) => (Outcome::Status(code), why(&error)),
                None => of_server(&error),
            },
        }
    }

    /// Says goodbye, and does not wait for long.
    pub async fn end(mut self) {
        // What came of the mail stays what it is, whatever comes of this.
        let _ = timeout(GOODBYE, self.0.abort()).await;
    }
}

/// A recipient whom the server refused.
struct Refused {
    code: u16,
    said: String,
}

/// What came of a mail whose recipients were all refused. It is tried again if any of them may be taken then.
fn of_refused(refused: &[Refused]) -> Said {
    let said = refused.iter().map(|one| one.said.as_str()).collect::<Vec<_>>().join("\n");
    match mildest(refused.iter().map(|one| one.code)) {
        Some(code) if !is_about_us(code) => (Outcome::Status(code), said),
        _ => (Outcome::Unsendable(format!("the mail server does not let us in: {said}")), said),
    }
}

/// Of the answers to each recipient the one that counts: one that is about us, else one that may be another later.
fn mildest(codes: impl Iterator<Item = u16>) -> Option<u16> {
    codes.min_by_key(|code| (!is_about_us(*code), *code >= 500))
}

fn is_about_us(code: u16) -> bool {
    code == GOES_AWAY || NOT_LET_IN.contains(&code)
}

/// What is between the server and us says nothing of the recipients.
fn of_server(error: &Error) -> Said {
    let why = why(error);
    match status(error) {
        Some(code) => (Outcome::Unsendable(format!("the mail server takes nothing from us now ({code}): {why}")), why),
        None => (Outcome::Unsendable(format!("it could not be handed to the mail server: {error}")), String::new()),
    }
}

fn status(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

fn why(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_refusals_the_one_counts_after_which_it_may_be_taken_yet() {
        let of = |codes: &[u16]| mildest(codes.iter().copied());
        assert_eq!([of(&[550, 450, 551]), of(&[550, 551]), of(&[550, 450, 530])], [Some(450), Some(550), Some(530)]);
        let refused = |code| Refused { code, said: format!("a@x.y: {code} no") };
        let outcome = |codes: &[u16]| of_refused(&codes.iter().copied().map(refused).collect::<Vec<_>>()).0;
        assert_eq!(outcome(&[550, 451]), Outcome::Status(451));
        assert!(matches!(outcome(&[550, 530]), Outcome::Unsendable(why) if why.contains("mail server")));
    }
}
