//! The server that is imported into. What stays true: what it refuses concerns one line, and what keeps it from answering ends the
//! import; calls that come too fast are made again when it says so.

use std::time::Duration;

use awc::http::{Method, StatusCode};
use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::client::{self, Call, Client};

/// How long a call is made again where the server is busy or away.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why something was not done.
#[derive(Debug)]
pub enum Stop {
    /// It cannot be taken, and why; others may be.
    Line(String),
    /// Nothing more can be done.
    All(CliError),
}

impl From<client::Error> for Stop {
    fn from(error: client::Error) -> Self {
        match error {
            client::Error::Refused { status, field, message, .. } if is_about_the_line(status) => {
                let field = field.unwrap_or_default();
                let field = field.strip_prefix("[0].").unwrap_or(&field);
                // In a line it has another name.
                let field = if field == "Hookwheel-Account" { "account" } else { field };
                let message = message.strip_prefix("line 1: ").unwrap_or(&message);
                Self::Line(if field.is_empty() || field == "[0]" {
                    message.to_owned()
                } else {
                    format!("{field}: {message}")
                })
            }
            other => Self::All(other.into()),
        }
    }
}

impl From<CliError> for Stop {
    fn from(error: CliError) -> Self {
        Self::All(error)
    }
}

fn is_about_the_line(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::UNAUTHORIZED && status != StatusCode::TOO_MANY_REQUESTS
}

/// The server, and who asks it.
pub struct There {
    client: Client,
    /// Whether the key may do everything, for every account.
    pub is_admin: bool,
    /// The account that the key acts for.
    pub account: String,
}

impl There {
    /// Asks it who asks.
    pub async fn of(server: &ServerArgs) -> Result<Self, CliError> {
        let client = server.client()?.with_patience(PATIENCE);
        let who = client.accounts_whoami().get().await?;
        let account = who["account"]["id"].as_str().unwrap_or_default().to_owned();
        Ok(Self { client, is_admin: who["is_admin"] == true, account })
    }

    /// A client that acts for an account.
    pub fn acting(&self, account: &str) -> Client {
        if self.is_admin { self.client.acting_for(account) } else { self.client.clone() }
    }

    /// What an operation shows; `None` where there is no such thing.
    pub async fn look(&self, account: &str, operation: &str, values: &[(&str, &str)]) -> Result<Option<Value>, Stop> {
        self.look_for(account, operation, values, &[]).await
    }

    /// A dialect; with the text of its file, where the key may see that.
    pub async fn dialect(&self, name: &str) -> Result<Option<Value>, Stop> {
        let query: &[_] = if self.is_admin { &[("source", "true")] } else { &[] };
        self.look_for(&self.account, "dialects.get", &[("name", name)], query).await
    }

    async fn look_for(
        &self,
        account: &str,
        operation: &str,
        values: &[(&str, &str)],
        query: &[(&str, &str)],
    ) -> Result<Option<Value>, Stop> {
        match self.acting(account).by_name(operation, values, query, None).await {
            Ok(shown) => Ok(Some(shown)),
            Err(client::Error::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Does an operation that may be done again.
    pub async fn change(
        &self,
        account: &str,
        operation: &str,
        values: &[(&str, &str)],
        fields: &Value,
    ) -> Result<Value, Stop> {
        Ok(self.acting(account).by_name(operation, values, &[], Some(fields)).await?)
    }

    /// Posts to a path what does no harm where it is posted again; null is posted as nothing.
    pub async fn post(&self, account: &str, path: &str, fields: &Value) -> Result<Value, Stop> {
        let body = if fields.is_null() { None } else { Some(fields.to_string()) };
        self.post_text(account, path, body).await
    }

    /// The same of JSON that must stay as it is.
    pub async fn post_text(&self, account: &str, path: &str, json: Option<String>) -> Result<Value, Stop> {
        let body = json.map(|json| ("application/json", json.into()));
        let call = Call { method: Method::POST, path, headers: Vec::new(), body };
        let mut reply = self.acting(account).call_patiently(&call, PATIENCE, |_, _| ()).await?;
        Ok(reply.get_mut("data").map_or(Value::Null, Value::take))
    }
}
