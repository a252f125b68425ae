//! Every page and form there is, by the sources themselves, and what each needs. What stays true: a route of the dashboard's or the
//! portal's without a row here fails, and so does a row without a route, so no page is forgotten by the tests of who may what.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One of them.
#[derive(Debug)]
pub struct Route {
    /// The file that it is in, below `src/dashboard`.
    file: &'static str,
    /// What is declared there: the method and the path below where it is mounted.
    declared: &'static str,
    /// What one must be able to do; `any`: to be logged in; `nobody`: not even that.
    pub needs: &'static str,
    /// How one asks, with what stands for ids in `{…}`; behind the `?` a query, or what the form says.
    pub asks: &'static str,
}

/// Whose pages they are, where a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Users,
    Guests,
    /// There is nothing, or nothing for anybody.
    Nobodys,
}

impl Route {
    pub fn is_form(&self) -> bool {
        self.declared.starts_with("post ")
    }

    /// Where it is asked for: whose pages those are, and what stands before [`asks`](Self::asks).
    pub fn places(&self) -> Vec<(Whose, &'static str)> {
        let path = self.declared.split_once(' ').expect("a method and a path").1;
        let is_whole = path.starts_with("/dashboard") || self.file == "people/home.rs";
        match self.file {
            _ if is_whole => vec![(Whose::Users, "")],
            "trying.rs" => vec![(Whose::Users, "/dashboard/@{here}/try"), (Whose::Nobodys, "/portal/try")],
            // What was published is not a customer's to take away.
            _ if path.contains("{leaving:") => vec![(Whose::Users, "/dashboard/@{here}"), (Whose::Nobodys, "/portal")],
            "brand.rs" => vec![(Whose::Guests, "/portal")],
            file if file.starts_with("portal/") => vec![(Whose::Guests, "/portal")],
            file if file.starts_with("server/") || file == "people/team.rs" => {
                vec![(Whose::Users, "/dashboard/@{here}"), (Whose::Nobodys, "/portal")]
            }
            _ => vec![(Whose::Users, "/dashboard/@{here}"), (Whose::Guests, "/portal")],
        }
    }
}

const fn row(file: &'static str, declared: &'static str, needs: &'static str, asks: &'static str) -> Route {
    Route { file, declared, needs, asks }
}

