//! What a request says of a webhook that hears notices, and how that is shown.

use serde::{Deserialize, Serialize};

use crate::api::http::setting::Change;
use crate::domain::Invalid;
use crate::domain::notice::{self, Notices, QUIET_SECONDS_MAX, QUIET_SECONDS_MIN_OF_MAIL, QUIET_SECONDS_USUAL};
use crate::domain::webhook::{EventFilter, Webhook};

/// How a webhook hears notices.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoticesChange)]
pub struct NoticesInput {
    /// After a notice, further ones of its kind are counted for so long, and told as one at the end, in seconds. 0: each is told, but
    /// where more than sixteen happen at the same moment, which mail cannot have (60 at least); 300 if left out.
    #[serde(default)]
    quiet_seconds: Option<u32>,
}

/// How a webhook hears notices.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Notices)]
pub struct NoticesView {
    /// After a notice, further ones of its kind are counted for so long, and told as one at the end.
    quiet_seconds: u32,
}

impl From<Notices> for NoticesView {
    fn from(notices: Notices) -> Self {
        Self { quiet_seconds: notices.quiet_seconds }
    }
}

impl NoticesInput {
    /// Checks its bounds.
    pub fn vet(self) -> Result<Notices, Invalid> {
        let quiet_seconds = self.quiet_seconds.unwrap_or(QUIET_SECONDS_USUAL);
        if quiet_seconds > QUIET_SECONDS_MAX {
            let message = format!("must be between 0 and {QUIET_SECONDS_MAX}");
            return Err(Invalid::new("notices.quiet_seconds", message));
        }
        Ok(Notices { quiet_seconds })
    }
}

/// Changes how a webhook hears notices, and checks what comes of it: mail is for notices, and never many at once.
pub fn apply_notices(change: Change<Notices>, webhook: &mut Webhook) -> Result<(), Invalid> {
    if webhook.url.is_mail() && change == Change::Keep {
        webhook.notices.get_or_insert_default();
    }
    change.apply(&mut webhook.notices);
    match webhook.notices {
        _ if !webhook.url.is_mail() => Ok(()),
        None => Err(Invalid::new("notices", "cannot be null with a mailto: url: only notices are sent by mail")),
        Some(notices) if notices.quiet_seconds < QUIET_SECONDS_MIN_OF_MAIL => {
            let message = format!("must be at least {QUIET_SECONDS_MIN_OF_MAIL} with a mailto: url");
            Err(Invalid::new("notices.quiet_seconds", message))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses a filter that lets no kind of notice through.
pub fn check_kind(field: &str, filter: &EventFilter) -> Result<(), Invalid> {
    if notice::words().any(|word| filter.matches(word)) {
        return Ok(());
    }
    let words: Vec<&str> = notice::words().collect();
    Err(Invalid::new(field, format!("{filter} is no notice; there are: {}", words.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_time_has_bounds() {
        let vet = |quiet_seconds| NoticesInput { quiet_seconds }.vet().map(|notices| notices.quiet_seconds);
        assert_eq!((vet(None), vet(Some(0)), vet(Some(QUIET_SECONDS_MAX))), (Ok(300), Ok(0), Ok(QUIET_SECONDS_MAX)));
        assert_eq!(vet(Some(QUIET_SECONDS_MAX + 1)).unwrap_err().field, "notices.quiet_seconds");
    }

    #[test]
    fn only_kinds_that_there_are_can_be_wanted() {
        let check = |text: &str| check_kind("events[0]", &EventFilter::parse(text).unwrap());
        assert!(["*", "delivery.dead", "webhook.*", "storage.low"].into_iter().all(|text| check(text).is_ok()));
        assert!(check("task.created").unwrap_err().message.contains("delivery.dead"));
        assert!(check("delivery.died").is_err() && check("notice").is_err());
    }
}
