//! Access tokens of webhooks: in memory only, and one for all senders. What stays true: of one webhook one is fetched at a time,
//! and all others wait for that; who gives none is left alone for a while; a token is used only as it was granted, and is
//! dropped when its webhook changes; and where there are too many, the account that has most loses one. It reads no clock and asks
//! nobody: it says who is to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::http::header::HeaderValue;
use tokio::sync::watch;

use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::oauth2::OAuth2;
use crate::domain::time::UnixMs;

/// How long who gave no token is left alone, and who gave one that the endpoint did not take.
pub const SPARED_MS: u64 = 5_000;
/// The longest that who gave none can ask for with `Retry-After`.
pub const SPARED_MS_MAX: u64 = 60_000;
/// Webhooks whose tokens are kept, beside those for which one is being fetched.
const KEPT_MAX: usize = 4096;

/// For whom tokens are, and how they are granted.
#[derive(Debug, Clone)]
pub struct Grantee {
    /// Which webhook.
    pub webhook: WebhookNumber,
    /// Whose it is.
    pub account: AccountNumber,
    /// For another grant a token is none.
    pub grant: Arc<OAuth2>,
}

impl Grantee {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.grant, &other.grant) || self.grant == other.grant
    }
}

/// A token, as the value of `Authorization`. All clones are one.
#[derive(Debug, Clone)]
pub struct Token(Arc<HeaderValue>);

impl Token {
    /// Of this value, which says that it is not to be printed.
    pub fn new(mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self(Arc::new(value))
    }

    /// The header's value.
    pub fn value(&self) -> &HeaderValue {
        &self.0
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Why there is none, and until when it was asked to wait, if it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// In words.
    pub why: String,
    /// In the server's own time.
    pub asked_until: Option<UnixMs>,
}

/// What to do for a token.
#[derive(Debug)]
pub enum Next {
    /// Use this.
    Use(Token),
    /// There is none.
    None(Refused),
    /// Somebody fetches one: ask again once this has changed or ended.
    Wait(watch::Receiver<()>),
    /// Fetch one.
    Fetch(Fetch),
}

/// The tokens, by webhook.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    of: HashMap<WebhookNumber, Held>,
    fetches: u64,
}

/// What is known for one webhook.
#[derive(Debug)]
struct Held {
    by: Grantee,
    state: State,
    /// When one was last fetched since the endpoint did not take the one before.
    renewed_at: Option<UnixMs>,
}

#[derive(Debug)]
enum State {
    Good(Token, UnixMs),
    Bad(Refused, UnixMs),
    /// By the fetch of this number.
    Fetching(u64, watch::Receiver<()>),
}

impl State {
    /// Until when it counts; `None` while somebody fetches.
    fn until(&self) -> Option<UnixMs> {
        match self {
            Self::Good(_, until) | Self::Bad(_, until) => Some(*until),
            Self::Fetching(..) => None,
        }
    }
}

impl Tokens {
    /// What to do for a token at `now`.
    pub fn next(self: &Arc<Self>, whom: &Grantee, now: UnixMs) -> Next {
        let mut kept = self.kept();
        let known = kept.known(whom);
        match known.map(|held| &held.state) {
            Some(State::Good(token, until)) if now < *until => Next::Use(token.clone()),
            Some(State::Bad(refused, until)) if now < *until => Next::None(refused.clone()),
            Some(State::Fetching(_, told)) => Next::Wait(told.clone()),
            _ => {
                let renewed_at = known.and_then(|held| held.renewed_at);
                Next::Fetch(self.fetch(&mut kept, whom, renewed_at, now))
            }
        }
    }

    /// The same where the endpoint did not take `refused`: another one, if there is one already or it is time to fetch one.
    pub fn next_after(self: &Arc<Self>, whom: &Grantee, refused: &Token, now: UnixMs) -> Option<Next> {
        let mut kept = self.kept();
        let known = kept.known(whom);
        if known.is_some_and(|held| !matches!(&held.state, State::Good(token, _) if token.is(refused))) {
            drop(kept);
            return Some(self.next(whom, now));
        }
        match known.and_then(|held| held.renewed_at) {
            Some(at) if now < at + SPARED_MS => None,
            _ => Some(Next::Fetch(self.fetch(&mut kept, whom, Some(now), now))),
        }
    }

    /// Drops what is known for a webhook that has changed or is gone.
    pub fn forget(&self, webhook: WebhookNumber) {
        self.kept().of.remove(&webhook);
    }

