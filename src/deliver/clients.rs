//! Clients, one for each way in which connections are made. What stays true: webhooks with other openings or other TLS
//! never share one, and their profile is a part of what connections are kept by, so none is used again under rules that
//! it was not made by. All webhooks without settings of their own share one.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use quick_cache::{UnitWeighter, unsync::Cache};
use rustls::ClientConfig;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;

use super::descriptors::Descriptors;
use super::dial::{Dial, Ways};
use super::resolve::Resolver;
use super::tls::Trust;
use crate::domain::Invalid;
use crate::domain::tls::Tls;

/// Clients beside the shared one that a sender keeps; those that are used least go.
const OTHERS_MAX: usize = 64;

/// Which client a webhook needs beside the shared one: a hash of what it was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Profile([u8; 32]);

impl Profile {
    /// That of a webhook with these openings and this TLS; `None` is the shared one.
    pub fn of(opened: &[IpNet], tls: Option<&Tls>) -> Option<Self> {
        if opened.is_empty() && tls.is_none() {
            return None;
        }
        let mut hash = Sha256::new();
        // Each text behind its length, so that none can end where another begins.
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        opened.iter().for_each(|net| add(&net.to_string()));
        for text in tls.into_iter().flat_map(texts) {
            add(if text.is_some() { "some" } else { "none" });
            add(text.unwrap_or_default());
        }
        Some(Self(hash.finalize().into()))
    }
}

fn texts(tls: &Tls) -> [Option<&str>; 3] {
    let identity = tls.identity.as_ref();
    [tls.ca.as_deref(), identity.map(|own| own.certificate.as_str()), identity.map(|own| own.key.reveal())]
}

/// What clients are made with.
#[derive(Debug, Clone)]
pub struct Making {
    /// How is dialled.
    pub ways: Ways,
    /// Whom is trusted.
    pub trust: Arc<Trust>,
    /// What they may use up.
    pub descriptors: Arc<Descriptors>,
    /// The deadline of connect, and of TLS.
    pub connect: Duration,
}

/// How connections are made for some webhooks.
#[derive(Clone)]
pub struct Client {
    /// Past the guard.
    pub dial: Dial,
    /// Where the URL says `https`.
    pub tls: TlsConnector,
}

/// The clients of one arbiter.
pub struct Clients {
    making: Making,
    resolver: Resolver,
    shared: Client,
    others: RefCell<Cache<Profile, Client>>,
}

impl Clients {
    /// The shared client, and room for others.
    pub fn new(making: Making, resolver: Resolver) -> Self {
        let shared = client(&making, &resolver, &[], making.trust.for_all());
        let others = Cache::with(OTHERS_MAX, OTHERS_MAX as u64, UnitWeighter, Default::default(), Default::default());
        Self { making, resolver, shared, others: RefCell::new(others) }
    }

    /// The client of `profile`, which was made of these openings and this TLS. An error says that the TLS cannot be
    /// used, which it could when it was set.
    pub fn get(&self, profile: Option<Profile>, opened: &[IpNet], tls: Option<&Tls>) -> Result<Client, Invalid> {
        let Some(profile) = profile else { return Ok(self.shared.clone()) };
        if let Some(known) = self.others.borrow().get(&profile) {
            return Ok(known.clone());
        }
        let tls = tls.map_or_else(|| Ok(self.making.trust.for_all()), |tls| self.making.trust.for_one(tls))?;
        let made = client(&self.making, &self.resolver, opened, tls);
        self.others.borrow_mut().insert(profile, made.clone());
        Ok(made)
    }

    /// What resolves for all of them.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }
}

fn client(making: &Making, resolver: &Resolver, opened: &[IpNet], tls: Arc<ClientConfig>) -> Client {
    let dial = Dial::new(resolver.clone(), making.ways.clone(), opened.to_vec(), making.descriptors.clone());
    Client { dial, tls: tls.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;
    use crate::domain::tls::Identity;

    #[test]
    fn whoever_dials_otherwise_has_a_profile_of_its_own() {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        let own =
            |certificate: &str, key: &str| Some(Identity { certificate: certificate.into(), key: Secret::new(key) });
        let tls = |ca: Option<&str>, identity| Tls { ca: ca.map(str::to_string), identity };
        let all = [
            Profile::of(&[], None),
            Profile::of(&nets(&["10.0.0.0/8"]), None),
            Profile::of(&nets(&["10.0.0.0/9"]), None),
            Profile::of(&nets(&["10.0.0.0/8", "10.0.0.0/9"]), None),
            Profile::of(&[], Some(&tls(Some("a"), None))),
            Profile::of(&[], Some(&tls(Some("ab"), None))),
            Profile::of(&[], Some(&tls(None, own("a", "b")))),
            Profile::of(&[], Some(&tls(Some("a"), own("b", "")))),
            Profile::of(&[], Some(&tls(Some("a"), own("", "b")))),
            Profile::of(&nets(&["10.0.0.0/8"]), Some(&tls(Some("a"), None))),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!((different.len(), all[0]), (all.len(), None));
        assert_eq!(Profile::of(&nets(&["10.0.0.0/8"]), None), all[1], "the same settings, the same client");
    }
}
