//! Quiet times: a webhook that hears notices is told the first of a kind at once; what follows within its quiet time is counted,
//! and told as one when that ends. One that is told each is left in peace for a moment where very many come at once. What stays true:
//! what is counted lies in the commit that it is about, so a restart forgets none; a row stays small however much is counted; and
//! one commit tells an account only so many one by one.

use serde_json::{Map, json};

use super::error::StoreError;
use super::layout::{self, Key, Tree};
use super::message::NewEvent;
use super::publish::Wanting;
use super::staging::Staging;
use crate::domain::account::OPERATOR_ACCOUNT;
use crate::domain::delivery::Cause;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::notice::{self, CROWDED_SECONDS, Notices};
use crate::domain::quiet::Quiet;
use crate::domain::time::{self, UnixMs};

/// Webhooks that a summary names.
const NAMED_MAX: usize = 10;

impl Staging<'_> {
    /// Takes out of those that want a notice the webhooks whose quiet time is on, and counts it for them; that of the others begins.
    /// Where it is `crowded`, the account was told so many in this group that those who are told each are left in peace for a moment.
    pub(super) fn keep_quiet(
        &mut self,
        wanting: &mut Wanting,
        (kind, about): (&str, Option<WebhookNumber>),
        crowded: bool,
    ) -> Result<(), StoreError> {
        let mut told = Vec::with_capacity(wanting.webhooks.len());
        for number in std::mem::take(&mut wanting.webhooks) {
            let Some(of) = self.notices_of(number) else {
                told.push(number);
                continue;
            };
            let key = layout::quiet(number, kind);
            // What cannot be read begins anew.
            let known = self.trees().readable(self.load::<Quiet>(Tree::Quiet, &key))?.flatten();
            let quiet = match known {
                Some(mut quiet) => {
                    quiet.count(about);
                    quiet
                }
                None if of.quiet_seconds > 0 => {
                    told.push(number);
                    Quiet::from(self.now(), of)
                }
                None if crowded => {
                    let mut quiet = Quiet::from(self.now(), Notices { quiet_seconds: CROWDED_SECONDS });
                    quiet.count(about);
                    quiet
                }
                None => {
                    told.push(number);
                    continue;
                }
            };
            self.put(Tree::Quiet, key, &quiet);
        }
        wanting.too_costly.retain(|number| told.contains(number));
        wanting.webhooks = told;
        Ok(())
    }

    /// Ends a quiet time that is over: tells what was counted, and begins the next one; without anything to tell the next notice
    /// is told. Says when it ends, if it has not.
    pub(super) fn end_quiet(&mut self, key: &Key) -> Result<Option<UnixMs>, StoreError> {
        let quiet = self.trees().readable(self.load::<Quiet>(Tree::Quiet, key))?.flatten();
        let Some(quiet) = quiet else { return Ok(None) };
        let ends_at = quiet.ends_at(self.now());
        if ends_at > self.now() {
            return Ok(Some(ends_at));
        }
        let (number, kind) = layout::read_quiet(key);
        let webhook = self.registry().webhook(number).filter(|webhook| !webhook.is_deleted());
        let served = webhook.filter(|webhook| self.registry().is_served(webhook.account));
        let (Some(webhook), Some(of), true) = (served, self.notices_of(number), quiet.count > 0) else {
            self.stage(Tree::Quiet, key.clone(), None);
            return Ok(None);
        };
        let event = self.summary(kind, &quiet);
        let wanting = Wanting { webhooks: vec![number], ..Wanting::default() };
        self.put_told(webhook.account, event, wanting)?;
        if of.quiet_seconds == 0 {
            self.stage(Tree::Quiet, key.clone(), None);
            return Ok(None);
        }
        let next = Quiet::from(self.now(), of);
        self.put(Tree::Quiet, key.clone(), &next);
        Ok(Some(next.until))
    }

    /// Puts a notice there. Those of the operator are events like any other.
    pub(super) fn put_told(
        &mut self,
        account: AccountNumber,
        event: NewEvent,
        wanting: Wanting,
    ) -> Result<(), StoreError> {
        let is_operator = self.registry().account(account).is_some_and(|account| account.id == OPERATOR_ACCOUNT);
        match is_operator {
            true => self.put_event(account, event, wanting, Cause::Accept).map(drop),
            false => self.put_notice(account, event, wanting).map(drop),
        }
    }

    /// How the webhook hears notices; none of one of the operator's that hears them as it hears any event.
    fn notices_of(&self, number: WebhookNumber) -> Option<Notices> {
        self.registry().webhook(number).and_then(|webhook| webhook.notices)
    }

    fn summary(&self, kind: &str, quiet: &Quiet) -> NewEvent {
        let registry = self.registry();
        let named: Vec<_> = quiet.about.iter().take(NAMED_MAX).filter_map(|number| registry.webhook(*number)).collect();
        let mut names: Vec<String> = named.iter().map(|webhook| notice::plain(&webhook.label(), 60)).collect();
        let is_all = named.len() == quiet.about.len() && !quiet.more;
        names.extend((!is_all).then(|| "…".to_string()));
        let webhooks = quiet.webhooks();
        let of = notice::kind_of(kind);
        let mut data = Map::new();
        data.insert("of".into(), kind.into());
        data.insert("count".into(), quiet.count.into());
        data.insert("webhooks".into(), json!(webhooks));
        data.insert("names".into(), json!((!names.is_empty()).then(|| names.join(", "))));
        data.insert("since".into(), time::rfc3339(quiet.since).into());
        data.insert("until".into(), time::rfc3339(self.now()).into());
        let more = webhooks.map_or(String::new(), |webhooks| format!(", of {webhooks}"));
        let about = format!("{} (and {} more{more})", of.title, quiet.count);
        let ids: Vec<String> = named.iter().map(|webhook| webhook.id.to_string()).collect();
        let mut data = notice::with_text(notice::SUMMARY, Some(&about), data);
        data.insert("webhook_ids".into(), json!(ids));
        NewEvent::notice(notice::SUMMARY, data, Vec::new())
    }
}
