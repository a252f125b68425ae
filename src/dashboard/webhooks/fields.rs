//! The fields of the form of a webhook: what most set at first, the rest in parts that open. What stays true: they have the names that
//! the API has, and a part in which something is said or wrong is open.

use maud::{Markup, html};

use super::known::place_of;
use super::sheet::Sheet;
use crate::api::Problem;
use crate::api::event_types::offered::Offered;
use crate::dashboard::parts::field::Field;
use crate::domain::order::KEY_PATH_BYTES_MAX;
use crate::domain::webhook::{MAX_IN_FLIGHT_MAX, TIMEOUT_SECONDS_MAX};

/// What a form is filled with.
#[derive(Clone, Copy)]
pub struct Filled<'a> {
    /// Its texts.
    pub sheet: &'a Sheet,
    /// What is wrong with them.
    pub problem: Option<&'a Problem>,
    /// Types to choose from.
    pub offered: &'a [Offered],
    /// Contracts to choose from, where the webhook is new: names and titles.
    pub dialects: Option<&'a [(String, String)]>,
    /// What its contract says of retries, time-out and deliveries at once, in words.
    pub usual: &'a Usual,
    /// Whether its deliveries are pulled, so that it has no endpoint.
    pub is_pulled: bool,
    /// Whether whoever sees it may open networks.
    pub may_open: bool,
    /// Whether they may make signing secrets.
    pub may_make_secrets: bool,
}

/// What the contract says, in words.
#[derive(Debug, Clone, Default)]
pub struct Usual {
    /// When it tries again.
    pub retry: String,
    /// How long an attempt may take.
    pub timeout: String,
    /// How many are out at once.
    pub max_in_flight: String,
    /// Which answers are a success.
    pub success: String,
    /// When a rule disables it.
    pub disable: String,
}

/// The problem, at the field of the form that it is about.
pub fn placed(problem: Problem) -> Problem {
    let place = problem.field().and_then(place_of);
    match place {
        Some(place) => problem.with_field(place),
        None => problem,
    }
}

/// Whether some field shows it.
pub fn is_shown(problem: &Problem) -> bool {
    // Of these two there may be none to see.
    let is_seen = |place: &str| !matches!(place, "mode" | "dialect");
    problem.field().and_then(place_of).is_some_and(is_seen)
}

/// All fields.
pub fn all(filled: Filled<'_>) -> Markup {
    html! {
        (basics(filled))
        (filled.part("About it", &["description", "uid", "tags", "metadata"], &about(filled)))
        (filled.part("Which events, and what of them", &["channels", "filter", "shape"], &content(filled)))
        @let title = if filled.is_pulled { "Headers" } else { "Headers and log-in" };
        (filled.part(title, &["headers", "auth"], &headers(filled)))
        (filled.part("Order and pace", &["order", "order_key", "on_dead", "rate_limit", "max_in_flight"], &pace(filled)))
        (filled.part("Attempts and retries", &["timeout", "success", "retry"], &attempts(filled)))
        (filled.part("When it is disabled", &["disable"], &disable(filled)))
        (filled.part("More", &["secret", "signing", "ownership_check", "test_mode", "notices", "tls", "allow"], &more(filled)))
    }
}

impl Filled<'_> {
    fn line(&self, name: &str, label: &str, hint: &str) -> Markup {
        Field { name, label, hint, value: self.sheet.get(name), ..Field::default() }.line(self.problem)
    }

    fn number(&self, name: &str, label: &str, hint: &str) -> Markup {
        Field { name, label, hint, value: self.sheet.get(name), kind: "number", ..Field::default() }.line(self.problem)
    }

    /// A secret: what is there is not shown.
    fn secret(&self, name: &str, label: &str, hint: &str) -> Markup {
        let field = Field { name, label, hint, kind: "password", autocomplete: "new-password", ..Field::default() };
        field.line(self.problem)
    }

    fn lines(&self, name: &str, label: &str, hint: &str, rows: u8) -> Markup {
        Field { name, label, hint, value: self.sheet.get(name), ..Field::default() }.lines(rows, self.problem)
    }

    fn choice(&self, name: &str, label: &str, hint: &str, values: &[(&str, &str)]) -> Markup {
        Field { name, label, hint, value: self.sheet.get(name), required: true, ..Field::default() }
            .choice(values, self.problem)
    }

    fn tick(&self, name: &str, label: &str, hint: &str) -> Markup {
        let wrong = self.problem.filter(|problem| problem.field() == Some(name)).map(ToString::to_string);
        html! {
            (Field { name, label, hint, ..Field::default() }.tick(self.sheet.is_on(name)))
            @if let Some(wrong) = wrong { p.wrong { (wrong) } }
        }
    }

    /// A part that opens.
    fn part(&self, title: &str, settings: &[&str], inner: &Markup) -> Markup {
        let of_part =
            |field: &str| settings.iter().any(|setting| field == *setting || field.starts_with(&format!("{setting}.")));
        let is_wrong = self.problem.and_then(Problem::field).is_some_and(of_part);
        let is_said = settings.iter().any(|setting| self.sheet.says(setting));
        html! {
            details.part open[is_wrong || is_said] {
                summary { (title) }
                div.inside { (inner) }
            }
        }
    }
}

