//! Every spelling of an address, and what the guard decides about it: pure, without a socket. What stays true: whatever
//! the spelling, the decision is about the address that would be dialled, and names are left to the dial.

use std::net::IpAddr;

use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::guard::{Guard, OwnListener, Rule, is_wide};
use ipnet::IpNet;

/// Hosts as a URL may write them, each with what is decided: a rule, `name`, or `no URL`.
const SPELLINGS: &[(&str, &str)] = &[
    // loopback, in all the ways that an IPv4 address can be written
    ("127.0.0.1", "special: loopback (127.0.0.0/8)"),
    ("127.0.0.1.", "special: loopback (127.0.0.0/8)"),
    ("127.1", "special: loopback (127.0.0.0/8)"),
    ("127.1.", "special: loopback (127.0.0.0/8)"),
    ("127.0.1", "special: loopback (127.0.0.0/8)"),
    ("127.255.255.254", "special: loopback (127.0.0.0/8)"),
    ("127.2.3.4", "special: loopback (127.0.0.0/8)"),
    ("2130706433", "special: loopback (127.0.0.0/8)"),
    ("0x7f000001", "special: loopback (127.0.0.0/8)"),
    ("0X7F000001", "special: loopback (127.0.0.0/8)"),
    ("0x7f.1", "special: loopback (127.0.0.0/8)"),
    ("0x7f.0.0.1", "special: loopback (127.0.0.0/8)"),
    ("0x7f.0x0.0x0.0x1", "special: loopback (127.0.0.0/8)"),
    ("017700000001", "special: loopback (127.0.0.0/8)"),
    ("0177.1", "special: loopback (127.0.0.0/8)"),
    ("0177.0.0.1", "special: loopback (127.0.0.0/8)"),
    ("0177.0.0.01", "special: loopback (127.0.0.0/8)"),
    ("00000177.0.0.1", "special: loopback (127.0.0.0/8)"),
    ("127.0x1", "special: loopback (127.0.0.0/8)"),
    ("127.0.0.0x1", "special: loopback (127.0.0.0/8)"),
    ("%31%32%37.0.0.1", "special: loopback (127.0.0.0/8)"),
    ("127%2e0%2e0%2e1", "special: loopback (127.0.0.0/8)"),
    ("127。0。0。1", "special: loopback (127.0.0.0/8)"),
    ("127．0．0．1", "special: loopback (127.0.0.0/8)"),
    ("127｡0｡0｡1", "special: loopback (127.0.0.0/8)"),
    ("１２７.０.０.１", "special: loopback (127.0.0.0/8)"),
    ("①②⑦.⓪.⓪.①", "special: loopback (127.0.0.0/8)"),
    ("𝟙𝟚𝟟.𝟘.𝟘.𝟙", "special: loopback (127.0.0.0/8)"),
    ("127.0.0.\u{ad}1", "special: loopback (127.0.0.0/8)"),
    ("127\t.0.0.1", "special: loopback (127.0.0.0/8)"),
    ("[::1]", "special: loopback (::1/128)"),
    ("[0:0:0:0:0:0:0:1]", "special: loopback (::1/128)"),
    ("[0000:0000:0000:0000:0000:0000:0000:0001]", "special: loopback (::1/128)"),
    ("[::0001]", "special: loopback (::1/128)"),
    ("[::0.0.0.1]", "special: loopback (::1/128)"),
    // IPv4 inside of IPv6
    ("[::ffff:127.0.0.1]", "special: loopback (127.0.0.0/8)"),
    ("[::ffff:7f00:1]", "special: loopback (127.0.0.0/8)"),
    ("[0:0:0:0:0:ffff:7f00:0001]", "special: loopback (127.0.0.0/8)"),
    ("[::FFFF:10.0.0.1]", "special: private (10.0.0.0/8)"),
    ("[::ffff:169.254.169.254]", "special: link-local (169.254.0.0/16)"),
    ("[::ffff:8.8.8.8]", "public"),
    ("[::127.0.0.1]", "special: IPv4-compatible (::/96)"),
    ("[::7f00:1]", "special: IPv4-compatible (::/96)"),
    ("[::8.8.8.8]", "special: IPv4-compatible (::/96)"),
    ("[::ffff:0:127.0.0.1]", "special: not global unicast (::/0)"),
    ("[64:ff9b::127.0.0.1]", "special: loopback (127.0.0.0/8)"),
    ("[64:ff9b::7f00:1]", "special: loopback (127.0.0.0/8)"),
    ("[64:ff9b::10.1.2.3]", "special: private (10.0.0.0/8)"),
    ("[64:ff9b::a9fe:a9fe]", "special: link-local (169.254.0.0/16)"),
    ("[64:ff9b::808:808]", "public"),
    ("[64:ff9b::8.8.8.8]", "public"),
    ("[64:ff9b::10.20.0.1]", "opened by deliver.allow 10.20.0.0/16"),
    ("[64:ff9b::1.2.3.4]", "denied by deliver.deny 1.2.3.0/24"),
    ("[64:ff9b:0:0:0:1:0808:0808]", "special: not global unicast (::/0)"),
    ("[64:ff9b:1::7f00:1]", "special: local NAT64 (64:ff9b:1::/48)"),
    ("[64:ff9b:1::808:808]", "special: local NAT64 (64:ff9b:1::/48)"),
    ("[2002:7f00:1::]", "special: 6to4 (2002::/16)"),
    ("[2002:7f00:1::1]", "special: 6to4 (2002::/16)"),
    ("[2002:808:808::1]", "special: 6to4 (2002::/16)"),
    ("[2001::1]", "special: protocol assignments, Teredo (2001::/23)"),
    ("[2001:0:4136:e378:8000:63bf:80ff:fffe]", "special: protocol assignments, Teredo (2001::/23)"),
    // zones and other things that are no address in a URL
    ("[fe80::1%eth0]", "no URL"),
    ("[fe80::1%25eth0]", "no URL"),
    ("[::1%251]", "no URL"),
    ("[::1", "no URL"),
    ("::1", "no URL"),
    ("[127.0.0.1]", "no URL"),
    ("[::g]", "no URL"),
    ("[1:2:3:4:5:6:7:8:9]", "no URL"),
    ("[v1.a]", "no URL"),
    ("127.0.0.256", "no URL"),
    ("256.256.256.256", "no URL"),
    ("1.2.3.4.5", "no URL"),
    ("127.0.0.0x", "special: loopback (127.0.0.0/8)"),
    ("127.0.0.08", "no URL"),
    ("0x100000000", "no URL"),
    ("4294967296", "no URL"),
    ("foo.127", "no URL"),
    ("127.0.0.1 .example", "no URL"),
    ("127.0.0.1%00.example", "no URL"),
    ("user@127.0.0.1", "no URL"),
    ("example.com@127.0.0.1", "no URL"),
    ("example.com:80@127.0.0.1", "no URL"),
    ("", "no URL"),
    // this network and the rest of the registry of IPv4
    ("0", "special: this network (0.0.0.0/8)"),
    ("0.0.0.0", "special: this network (0.0.0.0/8)"),
    ("0x0", "special: this network (0.0.0.0/8)"),
    ("0.1.2.3", "special: this network (0.0.0.0/8)"),
    ("10.0.0.0", "special: private (10.0.0.0/8)"),
    ("10.255.255.255", "special: private (10.0.0.0/8)"),
    ("012.1.2.3", "special: private (10.0.0.0/8)"),
    ("0xa.1.2.3", "special: private (10.0.0.0/8)"),
    ("167772161", "special: private (10.0.0.0/8)"),
    ("9.255.255.255", "public"),
    ("11.0.0.0", "public"),
    ("100.63.255.255", "public"),
    ("100.64.0.0", "special: shared address space (100.64.0.0/10)"),
    ("100.127.255.255", "special: shared address space (100.64.0.0/10)"),
    ("100.128.0.0", "public"),
    ("126.255.255.255", "public"),
    ("128.0.0.0", "public"),
    ("169.253.255.255", "public"),
    ("169.254.0.0", "special: link-local (169.254.0.0/16)"),
    ("169.254.169.254", "special: link-local (169.254.0.0/16)"),
    ("168.63.129.16", "special: cloud host (168.63.129.16/32)"),
    ("168.63.129.17", "public"),
    ("2852039166", "special: link-local (169.254.0.0/16)"),
    ("0xa9fea9fe", "special: link-local (169.254.0.0/16)"),
    ("0251.0376.0251.0376", "special: link-local (169.254.0.0/16)"),
    ("169.16689662", "special: link-local (169.254.0.0/16)"),
    ("169.255.0.0", "public"),
    ("172.15.255.255", "public"),
    ("172.16.0.0", "special: private (172.16.0.0/12)"),
    ("172.31.255.255", "special: private (172.16.0.0/12)"),
    ("172.32.0.0", "public"),
    ("191.255.255.255", "public"),
    ("192.0.0.0", "special: protocol assignments (192.0.0.0/24)"),
    ("192.0.0.9", "special: protocol assignments (192.0.0.0/24)"),
    ("192.0.0.170", "special: protocol assignments (192.0.0.0/24)"),
    ("192.0.1.0", "public"),
    ("192.0.2.1", "special: documentation (192.0.2.0/24)"),
    ("192.0.3.0", "public"),
    ("192.31.196.1", "public"),
    ("192.52.193.1", "public"),
    ("192.88.98.255", "public"),
    ("192.88.99.1", "special: 6to4 relay (192.88.99.0/24)"),
    ("192.88.100.0", "public"),
    ("192.167.255.255", "public"),
    ("192.168.0.0", "special: private (192.168.0.0/16)"),
    ("192.168.255.255", "special: private (192.168.0.0/16)"),
    ("192.168.257", "special: private (192.168.0.0/16)"),
    ("192.169.0.0", "public"),
    ("192.175.48.1", "public"),
    ("198.17.255.255", "public"),
    ("198.18.0.0", "special: benchmarking (198.18.0.0/15)"),
    ("198.19.255.255", "special: benchmarking (198.18.0.0/15)"),
    ("198.20.0.0", "public"),
    ("198.51.100.7", "special: documentation (198.51.100.0/24)"),
    ("203.0.113.7", "special: documentation (203.0.113.0/24)"),
    ("203.0.114.0", "public"),
    ("223.255.255.255", "public"),
    ("224.0.0.1", "special: multicast (224.0.0.0/4)"),
    ("239.255.255.250", "special: multicast (224.0.0.0/4)"),
    ("240.0.0.1", "special: reserved (240.0.0.0/4)"),
    ("255.255.255.254", "special: reserved (240.0.0.0/4)"),
    ("255.255.255.255", "special: broadcast (255.255.255.255/32)"),
    ("4294967295", "special: broadcast (255.255.255.255/32)"),
    ("0xffffffff", "special: broadcast (255.255.255.255/32)"),
    ("1.1.1.1", "public"),
    ("16843009", "public"),
    // the registry of IPv6
    ("[::]", "special: unspecified (::/128)"),
    ("[0:0:0:0:0:0:0:0]", "special: unspecified (::/128)"),
    ("[100::1]", "special: discard-only (100::/64)"),
    ("[100:0:0:1::1]", "special: dummy prefix (100:0:0:1::/64)"),
    ("[100:0:0:2::1]", "special: not global unicast (::/0)"),
    ("[1fff:ffff::1]", "special: not global unicast (::/0)"),
    ("[2000::1]", "public"),
    ("[2001:1::1]", "special: protocol assignments, Teredo (2001::/23)"),
    ("[2001:2::1]", "special: protocol assignments, Teredo (2001::/23)"),
    ("[2001:10::1]", "special: protocol assignments, Teredo (2001::/23)"),
    ("[2001:20::1]", "special: protocol assignments, Teredo (2001::/23)"),
    ("[2001:1ff:ffff::1]", "special: protocol assignments, Teredo (2001::/23)"),
    ("[2001:200::1]", "public"),
    ("[2001:db8::1]", "special: documentation (2001:db8::/32)"),
    ("[2001:DB8:ffff::1]", "special: documentation (2001:db8::/32)"),
    ("[2001:db9::1]", "public"),
    ("[2606:4700:4700::1111]", "public"),
    ("[2620:4f:8000::1]", "public"),
    ("[2a00:1450:4001::200e]", "public"),
    ("[3ffe::1]", "special: 6bone (3ffe::/16)"),
    ("[3fff::1]", "special: documentation (3fff::/20)"),
    ("[3fff:fff::1]", "special: documentation (3fff::/20)"),
    ("[3fff:1000::1]", "public"),
    ("[4000::1]", "special: not global unicast (::/0)"),
    ("[5f00::1]", "special: segment routing (5f00::/16)"),
    ("[fc00::1]", "special: unique local (fc00::/7)"),
    ("[fd12:3456:789a::1]", "special: unique local (fc00::/7)"),
    ("[fe80::1]", "special: link-local (fe80::/10)"),
    ("[febf::1]", "special: link-local (fe80::/10)"),
    ("[fec0::1]", "special: site-local (fec0::/10)"),
    ("[ff02::1]", "special: multicast (ff00::/8)"),
    ("[ff0e::1]", "special: multicast (ff00::/8)"),
    // the lists: what is denied goes over what is opened, also where it is written as IPv4-mapped
    ("1.2.3.4", "denied by deliver.deny 1.2.3.0/24"),
    ("[::ffff:1.2.3.4]", "denied by deliver.deny 1.2.3.0/24"),
    ("16909060", "denied by deliver.deny 1.2.3.0/24"),
    ("1.2.4.4", "public"),
    ("5.6.7.8", "denied by deliver.deny 5.6.7.0/24"),
    ("[2606:4700:dead::1]", "denied by deliver.deny 2606:4700:dead::/48"),
    ("10.20.1.1", "opened by deliver.allow 10.20.0.0/16"),
    ("0xa140101", "opened by deliver.allow 10.20.0.0/16"),
    ("10.20.99.1", "denied by deliver.deny 10.20.99.0/24"),
    ("10.21.1.1", "special: private (10.0.0.0/8)"),
    ("[fd00:20::1]", "opened by deliver.allow fd00:20::/32"),
    ("10.30.1.1", "opened by the webhook's allow 10.30.0.0/16"),
    ("10.30.99.1", "denied by deliver.deny 10.30.99.0/24"),
    ("[::ffff:10.30.1.1]", "opened by the webhook's allow 10.30.0.0/16"),
    // names are decided about when they are dialled
    ("example.com", "name"),
    ("localhost", "name"),
    ("localhost.", "name"),
    ("127.0.0.1.nip.io", "name"),
    ("0x7f.example", "name"),
    ("127-0-0-1.example", "name"),
    ("metadata.google.internal", "name"),
    ("xn--mnchen-3ya.example", "name"),
    ("１２７.０.０.１.example", "name"),
];

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