/// All of them. What ends the session stands last.
pub const ROUTES: &[Route] = &[
    row("assets.rs", "get /dashboard/assets/{file}", "nobody", "/dashboard/assets/none"),
    row("away.rs", "get /dashboard/{nowhere:.*}", "nobody", "/dashboard/nothing/at/all"),
    row("brand.rs", "get /brand/{file}", "nobody", "/brand/none"),
    row("contracts.rs", "get /contracts", "view", "/contracts"),
    row("contracts.rs", "get /contracts/{name}", "view", "/contracts/{dialect}"),
    row("contracts.rs", "post /contracts/{name}", "view", "/contracts/{dialect}?type=task.created&data=1"),
    row("dead_letters/bulk.rs", "get /dead-letters/{verb}", "replay", "/dead-letters/discard?webhook={webhook}"),
    row("dead_letters/bulk.rs", "post /dead-letters/{verb}", "replay", "/dead-letters/discard?webhook={webhook}"),
    row("dead_letters/list.rs", "get /dead-letters", "view", "/dead-letters?webhook={webhook}"),
    row(
        "deliveries/all.rs",
        "get /deliveries/replay-all",
        "replay",
        "/deliveries/replay-all?webhook={webhook}&state=dead",
    ),
    row(
        "deliveries/all.rs",
        "post /deliveries/replay-all",
        "replay",
        "/deliveries/replay-all?webhook={webhook}&state=dead",
    ),
    row("deliveries/compare.rs", "get /deliveries/{id}/compare", "view", "/deliveries/{delivery}/compare?a=1&b=1"),
    row("deliveries/list.rs", "get /deliveries", "view", "/deliveries?webhook={webhook}"),
    row(
        "deliveries/raw.rs",
        "get /deliveries/{id}/attempts/{number}/request",
        "view",
        "/deliveries/{delivery}/attempts/1/request",
    ),
    row(
        "deliveries/raw.rs",
        "get /deliveries/{id}/attempts/{number}/response",
        "view",
        "/deliveries/{delivery}/attempts/1/response",
    ),
    row("deliveries/replay.rs", "get /deliveries/replay", "replay", "/deliveries/replay?ids={delivery}"),
    row("deliveries/replay.rs", "post /deliveries/replay", "replay", "/deliveries/replay?ids={delivery}"),
    row("deliveries/replay.rs", "post /deliveries/{id}/replay", "replay", "/deliveries/{delivery}/replay"),
    row("deliveries/show.rs", "get /deliveries/{id}", "view", "/deliveries/{delivery}"),
    row("events/acts.rs", "get /events/{id}/replay", "replay", "/events/{event}/replay"),
    row("events/acts.rs", "get /events/{id}/{leaving:purge|delete}", "manage", "/events/{event}/purge"),
    row("events/acts.rs", "post /events/{id}/replay", "replay", "/events/{event}/replay"),
    row(
        "events/acts.rs",
        "post /events/{id}/replay-chosen",
        "replay",
        "/events/{event}/replay-chosen?delivery={webhook} {delivery}",
    ),
    row("events/acts.rs", "post /events/{id}/{leaving:purge|delete}", "manage", "/events/{event}/delete"),
    row("events/list.rs", "get /events", "view", "/events"),
    row("events/one.rs", "get /events/{id}", "view", "/events/{event}"),
    row("events/publish.rs", "get /publish", "publish", "/publish"),
    row("events/publish.rs", "post /publish", "publish", "/publish?type=task.created&data=1"),
    row("find.rs", "get /find", "view", "/find?text={delivery}"),
    row("jobs.rs", "get /jobs", "view", "/jobs"),
    row("jobs.rs", "get /jobs/{id}", "view", "/jobs/{job}"),
    row("jobs.rs", "get /jobs/{id}/cancel", "replay", "/jobs/{job}/cancel"),
    row("jobs.rs", "post /jobs/{id}/cancel", "replay", "/jobs/{job}/cancel"),
    row("live.rs", "get /live", "view", "/live?webhook={webhook}"),
    row("live.rs", "get /live/stream", "view", "/live/stream?follow=false"),
    row("live.rs", "get /dashboard/server/live", "server", "/dashboard/server/live"),
    row("live.rs", "get /dashboard/server/live/stream", "server", "/dashboard/server/live/stream?follow=false"),
    row("overview/mod.rs", "get ", "view", ""),
    row("overview/mod.rs", "get /", "view", "/"),
    row("people/codes.rs", "get /dashboard/you/codes/give-up", "any", "/dashboard/you/codes/give-up"),
    row("people/codes.rs", "post /dashboard/you/codes", "any", "/dashboard/you/codes"),
    row("people/codes.rs", "post /dashboard/you/codes/confirm", "any", "/dashboard/you/codes/confirm?code=000000"),
    row("people/codes.rs", "post /dashboard/you/codes/give-up", "any", "/dashboard/you/codes/give-up?code=000000"),
    row("people/codes.rs", "post /dashboard/you/codes/renew", "any", "/dashboard/you/codes/renew?code=000000"),
    row("people/first.rs", "get /dashboard/first", "nobody", "/dashboard/first"),
    row("people/first.rs", "post /dashboard/first", "nobody", "/dashboard/first"),
    row("people/home.rs", "get /", "nobody", "/"),
    row("people/home.rs", "get /dashboard", "any", "/dashboard"),
    row("people/home.rs", "get /dashboard/", "nobody", "/dashboard/"),
    row("people/log_in.rs", "get /dashboard/log-in", "nobody", "/dashboard/log-in"),
    row("people/log_in.rs", "post /dashboard/log-in", "nobody", "/dashboard/log-in?email=root@example.com&password=no"),
    row("people/log_in.rs", "post /dashboard/log-in/code", "nobody", "/dashboard/log-in/code?code=000000"),
    row("people/sign_on.rs", "get /dashboard/sign-on", "nobody", "/dashboard/sign-on"),
    row("people/sign_on.rs", "get /dashboard/sign-on/back", "nobody", "/dashboard/sign-on/back"),
    row("people/team.rs", "get /people", "people", "/people"),
    row("people/team.rs", "get /people/{id}", "people", "/people/{user}"),
    row("people/team.rs", "get /people/{id}/remove", "people", "/people/{user}/remove"),
    row("people/team.rs", "post /people", "people", "/people?email=asked@example.com&name=Asked&role=viewer"),
    row("people/team.rs", "post /people/{id}", "people", "/people/{user}?name=Other&role=operator"),
    row("people/team.rs", "post /people/{id}/end-sessions", "people", "/people/{user}/end-sessions"),
    row("people/team.rs", "post /people/{id}/remove", "people", "/people/{user}/remove"),
    row("people/team.rs", "post /people/{id}/reset", "people", "/people/{user}/reset"),
    row("people/ticket.rs", "get /dashboard/ticket/{link}", "nobody", "/dashboard/ticket/none"),
    row("people/ticket.rs", "post /dashboard/ticket/{link}", "nobody", "/dashboard/ticket/none?password=correct horse"),
    row("people/you.rs", "get /dashboard/you", "any", "/dashboard/you"),
    row("people/you.rs", "post /dashboard/you/name", "any", "/dashboard/you/name?name=Renamed"),
    row("people/you.rs", "post /dashboard/you/password", "any", "/dashboard/you/password?current=no&password=no"),
    row("people/you.rs", "post /dashboard/you/sessions/end-others", "any", "/dashboard/you/sessions/end-others"),
    row("people/you.rs", "post /dashboard/you/sessions/{id}/end", "any", "/dashboard/you/sessions/{session}/end"),
    row("portal/docs.rs", "get /docs", "view", "/docs"),
    row("portal/entering.rs", "get /enter/{link}", "nobody", "/enter/none"),
    row("portal/entering.rs", "post /enter/{link}", "nobody", "/enter/none"),
    row(
        "server/accounts/leaving.rs",
        "get /dashboard/server/accounts/{id}/delete",
        "admin",
        "/dashboard/server/accounts/{account}/delete",
    ),
    row(
        "server/accounts/leaving.rs",
        "post /dashboard/server/accounts/{id}/delete",
        "admin",
        "/dashboard/server/accounts/{account}/delete",
    ),
    row("server/accounts/list.rs", "get /dashboard/server/accounts", "server", "/dashboard/server/accounts"),
    row(
        "server/accounts/one.rs",
        "get /dashboard/server/accounts/{id}",
        "server",
        "/dashboard/server/accounts/{account}",
    ),
    row("server/accounts/writing.rs", "get /dashboard/server/accounts/new", "admin", "/dashboard/server/accounts/new"),
    row(
        "server/accounts/writing.rs",
        "get /dashboard/server/accounts/{id}/edit",
        "admin",
        "/dashboard/server/accounts/{account}/edit",
    ),
    row(
        "server/accounts/writing.rs",
        "post /dashboard/server/accounts",
        "admin",
        "/dashboard/server/accounts?id=asked&name=Asked",
    ),
    row(
        "server/accounts/writing.rs",
        "post /dashboard/server/accounts/{id}/edit",
        "admin",
        "/dashboard/server/accounts/{account}/edit?name=Other",
    ),
    row("server/audit.rs", "get /audit", "manage", "/audit"),
    row("server/export.rs", "post /export", "view", "/export"),
    row("server/keys.rs", "get /keys", "server", "/keys"),
    row("server/keys.rs", "get /keys/new", "admin", "/keys/new"),
    row("server/keys.rs", "get /keys/{key}/revoke", "admin", "/keys/{key}/revoke"),
    row("server/keys.rs", "post /keys", "admin", "/keys?scopes=read&name=Asked"),
    row("server/keys.rs", "post /keys/{key}/revoke", "admin", "/keys/{key}/revoke"),
    row("server/nodes.rs", "get /dashboard/server/nodes", "server", "/dashboard/server/nodes"),
    row("server/notices.rs", "get /notices", "view", "/notices"),
    row("server/settings.rs", "get /dashboard/server/settings", "server", "/dashboard/server/settings"),
    row("server/store.rs", "get /dashboard/server/store", "server", "/dashboard/server/store"),
    row("server/store.rs", "get /dashboard/server/store/trust-clock", "admin", "/dashboard/server/store/trust-clock"),
    row("server/store.rs", "post /dashboard/server/store/master-keys", "admin", "/dashboard/server/store/master-keys"),
    row("server/store.rs", "post /dashboard/server/store/trust-clock", "admin", "/dashboard/server/store/trust-clock"),
    row("trying.rs", "get /dashboard/try/{operation}", "any", "/dashboard/try/webhooks.list"),
    row("trying.rs", "get /{operation}", "any", "/webhooks.list"),
    row("trying.rs", "post /{operation}", "any", "/webhooks.list"),
    row("webhooks/acts.rs", "post /webhooks/{id}/check", "test", "/webhooks/{webhook}/check"),
    row("webhooks/acts.rs", "post /webhooks/{id}/disable", "steer", "/webhooks/{webhook}/disable?reason=asked"),
    row("webhooks/acts.rs", "post /webhooks/{id}/verify", "test", "/webhooks/{webhook}/verify"),
    row("webhooks/acts.rs", "post /webhooks/{id}/{act}", "steer", "/webhooks/{webhook}/pause"),
    row("webhooks/ends.rs", "get /webhooks/{id}/cancel", "replay", "/webhooks/{webhook}/cancel"),
    row("webhooks/ends.rs", "get /webhooks/{id}/delete", "manage", "/webhooks/{webhook}/delete"),
    row("webhooks/ends.rs", "post /webhooks/{id}/cancel", "replay", "/webhooks/{webhook}/cancel"),
    row("webhooks/ends.rs", "post /webhooks/{id}/delete", "manage", "/webhooks/{webhook}/delete"),
    row("webhooks/form.rs", "get /webhooks/new", "manage", "/webhooks/new"),
    row("webhooks/form.rs", "get /webhooks/{id}/edit", "manage", "/webhooks/{webhook}/edit"),
    row("webhooks/form.rs", "post /webhooks/new", "manage", "/webhooks/new?url=https://example.com/asked&events=none"),
    row("webhooks/form.rs", "post /webhooks/{id}/edit", "manage", "/webhooks/{webhook}/edit?name=Other"),
    row("webhooks/list.rs", "get /webhooks", "view", "/webhooks"),
    row("webhooks/many.rs", "post /webhooks/many", "steer", "/webhooks/many?act=pause&id={webhook}&sure=yes"),
    row("webhooks/secret.rs", "get /webhooks/{id}/rotate", "rotate", "/webhooks/{webhook}/rotate"),
    row("webhooks/secret.rs", "post /webhooks/{id}/rotate", "rotate", "/webhooks/{webhook}/rotate?overlap_seconds=0"),
    row("webhooks/secret.rs", "post /webhooks/{id}/secret", "rotate", "/webhooks/{webhook}/secret"),
    row("webhooks/show.rs", "get /webhooks/{id}", "view", "/webhooks/{webhook}"),
    row("webhooks/trial.rs", "get /webhooks/{id}/test", "test", "/webhooks/{webhook}/test"),
    row("webhooks/trial.rs", "post /webhooks/{id}/test", "test", "/webhooks/{webhook}/test"),
    row("people/log_in.rs", "post /dashboard/log-out", "any", "/dashboard/log-out"),
    row("portal/entering.rs", "post /leave", "any", "/leave"),
];

