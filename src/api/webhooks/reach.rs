//! Which webhooks a request reaches: those of its account only, and through a face only those of its dialect.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::view::{Onlooker, WebhookView, changed_settings, view};
use crate::api::access::auth::Tenant;
use crate::api::deliveries::history::History;
use crate::api::http::page::Window;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::{Api, MailRule};
use crate::dialect::{Dialect, Search};
use crate::domain::account::{OPERATOR_ACCOUNT, Scope};
use crate::domain::audit::Deed;
use crate::domain::endpoint::{Mail, Schemes};
use crate::domain::id::{WebhookId, WebhookNumber};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;
use crate::store::{Page, Refusal};

/// What a request may reach.
pub struct Reach<'a> {
    /// The shared state.
    pub api: &'a Api,
    /// Who asks.
    pub tenant: &'a Tenant,
    /// Through a face: its dialect.
    pub dialect: Option<&'a Dialect>,
    /// What it may still search for what was meant.
    pub search: Search,
}

impl<'a> Reach<'a> {
    /// What a request may reach, through a face or not.
    pub fn of(api: &'a Api, tenant: &'a Tenant, dialect: Option<&'a Dialect>) -> Self {
        Self { api, tenant, dialect, search: Search::of_request() }
    }
}

impl Reach<'_> {
    /// The webhook of this id, ours or its account's own, if it is within reach.
    pub fn webhook(&self, id: &str) -> Result<Arc<Webhook>, Problem> {
        self.called(id).ok_or_else(|| Problem::not_found("webhook"))
    }

    /// The same, where it has an endpoint that can be asked something.
    pub fn with_endpoint(&self, id: &str) -> Result<Arc<Webhook>, Problem> {
        let webhook = self.webhook(id)?;
        if webhook.is_pulled() {
            let message = "this webhook's deliveries are pulled, so it has no endpoint that could be asked anything; \
                           publish an event that it wants, and pull it";
            return Err(Problem::wrong_state(message));
        }
        Ok(webhook)
    }

    /// The same, if there is one.
    pub fn called(&self, id: &str) -> Option<Arc<Webhook>> {
        match WebhookId::parse(id) {
            // No own id looks so.
            Some(id) => self.find(id),
            None => self.here(self.api.store.registry().webhook_of_uid(self.tenant.account().number, id)),
        }
    }

    /// The webhook of this id of ours, if it is within reach.
    pub fn find(&self, id: WebhookId) -> Option<Arc<Webhook>> {
        self.here(self.api.store.registry().webhook_of(self.tenant.account().number, id))
    }

    fn here(&self, found: Option<Arc<Webhook>>) -> Option<Arc<Webhook>> {
        found.filter(|webhook| self.dialect.is_none_or(|dialect| dialect.name == webhook.dialect))
    }

    /// The native view of a webhook.
    pub fn view(&self, webhook: &Webhook) -> Result<WebhookView, Problem> {
        let tally = self.api.store.tally(webhook.number())?;
        let dialects = self.api.dialects.now();
        let newest = webhook.secrets.first().map(|one| &one.secret);
        let public_key = newest.and_then(|secret| dialects.get(&webhook.dialect)?.public_key(secret));
        Ok(view(webhook, &self.onlooker(), &tally, |at| self.api.store.shown(at)).with_public_key(public_key))
    }

    /// For whom webhooks are shown.
    pub fn onlooker(&self) -> Onlooker {
        let (account, may_manage) = (self.tenant.account().id.clone(), self.tenant.may(Scope::Manage));
        Onlooker { account, may_manage, dialects: Arc::clone(&self.api.dialects.now()) }
    }

    /// The history of a webhook.
    pub fn history(&self, id: &str) -> Result<History, Problem> {
        Ok(History::of(self.api, self.webhook(id)?)?)
    }

    /// Which URLs may be given to webhooks.
    pub fn schemes(&self) -> Schemes {
        let is_operator = self.tenant.is_admin() || self.tenant.account().id == OPERATOR_ACCOUNT;
        let mail = match self.api.settings().mail {
            MailRule::NoServer => Mail::NoServer,
            MailRule::Operator if !is_operator => Mail::OperatorOnly,
            MailRule::Operator | MailRule::Accounts => Mail::Allowed,
        };
        Schemes { http: self.api.settings().http_allowed, mail }
    }

    /// A page of webhooks; `wanted` filters.
    pub fn list(&self, window: Window, wanted: impl Fn(&Webhook) -> bool) -> Page<Arc<Webhook>, WebhookId> {
        let walk = window.walk();
        let (store, account) = (&self.api.store, self.tenant.account().number);
        // Filters may take long, and the commit thread waits for whoever holds the registry.
        let ids: Vec<WebhookId> = store.registry().webhook_ids_of(account).filter(|id| walk.has(id.0)).collect();
        let all = ids.into_iter().filter_map(|id| store.registry().webhook_of(account, id));
        let here = |webhook: &Webhook| self.dialect.is_none_or(|dialect| dialect.name == webhook.dialect);
        Page::of_all(all.filter(|one| here(one) && wanted(one)), walk, |webhook| webhook.id)
    }

    /// Changes a webhook; `verb` says what that is, in the audit log.
    pub async fn change(
        &self,
        webhook: &Webhook,
        verb: &'static str,
        change: impl FnOnce(&mut Webhook, UnixMs) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Webhook, Problem> {
        let (account, id) = (webhook.account, webhook.id);
        let changed = self.api.change(self.tenant, move |staging| {
            let before = staging.registry().webhook_of(account, id);
            let after = staging.update_webhook(account, id, change)?;
            let fields = before.map_or(Vec::new(), |before| changed_settings(&before, &after));
            Ok((Some(Deed::to_webhook(account, verb, id).with_fields(fields)), after))
        });
        Ok(changed.await?)
    }
}

/// The number of the webhook of this id in the account, ours or its own: by ours also of a deleted one, whose deliveries are
/// still there.
pub fn webhook_ever(api: &Api, tenant: &Tenant, id: &str) -> Result<WebhookNumber, Problem> {
    let (registry, account) = (api.store.registry(), tenant.account().number);
    let found = match WebhookId::parse(id) {
        Some(id) => registry.webhook(id.number()).filter(|webhook| webhook.id == id && webhook.account == account),
        None => registry.webhook_of_uid(account, id),
    };
    let found = found.map(|webhook| webhook.number());
    found.ok_or_else(|| Problem::not_found("webhook").with_field("webhook"))
}

/// All webhooks of the account.
pub fn reach<'a>(api: &'a Api, tenant: &'a Tenant) -> Reach<'a> {
    Reach::of(api, tenant, None)
}

/// A webhook as the reply to a request about it.
pub fn shown(reach: &Reach<'_>, webhook: &Webhook, warnings: Vec<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::with(StatusCode::OK, reach.view(webhook)?, warnings))
}
