//! As much of a browser as pages need: it keeps cookies, says where a form comes from, and reads what a form holds.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::DEADLINE;
use crate::support::http::{Message, read_message};

/// A browser.
#[derive(Clone)]
pub struct Browser {
    address: SocketAddr,
    /// What it calls the server, and how it reaches it: `http://127.0.0.1:7080`.
    pub origin: String,
    pub cookies: BTreeMap<String, String>,
    /// Where it says that forms come from; its origin where there is nothing.
    pub from: Option<&'static str>,
}

/// What it got.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub message: Message,
    pub text: String,
}

impl Browser {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, origin: format!("http://{address}"), cookies: BTreeMap::new(), from: None }
    }

    /// One that finds the server under another name, perhaps over TLS that a proxy before it speaks.
    pub fn at(address: SocketAddr, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::new(address) }
    }

    pub fn get(&mut self, path: &str) -> Page {
        self.ask("GET", path, &[], "")
    }

    /// Sends a form as a page of the server would, but for the session's token.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form(fields);
        let from = self.from.map_or_else(|| self.origin.clone(), str::to_owned);
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded".to_owned())];
        headers.extend((!from.is_empty()).then_some(("Origin", from)));
        self.ask("POST", path, &headers, &body)
    }

    /// Sends a form of the page at `page`, with the token that stands there.
    #[track_caller]
    pub fn submit(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let shown = self.get(page);
        assert_eq!(shown.status, 200, "{page}: {}", shown.text);
        let token = shown.field("token");
        let fields = [fields, &[("token", token.as_str())]].concat();
        self.post(path, &fields)
    }

    /// Asks with these headers beside its own.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Page {
        let (scheme, host) = self.origin.split_once("://").expect("a scheme");
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: Firefox/1\r\n");
        if scheme == "https" {
            // As the proxy before the server says it.
            request.push_str(&format!("X-Forwarded-Proto: https\r\nX-Forwarded-Host: {host}\r\n"));
        }
        if !cookies.is_empty() {
            request.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let page = Page::read(self.address, &request);
        for cookie in page.cookies() {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            match value.is_empty() {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        page
    }

    /// Logs in, with nothing else to do.
    pub fn log_in(&mut self, email: &str, password: &str) -> Page {
        self.post("/dashboard/log-in", &[("email", email), ("password", password)])
    }

    /// Whether it is logged in.
    pub fn is_in(&mut self) -> bool {
        let page = self.get("/dashboard/you");
        assert!(page.status == 200 || page.location().starts_with("/dashboard/log-in"), "{page:?}");
        page.status == 200
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Page {
    fn read(address: SocketAddr, request: &str) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        (&stream).write_all(request.as_bytes()).expect("it reads");
        let message = read_message(&mut BufReader::new(stream)).expect("it answers").expect("a whole reply");
        let status = message.start.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
        let text = String::from_utf8_lossy(&message.body).into_owned();
        Self { status, message, text }
    }

    pub fn location(&self) -> &str {
        self.message.header("location").unwrap_or_default()
    }

    /// Each `Set-Cookie`.
    pub fn cookies(&self) -> Vec<&str> {
        let all = self.message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        all.map(|(_, value)| value.as_str()).collect()
    }

    /// Asserts that it sends on to there.
    #[track_caller]
    pub fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.location()), (303, path), "{}", self.text);
    }

    /// Asserts that it refuses, in these words.
    #[track_caller]
    pub fn refuses(&self, status: u16, words: &str) {
        assert!(
            self.status == status && self.text.contains(words),
            "{} instead of {status} and {words:?}: {}",
            self.status,
            self.text
        );
    }

    /// What a hidden field of its first form holds.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let at = self.text.find(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.text)) + start.len();
        self.text[at..].split('"').next().expect("a value").to_owned()
    }

    /// What stands between the first of these two texts and the next of the other.
    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> &str {
        let rest = self.text.split_once(before).unwrap_or_else(|| panic!("no {before}: {}", self.text)).1;
        rest.split_once(after).unwrap_or_else(|| panic!("no {after}: {rest}")).0
    }
}
