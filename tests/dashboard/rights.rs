//! Every page and form, for everybody, with ids of one's own account and of another's: generated from the list of all routes.

use serde_json::{Value, json};

use crate::browser::Page;
use crate::deliveries::sending;
use crate::portal;
use crate::rights_pages::is_harmless;
use crate::rights_routes::{ROUTES, Route, Whose};
use crate::rights_world::{FRAMED_BY, MARK_OF_THEIRS, OURS, Person, THEIRS, Things, World};
use crate::support::say;

/// What somebody must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// What they asked for; of a form also what is wrong with it.
    LetIn,
    /// That they log in first.
    LogIn,
    /// This status.
    Status(u16),
    /// That nothing is there, or nothing for them.
    Nowhere,
    /// Nothing of others, and no failure of the server: whether they may is not the question.
    NothingOfOthers,
}

/// With which ids one asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Own,
    /// In the pages of one's own account, ids of another's: in the path, or only behind it.
    ForeignIds {
        in_path: bool,
    },
    /// In the pages of another account, its ids.
    ForeignAccount,
}

/// What a person must be answered there.
fn want(person: &Person, route: &Route, of: Whose, with: With) -> Want {
    match (of, with) {
        (Whose::Nobodys, _) => Want::Nowhere,
        _ if route.needs == "nobody" => Want::NothingOfOthers,
        (Whose::Users, _) if person.of != Whose::Users => Want::LogIn,
        (Whose::Guests, _) if person.of != Whose::Guests => Want::Status(401),
        (_, With::ForeignAccount) => Want::Status(404),
        _ if !person.may(route.needs) => Want::Status(403),
        (_, With::Own) => Want::LetIn,
        (_, With::ForeignIds { in_path: true }) => Want::Status(404),
        (_, With::ForeignIds { in_path: false }) => Want::NothingOfOthers,
    }
}

fn fill(text: &str, things: &Things) -> String {
    things.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
}

/// Which addresses of a route are asked for by a person, and with what.
fn asked(world: &World, person: &Person, route: &Route) -> Vec<(Whose, With, String)> {
    let (own, foreign) = (fill(route.asks, &world.ours), fill(route.asks, &world.theirs));
    let path = |asks: &str| asks.split('?').next().map(str::to_owned);
    let in_path = path(&own) != path(&foreign);
    let mut all = Vec::new();
    for (of, before) in route.places() {
        // What is nowhere in a portal is asked for by those who are in one.
        if of == Whose::Nobodys && person.of != Whose::Guests {
            continue;
        }
        let (here, there) = (fill(before, &world.ours), fill(before, &world.theirs));
        all.push((of, With::Own, format!("{here}{own}")));
        if own != foreign {
            all.push((of, With::ForeignIds { in_path }, format!("{here}{foreign}")));
        }
        // The server's own people may look at all accounts.
        if here != there && !person.is_of_server {
            all.push((of, With::ForeignAccount, format!("{there}{foreign}")));
        }
    }
    all
}

/// Asks for a page, or sends a form with this token.
fn ask(person: &mut Person, route: &Route, at: &str, token: &str) -> Page {
    if !route.is_form() {
        return person.browser.get(at);
    }
    let (path, said) = at.split_once('?').unwrap_or((at, ""));
    let said = said.split('&').filter_map(|one| one.split_once('='));
    let fields: Vec<_> = said.chain((!token.is_empty()).then_some(("token", token))).collect();
    person.browser.post(path, &fields)
}

#[track_caller]
fn is_as_wanted(want: Want, is_form: bool, page: &Page, about: &str) {
    let is_log_in = page.status == 303 && page.location().starts_with("/dashboard/log-in");
    let is = match want {
        Want::LetIn if is_form => page.status < 500 && !matches!(page.status, 401 | 403 | 404),
        Want::LetIn => matches!(page.status, 200 | 303) && !is_log_in,
        Want::LogIn => is_log_in,
        Want::Status(status) => page.status == status,
        Want::Nowhere => matches!(page.status, 403 | 404),
        Want::NothingOfOthers => page.status < 500,
    };
    assert!(is, "{about}: {} {} instead of {want:?}: {}", page.status, page.location(), page.text);
}

