//! Webhooks that are imported. What stays true: one is made at most once, since it is named by an own id; one that lacks what it needs
//! sends nothing until somebody has completed it; and whatever ends an import in the midst of a webhook, the next one goes on there.

use serde_json::{Value, json};

use super::index::Index;
use super::secrets;
use super::status;
use super::there::{Stop, There};
use super::told::{Done, Outcome};
use super::wish::{Wish, lacks};
use crate::domain::endpoint::{EndpointUrl, Mail, Schemes};
use crate::domain::time::UnixMs;

/// Makes or changes a webhook of the index's account.
pub async fn place(
    there: &There,
    index: &mut Index,
    line: &Value,
    (is_dry, now): (bool, UnixMs),
) -> Result<Done, Stop> {
    let (account, line) = (index.account.clone(), &as_shown(line));
    let known = match index.take(line) {
        Ok(Some(id)) => there.look(&account, "webhooks.get", &[("id", &id)]).await?,
        Ok(None) => None,
        Err(why) => return Ok(Done::refused(why)),
    };
    let wish = match Wish::of(line, known.as_ref()) {
        Ok(wish) => wish,
        Err(why) => return Ok(Done::refused(why)),
    };
    let placing = Placing { there, account: &account, line, now, secrets: secrets::of(line, now) };
    match known {
        None => placing.make(wish, is_dry).await,
        Some(known) => placing.change(wish, &known, is_dry).await,
    }
}

/// The line with its URL as a server shows it: by that it is known, and does not differ.
fn as_shown(line: &Value) -> Value {
    let mut line = line.clone();
    let any = Schemes { http: true, mail: Mail::Allowed };
    let url = line["url"].as_str().and_then(|url| EndpointUrl::of_webhook(url, any).ok());
    if let Some(url) = url {
        line["url"] = json!(url.as_str());
    }
    line
}

struct Placing<'a> {
    there: &'a There,
    account: &'a str,
    line: &'a Value,
    now: UnixMs,
    secrets: Vec<(String, Option<UnixMs>)>,
}

impl Placing<'_> {
    async fn make(&self, wish: Wish, is_dry: bool) -> Result<Done, Stop> {
        let Wish { mut fields, missing } = wish;
        let is_held = !missing.is_empty() || matches!(self.line["status"].as_str(), Some("disabled" | "paused"));
        if is_held {
            // Until it is as it should be, nothing goes out.
            fields.insert("enabled".into(), json!(false));
        }
        fields.extend(secrets::first(&self.secrets).map(|secret| ("secret".to_owned(), json!(secret))));
        let mut done = Done { is_unfinished: !missing.is_empty(), ..Done::of(Outcome::Made) };
        if is_dry {
            return Ok(lacking(done, &missing));
        }
        let made = self.put(fields.into()).await?;
        let id = made["webhook"]["id"].as_str().unwrap_or_default();
        self.rotate(id).await?;
        // One that lacks something stays disabled, whatever ends this.
        let steps = if missing.is_empty() { status::steps(self.line, &made["webhook"], self.now) } else { Vec::new() };
        status::take(self.there, self.account, id, steps).await?;
        if made["webhook"]["secret"].is_string() {
            let why = format!(
                "it has a new secret, which its receiver must get: hookwheel webhooks secret {id} --account {}",
                self.account
            );
            done = done.with(why);
        }
        Ok(lacking(with_warnings(done, &made), &missing))
    }

    async fn change(&self, wish: Wish, known: &Value, is_dry: bool) -> Result<Done, Stop> {
        let Wish { mut fields, missing } = wish;
        let id = known["id"].as_str().unwrap_or_default();
        let is_signed = secrets::is_there(self.there, self.account, id, &self.secrets).await?;
        // One that lacks something is as somebody left it.
        let is_whole = missing.is_empty() && lacks(self.line).next().is_none();
        let is_held = status::is_held(self.line, known, self.now);
        let steps = if is_whole && !is_held { status::steps(self.line, known, self.now) } else { Vec::new() };
        let mut names: Vec<String> = fields.keys().cloned().collect();
        names.extend((!is_signed).then(|| "secret".to_owned()));
        names.extend((!steps.is_empty()).then(|| "status".to_owned()));
        let outcome = if names.is_empty() { Outcome::Same } else { Outcome::Changed };
        let mut done = Done { is_unfinished: !missing.is_empty(), ..Done::of(outcome) };
        if outcome == Outcome::Changed {
            done = done.with(names.join(", "));
        }
        if is_held && self.line["status"] == "paused" {
            done = done.with("it is disabled here, which holds its deliveries as well, and stays so");
        }
        if is_dry {
            return Ok(lacking(done, &missing));
        }
        if !is_signed {
            fields.extend(secrets::first(&self.secrets).map(|secret| ("secret".to_owned(), json!(secret))));
        }
        if !fields.is_empty() {
            fields.insert("id".into(), json!(id));
            done = with_warnings(done, &self.put(fields.into()).await?);
        }
        if !is_signed {
            self.rotate(id).await?;
        }
        status::take(self.there, self.account, id, steps).await?;
        Ok(lacking(done, &missing))
    }

    /// Rotates the newer secrets in. Where one is refused nothing goes out any more: the older ones are going out of use.
    async fn rotate(&self, id: &str) -> Result<(), Stop> {
        let rotated = secrets::rotate(self.there, self.account, id, &self.secrets, self.now).await;
        if matches!(rotated, Err(Stop::Line(_))) {
            let reason = json!({"reason": "one of its secrets could not be imported"});
            self.there.post(self.account, &format!("/api/v1/webhooks/{id}/disable"), &reason).await?;
        }
        rotated
    }

    /// As one of a batch it is made once however often it is asked, and nobody waits for its endpoint.
    async fn put(&self, fields: Value) -> Result<Value, Stop> {
        let mut rows = self.there.post(self.account, "/api/v1/webhooks/batch", &json!([fields])).await?;
        Ok(rows[0].take())
    }
}

fn with_warnings(done: Done, row: &Value) -> Done {
    let warnings = row["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    warnings.fold(done, Done::with)
}

fn lacking(done: Done, missing: &[String]) -> Done {
    if missing.is_empty() {
        return done;
    }
    let done = missing.iter().fold(done, |done, what| done.with(format!("it lacks {what}")));
    done.with("where it is new it is disabled: give it what it lacks, and enable it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_known_however_it_is_written() {
        let shown = |url: &str| as_shown(&json!({"url": url}))["url"].take();
        assert_eq!(shown("HTTPS://A.example"), "https://a.example/");
        assert_eq!(shown("http://127.0.0.1:80/a b"), "http://127.0.0.1/a%20b");
        // The server says what is wrong with it.
        assert_eq!(shown("no address"), "no address");
        assert_eq!(as_shown(&json!({"mode": "pull"})), json!({"mode": "pull"}));
    }
}
