//! Where lines go: through a bounded queue to standard error. What stays true: whoever does not read them holds up nothing and
//! nobody; what does not fit is dropped, and how many that were is told; and lines for each event, attempt and call take no place
//! of those that an operator must see.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// The target of the lines for each event, each attempt and each call: they are told from all others by it.
pub const ACCESS: &str = "hookwheel::access";
/// Lines that are written together are about so many bytes.
const TOGETHER_BYTES: usize = 64 * 1024;

/// The way of lines; cheap to clone.
#[derive(Clone, Default)]
pub struct Lines(Arc<OnceLock<Queue>>);

/// The queue, and its places.
pub struct Queue {
    lines: Sender<Line>,
    places: Arc<Places>,
}

enum Line {
    Text(Kind, Vec<u8>),
    /// All before it are written: somebody wants to know.
    Mark(SyncSender<()>),
}

/// What waits in one place of the queue takes none of another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One for each event, attempt and call.
    Access,
    /// What an operator must see.
    Own,
}

impl Kind {
    /// Lines of it that may wait: some megabytes in all.
    fn waiting_max(self) -> usize {
        match self {
            Self::Access => 8192,
            Self::Own => 1024,
        }
    }
}

/// What waits of each kind, and how many lines were dropped since that was told.
#[derive(Default)]
struct Places {
    waiting: [AtomicUsize; 2],
    dropped: AtomicU64,
}

impl Places {
    /// Takes a place, or counts the line as dropped.
    fn take(&self, kind: Kind) -> bool {
        let one_more = |waiting| (waiting < kind.waiting_max()).then_some(waiting + 1);
        let is_taken = self.waiting[kind as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok();
        if !is_taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    fn give_back(&self, kind: Kind) {
        self.waiting[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lines {
    /// From now on lines are queued, and written to standard error by a thread; before, or where none can be had, whoever logs
    /// writes them.
    pub fn queue(&self) -> io::Result<()> {
        // Its own descriptor: the lock of the other is for who says what is no line of the log, and may not wait for this thread.
        self.queue_to(File::from(io::stderr().as_fd().try_clone_to_owned()?))
    }

    fn queue_to(&self, to: impl Write + Send + 'static) -> io::Result<()> {
        let ((lines, waiting), places) = (channel(), Arc::<Places>::default());
        let of_thread = places.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&waiting, to, &of_thread))?;
        // An error means that there is one, and the thread ends.
        let _ = self.0.set(Queue { lines, places });
        Ok(())
    }

    /// Waits until what is queued by now is written, at most for so long.
    pub fn flush(&self, patience: Duration) {
        let Some(queue) = self.0.get() else { return };
        let (mark, is_written) = sync_channel(1);
        // Errors mean that nobody writes, or that the time is over.
        let _ = queue.lines.send(Line::Mark(mark));
        let _ = is_written.recv_timeout(patience);
    }

    /// The way of one line.
    pub fn way(&self, kind: Kind) -> Way<'_> {
        self.0.get().map_or_else(|| Way::Now(io::stderr()), |queue| Way::Later(queue, kind))
    }
}

/// Writes lines as they come, until nobody can send any.
fn write_all(waiting: &Receiver<Line>, mut to: impl Write, places: &Places) {
    let mut together = Vec::with_capacity(TOGETHER_BYTES);
    while let Ok(first) = waiting.recv() {
        let (mut next, mut marks) = (Some(first), Vec::new());
        while let Some(line) = next {
            match line {
                Line::Text(kind, text) => {
                    places.give_back(kind);
                    together.extend_from_slice(&text);
                }
                Line::Mark(mark) => marks.push(mark),
            }
            // Nothing waits, or nobody can send any more.
            next = if together.len() < TOGETHER_BYTES { waiting.try_recv().ok() } else { None };
        }
        // Nobody could be told that standard error is closed or full, and the server goes on.
        let _ = to.write_all(&together).and_then(|()| to.flush());
        together.clear();
        let lost = places.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "lines were dropped: whoever reads the log is too slow");
        }
        // An error means that nobody waits any more.
        marks.into_iter().for_each(|mark| _ = mark.try_send(()));
    }
}

/// Where one line goes.
pub enum Way<'a> {
    /// To standard error, at once.
    Now(io::Stderr),
    /// Through the queue.
    Later(&'a Queue, Kind),
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Way<'a>;

    fn make_writer(&'a self) -> Way<'a> {
        self.way(Kind::Own)
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Way<'a> {
        self.way(if line.target() == ACCESS { Kind::Access } else { Kind::Own })
    }
}

impl Write for Way<'_> {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            // As where it is queued.
            Self::Now(stderr) => _ = stderr.write_all(line),
            Self::Later(queue, kind) if queue.places.take(*kind) => {
                // An error means that the thread is gone, which nobody could be told.
                let _ = queue.lines.send(Line::Text(*kind, line.to_vec()));
            }
            Self::Later(..) => {}
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
        lines.queue_to(written.clone()).expect("a thread");
        let kind = |n| if n % 3 == 0 { Kind::Own } else { Kind::Access };
        (0..100).for_each(|n| writeln!(lines.way(kind(n)), "{n}").expect("it is taken"));
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
        lines.queue_to(written.clone()).expect("a thread");
        let line = |kind| lines.way(kind).write_all(b"x").expect("it is taken");
        line(Kind::Own);
        entered.recv_timeout(LONG).expect("the first is being written");
        let (access, own) = (Kind::Access.waiting_max(), Kind::Own.waiting_max());
        let dropped = || lines.0.get().expect("it has a queue").places.dropped.load(Ordering::Relaxed);
        (0..access + 7).for_each(|_| line(Kind::Access));
        assert_eq!(dropped(), 7);
        (0..own).for_each(|_| line(Kind::Own));
        assert_eq!(dropped(), 7, "each kind has places of its own");
        (0..2).for_each(|_| line(Kind::Own));
        assert_eq!(dropped(), 9);
        lines.flush(Duration::from_millis(1));
        drop(open);
        lines.flush(LONG);
        assert_eq!((written.0.lock().expect("nobody panics").len(), dropped()), (1 + access + own, 0));
        // The places are free again.
        (0..own).for_each(|_| line(Kind::Own));
        assert_eq!(dropped(), 0);
    }
}
