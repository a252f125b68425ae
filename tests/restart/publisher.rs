//! A publisher with several connections and a steady rate, which keeps account of what became of each event.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hookwheel::clock::Stopwatch;

use crate::support::DEADLINE;
use crate::support::http::read_message;
use crate::support::process::KEY;

/// Side by side. The first half keep their connections, the others make one for each event.
const THREADS: usize = 16;
/// Each of them publishes once in this time: about 1,000 events a second together.
const EVERY: Duration = Duration::from_millis(16);

/// What publishes, until it is stopped.
pub struct Publisher {
    stops: Vec<mpsc::Sender<()>>,
    threads: Vec<JoinHandle<Published>>,
    ticks: mpsc::Receiver<()>,
    longest_micros: Arc<AtomicU64>,
}

/// What became of what was published.
#[derive(Debug, Default)]
pub struct Published {
    /// The ids of the events that were taken.
    pub taken: Vec<String>,
    /// What was not taken, and why.
    pub failed: Vec<String>,
    /// How often a kept connection had ended before an event was answered, so that it was sent again on a new one under the same id,
    /// as each HTTP client does.
    pub again: usize,
}

impl Publisher {
    /// Begins.
    pub fn start(to: SocketAddr) -> Self {
        let (tell, ticks) = mpsc::channel();
        let longest_micros = Arc::new(AtomicU64::new(0));
        let one = |n: usize| {
            let (stop, stopped) = mpsc::channel();
            let (tell, longest) = (tell.clone(), longest_micros.clone());
            (stop, std::thread::spawn(move || publish_all(to, n, &stopped, &tell, &longest)))
        };
        let (stops, threads) = (0..THREADS).map(one).unzip();
        Self { stops, threads, ticks, longest_micros }
    }

    /// Waits until so many more events were taken.
    #[track_caller]
    pub fn until_more(&self, events: usize) {
        self.ticks.try_iter().for_each(drop);
        for n in 0..events {
            self.ticks.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("only {n} of {events} events were taken"));
        }
    }

    /// The longest that an event took which was answered since this was asked last.
    pub fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_micros.swap(0, Ordering::SeqCst))
    }

    /// Ends, once what is under way is answered.
    pub fn stop(self) -> Published {
        drop(self.stops);
        let ended = self.threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        ended.fold(Published::default(), |mut all, one| {
            all.taken.extend(one.taken);
            all.failed.extend(one.failed);
            all.again += one.again;
            all
        })
    }
}

fn publish_all(
    to: SocketAddr,
    n: usize,
    stopped: &mpsc::Receiver<()>,
    tell: &mpsc::Sender<()>,
    longest: &AtomicU64,
) -> Published {
    let keeps = n < THREADS / 2;
    let (mut published, mut connection, begun) = (Published::default(), None, Stopwatch::start());
    for turn in 0_u32.. {
        let due = EVERY * turn + EVERY * n as u32 / THREADS as u32;
        let stop = stopped.recv_timeout(due.saturating_sub(begun.elapsed()));
        if stop != Err(mpsc::RecvTimeoutError::Timeout) {
            break;
        }
        let (id, watch) = (format!("e-{n}-{turn}"), Stopwatch::start());
        match publish(to, &mut connection, &id, &mut published.again) {
            Ok(start) if start.contains(" 202 ") => {
                longest.fetch_max(watch.elapsed().as_micros() as u64, Ordering::SeqCst);
                published.taken.push(id);
                // Nobody may listen.
                let _ = tell.send(());
            }
            Ok(start) => published.failed.push(format!("{id}: {start}")),
            Err(error) => published.failed.push(format!("{id}: {error}")),
        }
        if !keeps {
            connection = None;
        }
    }
    published
}

/// Publishes one event on the connection that is kept, or on a new one. Gives the first line of the answer.
fn publish(
    to: SocketAddr,
    connection: &mut Option<BufReader<TcpStream>>,
    id: &str,
    again: &mut usize,
) -> io::Result<String> {
    if let Some(kept) = connection.take() {
        match ask(kept, id) {
            Ok((start, kept)) => {
                *connection = kept;
                return Ok(start);
            }
            Err(_) => *again += 1,
        }
    }
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let (start, kept) = ask(BufReader::new(stream), id)?;
    *connection = kept;
    Ok(start)
}

type Asked = (String, Option<BufReader<TcpStream>>);

fn ask(mut connection: BufReader<TcpStream>, id: &str) -> io::Result<Asked> {
    let event = format!(r#"{{"type":"order.paid","id":"{id}","data":1}}"#);
    let length = event.len();
    let head =
        format!("POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {length}");
    connection.get_mut().write_all(format!("{head}\r\n\r\n{event}").as_bytes())?;
    let reply = read_message(&mut connection)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let is_last = reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok((reply.start, (!is_last).then_some(connection)))
}
