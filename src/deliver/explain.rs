//! Where a URL leads and which rules decide there, by the same resolver and the same guard that deliveries go past. What
//! stays true: nothing is dialled.

use ipnet::IpNet;
use url::{Host, Url};

use super::dial::{Ways, bare};
use super::resolve::Resolver;
use crate::domain::explain::Explained;
use crate::domain::guard::{Rule, port_of};

/// Explains a URL, for a webhook for which `opened` was opened.
pub async fn explain(url: &Url, opened: &[IpNet], ways: &Ways, resolver: &Resolver) -> Explained {
    let (host, port) = (url.host_str().unwrap_or_default().to_string(), port_of(url));
    let is_name = matches!(url.host(), Some(Host::Domain(_)));
    let proxy = ways.proxy.as_ref().map(|proxy| format!("connections go through the proxy {proxy}"));
    let mut explained =
        Explained { url: url.to_string(), host, port, may_dial: false, addresses: Vec::new(), note: proxy };
    if let Some(rule @ Rule::LocalName(_)) = ways.guard.refuses_url(url, opened) {
        explained.note = Some(format!("no webhook may have this URL: {rule}"));
        return explained;
    }
    if is_name && ways.proxy.is_some() && ways.proxy_resolves {
        explained.note = Some("the proxy resolves the name, so nobody here knows or checks where it leads".into());
        return explained;
    }
    match resolver.addresses(bare(&explained.host)).await {
        Ok(found) => {
            explained.with_decisions(found.into_iter().map(|address| ways.guard.decide(address, port, opened)))
        }
        Err(error) => {
            Explained { note: Some(format!("the host name could not be resolved: {}", error.why)), ..explained }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::deliver::egress::Egress;
    use crate::domain::guard::Guard;
    use crate::domain::proxy::Proxy;

    #[test]
    fn an_address_is_judged_here_also_where_the_proxy_resolves_names() {
        let ways = Ways {
            guard: Arc::new(Guard::new(Vec::new(), Vec::new(), Vec::new())),
            egress: Egress::default(),
            proxy: Some(Arc::new(Proxy::parse("http://proxy.example:3128").unwrap())),
            proxy_resolves: true,
        };
        let resolver = Resolver::new(&["127.0.0.1:53".parse().unwrap()], Duration::from_secs(1));
        let explained = |url: &str| {
            let url = url.parse().unwrap();
            actix_rt::System::new().block_on(explain(&url, &[], &ways, &resolver))
        };
        let judged = explained("https://192.0.2.1/");
        assert_eq!((judged.addresses.len(), judged.may_dial), (1, false), "it is for documentation: {judged:?}");
        let named = explained("https://endpoint.example/");
        assert!(named.addresses.is_empty() && named.note.is_some_and(|note| note.contains("the proxy resolves")));
    }
}