fn basics(filled: Filled<'_>) -> Markup {
    html! {
        @if !filled.is_pulled {
            (Field {
                name: "url",
                label: "Endpoint URL",
                hint: "Where deliveries go: an https:// URL; or mailto: with addresses, for notices.",
                value: filled.sheet.get("url"),
                required: true,
                ..Field::default()
            }.line(filled.problem))
        }
        (filled.line("name", "Name", "For people, such as the customer and what it is for."))
        @if let Some(dialects) = filled.dialects {
            @let values: Vec<(&str, &str)> = dialects.iter().map(|(name, title)| (name.as_str(), title.as_str())).collect();
            @if values.len() > 1 {
                (filled.choice("dialect", "Contract", "What bodies, headers and signatures look like. It cannot be changed later.", &values))
                p { button type="submit" name="again" value="types" formnovalidate { "Show its event types" } }
            } @else { input type="hidden" name="dialect" value=(filled.sheet.get("dialect")); }
        }
        (types(filled))
    }
}

/// Types to tick, and lines for others.
fn types(filled: Filled<'_>) -> Markup {
    let wrong = filled.problem.filter(|problem| problem.field() == Some("events")).map(ToString::to_string);
    let chosen: Vec<&str> = filled.sheet.get("events").lines().collect();
    let is_offered = |name: &str| name == "*" || filled.offered.iter().any(|one| one.name == name);
    let others: Vec<&str> = chosen.iter().copied().filter(|name| !is_offered(name)).collect();
    let others = others.join("\n");
    html! {
        fieldset.types aria-describedby=[wrong.is_some().then_some("types-wrong")] {
            legend { "Event types" }
            @if let Some(wrong) = &wrong { p.wrong #types-wrong role="alert" { (wrong) } }
            (box_of("type-all", "*", "Every event", chosen.contains(&"*")))
            div.choices {
                @for (n, one) in filled.offered.iter().enumerate() {
                    (box_of(&format!("type-{n}"), &one.name, &one.description, chosen.contains(&one.name.as_str())))
                }
            }
        }
        (Field {
            name: "events",
            label: "Other types",
            hint: "One a line; task.* means all that start so.",
            value: &others,
            ..Field::default()
        }.lines(2, None))
    }
}

fn box_of(id: &str, value: &str, about: &str, is_on: bool) -> Markup {
    html! {
        div.choice {
            input id=(id) type="checkbox" name="event" value=(value) checked[is_on];
            label for=(id) { code { (value) } @if !about.is_empty() { " " span.hint { (about) } } }
        }
    }
}

fn about(filled: Filled<'_>) -> Markup {
    html! {
        (filled.lines("description", "Description", "For people, at most 2,000 characters.", 2))
        (filled.line("uid", "Your own id", "Stands wherever its id does: A-Z a-z 0-9 _ . - only."))
        (filled.lines("tags", "Tags", "For your own lists, one a line.", 2))
        (filled.lines("metadata", "Metadata", "For your own systems: name: value, one a line.", 3))
    }
}

fn content(filled: Filled<'_>) -> Markup {
    html! {
        (filled.lines("channels", "Channels", "It wants only events that share one of these; one a line.", 2))
        (filled.lines("filter", "Filter", "It wants only events that this holds for, such as @.data.amount > 100", 2))
        (filled.lines("shape", "Shape", "What is made of an event's data for it, as JSON, such as {\"drop\": [\"@.data.internal\"]}", 5))
    }
}

fn headers(filled: Filled<'_>) -> Markup {
    html! {
        (filled.lines("headers", "Headers", "Sent with every attempt: Name: value, one a line.", 3))
        @if !filled.is_pulled {
            (filled.choice("auth.type", "It logs in at its endpoint", "Beside its signature. Fill in what belongs to the way that you choose; a secret that is left empty stays as it is.", &[
                ("", "not at all"),
                ("basic", "with a user name and a password"),
                ("bearer", "with a token"),
                ("header", "with a header"),
                ("oauth2", "with OAuth 2 client credentials"),
            ]))
            div.field-row {
                (filled.line("auth.username", "User name", "Of a user name and a password."))
                (filled.secret("auth.password", "Password", ""))
                (filled.secret("auth.token", "Token", "Of a token."))
                (filled.line("auth.name", "Header", "Of a header: its name."))
                (filled.secret("auth.value", "Value", "What the header says."))
                (filled.line("auth.token_url", "Token URL", "Of OAuth 2: who gives tokens."))
                (filled.line("auth.client_id", "Client id", ""))
                (filled.secret("auth.client_secret", "Client secret", ""))
                (filled.line("auth.scope", "Scope", ""))
                (filled.line("auth.audience", "Audience", ""))
                (filled.choice("auth.client_auth", "The client shows itself", "", &[
                    ("", "as usual: in a header"),
                    ("basic", "in a header"),
                    ("body", "among the parameters"),
                ]))
            }
            (filled.lines("auth.extra", "Further parameters", "Of OAuth 2: name: value, one a line.", 2))
        }
    }
}

fn pace(filled: Filled<'_>) -> Markup {
    let key = format!(
        "Only events with the same value there wait for each other, such as data.task_id; at most {KEY_PATH_BYTES_MAX} bytes."
    );
    let at_once = format!("1 to {MAX_IN_FLIGHT_MAX}; {}.", filled.usual.max_in_flight);
    html! {
        (filled.choice("order", "Order", "", &[("", "in no order: as fast as the endpoint takes them"), ("fifo", "one at a time, as they were accepted")]))
        (filled.line("order_key", "Order key", &key))
        (filled.choice("on_dead", "Behind a delivery that used up its retries", "In an order.", &[("", "as usual: the next one goes out"), ("skip", "the next one goes out"), ("hold", "all wait until somebody replays or discards it")]))
        div.field-row {
            (filled.number("rate_limit.per_second", "Requests a second", "Either this or a minute."))
            (filled.number("rate_limit.per_minute", "Requests a minute", ""))
            (filled.number("rate_limit.burst", "At once after a quiet time", ""))
        }
        (filled.number("max_in_flight", "Deliveries in flight at once", &at_once))
    }
}

fn attempts(filled: Filled<'_>) -> Markup {
    let usual = filled.usual;
    let timeout = format!("In seconds, 1 to {TIMEOUT_SECONDS_MAX}; {}.", usual.timeout);
    html! {
        @if !filled.is_pulled {
            (filled.number("timeout", "Time-out of an attempt", &timeout))
            (filled.lines("success", "Answers that are a success", &format!("One a line, such as 2xx or 304; {}.", usual.success), 2))
        }
        (filled.line("retry.delays", "Retries", &format!("How long to wait before each, such as 5s, 5m, 1h; {}.", usual.retry)))
        (filled.number("retry.jitter_percent", "Jitter", "Up to this share of the wait is added by chance, in per cent; 10 if left out."))
    }
}

fn disable(filled: Filled<'_>) -> Markup {
    html! {
        (filled.choice("disable.is", "Rule", &format!("The contract's: {}.", filled.usual.disable), &[("", "the contract's"), ("own", "its own: what stands below")]))
        (filled.tick("disable.gone", "An answer 410 Gone, at once", ""))
        (filled.choice("disable.after", "What of one delivery", "If none succeeded since its first attempt.", &[
            ("", "nothing"),
            ("deliveries", "that it used up its retries"),
            ("attempts", "so many failed attempts as stands below"),
        ]))
        div.field-row {
            (filled.number("disable.failures", "Failed attempts of one delivery", ""))
            (filled.number("disable.consecutive_failures", "Failed attempts in a row, of any", ""))
            (filled.line("disable.failing_seconds", "Failing for so long", "Such as 1d."))
            (filled.line("disable.probe_after_seconds", "Tried again after", "Such as 1h; without it a person has to enable it."))
        }
    }
}

fn more(filled: Filled<'_>) -> Markup {
    html! {
        @if filled.dialects.is_some() && filled.may_make_secrets {
            (filled.secret("secret", "Signing secret", "Generated if left empty."))
            (filled.choice("signing", "What is generated", "", &[("", "as usual"), ("hmac", "a secret that both sides share"), ("ed25519", "a key pair: receivers get the public key")]))
        }
        @if !filled.is_pulled {
            (filled.tick("ownership_check", "Its endpoint is asked first whether it wants deliveries", "Some contracts always ask."))
        }
        (filled.tick("test_mode", "It gets test events only", ""))
        (filled.tick("notices.on", "It hears the server's notices, and no events", "Its types are kinds of notices then."))
        (filled.line("notices.quiet_seconds", "Quiet time after a notice", "Further ones of its kind are told as one at its end, such as 5m."))
        @if !filled.is_pulled {
            (filled.lines("tls.ca", "Authorities of its own", "Certificates in PEM, in the place of the usual ones.", 3))
            (filled.lines("tls.client_certificate", "Client certificate", "In PEM, with those up to its authority.", 3))
            (Field { name: "tls.client_key", label: "Its key", hint: "In PEM; never shown. Left empty it stays as it is.", ..Field::default() }.lines(2, filled.problem))
            @if filled.may_open {
                (filled.lines("allow", "Networks that are opened for it", "Though they are not public, such as 10.20.0.0/16; one a line.", 2))
            }
        }
    }
}
