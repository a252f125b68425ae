//! How an account's portal looks, and on whose pages it may stand in a frame. What stays true: each part is bounded, so an account
//! stays a short record; and an origin is written as a browser writes it, so it can stand in a header as it is.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Invalid;
use super::colour::Colour;

/// A title, in characters.
pub const TITLE_CHARS_MAX: usize = 60;
/// What is said at the beginning, in characters.
pub const WELCOME_CHARS_MAX: usize = 500;
/// A link, in bytes.
pub const LINK_BYTES_MAX: usize = 1_000;
/// A logo, in bytes.
pub const LOGO_BYTES_MAX: usize = 16 * 1024;
/// Origins of one account, or of the server.
pub const ORIGINS_MAX: usize = 16;
/// An origin, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 200;

/// How a portal looks; what is empty is as the server's configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portal {
    /// What the pages are called in place of the server's own name.
    pub title: String,
    /// The colour of links and buttons.
    pub colour: Option<Colour>,
    /// What stands before the title.
    pub logo: Option<Logo>,
    /// What is said on the first page.
    pub welcome: String,
    /// Where one gets help.
    pub support_url: String,
    /// On whose pages it may stand in a frame, beside those that the server's configuration names.
    pub origins: Vec<String>,
}

/// A picture. SVG is none: it can hold scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// In which form.
    pub kind: LogoKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// In which form a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogoKind {
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

impl LogoKind {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }
}

impl Logo {
    /// A picture of these bytes, if they are one.
    pub fn of(field: &str, bytes: Vec<u8>) -> Result<Self, Invalid> {
        if bytes.len() > LOGO_BYTES_MAX {
            let message = format!("is {} bytes; a logo has {LOGO_BYTES_MAX} at most", bytes.len());
            return Err(Invalid::new(field, message));
        }
        let kind = LogoKind::of(&bytes).ok_or_else(|| Invalid::new(field, "must be a PNG or WebP picture"))?;
        Ok(Self { kind, bytes })
    }

    /// Reads a `data:` URL.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(field, "must be a PNG or WebP picture as data:image/png;base64,… or data:image/webp;base64,…")
        };
        let (kind, encoded) =
            text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")).ok_or_else(wrong)?;
        let logo = Self::of(field, BASE64_STANDARD.decode(encoded).map_err(|_| wrong())?)?;
        if logo.kind.media_type() == kind { Ok(logo) } else { Err(wrong()) }
    }

    /// As a `data:` URL.
    pub fn spell(&self) -> String {
        format!("data:{};base64,{}", self.kind.media_type(), BASE64_STANDARD.encode(&self.bytes))
    }
}

impl Portal {
    /// It, with the server's own where it says nothing; what may frame either may frame it.
    pub fn over<'a>(&'a self, usual: &'a Self) -> Look<'a> {
        let text = |own: &'a str, usual: &'a str| if own.is_empty() { usual } else { own };
        let mut origins: Vec<&str> = self.origins.iter().chain(&usual.origins).map(String::as_str).collect();
        origins.sort_unstable();
        origins.dedup();
        Look {
            title: text(&self.title, &usual.title),
            colour: self.colour.or(usual.colour),
            logo: self.logo.as_ref().or(usual.logo.as_ref()),
            welcome: text(&self.welcome, &usual.welcome),
            support_url: text(&self.support_url, &usual.support_url),
            origins,
        }
    }

    /// The names of the settings that are not as `before`, as the API calls them.
    pub fn changed(&self, before: &Self) -> Vec<String> {
        let all = [
            ("title", self.title != before.title),
            ("colour", self.colour != before.colour),
            ("logo", self.logo != before.logo),
            ("welcome", self.welcome != before.welcome),
            ("support_url", self.support_url != before.support_url),
            ("origins", self.origins != before.origins),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| format!("portal.{name}")).collect()
    }
}

/// How a portal looks in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look<'a> {
    /// What it is called; may be empty.
    pub title: &'a str,
    /// Its colour.
    pub colour: Option<Colour>,
    /// Its logo.
    pub logo: Option<&'a Logo>,
    /// Its first words; may be empty.
    pub welcome: &'a str,
    /// Where one gets help; may be empty.
    pub support_url: &'a str,
    /// On whose pages it may stand in a frame.
    pub origins: Vec<&'a str>,
}

/// Checks a line for people: at most so many characters.
pub fn vet_words(field: &str, text: &str, max: usize) -> Result<String, Invalid> {
    let text = text.trim();
    let fits = text.chars().count() <= max && !text.chars().any(char::is_control);
    let message = || format!("must be at most {max} characters on one line");
    if fits { Ok(text.to_string()) } else { Err(Invalid::new(field, message())) }
}

/// Checks where a link leads: a web address.
pub fn vet_link(field: &str, text: &str) -> Result<String, Invalid> {
    let wrong =
        || Invalid::new(field, format!("must be an https:// or http:// address of at most {LINK_BYTES_MAX} bytes"));
    if text.len() > LINK_BYTES_MAX {
        return Err(wrong());
    }
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none();
    if is_web { Ok(url.to_string()) } else { Err(wrong()) }
}

