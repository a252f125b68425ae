//! Two accounts with things that are told apart, and everybody who could look at them.

use std::collections::BTreeMap;

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::deliveries::{text, tried};
use crate::here::{Here, PASSWORD};
use crate::portal;
use crate::rights_routes::Whose;
use crate::support::process::KEY;
use crate::support::{Answer, Client, DEADLINE, Receiver};

/// The account that is looked at.
pub const OURS: &str = "acme";
/// Another one.
pub const THEIRS: &str = "globex";
/// What stands in all that is of the other account.
pub const MARK_OF_THEIRS: &str = "GLOBEX-OWN";
/// On whose pages the portals of these tests stand.
pub const FRAMED_BY: &str = "https://app.example";

/// What others would like to be a part of a page.
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>' style='x";
/// The same as an answer.
const ANSWER: &[u8] = b"HTTP/1.1 500 No\r\nX-Mark: \"><script>alert(3)</script>\r\nContent-Length: 40\r\n\r\n\"><script>alert(4)</script>' onclick='x'";

/// Ids, by the words that stand for them in a route's `asks`.
pub type Things = BTreeMap<&'static str, String>;

/// Somebody.
pub struct Person {
    pub name: &'static str,
    /// Whose pages they have come to.
    pub of: Whose,
    /// What they may do.
    may: &'static [&'static str],
    /// Whether all accounts are theirs to look at.
    pub is_of_server: bool,
    pub browser: Browser,
    /// What the forms of their session bring along.
    pub token: String,
}

impl Person {
    pub fn may(&self, needs: &str) -> bool {
        needs == "any" || self.may.contains(&needs)
    }
}

const VIEWER: &[&str] = &["view"];
const OPERATOR: &[&str] = &["view", "test", "replay", "publish", "steer"];
const OWNER: &[&str] = &["view", "test", "replay", "publish", "steer", "manage", "rotate", "people"];
const SERVERS_VIEWER: &[&str] = &["view", "server"];
const SERVERS_OPERATOR: &[&str] = &["view", "test", "replay", "publish", "steer", "server"];
const SERVERS_OWNER: &[&str] =
    &["view", "test", "replay", "publish", "steer", "manage", "rotate", "people", "server", "admin"];

/// Guests: what their link allows, and what that means.
const GUESTS: &[(&str, &[&str], &[&str])] = &[
    ("a guest", &[], &["view"]),
    ("a guest who views", &["view"], &["view"]),
    ("a guest who tests", &["test"], &["view", "test"]),
    ("a guest who manages", &["manage"], &["view", "manage", "steer"]),
    ("a guest who replays", &["replay"], &["view", "replay"]),
    ("a guest who rotates", &["rotate"], &["view", "rotate"]),
    (
        "a guest with all",
        &["view", "test", "manage", "replay", "rotate"],
        &["view", "test", "manage", "steer", "replay", "rotate"],
    ),
];

pub struct World {
    pub here: Here,
    pub ours: Things,
    pub theirs: Things,
    receiver: Receiver,
    root: Browser,
    made: usize,
}

impl World {
    pub fn start() -> Self {
        let mut here = crate::deliveries::sending();
        let root = here.first();
        let receiver = Receiver::start(|_, _| Answer::Bytes(ANSWER));
        let (ours, theirs) = (Things::new(), Things::new());
        for (account, mark) in [(OURS, "ACME-OWN"), (THEIRS, MARK_OF_THEIRS)] {
            let asked = json!({"id": account, "name": format!("{mark} {HOSTILE}")});
            here.client.post("/api/v1/accounts", &asked).data(201);
        }
        let mut world = Self { here, ours, theirs, receiver, root, made: 0 };
        let all = "{event}{job}{user}{key}";
        (world.ours, world.theirs) = (world.fresh(OURS, all), world.fresh(THEIRS, all));
        world.ours.insert("account", OURS.into());
        world.ours.insert("session", "none".into());
        // Whose accounts are shown is not this one's matter: see `is_of_server`.
        world.theirs.insert("account", OURS.into());
        let (_, id) = world.here.user(THEIRS, "owner@globex.example", "owner");
        let sessions = world.client(THEIRS).get(&format!("/api/v1/users/{id}/sessions")).data(200);
        world.theirs.insert("session", text(&sessions[0]["id"]));
        for (account, things) in [(OURS, &world.ours), (THEIRS, &world.theirs)] {
            let mut client = Client::new(world.here.address, KEY).acting_for(account);
            tried(&mut client, &things["delivery"], 1);
            ended(&mut client, &things["job"]);
        }
        world
    }

    fn client(&self, account: &str) -> Client {
        Client::new(self.here.address, KEY).acting_for(account)
    }