fn guard() -> Guard {
    let allow = nets(&["10.20.0.0/16", "fd00:20::/32"]);
    let deny = nets(&["1.2.3.0/24", "10.20.99.0/24", "10.30.99.0/24", "2606:4700:dead::/48", "::ffff:5.6.7.0/120"]);
    Guard::new(allow, deny, Vec::new())
}

#[test]
fn every_spelling_is_decided_about_as_the_address_that_it_is() {
    assert!(SPELLINGS.len() >= 150, "{}", SPELLINGS.len());
    let (guard, opened) = (guard(), nets(&["10.30.0.0/16"]));
    let mut wrong = Vec::new();
    for (host, expected) in SPELLINGS {
        let decided = match EndpointUrl::parse(&format!("http://{host}:8080/"), true) {
            Err(_) => "no URL".to_string(),
            Ok(url) => {
                guard.decide_url(&url.parts(), &opened).map_or("name".to_string(), |decision| decision.rule.to_string())
            }
        };
        if decided != *expected {
            wrong.push(format!("{host}: {decided}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_opening_of_one_webhook_is_none_of_another() {
    let url = EndpointUrl::parse("http://10.30.1.1/", true).expect("a URL").parts();
    let rule = |opened: &[&str]| guard().decide_url(&url, &nets(opened)).expect("an address").rule;
    assert!(rule(&["10.30.0.0/16"]).opens() && rule(&["::ffff:10.30.0.0/112"]).opens());
    assert!(!rule(&[]).opens() && !rule(&["10.31.0.0/16"]).opens());
}

#[test]
fn ports_are_decided_about_also_where_the_host_is_a_name() {
    let guard = Guard::new(nets(&["10.0.0.0/8"]), Vec::new(), vec![443, 8443]);
    let refused = |url: &str| guard.refuses_url(&EndpointUrl::parse(url, true).expect("a URL").parts(), &[]);
    for open in ["https://example.com/", "https://example.com:8443/", "https://10.1.1.1/"] {
        assert_eq!(refused(open), None, "{open}");
    }
    for (closed, port) in [("https://example.com:22/", 22), ("http://example.com/", 80), ("http://10.1.1.1:25/", 25)] {
        assert_eq!(refused(closed), Some(Rule::Port(port)), "{closed}");
    }
    assert_eq!(Rule::Port(25).to_string(), "port 25 is not in deliver.ports");
}

#[test]
fn names_of_no_public_endpoint_are_refused_until_something_is_opened() {
    let guard = |allow: &[&str]| Guard::new(nets(allow), Vec::new(), Vec::new());
    let refused = |guard: &Guard, host: &str, opened: &[&str]| {
        let url = EndpointUrl::parse(&format!("https://{host}/"), false).expect("a URL").parts();
        guard.refuses_url(&url, &nets(opened)).map(|rule| rule.word())
    };
    let table = [
        ("localhost", "special"),
        ("hook.localhost.", "special"),
        ("printer.local", "local_name"),
        ("x.y.test", "local_name"),
        ("TEST.", "local_name"),
        ("x.invalid", "local_name"),
        ("metadata.google.internal", "local_name"),
        ("nas.home.arpa", "local_name"),
        ("1.0.0.10.in-addr.arpa", "local_name"),
        ("hidden.onion", "local_name"),
        ("hidden.alt", "local_name"),
        ("wiki.corp", "local_name"),
        ("router.lan", "local_name"),
        ("postgres", "local_name"),
    ];
    for (host, rule) in table {
        assert_eq!(refused(&guard(&[]), host, &[]), Some(rule), "{host}");
        // What is opened for it, or for all, may be behind such a name; the dial sees to it.
        let loopback = ["127.0.0.0/8", "::1/128"];
        assert_eq!(refused(&guard(&loopback), host, &[]), None, "{host}");
        assert_eq!(refused(&guard(&[]), host, &loopback), None, "{host}");
    }
    for host in ["example.com", "hook.example", "localhost.example.com", "internal.example.com", "mylocal.com", "a.dev"]
    {
        assert_eq!(refused(&guard(&[]), host, &[]), None, "{host}");
    }
    assert_eq!(refused(&guard(&["10.0.0.0/8"]), "localhost", &[]), Some("special"), "that is another network");
    assert_eq!(refused(&guard(&["10.0.0.0/8"]), "db.internal", &[]), None);
}

#[test]
fn a_host_is_made_of_names_and_a_port_is_one() {
    let long = "a".repeat(64);
    let longer = format!("{}.com", "a.".repeat(126));
    for bad in
        ["a..b", ".a.b", "a.b..", "*.a.b", "a*.b", "a.b:0", &format!("{long}.com"), &longer, "a!b.com", "a'b.com"]
    {
        let refused = EndpointUrl::parse(&format!("https://{bad}/"), true).expect_err(bad);
        assert_eq!(refused.field, "url", "{bad}");
    }
    for good in ["a.b.", "a_b.example.com", "-a.example.com", "xn--mnchen-3ya.example", "a.b:1", "[::1]:9", "1.1.1.1"] {
        EndpointUrl::parse(&format!("https://{good}/"), true).expect(good);
    }
}

#[test]
fn the_own_listener_is_never_dialled_whatever_is_opened() {
    let is_here: fn(IpAddr) -> bool = |address| address.is_loopback() || address == IpAddr::from([10, 0, 0, 5]);
    let bound_to = |bound: &str| {
        let own = OwnListener { bound: bound.parse().expect("an address"), is_here };
        Guard::new(nets(&["0.0.0.0/0", "::/0"]), Vec::new(), Vec::new()).with_listener(own)
    };
    let rule = |bound: &str, address: &str, port| {
        bound_to(bound).decide(address.parse().expect("an address"), port, &nets(&["127.0.0.0/8"])).rule
    };
    for all in ["0.0.0.0:7080", "[::]:7080"] {
        for own in ["127.0.0.1", "127.0.0.9", "::1", "10.0.0.5", "::ffff:127.0.0.1", "64:ff9b::a00:5", "0.0.0.0", "::"]
        {
            assert_eq!(rule(all, own, 7080), Rule::OwnListener, "{own} of {all}");
            assert_ne!(rule(all, own, 7081), Rule::OwnListener, "{own} of {all}");
        }
        assert_ne!(rule(all, "10.0.0.6", 7080), Rule::OwnListener, "another machine");
    }
    for own in ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::"] {
        assert_eq!(rule("127.0.0.1:7080", own, 7080), Rule::OwnListener, "{own}");
    }
    for other in ["127.0.0.2", "10.0.0.5", "::1"] {
        assert_ne!(rule("127.0.0.1:7080", other, 7080), Rule::OwnListener, "{other}");
    }
}

#[test]
fn what_opens_nearly_everything_is_told() {
    for wide in ["0.0.0.0/0", "::/0", "0.0.0.0/7", "2000::/3", "2000::/15", "64:ff9b::/96", "::ffff:0:0/96"] {
        assert!(is_wide(&wide.parse().expect("a network")), "{wide}");
    }
    for narrow in ["10.0.0.0/8", "192.168.0.0/16", "fc00::/16", "2001:db8::/32", "127.0.0.1/32", "::ffff:10.0.0.0/104"]
    {
        assert!(!is_wide(&narrow.parse().expect("a network")), "{narrow}");
    }
}