/// Asserts that nothing of the other account is in a reply, and nothing that others wrote does anything there. What the server's own
/// people see of accounts is of all of them.
#[track_caller]
fn is_safe(person: &Person, at: &str, page: &Page, about: &str) {
    let is_of_all = person.is_of_server && at.starts_with("/dashboard/server/");
    assert!(is_of_all || !page.text.contains(MARK_OF_THEIRS), "{about}: {}", page.text);
    let is_framed = at.starts_with("/portal") && person.of == Whose::Guests;
    is_harmless(page, if is_framed { FRAMED_BY } else { "'none'" }, about);
    assert_eq!(way_out(&page.text).filter(|_| is_framed), None, "{about}: it leads out of the portal");
}

/// A link or a form of a page that leads to what is on this server, and not of a portal.
fn way_out(text: &str) -> Option<&str> {
    let links = ["href=\"/", "action=\"/"].into_iter().flat_map(|start| text.split(start).skip(1));
    let is_inside = |to: &&str| to.starts_with("portal/") || to.starts_with("dashboard/assets/");
    links.filter_map(|rest| rest.split('"').next()).find(|to| !is_inside(to))
}

#[test]
fn everybody_gets_what_they_may_of_their_own_and_nothing_of_others() {
    let mut world = World::start();
    let (mut people, mut looked, mut done) = (world.people(), 0, 0);
    let before = world.standing();
    for person in &mut people {
        for route in ROUTES {
            for (of, with, at) in asked(&world, person, route) {
                let (want, is_form) = (want(person, route, of, with), route.is_form());
                // What changes something comes below. Who is let in without being somebody is guessed at elsewhere.
                if is_form && (want == Want::LetIn || route.needs == "nobody") {
                    continue;
                }
                let about = format!("{} asks for {at} ({route:?})", person.name);
                let token = person.token.clone();
                let page = ask(person, route, &at, &token);
                is_as_wanted(want, is_form, &page, &about);
                is_safe(person, &at, &page, &about);
                looked += 1;
            }
        }
        assert_eq!(world.standing(), before, "{}: who looks, or is refused, changes nothing", person.name);
    }
    for person in &mut people {
        for route in ROUTES.iter().filter(|route| route.is_form()) {
            for (of, before) in route.places() {
                // One's own session is ended by another test.
                if want(person, route, of, With::Own) != Want::LetIn || route.asks.contains("{session}") {
                    continue;
                }
                let things = if route.asks.contains('{') { world.fresh(OURS, route.asks) } else { world.ours.clone() };
                let at = fill(&format!("{before}{}", route.asks), &things);
                let about = format!("{} sends {at} ({route:?})", person.name);
                let token = person.token.clone();
                let page = ask(person, route, &at, &token);
                // Of oneself something may not be there, such as a second factor; nobody else's could be meant.
                let is_missing = route.needs == "any" && page.status == 404;
                is_as_wanted(if is_missing { Want::Status(404) } else { Want::LetIn }, true, &page, &about);
                is_safe(person, &at, &page, &about);
                done += 1;
            }
        }
    }
    let (routes, people) = (ROUTES.len(), people.len());
    say(&format!("{routes} routes × {people} people: {looked} that change nothing, {done} forms that are taken"));
    world.here.stop();
}

#[test]
fn the_portal_of_an_account_without_anything_says_nothing_of_the_server() {
    let mut here = sending();
    here.client.post("/api/v1/accounts", &json!({"id": "plain", "name": "Plain"})).data(201);
    let all = ["view", "test", "manage", "replay", "rotate"];
    let mut guest = portal::guest(&mut here, "plain", &json!({"abilities": all, "origins": [FRAMED_BY]}));
    let mut looked = 0;
    for route in ROUTES.iter().filter(|route| !route.is_form() && !route.asks.contains('{')) {
        let places = route.places().into_iter().filter(|(of, _)| *of == Whose::Guests);
        for (_, before) in places.filter(|_| !["nobody", "publish"].contains(&route.needs)) {
            let at = format!("{before}{}", route.asks);
            let page = guest.get(&at);
            is_as_wanted(Want::LetIn, false, &page, &at);
            is_harmless(&page, FRAMED_BY, &at);
            assert!(way_out(&page.text).is_none() && !page.text.contains("HOOKWHEEL"), "{at}: {}", page.text);
            looked += 1;
        }
    }
    assert!(looked > 8, "only {looked}");
    here.stop();
}

/// A form as it must not be taken: what is wrong, where it says that it comes from, and whose token it brings along.
type Forged = (&'static str, Option<&'static str>, Option<bool>);

