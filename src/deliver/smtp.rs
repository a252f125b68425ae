//! Mail: a notice is handed to the operator's own mail server, one mail a connection. What stays true: the mail is made by
//! lettre's types, so nothing in it becomes a header, a recipient or a command; and what the mail server lacks is never held
//! against a webhook. It is the operator's server, so neither guard nor proxy stands before it.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};

use self::session::{Said, Server, Session};
use crate::domain::delivery::Outcome;
use crate::domain::secret::Secret;
use crate::domain::sent_headers::SentHeaders;

mod session;

/// What is kept of what the server says, in bytes.
const SAID_BYTES_MAX: usize = 2048;

/// The mail server.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port; 0: the usual one.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// Authorities in PEM, in the place of Mozilla's.
    pub ca: Option<String>,
    /// Whom to log in as, and the password.
    pub login: Option<(String, Secret)>,
    /// Whom mail comes from.
    pub from: String,
    /// What handing over one mail may take.
    pub timeout: Duration,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Once it stands, or not used at all.
    Starttls,
    /// From the first byte.
    Whole,
    /// Not at all.
    None,
}

/// A mail server that mail can be handed to.
#[derive(Debug, Clone)]
pub struct Smtp {
    server: Server,
    from: Mailbox,
}

/// A mail.
#[derive(Debug)]
pub struct Letter<'a> {
    /// Addresses, checked when their webhook was made.
    pub to: Vec<&'a str>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same in each attempt, so that whoever gets it twice can tell.
    pub id: String,
}

/// What came of a mail.
#[derive(Debug)]
pub struct Mailed {
    /// The server's answer as its number, or why there is none.
    pub outcome: Outcome,
    /// The start of what it said.
    pub said: Vec<u8>,
    /// The mail's headers.
    pub headers: SentHeaders,
}

impl Smtp {
    /// A mail server of these settings, which is not asked anything yet.
    pub fn new(settings: SmtpSettings) -> Result<Self, String> {
        let SmtpSettings { host, port, tls, ca, login, from, timeout } = settings;
        let from: Mailbox = from.parse().map_err(|error| format!("`from` is no mail address: {error}"))?;
        let (usual, tls) = match tls {
            SmtpTls::Starttls => (587, Tls::Required(parameters(&host, ca.as_deref())?)),
            SmtpTls::Whole => (465, Tls::Wrapper(parameters(&host, ca.as_deref())?)),
            SmtpTls::None => (25, Tls::None),
        };
        let hello = ClientId::Domain(from.email.domain().to_string());
        let login = login.map(|(name, password)| Credentials::new(name, password.reveal().to_string()));
        let port = if port == 0 { usual } else { port };
        Ok(Self { server: Server { host, port, tls, hello, login, timeout }, from })
    }

    /// What handing over one mail may take.
    pub fn timeout(&self) -> Duration {
        self.server.timeout
    }

    /// Hands over a mail.
    pub async fn send(&self, letter: Letter<'_>) -> Mailed {
        let unsendable = |why: String| Mailed {
            outcome: Outcome::Unsendable(why),
            said: Vec::new(),
            headers: SentHeaders::default(),
        };
        let (message, headers) = match self.message(letter) {
            Ok(made) => made,
            Err(why) => return unsendable(format!("the mail could not be made: {why}")),
        };
        let (outcome, said) = match actix_rt::time::timeout(self.timeout(), self.handed(&message)).await {
            Ok(Ok((said, session))) => {
                session.end().await;
                said
            }
            Ok(Err(said)) => said,
            Err(_) => {
                let seconds = self.timeout().as_secs();
                (Outcome::Unsendable(format!("the mail server did not take it within {seconds} s")), String::new())
            }
        };
        let mut said = said.into_bytes();
        said.truncate(SAID_BYTES_MAX);
        Mailed { outcome, said, headers }
    }

    /// What came of a mail, with the session that it was handed over in, if it came to that.
    async fn handed(&self, message: &Message) -> Result<(Said, Session), Said> {
        let mut session = Session::begin(&self.server).await?;
        let said = session.hand_over(message).await;
        Ok((said, session))
    }

    fn message(&self, letter: Letter<'_>) -> Result<(Message, SentHeaders), String> {
        let id = format!("<{}@{}>", letter.id, self.from.email.domain());
        let mut builder = Message::builder().from(self.from.clone()).message_id(Some(id.clone()));
        let mut headers = SentHeaders::default();
        headers.push("from", &self.from.to_string());
        for to in &letter.to {
            let address: Address = to.parse().map_err(|error| format!("{to} is no mail address: {error}"))?;
            builder = builder.to(Mailbox::new(None, address));
        }
        headers.push("to", &letter.to.join(", "));
        headers.push("subject", &letter.subject);
        headers.push("message-id", &id);
        // Nobody's vacation answers it (RFC 3834).
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into());
        headers.push("auto-submitted", "auto-generated");
        let builder = builder.subject(letter.subject).raw_header(automatic).header(ContentType::TEXT_PLAIN);
        let message = builder.header(ContentTransferEncoding::QuotedPrintable).body(letter.text);
        message.map(|message| (message, headers)).map_err(|error| error.to_string())
    }
}

fn parameters(host: &str, ca: Option<&str>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_string());
    if let Some(ca) = ca {
        let authorities = Certificate::from_pem(ca.as_bytes());
        let authorities = authorities.map_err(|error| format!("`ca_file` holds no certificates in PEM: {error}"))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authorities);
    }
    builder.build_rustls().map_err(|error| error.to_string())
}

/// Whether the server took the mail.
pub fn is_taken(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Whether it never will (RFC 5321, 4.2.1).
pub fn is_final(status: u16) -> bool {
    (500..600).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp() -> Smtp {
        let settings = SmtpSettings {
            host: "127.0.0.1".into(),
            port: 1,
            tls: SmtpTls::None,
            ca: None,
            login: None,
            from: "Hookwheel <hooks@example.com>".into(),
            timeout: Duration::from_secs(5),
        };
        Smtp::new(settings).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn what_a_subject_holds_is_no_header() {
        let subject = "A webhook was disabled: x\r\nBcc: all@example.com\r\n\r\nbody ä".to_string();
        let letter = Letter { to: vec!["ops@example.com"], subject, text: "hello\r\n.\r\nQUIT".into(), id: "1".into() };
        let (message, _) = smtp().message(letter).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc:")), "{head}");
        assert!(
            head.contains("Message-ID: <1@example.com>") && head.contains("Auto-Submitted: auto-generated"),
            "{head}"
        );
        let to: Vec<_> = message.envelope().to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["ops@example.com"]);
    }

    #[test]
    fn an_address_that_is_none_is_no_recipient() {
        for to in ["a@x.y>\r\nRCPT TO:<b@x.y", "a@x.y,b@x.y", "a"] {
            let letter = Letter { to: vec![to], subject: String::new(), text: String::new(), id: "1".into() };
            assert!(smtp().message(letter).is_err(), "{to}");
        }
    }

    #[test]
    fn what_an_answer_means() {
        assert_eq!([250, 251, 354, 450, 550].map(is_taken), [true, true, false, false, false]);
        assert_eq!([250, 450, 499, 500, 554].map(is_final), [false, false, false, true, true]);
    }
}