/// Checks origins: each a scheme, a host and perhaps a port. Plain HTTP is for this machine alone.
pub fn vet_origins(field: &str, origins: &[String]) -> Result<Vec<String>, Invalid> {
    if origins.len() > ORIGINS_MAX {
        return Err(Invalid::new(field, format!("has more than {ORIGINS_MAX}; leave some out")));
    }
    let vet = |(at, text): (usize, &String)| {
        let message =
            "must be an origin such as https://app.example.com: without a path, and http:// on localhost only";
        origin(text).ok_or_else(|| Invalid::new(format!("{field}[{at}]"), message))
    };
    let mut vetted = origins.iter().enumerate().map(vet).collect::<Result<Vec<_>, _>>()?;
    vetted.sort();
    vetted.dedup();
    Ok(vetted)
}

/// An origin as a browser writes it.
pub fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok().filter(|_| text.len() <= ORIGIN_BYTES_MAX)?;
    let host = url.host_str()?;
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost");
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte));
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    let has_user = !url.username().is_empty() || url.password().is_some();
    (is_bare && is_plain && is_safe && !has_user).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_bare_and_safe_in_a_header() {
        for (text, written) in [
            ("https://App.Example.com", "https://app.example.com"),
            (" https://app.example.com:443/ ", "https://app.example.com"),
            ("https://app.example.com:8443", "https://app.example.com:8443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(origin(text).as_deref(), Some(written), "{text}");
        }
        for bad in [
            "",
            "*",
            "https:",
            "https://*.example.com",
            "app.example.com",
            "http://app.example.com",
            "https://app.example.com/path",
            "https://app.example.com?q",
            "https://u@app.example.com",
            "https://a.example;script-src *",
            "https://a.example https://b.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "null",
        ] {
            assert_eq!(origin(bad), None, "{bad}");
        }
        let many = vec!["https://a.example".to_string(); ORIGINS_MAX + 1];
        assert!(vet_origins("origins", &many).is_err());
        assert_eq!(vet_origins("origins", &many[..2]).as_deref(), Ok(&many[..1]));
        let wrong = vet_origins("portal.origins", &["https://a.example".into(), "x".into()]).unwrap_err();
        assert_eq!(wrong.field, "portal.origins[1]");
    }

    #[test]
    fn a_logo_is_the_picture_that_it_says_it_is() {
        let png = [&[0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'][..], &[0; 8]].concat();
        let logo = Logo::of("logo", png.clone()).expect("a picture");
        assert_eq!(Logo::parse("logo", &logo.spell()), Ok(logo.clone()));
        let webp = Logo::of("logo", b"RIFF\x08\0\0\0WEBPVP8 ".to_vec()).expect("a picture");
        assert_eq!((webp.kind, Logo::parse("logo", &webp.spell())), (LogoKind::Webp, Ok(webp.clone())));
        let svg = format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode("<svg onload=alert(1)>"));
        let lies = logo.spell().replace("image/png", "image/webp");
        let named = logo.spell().replace("image/png", "text/html");
        for bad in ["", "data:,", "https://a.example/logo.png", &svg, &lies, &named, "data:image/png;base64,%%"] {
            assert!(Logo::parse("logo", bad).is_err(), "{bad}");
        }
        let long = [&png[..], &vec![0; LOGO_BYTES_MAX]].concat();
        assert!(Logo::of("logo", long).unwrap_err().message.contains("16384"));
    }

    #[test]
    fn words_and_links_are_bounded_and_plain() {
        assert_eq!(vet_words("title", " Acme ", 4).as_deref(), Ok("Acme"));
        assert!(vet_words("title", "Acme!", 4).is_err() && vet_words("title", "a\nb", 9).is_err());
        assert_eq!(vet_link("support_url", "https://a.example").as_deref(), Ok("https://a.example/"));
        let long = format!("https://a.example/{}", "x".repeat(LINK_BYTES_MAX));
        for bad in ["", "a.example", "javascript:alert(1)", "data:text/html,x", "https://u:p@a.example", &long] {
            assert!(vet_link("support_url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_an_account_does_not_say_is_the_servers() {
        let text = |text: &str| text.to_string();
        let usual = Portal {
            title: text("Server"),
            welcome: text("Hello"),
            origins: vec![text("https://a")],
            ..Portal::default()
        };
        let own =
            Portal { title: text("Acme"), origins: vec![text("https://b"), text("https://a")], ..Portal::default() };
        let look = own.over(&usual);
        assert_eq!((look.title, look.welcome, look.origins), ("Acme", "Hello", vec!["https://a", "https://b"]));
        assert_eq!(own.changed(&Portal::default()), ["portal.title", "portal.origins"]);
        assert!(own.changed(&own).is_empty());
    }
}
