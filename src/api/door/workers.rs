//! Who accepts, and who serves what was accepted: one task a socket accepts, and workers on threads of their own take turns. What stays
//! true: what was accepted is served; and once a stop has been heard nothing more is accepted, so that whatever waits in the
//! listen queue is there for whoever goes on with the socket.
//!
//! The server's own code (`actix-server`) stops workers and acceptor side by side and drops what is on its way from one to the
//! other, and says to nobody when it has ceased to accept. So this is ours.

use std::io;
use std::net;
use std::time::Duration;

use actix_rt::Arbiter;
use actix_service::{Service, ServiceFactory};
use actix_web::rt::net::TcpStream;
use actix_web::rt::{spawn, task::JoinHandle};
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::pulse::or_end_task;

/// Where the listening side is turned.
pub const THREAD: &str = "listening";
/// Threads for what blocks, over all workers.
const BLOCKING_THREADS: usize = 512;
/// After the system could not accept: descriptors or memory may be there again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// The most that is taken from the listen queue at the end. It holds some thousands.
const LAST_ACCEPTS_MAX: usize = 1 << 16;

/// What becomes of the listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Somebody else goes on with it: who comes from now on waits in its queue.
    GoesOn,
    /// It closes: who has connected is served, and nobody may connect who would hear nothing.
    Closes,
}

/// The acceptor and its workers.
pub struct Workers {
    accepting: Vec<(oneshot::Sender<Door>, JoinHandle<()>)>,
    serving: Vec<(Arbiter, oneshot::Receiver<()>)>,
}

/// Workers whose acceptor has stopped.
pub struct LastOnes(Vec<(Arbiter, oneshot::Receiver<()>)>);

impl Workers {
    /// So many, on all these sockets. Each makes its own service with `make`, which is told of each connection by whichever it came.
    ///
    /// # Errors
    /// A socket cannot be watched.
    pub fn start<W, F, S>(sockets: Vec<(net::TcpListener, W)>, count: usize, make: F) -> io::Result<Self>
    where
        W: Copy + Send + 'static,
        F: Fn() -> S + Send + Clone + 'static,
        S: ServiceFactory<(TcpStream, W), Config = (), Response = (), Error = (), InitError = ()> + 'static,
    {
        let watched = |(socket, by): (net::TcpListener, W)| {
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket).map(|socket| (socket, by))
        };
        let sockets = sockets.into_iter().map(watched).collect::<io::Result<Vec<_>>>()?;
        let (mut to, mut serving) = (Vec::new(), Vec::new());
        for _ in 0..count.max(1) {
            let (accepted, accepted_in) = mpsc::unbounded_channel();
            let (done, is_done) = oneshot::channel();
            let make = make.clone();
            let arbiter = Arbiter::with_tokio_rt(move || {
                let blocking = (BLOCKING_THREADS / count.max(1)).max(1);
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_all().max_blocking_threads(blocking).build().expect("a runtime can be made")
            });
            arbiter.spawn_fn(move || {
                spawn(or_end_task(THREAD, async move {
                    serve_all(accepted_in, make()).await;
                    // Nobody waits any more if the time to stop has run out.
                    let _ = done.send(());
                }));
            });
            to.push(accepted);
            serving.push((arbiter, is_done));
        }
        let accepting = sockets.into_iter().map(|socket| {
            let (stop, stopped) = oneshot::channel();
            (stop, spawn(or_end_task(THREAD, accept_all(socket, to.clone(), stopped))))
        });
        let accepting = accepting.collect();
        Ok(Self { accepting, serving })
    }

    /// Accepts nothing more. What was accepted is with the workers.
    pub async fn accept_no_more(self, door: Door) -> LastOnes {
        for (stop, accepting) in self.accepting {
            // Errors mean that it has ended, which it only does when it is told to.
            let _ = stop.send(door);
            let _ = accepting.await;
        }
        LastOnes(self.serving)
    }
}

impl LastOnes {
    /// Returns once all connections have ended.
    pub async fn ended(&mut self) {
        for (_, is_done) in &mut self.0 {
            // An error means that the worker is gone, which is as good.
            let _ = is_done.await;
        }
    }

    /// Ends the workers, and the connections that are left with them.
    pub fn stop(self) {
        for (arbiter, _) in self.0 {
            arbiter.stop();
        }
    }
}

