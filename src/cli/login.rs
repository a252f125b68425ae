//! `hookwheel login` and `hookwheel logout`: keep a server and a key in a profile, and forget them. What stays true: a key
//! is kept only after the server has taken it, and is shown nowhere.

use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use console::Term;
use serde_json::Value;

use super::error::CliError;
use super::server::{DEFAULT_URL, ServerArgs, ServerFlags};
use super::terminal::{print, prompt};
use crate::profile::{self, Profile, Profiles};

/// A longer line is no key.
const KEY_BYTES_MAX: u64 = 4096;

/// The arguments of `hookwheel logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Forget all profiles
    #[arg(long)]
    all: bool,
}

/// Asks for the key, lets the server check it, and keeps both.
pub async fn login(flags: &ServerFlags) -> Result<(), CliError> {
    let path = profile::place()?;
    let mut all = Profiles::read(&path)?;
    let name = flags.profile.clone().unwrap_or_else(|| profile::DEFAULT.into());
    let before = all.profiles.get(&name);
    let url = flags.url.clone().or_else(|| before.map(|one| one.url.clone())).unwrap_or_else(|| DEFAULT_URL.into());
    let ca = match &flags.ca {
        // Commands are run in other directories later.
        Some(ca) => Some(std::fs::canonicalize(ca).map_err(CliError::io(ca.display().to_string()))?),
        None => before.filter(|one| one.url == url).and_then(|one| one.ca.clone()),
    };
    let key = match &flags.key {
        Some(key) => key.clone(),
        None => asked(&url)?,
    };
    let server = ServerArgs { url: url.clone(), key: Some(key.clone()), ca: ca.clone() };
    let who = server.prompt_client(None)?.accounts_whoami().get().await?;
    all.profiles.insert(name.clone(), Profile { url: url.clone(), key, ca });
    all.current = Some(name.clone());
    all.write(&path)?;
    let kept = format!("kept as the profile {name:?} in {}; `hookwheel logout` forgets it", path.display());
    print(&format!("{url}: {}\n{kept}\n", greeting(&who)))
}

fn greeting(who: &Value) -> String {
    let text = |at: &str| who.pointer(at).and_then(Value::as_str).unwrap_or("without a name").to_owned();
    let scopes: Vec<_> = who["key"]["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    format!("the key {:?} may {} in the account {}", text("/key/name"), scopes.join(", "), text("/account/id"))
}

/// The key, from a person who is not overlooked, or the first line of standard input.
fn asked(url: &str) -> Result<String, CliError> {
    let line = if io::stdin().is_terminal() {
        prompt(format_args!("API key for {url} (it does not show): "));
        Term::stderr().read_secure_line().map_err(CliError::io("the terminal"))?
    } else {
        let mut line = String::new();
        let mut first = io::Read::take(io::stdin().lock(), KEY_BYTES_MAX);
        first.read_line(&mut line).map_err(CliError::io("standard input"))?;
        line
    };
    match line.trim() {
        "" => {
            Err(CliError::Usage("a key is needed: type it, pipe it into standard input, or set HOOKWHEEL_KEY".into()))
        }
        key => Ok(key.to_owned()),
    }
}

/// Forgets a profile.
pub fn logout(args: &LogoutArgs, flags: &ServerFlags) -> Result<(), CliError> {
    let path = profile::place()?;
    let mut all = Profiles::read(&path)?;
    let gone: Vec<String> = if args.all {
        all.profiles.keys().cloned().collect()
    } else {
        flags.profile.clone().or_else(|| all.current.clone()).into_iter().collect()
    };
    if gone.is_empty() {
        return Err(CliError::Failed("nobody is logged in".into()));
    }
    for name in &gone {
        if all.profiles.remove(name).is_none() {
            return Err(profile::absent(name, &all).into());
        }
    }
    if all.current.as_ref().is_some_and(|current| gone.contains(current)) {
        all.current = None;
    }
    all.write(&path)?;
    let gone = gone.join(", ");
    print(&format!("forgotten here: {gone}; the keys go on until they are revoked (`hookwheel keys delete ID`)\n"))
}
