//! Files and environments that are taken, and those that are not.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
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
    config.set_in.clear();
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
fn a_relative_path_counts_from_the_file_that_holds_it_and_one_of_the_environment_from_the_working_directory() {
    let file = "[server]\ntls_certificate = 'chain.pem'\n[deliver]\ndialects = 'file'";
    let env = [("HOOKWHEEL__SERVER__TLS_KEY", "key.pem"), ("HOOKWHEEL__DELIVER__DIALECTS", "env")];
    let config = read(file, &env).expect("fits");
    assert_eq!(config.server.tls_certificate.as_deref(), Some(Path::new("/etc/hookwheel/chain.pem")));
    assert_eq!(config.server.tls_key.as_deref(), Some(Path::new("key.pem")));
    assert_eq!(config.deliver.dialects, Path::new("env"));
}

#[test]
fn a_variable_of_ours_that_is_no_text_is_a_mistake() {
    let garbled = || OsString::from_vec(b"/srv/\xff".to_vec());
    let variables = [
        ("HOOKWHEEL__STORE__PATH".into(), garbled()),
        ("HOOKWHEEL__LOG__LEVEL".into(), "info".into()),
        ("PATH".into(), garbled()),
        (garbled(), "x".into()),
    ];
    let (texts, mistakes) = super::reading::environment(variables.into_iter());
    assert_eq!(texts.into_iter().collect::<Vec<_>>(), [("HOOKWHEEL__LOG__LEVEL".to_owned(), "info".to_owned())]);
    let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(mistakes, ["the environment: `HOOKWHEEL__STORE__PATH` must be text in UTF-8, but is none"]);
}

#[test]
fn an_unknown_key_names_where_it_is_and_the_nearest_known_one() {
    for (file, line, key, nearest) in [
        ("[server]\nlisten_on = 'x'", 2, "server.listen_on", "server.listen"),
        ("[srever]\n\n# a comment\nworkers = 1", 4, "srever.workers", "server.workers"),
        ("workers = 1", 1, "workers", "server.workers"),
        ("\n[deliver]\ncache_bytes = 1", 3, "deliver.cache_bytes", "store.cache_bytes"),
    ] {
        let message = refused(file, &[]);
        let (found, meant) = message.split_once("; did you mean ").expect("a suggestion");
        assert_eq!(found, format!("/etc/hookwheel/config.toml:{line}: unknown key `{key}`"));
        assert!(meant.contains(nearest), "{message}");
    }
    assert!(refused("[lgo]", &[]).contains("unknown key `lgo`"), "an empty section is seen too");
    assert_eq!(
        refused("", &[("HOOKWHEEL__STORE__PTAH", "x")]),
        "the environment: unknown key `HOOKWHEEL__STORE__PTAH`; did you mean `HOOKWHEEL__STORE__PATH`?"
    );
}