    fn fetch(self: &Arc<Self>, kept: &mut Kept, whom: &Grantee, renewed_at: Option<UnixMs>, now: UnixMs) -> Fetch {
        kept.make_room(whom.webhook, now);
        kept.fetches += 1;
        let (tell, told) = watch::channel(());
        let state = State::Fetching(kept.fetches, told);
        kept.of.insert(whom.webhook, Held { by: whom.clone(), state, renewed_at });
        Fetch { tokens: self.clone(), webhook: whom.webhook, number: kept.fetches, _tell: tell }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl Kept {
    fn known(&self, whom: &Grantee) -> Option<&Held> {
        self.of.get(&whom.webhook).filter(|held| held.by.is(whom))
    }

    /// Where all room is taken, what is over goes, or else of the account that has most what is over first.
    fn make_room(&mut self, webhook: WebhookNumber, now: UnixMs) {
        if self.of.len() < KEPT_MAX || self.of.contains_key(&webhook) {
            return;
        }
        self.of.retain(|_, held| held.state.until().is_none_or(|until| now < until));
        if self.of.len() < KEPT_MAX {
            return;
        }
        let ends = || self.of.iter().filter_map(|(number, held)| Some((held.by.account, held.state.until()?, *number)));
        let mut counts: HashMap<AccountNumber, usize> = HashMap::new();
        ends().for_each(|(account, ..)| *counts.entry(account).or_default() += 1);
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(account, _)| account);
        let first =
            ends().filter(|(account, ..)| Some(*account) == most).map(|(_, until, number)| (until, number)).min();
        if let Some((_, number)) = first {
            self.of.remove(&number);
        }
    }

    /// What the fetch of this number was begun for, if that still waits for it.
    fn fetching(&mut self, webhook: WebhookNumber, number: u64) -> Option<&mut Held> {
        self.of.get_mut(&webhook).filter(|held| matches!(held.state, State::Fetching(n, _) if n == number))
    }
}

/// The right to fetch a token. Dropped without an end, somebody else gets it.
#[derive(Debug)]
pub struct Fetch {
    tokens: Arc<Tokens>,
    webhook: WebhookNumber,
    number: u64,
    /// Dropped after what it tells of: all who wait then ask again.
    _tell: watch::Sender<()>,
}

impl Fetch {
    /// Keeps what came of it for all others, until then.
    pub fn end(self, came: Result<Token, Refused>, until: UnixMs) {
        let mut kept = self.tokens.kept();
        if let Some(held) = kept.fetching(self.webhook, self.number) {
            held.state = came.map_or_else(|refused| State::Bad(refused, until), |token| State::Good(token, until));
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let mut kept = self.tokens.kept();
        if kept.fetching(self.webhook, self.number).is_some() {
            kept.of.remove(&self.webhook);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::oauth2::ClientAuth;
    use crate::domain::secret::Secret;

    const NOW: UnixMs = 1_700_000_000_000;

    /// A webhook of account 1.
    fn whom(webhook: WebhookNumber, client_id: &str) -> Grantee {
        let grant = Arc::new(OAuth2 {
            token_url: EndpointUrl::parse("https://id.example.com/token", false).expect("a URL"),
            client_id: client_id.into(),
            client_secret: Secret::new("hush"),
            client_auth: ClientAuth::Basic,
            scope: None,
            audience: None,
            extra: Vec::new(),
        });
        Grantee { webhook, account: 1, grant }
    }

    fn token(text: &'static str) -> Token {
        Token::new(HeaderValue::from_static(text))
    }

    fn refused() -> Refused {
        Refused { why: "no".into(), asked_until: None }
    }

    /// The fetch that is to be made.
    #[track_caller]
    fn to_fetch(next: Next) -> Fetch {
        if let Next::Fetch(fetch) = next { fetch } else { panic!("nobody is to fetch: {next:?}") }
    }

    /// What is to be used.
    #[track_caller]
    fn used(next: Next) -> Token {
        if let Next::Use(token) = next { token } else { panic!("nothing is to be used: {next:?}") }
    }

    #[test]
    fn one_fetches_and_all_others_wait_and_use_the_same_until_it_is_over() {
        let (tokens, whom) = (Arc::new(Tokens::default()), whom(7, "c"));
        let fetch = to_fetch(tokens.next(&whom, NOW));
        let Next::Wait(mut told) = tokens.next(&whom, NOW) else { panic!("somebody fetches already") };
        assert!(told.changed().now_or_never().is_none(), "it is under way");
        to_fetch(tokens.next(&Grantee { webhook: 8, ..whom.clone() }, NOW));
        fetch.end(Ok(token("Bearer a")), NOW + 100);
        assert!(told.changed().now_or_never().is_some(), "whoever waits is told");
        assert_eq!(used(tokens.next(&whom, NOW + 99)).value(), "Bearer a");
        to_fetch(tokens.next(&whom, NOW + 100));
    }

    #[test]
    fn who_gave_none_is_left_alone_for_a_while() {
        let (tokens, whom) = (Arc::new(Tokens::default()), whom(7, "c"));
        to_fetch(tokens.next(&whom, NOW)).end(Err(refused()), NOW + SPARED_MS);
        let Next::None(why) = tokens.next(&whom, NOW + SPARED_MS - 1) else { panic!("it is asked again") };
        assert_eq!(why, refused());
        to_fetch(tokens.next(&whom, NOW + SPARED_MS));
    }

    #[test]
    fn a_fetch_that_is_given_up_is_somebody_elses() {
        let (tokens, whom) = (Arc::new(Tokens::default()), whom(7, "c"));
        let fetch = to_fetch(tokens.next(&whom, NOW));
        let Next::Wait(mut told) = tokens.next(&whom, NOW) else { panic!("somebody fetches already") };
        drop(fetch);
        assert!(told.changed().now_or_never().is_some_and(|told| told.is_err()));
        to_fetch(tokens.next(&whom, NOW));
    }

    #[test]
    fn what_was_not_taken_is_fetched_anew_once_and_then_not_for_a_while() {
        let (tokens, whom) = (Arc::new(Tokens::default()), whom(7, "c"));
        let (one, two) = (token("Bearer a"), token("Bearer a"));
        to_fetch(tokens.next(&whom, NOW)).end(Ok(one.clone()), NOW + 60_000);
        let after = |refused: &Token, now| tokens.next_after(&whom, refused, now);
        let fetch = to_fetch(after(&one, NOW).expect("it is time"));
        assert!(matches!(after(&one, NOW), Some(Next::Wait(_))), "others wait for the same");
        fetch.end(Ok(two.clone()), NOW + 60_000);
        assert!(used(after(&one, NOW).expect("there is another")).is(&two), "who had the old one gets the new one");
        assert!(after(&two, NOW + SPARED_MS - 1).is_none());
        to_fetch(after(&two, NOW + SPARED_MS).expect("it is time again"));
    }

    #[test]
    fn a_token_is_used_only_as_it_was_granted() {
        let (tokens, before, after) = (Arc::new(Tokens::default()), whom(7, "c"), whom(7, "d"));
        let fetch = to_fetch(tokens.next(&before, NOW));
        to_fetch(tokens.next(&after, NOW)).end(Ok(token("Bearer d")), NOW + 100);
        fetch.end(Ok(token("Bearer c")), NOW + 100);
        let kept = used(tokens.next(&whom(7, "d"), NOW));
        assert_eq!(kept.value(), "Bearer d", "what comes late for another grant is not kept");
        let fetch = to_fetch(tokens.next(&before, NOW));
        tokens.forget(7);
        fetch.end(Ok(token("Bearer c")), NOW + 100);
        to_fetch(tokens.next(&before, NOW));
    }

    #[test]
    fn where_there_are_too_many_the_account_that_has_most_loses_what_is_over_first() {
        let (tokens, grant) = (Arc::new(Tokens::default()), whom(7, "c").grant);
        let of = |webhook, account| Grantee { webhook, account, grant: grant.clone() };
        let keep = |whom: &Grantee, until| to_fetch(tokens.next(whom, NOW)).end(Ok(token("Bearer a")), until);
        let many = KEPT_MAX as WebhookNumber;
        keep(&of(1, 2), NOW + 1);
        (2..=many).for_each(|webhook| keep(&of(webhook, 1), NOW + 100 + u64::from(webhook)));
        keep(&of(many + 1, 1), NOW + 1_000_000);
        assert_eq!(tokens.kept().of.len(), KEPT_MAX);
        used(tokens.next(&of(1, 2), NOW));
        used(tokens.next(&of(3, 1), NOW));
        keep(&of(2, 1), NOW + 1);
        let later = NOW + 100 + u64::from(many) - 3;
        to_fetch(tokens.next(&of(many + 2, 1), later)).end(Ok(token("Bearer a")), later + 1);
        assert_eq!(tokens.kept().of.len(), 5, "what is over goes first");
    }

    #[test]
    fn a_token_cannot_print_itself() {
        let said = format!("{:?}", token("Bearer hush"));
        assert!(!said.contains("hush"), "{said}");
    }
}