/// `Some(true)`: the session's own token; `Some(false)`: another session's.
const FORGED: &[Forged] = &[
    ("without a token", None, None),
    ("with another session's token", None, Some(false)),
    ("from another site", Some("https://evil.example"), Some(true)),
    ("from another port", Some("http://127.0.0.1:1"), Some(true)),
    ("from nowhere", Some("null"), Some(true)),
    ("without an origin", Some(""), Some(true)),
];

#[test]
fn no_form_is_taken_without_its_token_or_from_elsewhere() {
    let mut world = World::start();
    let mut both = world.those_who_may_most();
    let (before, mut refused) = (world.standing(), 0);
    for route in ROUTES.iter().filter(|route| route.is_form()) {
        for (of, at) in route.places().into_iter().filter(|(of, _)| *of != Whose::Nobodys) {
            let at = fill(&format!("{at}{}", route.asks), &world.ours);
            let (person, others) = both.iter_mut().find(|(person, _)| person.of == of).expect("somebody");
            for (what, from, token) in FORGED {
                // Who is not logged in has no token yet.
                if route.needs == "nobody" && from.is_none() {
                    continue;
                }
                let token = match token {
                    None => String::new(),
                    Some(true) => person.token.clone(),
                    Some(false) => others.clone(),
                };
                let cookies = person.browser.cookies.clone();
                person.browser.from = *from;
                let page = ask(person, route, &at, &token);
                person.browser.from = None;
                let about = format!("{at} {what}");
                is_as_wanted(Want::Status(403), true, &page, &about);
                is_safe(person, &at, &page, &about);
                assert_eq!(person.browser.cookies, cookies, "{about}");
                refused += 1;
            }
            assert_eq!(world.standing(), before, "{at}: what is refused changes nothing");
        }
    }
    for (person, page) in both.iter_mut().map(|(person, _)| person).zip(["/dashboard/you", "/portal/"]) {
        assert_eq!(person.browser.get(page).status, 200, "{} is still in", person.name);
    }
    say(&format!("{refused} forged forms are refused"));
    world.here.stop();
}

#[test]
fn what_is_tried_of_the_api_needs_what_it_needs_of_a_key() {
    let mut world = World::start();
    let operations = operations(&world.here.client.get("/openapi.json").json());
    let (mut people, mut refused) = (world.people(), 0);
    let before = world.standing();
    for (at, allowed) in [(0, &["read", "publish", "consume", "manage"][..]), (2, &["read"])] {
        let person = &mut people[at];
        for (operation, path, scope) in operations.iter().filter(|(.., scope)| !allowed.contains(&scope.as_str())) {
            let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            let names: Vec<_> = names.map(|name| format!("path-{name}")).collect();
            let ids = names.iter().map(|name| (name.as_str(), world.ours["webhook"].as_str()));
            let token = person.token.clone();
            let fields: Vec<_> = ids.chain([("body", "{}"), ("token", token.as_str())]).collect();
            let page = person.browser.post(&format!("/dashboard/@{OURS}/try/{operation}"), &fields);
            let about = format!("{} tries {operation}, which needs {scope}", person.name);
            let is_refused = page.text.contains("Answered 403") || page.text.contains("your role does not let you");
            // Some can be tried by nobody.
            assert!(page.status == 404 || (page.status == 200 && is_refused), "{about}: {} {}", page.status, page.text);
            is_safe(person, "", &page, &about);
            let foreign = person.browser.post(&format!("/dashboard/@{THEIRS}/try/{operation}"), &fields);
            assert_eq!(foreign.status, 404, "{about}: {}", foreign.text);
            refused += 1;
        }
        assert_eq!(world.standing(), before, "{}", person.name);
    }
    assert!(refused > 50, "only {refused}");
    say(&format!("{refused} operations that are tried are refused"));
    world.here.stop();
}

/// Each operation of the API that needs a scope: its name, its path, the scope.
fn operations(document: &Value) -> Vec<(String, String, String)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().into_iter().flat_map(|methods| methods.values()).map(move |one| (path, one))
    });
    let of = |(path, one): (&String, &Value)| {
        let (name, scope) = (one["operationId"].as_str()?, one["x-scope"].as_str()?);
        Some((name.to_owned(), path.clone(), scope.to_owned()))
    };
    all.filter_map(of).collect()
}
