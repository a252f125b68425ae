//! Where a server stands: the socket that it listens on, whom it has it from, and who may have it next. What stays true: a
//! running server is asked to go only once this process could go on, as far as that can be told; and it hears what becomes of it.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use crate::checked::Checked;
use crate::clock::{Clock, Dice, Stopwatch};
use crate::config::Config;
use crate::handover::{self, Control, Heir, Holds, Taken};
use crate::live::reload_while_standing_by;
use crate::nodes::{Nodes, StandingBy};
use crate::pulse::{Pulses, apart, or_end};
use crate::{ServeError, settings, store, supervisor};

/// Connections that may wait while nobody accepts, as far as the system has it.
const LISTEN_QUEUE: i32 = 4096;
/// How long a data directory that was handed over may be in use: the process that had it has closed it, or ends.
const HANDED_OVER: Duration = Duration::from_secs(10);
/// Between two tries.
const OPEN_AGAIN: Duration = Duration::from_millis(20);
/// Between two looks at who owns a store in a database.
const STAND_BY: Duration = Duration::from_millis(200);

/// Where a server stands: its socket, and whom it has it from.
pub struct Post {
    /// The socket.
    pub listener: TcpListener,
    /// Whoever started the process keeps the socket, and gives it to the next one.
    pub is_given: bool,
    /// Whether others may take over.
    is_open: bool,
    /// Whoever was taken over waits to hear what becomes of it.
    taken: Option<Taken>,
    /// This process has served before: whoever took over has not got far, or another node owned the store meanwhile.
    pub is_resumed: bool,
    /// The other nodes, where there can be any.
    pub nodes: Option<Nodes>,
    /// What is done here while one of them owns the store.
    standing_by: Option<StandingBy>,
}

impl Post {
    /// On a socket of its own, which nobody else takes.
    pub fn alone(listener: TcpListener) -> Self {
        let (is_given, is_open, is_resumed) = (false, false, false);
        Self { listener, is_given, is_open, taken: None, is_resumed, nodes: None, standing_by: None }
    }

    /// On the socket that was given, on that of a running server, or on a new one.
    pub fn find(config: &Config, given: Option<TcpListener>) -> Result<Self, ServeError> {
        let bind = || -> Result<TcpListener, ServeError> {
            let address = config.server.listen;
            let listener = TcpListener::bind(address).map_err(|error| ServeError::Listen(address, error))?;
            // Else it is 128, and whoever comes after those while nobody accepts waits for a second at least.
            rustix::net::listen(&listener, LISTEN_QUEUE).map_err(|error| ServeError::Listen(address, error.into()))?;
            Ok(listener)
        };
        let post = match (given, config.takes_over) {
            (_, true) if config.store.url.is_some() => {
                let why = "with store.url another node goes on by itself: start it without --take-over";
                return Err(ServeError::Given(why.into()));
            }
            (Some(_), true) => {
                let why = "a socket was given to this process (LISTEN_FDS): start it without --take-over";
                return Err(ServeError::Given(why.into()));
            }
            (Some(listener), false) => Self { is_given: true, ..Self::alone(listener) },
            (None, false) => Self::alone(bind()?),
            (None, true) => match handover::find(&config.store.path)? {
                None => {
                    tracing::warn!("there is no running server to take over; this one starts as usual");
                    Self::alone(bind()?)
                }
                Some(offer) => {
                    could_open(config, &offer.holds)?;
                    let taken = offer.take()?;
                    let listener = match taken.listener.try_clone() {
                        Ok(listener) => listener,
                        Err(error) => {
                            taken.failed(&error.to_string());
                            return Err(error.into());
                        }
                    };
                    Self { taken: Some(taken), ..Self::alone(listener) }
                }
            },
        };
        post.tell_unused(config);
        Ok(Self { is_open: true, nodes: Nodes::find(config)?, ..post })
    }

    /// Says so if another address is configured than the one of the socket that was given or taken over.
    fn tell_unused(&self, config: &Config) {
        let (bound, configured) = (self.listener.local_addr(), config.server.listen);
        let is_used = |bound: std::net::SocketAddr| {
            bound == configured || (configured.port() == 0 && bound.ip() == configured.ip())
        };
        if let Some(bound) = bound.ok().filter(|bound| !is_used(*bound)) {
            tracing::warn!(%bound, %configured, "server.listen is not used: the socket was there before this process");
        }
    }

    /// The process ends for this: whoever was taken over hears it, and goes on.
    pub fn failed(&mut self, error: ServeError) -> ServeError {
        self.give_up(&error.to_string());
        error
    }

    /// The same where nothing is wrong.
    pub fn give_up(&mut self, why: &str) {
        if let Some(taken) = self.taken.take() {
            taken.failed(why);
        }
    }

