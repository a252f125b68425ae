//! Profiles, exit codes, and servers behind an authority of one's own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::support::{Authority, Server};
use super::{Place, run};

#[test]
fn a_login_keeps_what_the_server_has_taken_for_its_owner_alone() {
    let place = Place::new(200);
    let (dir, url) = (place.dir.path(), place.server.url(""));
    let (right, wrong) = (dir.join("right"), dir.join("wrong"));
    fs::write(&right, format!("{}\n", place.server.key)).expect("written");
    fs::write(&wrong, "hw_nothing\n").expect("written");
    let file = dir.join("hookwheel/profiles.toml");

    let refused = run(dir, &["login", "--url", &url], &[], Some(&wrong));
    assert!(refused.code == Some(1) && !file.exists(), "what the server refuses is not kept: {refused:?}");
    let done = run(dir, &["login", "--url", &url, "--profile", "test"], &[], Some(&right)).done();
    assert!(done.contains("may admin in the account default") && !done.contains(place.server.key), "{done}");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);

    // No command is told server or key any more.
    run(dir, &["webhooks", "list"], &[], None).done();
    run(dir, &["webhooks", "list", "--profile", "test"], &[], None).done();
    run(dir, &["webhooks", "list"], &[("HOOKWHEEL_PROFILE", "test")], None).done();
    let unknown = run(dir, &["webhooks", "list", "--profile", "prod"], &[], None);
    assert!(unknown.code == Some(2) && unknown.err.contains("there are test"), "{unknown:?}");
    // Its key is for its own server, and for no other that is named.
    let other = Place::new(200);
    let elsewhere = run(dir, &["webhooks", "list", "--url", &other.server.url("")], &[], None);
    assert!(elsewhere.code == Some(1) && elsewhere.err.contains("(401)"), "{elsewhere:?}");

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
    let open = run(dir, &["webhooks", "list"], &[], None);
    assert!(open.code == Some(1) && open.err.contains("chmod 600"), "{open:?}");
    let key = place.server.key;
    run(dir, &["webhooks", "list", "--url", &url, "--key", key], &[], None).done();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");

    run(dir, &["logout"], &[], None).done();
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(!text.contains(key), "{text}");
    assert_eq!(run(dir, &["logout"], &[], None).code, Some(1));
}

#[test]
fn scripts_are_told_by_the_exit_code() {
    let place = Place::new(200);
    let code = |arguments: &[&str]| place.tool(arguments).code;
    assert_eq!(code(&["webhooks", "list"]), Some(0));
    assert_eq!(code(&["webhooks", "show", "none"]), Some(1), "there is none");
    assert_eq!(code(&["webhooks", "list", "--status", "dreaming"]), Some(1), "the server refuses it");
    assert_eq!(code(&["webhooks", "lisst"]), Some(2));
    assert_eq!(code(&["webhooks", "create"]), Some(2), "nothing is said");
    assert_eq!(code(&["webhooks", "create", "--data", "[1]"]), Some(2));
    assert_eq!(code(&["webhooks", "delete", "--yes"]), Some(2), "it is not said which");
    assert_eq!(code(&["webhooks", "delete", "none", "--yes"]), Some(1));
    assert_eq!(code(&["status"]), Some(0));
    assert_eq!(code(&["top"]), Some(2), "nobody watches");
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let nobody = format!("http://{nobody}");
    for command in
        [&["webhooks", "list"][..], &["status"], &["stats"], &["tail"], &["guard", "explain", "https://a.b/"]]
    {
        let away = run(place.dir.path(), command, &[("HOOKWHEEL_URL", &nobody)], None);
        assert_eq!(away.code, Some(3), "{command:?}: {away:?}");
        assert!(away.err.contains("cannot be reached"), "{away:?}");
    }
}

#[test]
fn a_server_is_believed_if_the_named_authority_vouches_for_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (right, wrong) = (Authority::new(), Authority::new());
    let of_server = right.certify("127.0.0.1", |_| ());
    let path = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    for (name, text) in [
        ("certificate.pem", &of_server.certificate),
        ("key.pem", &of_server.key),
        ("right.pem", &right.pem),
        ("wrong.pem", &wrong.pem),
    ] {
        fs::write(path(name), text).expect("written");
    }
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let env = [("HOOKWHEEL__SERVER__TLS_CERTIFICATE", &*certificate), ("HOOKWHEEL__SERVER__TLS_KEY", &*key)];
    let server = Server::start(dir.path(), &env);
    let url = format!("https://{}", server.address);
    let listed = |ca: &[&str]| {
        let told = [&["webhooks", "list", "--url", &url, "--key", server.key], ca].concat();
        run(dir.path(), &told, &[], None)
    };
    listed(&["--ca", &path("right.pem")]).done();
    for ca in [&["--ca", &*path("wrong.pem")][..], &[]] {
        let stranger = listed(ca);
        assert!(stranger.code == Some(3) && stranger.err.contains("--ca FILE"), "{stranger:?}");
    }
    let none = listed(&["--ca", &path("key.pem")]);
    assert!(none.code == Some(1) && none.err.contains("no certificate in PEM"), "{none:?}");
    // A login keeps the authority, by its whole path.
    let login = ["login", "--url", &url, "--key", server.key, "--ca", "right.pem"];
    run(dir.path(), &login, &[], None).done();
    let other = tempfile::tempdir().expect("a directory");
    let home = dir.path().to_str().expect("a plain path");
    run(other.path(), &["webhooks", "list"], &[("XDG_CONFIG_HOME", home)], None).done();
}
