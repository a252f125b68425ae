//! Which accounts a list asks for.

use serde::Deserialize;

use crate::domain::account::Account;

/// Which accounts to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AccountsFilter {
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those with this in their id or their name; upper and lower case are the same.
    pub text: Option<String>,
}

impl AccountsFilter {
    /// Whether an account is one of them.
    pub fn wants(&self, account: &Account) -> bool {
        let has = |text: &str| {
            let (text, id, name) = (text.to_lowercase(), account.id.to_lowercase(), account.name.to_lowercase());
            id.contains(&text) || name.contains(&text)
        };
        account.is_tagged(self.tag.as_deref()) && self.text.as_deref().is_none_or(has)
    }
}
