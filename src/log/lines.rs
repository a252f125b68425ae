//! Where lines go. What stays true: what an operator must see goes to standard error at once; where there is a line for each
//! event, attempt and call, those go through a bounded queue, so that whoever does not read them holds up nothing: what does not
//! fit is dropped, and how many that were is told.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// The target of the lines for each event, each attempt and each call: they are told from all others by it.
pub const ACCESS: &str = "hookwheel::access";
/// Lines that may wait: some megabytes.
const WAITING_MAX: usize = 8192;
/// Lines that wait are written together, about so many bytes at once.
const TOGETHER_BYTES: usize = 64 * 1024;

/// The way of lines; cheap to clone.
#[derive(Clone, Default)]
pub struct Lines(Arc<OnceLock<Queue>>);

struct Queue {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

enum Line {
    Text(Vec<u8>),
    /// All before it are written: somebody wants to know.
    Mark(SyncSender<()>),
}

impl Lines {
    /// From now on those of [`ACCESS`] are queued, and written to `to` by a thread; before, or where no thread can be had, all go
    /// to standard error at once.
    pub fn queue(&self, to: impl Write + Send + 'static) -> io::Result<()> {
        if self.0.get().is_none() {
            let (lines, waiting) = sync_channel(WAITING_MAX);
            let dropped = Arc::new(AtomicU64::new(0));
            let lost = dropped.clone();
            std::thread::Builder::new().name("log".into()).spawn(move || write_all(&waiting, to, &lost))?;
            // An error means that somebody else was first, whose thread goes on.
            let _ = self.0.set(Queue { lines, dropped });
        }
        Ok(())
    }

    /// Waits until what is queued by now is written, at most for so long.
    pub fn flush(&self, patience: Duration) {
        let Some(queue) = self.0.get() else { return };
        let (mark, is_written) = sync_channel(1);
        let mut line = Line::Mark(mark);
        for _ in 0..patience.as_millis() {
            match queue.lines.try_send(line) {
                // An error means that nobody reads.
                Ok(()) => {
                    // An error means that the time is over.
                    let _ = is_written.recv_timeout(patience);
                    return;
                }
                Err(TrySendError::Full(back)) => line = back,
                Err(TrySendError::Disconnected(_)) => return,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Writes lines as they come, until nobody can send any.
fn write_all(waiting: &Receiver<Line>, mut to: impl Write, dropped: &AtomicU64) {
    let mut together = Vec::with_capacity(TOGETHER_BYTES);
    while let Ok(first) = waiting.recv() {
        let (mut next, mut marks) = (Ok(first), Vec::new());
        loop {
            match next {
                Ok(Line::Text(text)) => together.extend_from_slice(&text),
                Ok(Line::Mark(mark)) => marks.push(mark),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            next = if together.len() < TOGETHER_BYTES { waiting.try_recv() } else { Err(TryRecvError::Empty) };
        }
        // Nobody could be told that standard error is closed.
        let _ = to.write_all(&together).and_then(|()| to.flush());
        together.clear();
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "lines were dropped: whoever reads the log is too slow");
        }
        // An error means that nobody waits any more.
        marks.into_iter().for_each(|mark| _ = mark.try_send(()));
    }
}

/// Where one line goes.
pub enum Way<'a> {
    /// At once.
    Now(io::Stderr),
    /// Through the queue.
    Later(&'a Lines),
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Way<'a>;

    fn make_writer(&'a self) -> Way<'a> {
        Way::Now(io::stderr())
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Way<'a> {
        let is_queued = self.0.get().is_some() && line.target() == ACCESS;
        if is_queued { Way::Later(self) } else { self.make_writer() }
    }
}

impl Write for Way<'_> {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let queue = match self {
            Self::Now(stderr) => {
                // Nobody could be told that standard error is closed or full, and the server goes on.
                let _ = stderr.write_all(line);
                return Ok(line.len());
            }
            Self::Later(lines) => lines.0.get(),
        };
        let is_taken = queue.is_some_and(|queue| queue.lines.try_send(Line::Text(line.to_vec())).is_ok());
        if let Some(queue) = queue.filter(|_| !is_taken) {
            queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Self::Now(stderr) = self {
            // As above.
            let _ = stderr.flush();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// What is written, as far as somebody lets it.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>, Option<Arc<Mutex<Receiver<()>>>>, Option<Sender<()>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let (Some(gate), Some(entered)) = (&self.1, self.2.take()) {
                entered.send(()).expect("the test waits");
                // An error means that the gate is open for good.
                let _ = gate.lock().expect("nobody panics").recv();
            }
            self.0.lock().expect("nobody panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_queued_is_written_in_order_before_a_flush_is_over() {
        let written = Written::default();
        let lines = Lines::default();
        lines.queue(written.clone()).expect("a thread");
        (0..100).for_each(|n| writeln!(Way::Later(&lines), "{n}").expect("it is taken"));
        lines.flush(LONG);
        let expected: String = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(written.0.lock().expect("nobody panics").clone(), expected.into_bytes());
        Lines::default().flush(LONG);
    }

    #[test]
    fn who_does_not_read_holds_up_nothing_and_what_does_not_fit_is_counted() {
        let ((open, gate), (enter, entered)) = (channel::<()>(), channel());
        let written = Written(Arc::default(), Some(Arc::new(Mutex::new(gate))), Some(enter));
        let lines = Lines::default();
        lines.queue(written.clone()).expect("a thread");
        let line = || Way::Later(&lines).write_all(b"x").expect("it is taken");
        line();
        entered.recv_timeout(LONG).expect("the first is being written");
        (0..WAITING_MAX + 7).for_each(|_| line());
        let dropped = |lines: &Lines| lines.0.get().expect("it has a queue").dropped.load(Ordering::Relaxed);
        assert_eq!(dropped(&lines), 7);
        drop(open);
        lines.flush(LONG);
        assert_eq!((written.0.lock().expect("nobody panics").len(), dropped(&lines)), (1 + WAITING_MAX, 0));
    }
}
