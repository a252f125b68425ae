//! The secrets of a webhook that is imported. What stays true: its receiver can go on with those that it has, the newest as the
//! newest, and an older one for as long as it would have signed where it comes from.

use serde_json::{Value, json};

use super::there::{Stop, There};
use crate::domain::secret::{OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX};
use crate::domain::time::{self, UnixMs};

/// A secret, and until when it signs.
type Signing = (String, Option<UnixMs>);

/// The secrets that a line says and that sign now, the newest first.
pub fn of(line: &Value, now: UnixMs) -> Vec<Signing> {
    let said = line["secrets"].as_array().into_iter().flatten();
    let read = said.filter_map(|one| {
        // As text alone where it has no end, as other servers' rows say it.
        let text = one.as_str().or_else(|| one["secret"].as_str())?;
        Some((text.to_owned(), one["until"].as_str().and_then(time::parse)))
    });
    read.filter(|(_, until)| until.is_none_or(|until| until > now)).collect()
}

/// The secret that the webhook begins with: the oldest, since the others are rotated in over it.
pub fn first(secrets: &[Signing]) -> Option<&str> {
    secrets.last().map(|(text, _)| text.as_str())
}

/// Whether the newest secret of a webhook that is there is the newest of these.
pub async fn is_there(there: &There, account: &str, id: &str, secrets: &[Signing]) -> Result<bool, Stop> {
    let Some((newest, _)) = secrets.first() else { return Ok(true) };
    let shown = there.look(account, "webhooks.secret.get", &[("id", id)]).await?;
    Ok(shown.is_some_and(|shown| shown["secret"] == json!(newest)))
}

/// Rotates the newer ones in, over the first.
pub async fn rotate(there: &There, account: &str, id: &str, secrets: &[Signing], now: UnixMs) -> Result<(), Stop> {
    for (newer, older) in steps(secrets, now) {
        let fields = json!({"secret": newer, "overlap_seconds": older});
        there.post(account, &format!("/api/v1/webhooks/{id}/secret/rotate"), &fields).await?;
    }
    Ok(())
}

/// Each newer secret, and for how many seconds the one before goes on beside it.
fn steps(secrets: &[Signing], now: UnixMs) -> Vec<(&str, u64)> {
    let left = |until: Option<UnixMs>| match until {
        Some(until) => (until.saturating_sub(now) / 1000).clamp(1, OVERLAP_SECONDS_MAX),
        None => OVERLAP_SECONDS_DEFAULT,
    };
    secrets.windows(2).rev().map(|two| (two[0].0.as_str(), left(two[1].1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_secrets_are_rotated_out_in_their_order_and_time() {
        let line = json!({"secrets": [
            {"secret": "new", "until": null},
            {"secret": "old", "until": "1970-01-01T00:01:00Z"},
            {"secret": "oldest", "until": "1970-01-01T00:00:20Z"},
            {"secret": "gone", "until": "1970-01-01T00:00:05Z"},
        ]});
        let secrets = of(&line, 10_000);
        assert_eq!(first(&secrets), Some("oldest"));
        assert_eq!(steps(&secrets, 10_000), [("old", 10), ("new", 50)]);
    }

    #[test]
    fn a_line_may_say_secrets_as_texts_and_need_not_say_any() {
        assert_eq!(of(&json!({"secrets": ["a"]}), 0), [("a".to_owned(), None)]);
        assert!(of(&json!({}), 0).is_empty() && steps(&[("a".to_owned(), None)], 0).is_empty());
    }
}
