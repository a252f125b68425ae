//! Host names: which can be one, and which lead to nobody but the network that they are asked in. What stays true: it is
//! decided by the name alone, and nobody is asked where it leads.

/// A name of DNS, without its root, in bytes.
const NAME_BYTES_MAX: usize = 253;
/// What stands between two dots, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// Names under which there is no public endpoint: set aside for other uses (the registry of RFC 6761), or used in private
/// networks so often that they were never given to anybody (RFC 6762, appendix G). `example` is for documents, and leads
/// nowhere.
const LOCAL: [&str; 14] = [
    "local",
    "localhost",
    "localdomain",
    "test",
    "invalid",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
    "onion",
    "alt",
];

/// Names that no public endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalName {
    /// `localhost` and all below it: this machine.
    ThisMachine,
    /// Under this word, or it alone.
    Under(&'static str),
    /// A name without a dot: what it means depends on who looks it up.
    Single,
}

impl LocalName {
    /// What sort of local name this is, in lower case; `None` where it may be a public one.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let last = name.rsplit('.').next().unwrap_or(name);
        match LOCAL.into_iter().find(|local| *local == last) {
            Some("localhost") => Some(Self::ThisMachine),
            Some(local) => Some(Self::Under(local)),
            None if last == name => Some(Self::Single),
            None => None,
        }
    }
}

impl std::fmt::Display for LocalName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ThisMachine => f.write_str("localhost is this machine"),
            Self::Under(local) => write!(f, "names under .{local} lead to no public endpoint"),
            Self::Single => f.write_str("a name without a dot leads to no public endpoint"),
        }
    }
}

/// Whether it can be the name of a host: letters, digits, hyphens and underscores between dots, none of it empty.
pub fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let fits = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(plain)
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_name_says_which_it_is() {
        let said = |name: &str| LocalName::of(name).map(|local| local.to_string());
        assert_eq!(said("localhost.").as_deref(), Some("localhost is this machine"));
        assert_eq!(said("a.localhost"), said("localhost"));
        assert_eq!(said("a.internal").as_deref(), Some("names under .internal lead to no public endpoint"));
        assert_eq!(said("server").as_deref(), Some("a name without a dot leads to no public endpoint"));
        assert_eq!(said("example.com"), None);
    }
}
