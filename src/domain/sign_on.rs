//! Who may log in by the operator's identity provider, and as what: a list of rules, each of which names whom it lets in. What stays
//! true: whoever no rule names is not let in, and of several that name somebody the one counts that gives most.

use super::user::{Role, vet_email};
use url::Url;

/// Whom a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    /// One address.
    Email(String),
    /// All addresses that end with this host.
    Host(String),
    /// All of a group of the provider.
    Group(String),
}

/// Lets some in, with a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    whom: Whom,
    role: Role,
}

impl Rule {
    /// Reads a rule: `ada@example.com = owner`, `@example.com = viewer`, `group:hooks = operator`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whom, role) = text.rsplit_once('=')?;
        let (whom, role) = (whom.trim(), Role::of(role.trim())?);
        let whom = match (whom.strip_prefix("group:"), whom.strip_prefix('@')) {
            (Some(group), _) => Whom::Group(Some(group.trim()).filter(|group| !group.is_empty())?.into()),
            (_, Some(host)) => Whom::Host(vet_email(&format!("all@{host}")).ok()?.trim_start_matches("all@").into()),
            _ => Whom::Email(vet_email(whom).ok()?),
        };
        Some(Self { whom, role })
    }

    fn names(&self, email: &str, groups: &[String]) -> bool {
        match &self.whom {
            Whom::Email(one) => one == email,
            Whom::Host(host) => email.rsplit_once('@').is_some_and(|(_, own)| own == host),
            Whom::Group(group) => groups.contains(group),
        }
    }
}

/// As what somebody is let in who has this address (in lower case) and is of these groups; `None`: not at all.
pub fn role(rules: &[Rule], email: &str, groups: &[String]) -> Option<Role> {
    rules.iter().filter(|rule| rule.names(email, groups)).map(|rule| rule.role).max()
}

/// Reads an issuer, as a provider calls itself: `https://`, or on this machine `http://`, without a query.
pub fn issuer(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (is_bare && is_safe(&url)).then_some(url)
}

/// Whether nobody on the way reads what is sent there, or it does not leave this machine.
pub fn is_safe(url: &Url) -> bool {
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_rules_that_name_somebody_the_one_counts_that_gives_most() {
        let rules: Vec<Rule> = ["@Example.com = viewer", "ada@example.com=owner", "group:hooks = operator"]
            .iter()
            .filter_map(|text| Rule::parse(text))
            .collect();
        assert_eq!(rules.len(), 3);
        let hooks = ["hooks".to_string()];
        assert_eq!(role(&rules, "ada@example.com", &hooks), Some(Role::Owner));
        assert_eq!(role(&rules, "bob@example.com", &hooks), Some(Role::Operator));
        assert_eq!(role(&rules, "bob@example.com", &["hook".into()]), Some(Role::Viewer));
        assert_eq!(role(&rules, "bob@other.example", &hooks), Some(Role::Operator));
        for nobody in
            ["bob@other.example", "bob@sub.example.com", "bob@notexample.com", "@example.com@other.example", ""]
        {
            assert_eq!(role(&rules, nobody, &[]), None, "{nobody}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for bad in [
            "",
            "ada@example.com",
            "ada@example.com = king",
            "@ = owner",
            "* = owner",
            "group: = owner",
            "@a b = owner",
        ] {
            assert_eq!(Rule::parse(bad), None, "{bad}");
        }
        for good in
            ["https://id.example", "https://id.example/realms/one", "http://localhost:9000", "http://127.0.0.1:9"]
        {
            assert!(issuer(good).is_some(), "{good}");
        }
        for bad in
            ["", "id.example", "http://id.example", "https://id.example?x", "https://u@id.example", "ftp://id.example"]
        {
            assert!(issuer(bad).is_none(), "{bad}");
        }
    }
}
