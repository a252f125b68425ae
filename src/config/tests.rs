//! Files and environments that are taken, and those that are not.

use std::net::IpAddr;
use std::path::PathBuf;

use config::Map;
use ipnet::IpNet;
use serde_json::Value as Json;

use super::knobs::KNOBS;
use super::*;

const SHIPPED: &str = include_str!("../../config.toml");

fn read(file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    from_sources(Some((Path::new("/etc/hookwheel/config.toml"), file)), Some(env))
}

fn refused(file: &str, env: &[(&str, &str)]) -> String {
    read(file, env).expect_err("must be refused").to_string()
}

#[test]
fn the_shipped_file_names_every_knob_and_sets_its_default() {
    let mut config = read(SHIPPED, &[]).expect("the shipped file");
    config.deliver.dialects = PathBuf::from("dialects");
    assert_eq!(config, Config::default());
    let mut section = String::new();
    let mut named = Vec::new();
    for line in SHIPPED.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            named.push(format!("{section}.{key}"));
        }
    }
    let known: Vec<_> = KNOBS.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(named, known);
}

#[test]
fn the_environment_is_over_the_file_and_the_file_over_the_defaults() {
    let env = [
        ("HOOKWHEEL__SERVER__LISTEN", "[::]:80"),
        ("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true"),
        ("HOOKWHEEL__DELIVER__ALLOW", "10.1.2.3/8, 127.0.0.1"),
        ("HOOKWHEEL__DELIVER__PORTS", "443, 8443"),
        ("HOOKWHEEL__DELIVER__PROXY", "socks5://user:password@proxy:1080"),
        ("HOOKWHEEL__AUTH__ADMIN_KEY", "0123456789012345"),
        ("HOOKWHEEL__STORE__PATH", ""),
        ("HOOKWHEEL_URL", "not a knob"),
    ];
    let config = read(
        "[server]\nworkers = 3\nlisten = '1.2.3.4:5'\n[deliver]\nallow = ['::1']\nname_servers = ['127.0.0.1:53']",
        &env,
    )
    .expect("fits");
    assert_eq!((config.server.listen.to_string(), config.server.workers), ("[::]:80".into(), 3));
    assert!(config.deliver.http_allowed);
    assert_eq!(config.deliver.ports, [443, 8443]);
    assert_eq!(config.deliver.name_servers, ["127.0.0.1:53".parse().expect("an address")]);
    assert_eq!(config.deliver.proxy().expect("set").to_string(), "proxy:1080");
    let allow: Vec<_> = config.deliver.allow.iter().map(IpNet::to_string).collect();
    assert_eq!(allow, ["10.0.0.0/8", "127.0.0.1/32"]);
    assert_eq!(config.auth.admin_key.expect("set").reveal(), "0123456789012345");
    assert_eq!(config.store, StoreConfig::default());
    assert_eq!(config.deliver.dialects, Path::new("/etc/hookwheel/dialects"));
    assert_eq!(from_sources(None, Some(Map::new())).expect("fits"), Config::default());
}

#[test]
fn an_unknown_key_names_where_it_is_and_the_nearest_known_one() {
    for (file, key, nearest) in [
        ("[server]\nlisten_on = 'x'", "server.listen_on", "server.listen"),
        ("[srever]\nworkers = 1", "srever.workers", "server.workers"),
        ("workers = 1", "workers", "server.workers"),
        ("[deliver]\ncache_bytes = 1", "deliver.cache_bytes", "store.cache_bytes"),
    ] {
        let message = refused(file, &[]);
        let (found, meant) = message.split_once("; did you mean ").expect("a suggestion");
        assert_eq!(found, format!("/etc/hookwheel/config.toml: unknown key `{key}`"));
        assert!(meant.contains(nearest), "{message}");
    }
    assert!(refused("[lgo]", &[]).contains("unknown key `lgo`"), "an empty section is seen too");
    assert_eq!(
        refused("", &[("HOOKWHEEL__STORE__PTAH", "x")]),
        "the environment: unknown key `HOOKWHEEL__STORE__PTAH`; did you mean `HOOKWHEEL__STORE__PATH`?"
    );
}

