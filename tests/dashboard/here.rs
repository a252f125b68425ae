//! A server in this process, by a clock that the test turns.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;

use hookwheel::ServeError;
use hookwheel::clock::Clock;
use hookwheel::config::Config;
use hookwheel::domain::secret::Secret;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::browser::Browser;
use crate::support::process::KEY;
use crate::support::{Client, Server};

/// Where the clock stands at first.
pub const START: u64 = 1_800_000_000_000;
/// What everybody logs in by here.
pub const PASSWORD: &str = "correct horse battery";

/// The server.
pub struct Here {
    pub address: SocketAddr,
    pub clock: Clock,
    pub client: Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
    _dir: tempfile::TempDir,
}

impl Here {
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// One that is configured by `set`.
    pub fn start_with(set: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut config = configured(dir.path());
        // Its browsers play the proxy's part where they come over TLS.
        config.server.trusted_proxies.push("127.0.0.1/32".parse().expect("a network"));
        set(&mut config);
        // For development there is a first user already.
        config.is_dev = false;
        let (stop, stopped) = oneshot::channel::<()>();
        let clock = Clock::standing_at(START);
        let by = clock.clone();
        let running = std::thread::spawn(move || {
            let until = async move { drop(stopped.await) };
            actix_rt::System::new().block_on(hookwheel::run_by(by, config, listener, until))
        });
        Self { address, clock, client: Client::new(address, KEY), stop, running, _dir: dir }
    }

    /// The first user, logged in: an owner of the server's own account.
    pub fn first(&self) -> Browser {
        let mut browser = Browser::new(self.address);
        let fields = [("admin_key", KEY), ("email", "root@example.com"), ("name", "Root"), ("password", PASSWORD)];
        browser.post("/dashboard/first", &fields).leads_to("/dashboard");
        browser
    }

    /// A user of an account who was invited over the API, has set the password, and is logged in; and the user's id.
    pub fn user(&mut self, account: &str, email: &str, role: &str) -> (Browser, String) {
        let (link, id) = self.invited(account, email, role);
        let mut browser = Browser::new(self.address);
        browser.post(&link, &[("password", PASSWORD)]).leads_to("/dashboard");
        (browser, id)
    }

    /// The path of an invitation, and the user's id.
    pub fn invited(&mut self, account: &str, email: &str, role: &str) -> (String, String) {
        let mut client = Client::new(self.address, KEY).acting_for(account);
        let user = json!({"email": email, "name": "Somebody", "role": role});
        let made = client.post("/api/v1/users", &user).data(201);
        (path_of(&made), made["id"].as_str().expect("an id").to_owned())
    }

    /// What the audit log of an account says was done, the newest first.
    pub fn deeds(&mut self, account: &str) -> Vec<String> {
        let mut client = Client::new(self.address, KEY).acting_for(account);
        let rows = client.get("/api/v1/audit?limit=250").data(200);
        rows.as_array().expect("rows").iter().map(|row| row["action"].as_str().expect("a text").to_owned()).collect()
    }

    pub fn turn(&self, ms: u64) {
        self.clock.turn_to(self.clock.now() + ms);
    }

    pub fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.running.join().expect("it does not panic").expect("it stops well");
    }
}

/// The path of the link in a reply.
pub fn path_of(user: &Value) -> String {
    let url = user["link"]["url"].as_str().expect("a link");
    let at = url.find("/dashboard/ticket/").expect("its path");
    url[at..].to_owned()
}

fn configured(dir: &Path) -> Config {
    let mut config = Config::default();
    config.store.path = Server::data(dir);
    config.store.cache_bytes = 8 << 20;
    config.auth.admin_key = Some(Secret::new(KEY));
    config.deliver.dialects = dir.join("dialects");
    (config.server.workers, config.deliver.senders) = (2, 1);
    config
}