    /// Things that nobody has touched, of those that are wanted.
    pub fn fresh(&mut self, account: &'static str, wanted: &str) -> Things {
        self.made += 1;
        let (n, mut client) = (self.made, self.client(account));
        let wants = |name: &str| wanted.contains(&format!("{{{name}}}"));
        let mark = if account == THEIRS { MARK_OF_THEIRS } else { "ACME-OWN" };
        let (named, of_type) = (format!("{mark} {HOSTILE}"), format!("asked.x{n}"));
        let mut things = Things::from([("here", account.to_owned())]);
        let mut put = |name: &'static str, id: &Value| {
            things.insert(name, text(id));
        };
        put("dialect", &client.get(&format!("/api/v1/accounts/{account}")).data(200)["dialect"]);
        let url = self.receiver.url(&format!("/hook?{mark}=\"><script>alert(5)</script>"));
        let retry = json!({"delays": [], "jitter_percent": 0});
        let webhook = json!({"url": url, "name": named, "events": [of_type], "retry": retry});
        let webhook = client.post("/api/v1/webhooks", &webhook).data(201)["id"].clone();
        put("webhook", &webhook);
        if wants("event") || wants("delivery") {
            let name = format!("event-{n}");
            let event = json!({"type": of_type, "id": name, "data": {"name": named, "to": "javascript:alert(6)"}});
            client.post("/api/v1/events", &event).data(202);
            put("event", &json!(name));
            put("delivery", &client.get(&format!("/api/v1/events/{name}")).data(200)["deliveries"][0]["id"]);
        }
        if wants("job") {
            let of = format!("/api/v1/webhooks/{}/replay", text(&webhook));
            put("job", &client.post(&of, &json!({"state": "missing"})).data(202)["id"]);
        }
        if wants("user") {
            let user = json!({"email": format!("user-{n}@example.com"), "name": named, "role": "viewer"});
            put("user", &client.post("/api/v1/users", &user).data(201)["id"]);
        }
        if wants("key") {
            let key = json!({"scopes": ["read"], "name": named});
            put("key", &client.post(&format!("/api/v1/accounts/{account}/keys"), &key).data(201)["id"]);
        }
        if wants("account") {
            let account = json!({"id": format!("account-{n}"), "name": named});
            put("account", &client.post("/api/v1/accounts", &account).data(201)["id"]);
        }
        things
    }

    /// Everybody.
    pub fn people(&mut self) -> Vec<Person> {
        let mut people = vec![
            self.user("an owner", OURS, "owner", OWNER),
            self.user("an operator", OURS, "operator", OPERATOR),
            self.user("a viewer", OURS, "viewer", VIEWER),
            person("the server's owner", Whose::Users, SERVERS_OWNER, self.root.clone()),
            self.user("the server's operator", "operator", "operator", SERVERS_OPERATOR),
            self.user("the server's viewer", "operator", "viewer", SERVERS_VIEWER),
        ];
        people.extend((0..GUESTS.len()).map(|at| self.guest(at)));
        people.push(person("nobody", Whose::Nobodys, &[], Browser::new(self.here.address)));
        people
    }

    fn user(&mut self, name: &'static str, account: &str, role: &str, may: &'static [&'static str]) -> Person {
        let (browser, _) = self.here.user(account, &format!("{role}@{account}.example"), role);
        person(name, Whose::Users, may, browser)
    }

    fn guest(&mut self, at: usize) -> Person {
        let (name, abilities, may) = GUESTS[at];
        let link = json!({"abilities": abilities, "origins": [FRAMED_BY], "name": name});
        person(name, Whose::Guests, may, portal::guest(&mut self.here, OURS, &link))
    }

    /// Two sessions that may do most, of one user and of guests of one account: the first of each, and what the other's forms bring.
    pub fn those_who_may_most(&mut self) -> [(Person, String); 2] {
        let mut again = Browser::new(self.here.address);
        again.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
        let again = person("", Whose::Users, SERVERS_OWNER, again).token;
        let root = person("the server's owner", Whose::Users, SERVERS_OWNER, self.root.clone());
        let last = GUESTS.len() - 1;
        [(root, again), (self.guest(last), self.guest(last).token)]
    }

    /// How all stands that anybody here could change: whatever differs afterwards was changed.
    pub fn standing(&mut self) -> Vec<String> {
        let mut standing = vec![self.here.client.get("/api/v1/accounts?limit=250").data(200).to_string()];
        for account in [OURS, THEIRS, "operator"] {
            let mut client = self.client(account);
            let mut look = |what: &str| standing.push(client.get(&format!("/api/v1/{what}")).data(200).to_string());
            look("audit?limit=250");
            look("users");
            if account != "operator" {
                for what in ["webhooks", "events", "deliveries", "dead-letters", "jobs"] {
                    look(what);
                }
                look(&format!("accounts/{account}/keys"));
            }
        }
        standing
    }
}

fn person(name: &'static str, of: Whose, may: &'static [&'static str], mut browser: Browser) -> Person {
    let token = match of {
        Whose::Users => browser.get("/dashboard/you").field("token"),
        Whose::Guests => browser.get("/portal/").field("token"),
        Whose::Nobodys => "none".into(),
    };
    Person { name, of, may, is_of_server: may.contains(&"server"), browser, token }
}

/// Waits until a job has ended.
fn ended(client: &mut Client, job: &str) {
    let watch = Stopwatch::start();
    while client.get(&format!("/api/v1/jobs/{job}")).data(200)["state"] == "running" {
        assert!(watch.elapsed() < DEADLINE, "it does not end");
        std::thread::yield_now();
    }
}
