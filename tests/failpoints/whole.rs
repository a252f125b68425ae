//! The whole server in this process, so that failpoints reach it, over real sockets.

use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use crate::support::Client;

const KEY: &str = "a-key-of-this-test-that-is-long-enough";

pub struct Whole {
    address: SocketAddr,
    server: JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
    _dir: tempfile::TempDir,
}

impl Whole {
    /// With `deliver`, lines of that section.
    pub fn start(deliver: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = format!(
            "[server]\ncalls_per_minute = 0\n[store]\npath = {:?}\n[auth]\nadmin_key = {KEY:?}\n[log]\nlevel = \"error\"\n[deliver]\n{deliver}\n",
            dir.path().join("data")
        );
        let file = dir.path().join("config.toml");
        std::fs::write(&file, settings).unwrap();
        let mut config = hookwheel::config::load(Some(&file)).unwrap();
        config.for_development();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            let until = async move { stopped.await.unwrap_or_default() };
            actix_rt::System::new().block_on(hookwheel::run(config, listener, until)).unwrap();
        });
        Self { address, server, stop, _dir: dir }
    }

    pub fn client(&self) -> Client {
        Client::new(self.address, KEY)
    }

    pub fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.join().unwrap();
    }
}