    /// Opens the store, on a thread of its own, so that signals are heard meanwhile. A directory that was handed over may be in use
    /// for a moment more; a database may be another node's, or away: while this one stands by it reads again what it can at each of
    /// `hangups`.
    pub async fn open(
        &mut self,
        config: &mut Config,
        checked: &Checked,
        clock: &Clock,
        hangups: &mut Signal,
    ) -> Result<(store::Store, store::Committer), ServeError> {
        let (watch, mut was_away) = (Stopwatch::start(), None);
        if let Some(nodes) = &mut self.nodes {
            nodes.follow(config);
        }
        if self.is_resumed {
            // Somebody may have it already, and whoever comes here is not to wait for the look.
            self.stand_by(config, checked)?;
        }
        loop {
            let settings = self.nodes.as_ref().map_or_else(|| settings::of_store(config), |nodes| nodes.store.clone());
            let clock = clock.clone();
            let open = move || {
                fail::fail_point!("post.open", |_| {
                    let why = store::StoreError::Io("a failpoint".into());
                    Err(store::OpenError::Store("a database".into(), why))
                });
                store::open(settings, clock, Dice::from_system())
            };
            match apart("open", || or_end("open", open)).await? {
                Err(store::OpenError::InUse(_))
                    if (self.taken.is_some() || self.is_resumed) && watch.elapsed() < HANDED_OVER =>
                {
                    actix_rt::time::sleep(OPEN_AGAIN).await;
                }
                Err(why) if self.may_pass(&why) => {
                    self.stand_by(config, checked)?;
                    let is_away = !matches!(why, store::OpenError::Held { .. });
                    if was_away.replace(is_away) != Some(is_away) {
                        self.tell_why(&why, is_away)?;
                    }
                    tokio::select! {
                        () = actix_rt::time::sleep(STAND_BY) => {}
                        Some(()) = hangups.recv() => self.read_again(config, checked),
                    }
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Of the threads that are at something while it stands by.
    pub fn pulses(&self) -> Pulses {
        self.nodes.as_ref().map_or_else(Pulses::default, |nodes| nodes.pulses.clone())
    }

    /// Whether the store may be this node's later: another one owns it, or the database is away; and whatever else the database says to a
    /// node that has served once is no mistake in how it was set up.
    fn may_pass(&self, why: &store::OpenError) -> bool {
        match why {
            store::OpenError::Held { .. } | store::OpenError::Away { .. } => true,
            store::OpenError::Store(..) => self.is_resumed && self.nodes.is_some(),
            _ => false,
        }
    }

    /// Takes connections for whichever node owns the store, unless it does already.
    fn stand_by(&mut self, config: &Config, checked: &Checked) -> Result<(), ServeError> {
        let (Some(nodes), None) = (&self.nodes, &self.standing_by) else { return Ok(()) };
        self.standing_by = Some(nodes.stand_by(config, checked, &self.listener)?);
        supervisor::ready(&format!("standing by on {}", self.listener.local_addr()?));
        Ok(())
    }

    /// Reads again what it can while it stands by.
    fn read_again(&mut self, config: &mut Config, checked: &Checked) {
        let guard = self.standing_by.as_ref().map(|standing_by| &*standing_by.guard);
        reload_while_standing_by(config, guard, &checked.shelf, checked.certificate.as_deref());
        self.nodes.iter_mut().for_each(|nodes| nodes.follow(config));
    }

    /// Others are to own the store for a while, if there are any.
    pub fn rest(&self) {
        if let Some(nodes) = &self.nodes {
            nodes.rest();
        }
    }

    /// Waits until another node owns the store, which this one served.
    pub async fn taken(&self) {
        match &self.nodes {
            Some(nodes) => nodes.taken().await,
            None => std::future::pending().await,
        }
    }

    /// Says why the store is not this node's: that its database is away is somebody's business.
    fn tell_why(&self, why: &store::OpenError, is_away: bool) -> Result<(), ServeError> {
        let address = self.listener.local_addr()?;
        match is_away {
            true => tracing::warn!(%address, %why, "this node stands by"),
            false => tracing::info!(%address, %why, "this node stands by"),
        }
        Ok(())
    }

    /// What was done here while another node owned the store.
    pub fn stood_by(&mut self) -> Option<StandingBy> {
        self.standing_by.take()
    }

    /// Events are taken: whoever was taken over hears it, and others may take over from now on.
    pub fn open_to_others(&mut self, config: &Config) -> Option<Control> {
        if let Some(taken) = self.taken.take() {
            taken.opened();
        }
        // Whoever shares a database finds there who is next.
        let control = (self.is_open && config.store.url.is_none()).then(|| Control::open(&config.store.path))?;
        let told = |error: &std::io::Error| tracing::warn!(%error, "no other process can take over from this one");
        control.inspect_err(told).ok()
    }

    /// Waits until somebody takes over, who has the socket then.
    pub async fn heir(&self, config: &Config, control: Option<&Control>, store: &store::Store) -> Heir {
        let Some(control) = control else { return std::future::pending().await };
        let (store, is_given) = (store.clone(), self.is_given);
        let tell = Arc::new(move || {
            if is_given {
                return Err("systemd gave it its socket, and gives it to the next one: use systemctl restart".into());
            }
            let keys = store.sealed_by().map_err(|error| error.to_string())?;
            Ok(Holds { format: store::FORMAT_VERSION, keys: keys.keys().map(ToString::to_string).collect() })
        });
        let stop_seconds = config.server.shutdown_seconds.saturating_mul(2);
        control.heir(&self.listener, &(tell as _), stop_seconds).await
    }
}

/// Whether this process could open a store that holds this, as far as that can be told from outside.
fn could_open(config: &Config, holds: &Holds) -> Result<(), ServeError> {
    let settings = settings::of_store(config);
    let (path, known) = (settings.path.clone(), store::FORMAT_VERSION);
    if holds.format > known {
        return Err(store::OpenError::Newer { path, found: holds.format, known }.into());
    }
    store::check_keys(&settings, &holds.keys)?;
    Ok(())
}