#[test]
fn each_page_and_form_there_is_is_looked_at_by_these_tests() {
    let there = declared();
    let known: BTreeSet<_> = ROUTES.iter().map(|route| format!("{} {}", route.file, route.declared)).collect();
    let missing: Vec<_> = there.difference(&known).collect();
    let gone: Vec<_> = known.difference(&there).collect();
    assert!(missing.is_empty(), "give each of these a row that says what it needs: {missing:#?}");
    assert!(gone.is_empty(), "there is no such route: {gone:#?}");
    assert_eq!(known.len(), ROUTES.len(), "a row stands twice");
}

/// Every route that the sources declare: its file, method and path.
fn declared() -> BTreeSet<String> {
    let (root, mut found) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard"), BTreeSet::new());
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("a file").path();
            match path.extension().is_some_and(|kind| kind == "rs") {
                true => found.extend(declared_in(&root, &path)),
                false if path.is_dir() => folders.push(path),
                false => {}
            }
        }
    }
    found
}

fn declared_in(root: &Path, file: &Path) -> Vec<String> {
    // One is there to say that nothing else is.
    let text = fs::read_to_string(file).expect("a source").replace("web::resource(\"/dashboard/{nowhere:.*}\")", "");
    let name = file.strip_prefix(root).expect("below it").display().to_string();
    for other in ["#[put(", "#[patch(", "#[delete(", "#[head(", "#[route", ".route(", "web::resource("] {
        assert!(!text.contains(other), "{name}: a route that is declared by {other} is not seen here");
    }
    let of = |method: &str| {
        let start = format!("#[{method}(\"");
        let paths = text.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
        paths.map(|path| format!("{name} {method} {path}")).collect::<Vec<_>>()
    };
    [of("get"), of("post")].concat()
}