/// Accepts until it is told to stop. Bounds on connections are the workers' business, so whoever comes is taken.
async fn accept_all<W: Copy>(
    (listener, by): (TcpListener, W),
    to: Vec<mpsc::UnboundedSender<(net::TcpStream, W)>>,
    mut stopped: oneshot::Receiver<Door>,
) {
    let mut workers = to.iter().cycle();
    // A worker that is gone has ended the process.
    let mut hand_over = |stream| drop(workers.next().expect("there is a worker").send((stream, by)));
    let door = loop {
        let accepted = tokio::select! {
            biased;
            door = &mut stopped => break door.unwrap_or(Door::Closes),
            accepted = listener.accept() => accepted.and_then(|(stream, _)| stream.into_std()),
        };
        match accepted {
            Ok(stream) => hand_over(stream),
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections to the API cannot be accepted now");
                tokio::select! {
                    biased;
                    door = &mut stopped => break door.unwrap_or(Door::Closes),
                    () = actix_web::rt::time::sleep(AGAIN_AFTER) => {}
                }
            }
        }
    };
    let Ok(listener) = listener.into_std() else { return };
    if door == Door::Closes {
        let waiting = std::iter::from_fn(|| listener.accept().ok()).take(LAST_ACCEPTS_MAX);
        waiting.filter(|(stream, _)| stream.set_nonblocking(true).is_ok()).for_each(|(stream, _)| hand_over(stream));
        // Where the system cannot do that, the listener closes with its last descriptor.
        let _ = shutdown(&listener, Shutdown::Read);
    }
}

/// Whether it concerns one connection that has broken before it was accepted.
fn is_of_one(error: &io::Error) -> bool {
    let errors = [Errno::CONNABORTED, Errno::CONNRESET, Errno::CONNREFUSED, Errno::INTR, Errno::PROTO, Errno::PERM];
    Errno::from_io_error(error).is_some_and(|error| errors.contains(&error))
}

/// Serves what comes, side by side, until nothing more does and all have ended.
async fn serve_all<W: 'static, S>(mut accepted: mpsc::UnboundedReceiver<(net::TcpStream, W)>, factory: S)
where
    S: ServiceFactory<(TcpStream, W), Config = (), Response = (), Error = (), InitError = ()> + 'static,
{
    let service = factory.new_service(()).await.unwrap_or_else(|()| panic!("the API's service cannot be made"));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = accepted.recv() => match accepted.map(|(stream, by)| (TcpStream::from_std(stream), by)) {
                Some((Ok(stream), by)) => drop(connections.spawn_local(service.call((stream, by)))),
                // It is closed: the system has no room to watch it.
                Some((Err(error), _)) => tracing::error!(%error, "a connection to the API cannot be served"),
                None => break,
            },
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use actix_service::fn_service;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Says a letter to each connection once it has said one.
    fn echo() -> impl ServiceFactory<(TcpStream, ()), Config = (), Response = (), Error = (), InitError = ()> {
        fn_service(|(mut stream, ()): (TcpStream, ())| async move {
            let letter = stream.read_u8().await.map_err(drop)?;
            stream.write_u8(letter).await.map_err(drop)
        })
    }

    fn connect(to: net::SocketAddr) -> net::TcpStream {
        net::TcpStream::connect(to).expect("it listens")
    }

    /// What a client hears that says a letter now.
    async fn heard(mut client: net::TcpStream) -> Option<u8> {
        let asking = move || {
            client.write_all(b"x").ok()?;
            let mut letter = [0];
            client.read_exact(&mut letter).ok().map(|()| letter[0])
        };
        tokio::task::spawn_blocking(asking).await.expect("it does not panic")
    }

    #[actix_web::test]
    async fn who_has_connected_before_a_stop_is_served_after_it_and_nobody_later() {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let to = listener.local_addr().expect("it is bound");
        let workers = Workers::start(vec![(listener, ())], 2, echo).expect("it is watched");
        let early: Vec<_> = (0..20).map(|_| connect(to)).collect();
        let mut last = workers.accept_no_more(Door::Closes).await;
        assert!(net::TcpStream::connect(to).is_err(), "nobody is let in");
        for client in early {
            assert_eq!(heard(client).await, Some(b'x'));
        }
        last.ended().await;
        last.stop();
    }

    #[actix_web::test]
    async fn who_comes_while_a_socket_is_between_two_holders_waits_for_the_next_one() {
        let listener = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (to, next) = (listener.local_addr().expect("it is bound"), listener.try_clone().expect("it is a socket"));
        let workers = Workers::start(vec![(listener, ())], 1, echo).expect("it is watched");
        assert_eq!(heard(connect(to)).await, Some(b'x'));
        let mut last = workers.accept_no_more(Door::GoesOn).await;
        last.ended().await;
        last.stop();
        let between = connect(to);
        let workers = Workers::start(vec![(next, ())], 1, echo).expect("it is watched");
        assert_eq!(heard(between).await, Some(b'x'));
        drop(workers.accept_no_more(Door::Closes).await);
    }
}