#[test]
fn an_unfit_value_names_the_key_what_it_takes_and_what_was_found() {
    for (file, part) in [
        ("[server]\nworkers = -1", "`server.workers` must be a whole number from 0 to 1024, but is -1"),
        ("[server]\nworkers = 1.5", "but is 1.5"),
        ("[server]\nlisten = 7080", "must be an IP address and a port"),
        ("[deliver]\nhttp_allowed = 'yes'", "must be true or false, but is \"yes\""),
        ("[deliver]\nallow = ['10.0.0.0/99']", "a list of networks"),
        ("[deliver]\nports = [443, 70000]", "a list of ports, such as [443, 8443]"),
        ("[deliver]\nname_servers = ['9.9.9.9']", "a list of IP addresses with ports"),
        ("[deliver]\nroots = 'all'", "\"webpki\" or \"native\", but is \"all\""),
        ("[deliver]\nproxy = 'https://u:hunter2@p:1'", "must be a proxy, such as"),
        ("[deliver]\nproxy = 'ftp://u:hunter2@p:1'", "but is another text"),
        ("[portal]\ncolour = 'red'", "a colour, such as \"#2f4fd0\""),
        ("[portal]\norigins = ['https://a.example/path']", "a list of origins"),
        ("[portal]\norigins = ['http://a.example']", "a list of origins"),
        ("[portal]\nsupport_url = 'javascript:alert(1)'", "an https:// or http:// address"),
        ("[oidc]\nissuer = 'http://id.example'", "an identity provider's https:// address"),
        ("[oidc]\nissuer = 'https://id.example'", "`oidc.issuer` and `oidc.client_id` go together"),
        ("[oidc]\nissuer = 'https://id.example'\nclient_id = 'x'", "without a rule nobody is let in"),
        ("[oidc]\nallowed = ['ada@example.com']", "a list of rules"),
        ("[log]\nformat = 'xml'", "\"auto\", \"text\" or \"json\", but is \"xml\""),
        ("[log]\naccess = true", "`log.access` must be \"auto\", \"on\" or \"off\", but is true"),
        ("[traces]\nsample_ratio = 1.5", "a number from 0 to 1, but is 1.5"),
        ("[traces]\nendpoint = 'localhost:4318'", "a URL, such as"),
        ("[traces]\nurl_template = 'https://traces.example.com/'", "a URL with {trace_id} in it"),
        ("[traces]\nheaders = 'Authorization: hunter2'", "headers, such as \"Authorization=Bearer …"),
        ("[log]\nlevel = 'a=b=c'", "error, warn, info"),
        ("server = 3", "`server` must be a section: write its keys under [server], but is a single value"),
        ("[server]\nbody_bytes_max = 67108864\n[store]\nqueue_bytes_max = 1024", "would never be accepted"),
        ("[server]\ntls_key = 'key.pem'", "go together"),
        ("[server]\nworkers = 1\n[server\n", "/etc/hookwheel/config.toml:3: is not TOML: "),
        ("[log]\nlevel = 'info'\nlevel = 'warn'", "/etc/hookwheel/config.toml:3: is not TOML: duplicate key"),
    ] {
        let message = refused(file, &[]);
        assert!(message.contains(part), "{message}");
    }
    let message = refused("", &[("HOOKWHEEL__AUTH__ADMIN_KEY", "hunter2")]);
    assert!(message.contains("`HOOKWHEEL__AUTH__ADMIN_KEY` must be 16 to 256"), "{message}");
    assert!(!message.contains("hunter2"), "a key is never shown");
}