#[test]
fn a_variable_that_is_nearly_ours_is_refused_and_others_are_let_be() {
    for (name, meant) in [
        ("HOOKWHEEL_SERVER_LISTEN", "HOOKWHEEL__SERVER__LISTEN"),
        ("HOOKWHEEL_SERVER__LISTEN", "HOOKWHEEL__SERVER__LISTEN"),
        ("HOOKWHEEL_STORE_MASTER_KEY", "HOOKWHEEL__STORE__MASTER_KEY"),
        ("HOOKWHEEL_AUTH_ADMINKEY", "HOOKWHEEL__AUTH__ADMIN_KEY"),
        ("hookwheel_log_levle", "HOOKWHEEL__LOG__LEVEL"),
        ("HOOKWHEEL__SERVER_LISTEN", "HOOKWHEEL__SERVER__LISTEN"),
    ] {
        let message = refused("", &[(name, "hunter2")]);
        assert!(message.contains(&format!("; did you mean `{meant}`?")), "{message}");
        assert!(message.contains("unknown key `") && !message.contains("hunter2"), "{message}");
    }
    let others =
        ["HOOKWHEEL_URL", "HOOKWHEEL_KEY", "HOOKWHEEL_SEED", "HOOKWHEEL_SECRET", "HOOKWHEELS", "SERVER_LISTEN"];
    read("", &others.map(|name| (name, "x"))).expect("they are none of ours");
    read("", &[("HOOKWHEEL_SERVER_LISTEN", "")]).expect("an empty one is unset");
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_place() {
    let error = read(
        "[server]\nworkers = -1\nlisten_on = 'x'\n\n[log]\nlevel = 'inf'",
        &[("HOOKWHEEL__SMTP__PORT", "99999"), ("HOOKWHEEL_STORE_PATH", "data")],
    )
    .expect_err("must be refused");
    let text = error.to_string();
    for part in ["config.toml:2: `server.workers`", "config.toml:3: unknown key", "config.toml:6: `log.level`"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(text.contains("`HOOKWHEEL__SMTP__PORT` must be") && text.contains("`HOOKWHEEL_STORE_PATH`"), "{text}");
    assert_eq!((error.each().len(), text.lines().count()), (5, 5));
    let both = "[server]\ntls_key = 'key.pem'\n[smtp]\nhost = 'mail.example.com'";
    assert_eq!(read(both, &[]).expect_err("must be refused").each().len(), 2);
}

#[test]
fn where_a_knob_was_set_is_known() {
    let config = read("[server]\nworkers = 3\n[log]\nlevel = 'warn'", &[("HOOKWHEEL__LOG__LEVEL", "info")]);
    let set_in = config.expect("it fits").set_in;
    let expected = [("log.level", "HOOKWHEEL__LOG__LEVEL"), ("server.workers", "/etc/hookwheel/config.toml:2")];
    assert_eq!(set_in, expected.map(|(knob, place)| (knob.to_owned(), place.to_owned())).into());
}

#[test]
fn each_knob_that_is_applied_while_running_is_one() {
    let live = KNOBS.iter().filter(|(knob, _)| is_live(knob)).count();
    assert!(is_live("log.level") && is_live("limits.timeout") && !is_live("server.listen") && !is_live("log"));
    assert_eq!(live, 29);
    let other = r#"
[server]
listen = "1.2.3.4:5"
workers = 3
body_bytes_max = 2048
calls_per_minute = 1
events_per_second = 1
url_bytes_max = 999
headers_max = 20
header_bytes_max = 2048
body_seconds = 1
trusted_proxies = ["10.0.0.1"]
proxy_protocol = true
idle_seconds = 1
[store]
path = "elsewhere"
[limits]
webhooks_max = 1
keys_max = 1
event_types_max = 1
users_max = 1
max_in_flight = 1
timeout = 1
kept_bytes_max = 1
events_per_second = 1
events_per_day = 1
[retention]
event_days = 1
bytes_max = 1
hold_days_max = 1
audit_days = 1
audit_entries_max = 1
[deliver]
http_allowed = true
allow = ["10.0.0.0/8"]
deny = ["10.0.0.0/9"]
ports = [443]
egress = ["192.0.2.1"]
proxy = "http://u:p@proxy.example:1"
[log]
level = "warn"
access = "off"
format = "json"
[auth]
admin_key = "0123456789abcdef"
[traces]
url_template = "https://traces.example.com/{trace_id}"
propagate = true
"#;
    let (old, new) = (Config::default(), read(other, &[]).expect("it fits"));
    let (changed, merged) = (old.changed(&new), old.with_live_of(&new));
    for (knob, _) in KNOBS {
        let is_taken = old.changed(&merged).contains(knob);
        assert_eq!(is_taken, is_live(knob), "{knob}");
        assert!(!is_live(knob) || changed.contains(knob), "the test changes {knob}");
    }
    assert!(["auth.admin_key", "deliver.proxy", "store.path"].iter().all(|knob| changed.contains(knob)), "{changed:?}");
    assert_eq!(old.changed(&old), [""; 0]);
    assert_eq!(variable("store.path"), "HOOKWHEEL__STORE__PATH");
    assert_eq!(nearest("deliver.alow"), "deliver.allow");
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
        ("[log]\nlevel = 'inf'", "but is \"inf\" (did you mean `info`?)"),
        ("[log]\nlevel = 'info,hookwheel::stroe=debug'", "(did you mean `hookwheel::store`?)"),
        ("server = 3", "`server` must be a section: write its keys under [server], but is a single value"),
        ("[server]\nbody_bytes_max = 67108864\n[store]\nqueue_bytes_max = 1024", "would never be accepted"),
        ("[server]\ntls_key = 'key.pem'", "go together"),
        ("[server]\nproxy_protocol = true", "nobody is trusted to send its header"),
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
        "[auth]\nadmin_key hunter2-hunter2-hunter2",
        "[auth]\nadmin_key = 1hunter2-hunter2-hunter2",
        "[auth]\nadmin_key = \"\"\"hunter2-hunter2-hunter2",
        "[auth]\nadmin_key = {a = hunter2-hunter2-hunter2}",
        "[auth]\nadmin_key = [hunter2-hunter2-hunter2",
        "[hunter2-hunter2-hunter2",
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
        "[traces]\nendpoint = 'https://u:hunter2-hunter2-hunter2@collector:4318'",
        "[portal]\norigins = ['https://u:hunter2-hunter2-hunter2@a.example']",
        "[traces]\nheaders = ['Authorization=hunter2-hunter2-hunter2']",
        "[deliver]\nproxy = 'http://u:hunter2-hunter2-hunter2@proxy:1/x'",
        "[deliver]\nproxy = ['http://u:hunter2-hunter2-hunter2@proxy:1']",
        // What may have no password in it shows none either.
        "[traces]\nendpoint = 'http://u:hunter2-hunter2-hunter2@collector:4318'",
        "[traces]\nurl_template = 'https://u:hunter2-hunter2-hunter2@traces.example.com'",
        "[smtp]\nhost = 'smtp://u:hunter2-hunter2-hunter2@mail.example.com'",
        "[smtp]\nhost = 'u:hunter2-hunter2-hunter2@mail.example.com'",
        "[server]\npublic_url = 'https://u:hunter2-hunter2-hunter2@hooks.example.com'",
        "[portal]\norigins = ['https://u:hunter2-hunter2-hunter2@app.example.com']",
        "[oidc]\nissuer = 'https://u:hunter2-hunter2-hunter2@id.example.com'",
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
fn no_knob_that_is_a_secret_shows_what_it_does_not_take() {
    const SECRET: &str = "hunter2-hunter2-hunter2";
    let names = ["key", "secret", "password", "headers", "proxy"];
    let is_said_so = |name: &str| {
        let last = name.rsplit('.').next().expect("a name");
        let is_named = last.split('_').next_back().is_some_and(|word| names.contains(&word));
        (is_named && name != "server.tls_key") || name == "store.url"
    };
    for (knob, takes) in KNOBS {
        assert_eq!(takes.is_secret(), is_said_so(knob), "{knob}");
        if !takes.is_secret() {
            continue;
        }
        let (section, name) = knob.split_once('.').expect("a section");
        let long = SECRET.repeat(100);
        for value in [format!("['{SECRET}']"), SECRET.to_owned(), format!("'{SECRET}"), format!("{{a = '{SECRET}'}}")] {
            let error = refused(&format!("[{section}]\n{name} = {value}"), &[]);
            assert!(!error.contains(SECRET), "{knob}: {error}");
        }
        // A text of any length is a master key, until it is read as one.
        if let Err(error) = read("", &[(&variable(knob), &*format!("{long}\u{7}"))]) {
            assert!(!error.to_string().contains(SECRET), "{knob}: {error}");
        }
    }
}

#[test]
fn each_key_of_a_file_that_is_begun_can_be_set_by_taking_its_mark_away() {
    let begun = commented();
    let none = read(&begun, &[]).expect("it is taken as it is");
    assert!(none.set_in.is_empty());
    for Documented { name, default, .. } in documented().into_iter().filter(|one| one.default.is_some()) {
        let (section, key) = name.split_once('.').expect("a section");
        let line = format!("# {key} = {}\n", default.expect("it has one"));
        let at = begun.find(&format!("\n[{section}]\n")).expect("the section");
        let (before, rest) = begun.split_at(at);
        let set = format!("{before}{}", rest.replacen(&line, &line[2..], 1));
        let config = read(&set, &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(config.set_in.keys().collect::<Vec<_>>(), [&name], "it alone is set");
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