#[test]
fn no_mistake_shows_a_secret() {
    const SECRET: &str = "hunter2-hunter2-hunter2";
    for file in [
        "[auth]\nadmin_key = hunter2-hunter2-hunter2",
        "[auth]\nadmin_key = 'hunter2-hunter2-hunter2",
        "[auth]\nadmin_key = \"hunter2-hunter2-hunter2\" x",
        "[auth]\nadmin_key = \"hunter2-hunter2-hunter2\\q\"",
        "[auth]\nadmin_key: hunter2-hunter2-hunter2",
        "[auth]\nadmin_key = 'hunter2-hunter2-hunter2'\nadmin_key = 'hunter2-hunter2-hunter2'",
        "[auth]\nadmin_key = ['hunter2-hunter2-hunter2']",
        "[auth.admin_key]\nkey = 'hunter2-hunter2-hunter2'",
        "auth = 'hunter2-hunter2-hunter2'",
        "auth = ['hunter2-hunter2-hunter2']",
        "[store]\nmaster_key = hunter2-hunter2-hunter2",
        "[oidc]\nclient_secret = hunter2-hunter2-hunter2",
        "[oidc]\nclient_secret = ['hunter2-hunter2-hunter2']",
        "store = 'hunter2-hunter2-hunter2'",
        "[deliver]\nproxy = http://u:hunter2-hunter2-hunter2@proxy:1",
        "[traces]\nheaders = 'hunter2-hunter2-hunter2'",
        "[traces]\nheaders = ['Authorization=hunter2-hunter2-hunter2']",
        "[deliver]\nproxy = 'http://u:hunter2-hunter2-hunter2@proxy:1/x'",
        "[deliver]\nproxy = ['http://u:hunter2-hunter2-hunter2@proxy:1']",
    ] {
        let error = read(file, &[]).expect_err(file);
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
    for name in ["HOOKWHEEL__AUTH", "HOOKWHEEL__STORE", "HOOKWHEEL__DELIVER__PROXY", "HOOKWHEEL__AUTH__ADMIN_KEY__X"] {
        let error = read("", &[(name, "hunter2-hunter2-hunter2")]).expect_err(name);
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
}

#[test]
fn every_knob_is_shown_with_its_default_and_no_secret() {
    let env = [("HOOKWHEEL__AUTH__ADMIN_KEY", "hunter2-hunter2-hunter2"), ("HOOKWHEEL__DELIVER__ALLOW", "10.0.0.0/8")];
    let config = read("[server]\nevents_per_second = 0\ntls_certificate = 'c.pem'\ntls_key = 'k.pem'", &env);
    let config = config.expect("fits");
    let knobs = config.knobs();
    let names: Vec<_> = knobs.iter().map(|knob| knob.0).collect();
    assert_eq!(names, KNOBS.iter().map(|knob| knob.0).collect::<Vec<_>>());
    let one = |name: &str| knobs.iter().find(|knob| knob.0 == name).map(|knob| (&knob.1, &knob.2));
    assert_eq!(one("server.events_per_second"), Some((&Json::from(0), &Json::from(20_000))));
    assert_eq!(one("server.listen"), Some((&Json::from("127.0.0.1:7080"), &Json::from("127.0.0.1:7080"))));
    assert_eq!(one("deliver.allow"), Some((&serde_json::json!(["10.0.0.0/8"]), &serde_json::json!([]))));
    assert_eq!(one("server.tls_key"), Some((&Json::from("/etc/hookwheel/k.pem"), &Json::Null)));
    assert_eq!(one("auth.admin_key"), Some((&Json::from("set"), &Json::Null)));
    assert!(!format!("{knobs:?}").contains("hunter2"), "a key is never shown");
    let loosened: Vec<_> = config.loosened().into_iter().map(|(knob, _)| knob).collect();
    assert_eq!(loosened, ["server.events_per_second", "deliver.allow"]);
    assert_eq!(Config::default().loosened(), []);
}

#[test]
fn development_allows_http_and_this_machine_and_serves_all_contracts() {
    let mut config = Config::default();
    assert_eq!(config.deliver.wanted_dialects(), Some(&[][..]));
    config.for_development();
    config.for_development();
    assert!(config.deliver.http_allowed);
    assert_eq!(config.deliver.wanted_dialects(), None);
    let mut said = read("", &[("HOOKWHEEL__DELIVER__BUILTIN_DIALECTS", "hub, github")]).expect("fits");
    said.for_development();
    assert_eq!(said.deliver.wanted_dialects(), Some(&["hub".to_string(), "github".to_string()][..]));
    assert_eq!(config.deliver.allow.len(), 2);
    assert!(config.deliver.allow[0].contains(&"127.0.0.9".parse::<IpAddr>().expect("an address")));
}

#[test]
fn headers_for_a_collector_are_read_as_one_line_says_them() {
    let env = [
        ("HOOKWHEEL__TRACES__HEADERS", "Authorization=Basic dTpw==, X-Scope-OrgID=main"),
        ("HOOKWHEEL__TRACES__SAMPLE_RATIO", "0.25"),
        ("HOOKWHEEL__METRICS__ACCOUNTS_MAX", "7"),
    ];
    let config = read("[traces]\nendpoint = 'http://collector:4318'\nsample_ratio = 1", &env).expect("fits");
    let headers = config.traces.sent_headers();
    let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((of("Authorization"), of("X-Scope-OrgID")), (Some("Basic dTpw=="), Some("main")));
    assert_eq!((config.traces.sample_ratio, config.metrics.accounts_max), (0.25, 7));
    let loosened: Vec<_> = config.loosened().into_iter().map(|(knob, _)| knob).collect();
    assert_eq!(loosened, ["metrics.accounts_max"], "it tells strangers of accounts");
    assert!(!format!("{config:?}{:?}", config.knobs()).contains("dTpw"), "it lets its holder in");
    assert_eq!(read("[traces]\nsample_ratio = 0", &[]).expect("fits").traces.sample_ratio, 0.0);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let error = load(Some(Path::new("/nowhere/hookwheel.toml"))).expect_err("must be refused");
    assert!(error.to_string().starts_with("cannot read the configuration file /nowhere/hookwheel.toml:"), "{error}");
}
