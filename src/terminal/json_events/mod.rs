//! `--json=events`: the journal's events on standard output as they happen.
//!
//! A thread of its own reads the journal behind those who write it, and writes each event as soon as it
//! stands there. The journal is the queue: a reader that is slow loses nothing, and holds up nobody.

mod follower;
pub mod lines;
mod patience;
#[cfg(unix)]
pub mod signals;
mod writing;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

pub use self::patience::Patience;
use self::{
    follower::Follower,
    writing::{Counted, Order, Writing},
};

/// How often it is looked at whether somebody reads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What became of the last line.
#[derive(Debug)]
pub enum Written {
    /// It is written, nobody reads any more, or somebody else is writing it.
    Done,
    /// Standard output does not take it.
    Failed(io::Error),
    /// Standard output takes nothing.
    Stuck,
}

/// The thread that writes events.
#[derive(Debug)]
pub struct EventStream {
    orders: SyncSender<Order>,
    ended: Mutex<Option<Receiver<io::Result<()>>>>,
    taken: Arc<AtomicU64>,
    hurried_at: Arc<OnceLock<Instant>>,
}

impl EventStream {
    /// Starts it. Nothing is written yet.
    pub fn begin() -> anyhow::Result<Self> {
        Self::to(io::stdout())
    }

    fn to(out: impl io::Write + Send + 'static) -> anyhow::Result<Self> {
        // Each order is given once at most.
        let (orders, given) = mpsc::sync_channel(2);
        let (end, ended) = mpsc::sync_channel(1);
        let taken = Arc::new(AtomicU64::new(0));
        let hurried_at = Arc::default();
        let mut writing = Writing::to(Counted::new(out, taken.clone()), Arc::clone(&hurried_at));
        let write = move || {
            // The receiver may have stopped waiting.
            let _ = end.send(writing.run(&given));
        };
        thread::Builder::new()
            .name("events".into())
            .spawn(write)
            .context("cannot start a thread")?;
        Ok(Self { orders, ended: Mutex::new(Some(ended)), taken, hurried_at })
    }

    /// Writes a first line, then the events of a journal from a place on.
    pub fn follow(&self, first: String, journal: &Path, from: u64) {
        let follower = Follower::open(journal, from).ok();
        // Whoever has stopped reading is told nothing more.
        let _ = self.orders.send(Order::Follow { first, follower });
    }

    /// Writes the events that are there, then the last line, for the first caller.
    pub fn end(&self, last: String, patience: Patience) -> Written {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ended) = ended else { return Written::Done };
        let until = Instant::now() + patience.events;
        let _ = self.orders.send(Order::End { last, until });
        let (mut taken, mut silent_since) = (self.taken(), Instant::now());
        loop {
            match ended.recv_timeout(LOOK_EVERY.min(patience.silence)) {
                Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Written::Failed(error);
                }
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return Written::Done,
                Err(RecvTimeoutError::Timeout) if self.taken() != taken => {
                    (taken, silent_since) = (self.taken(), Instant::now());
                }
                Err(RecvTimeoutError::Timeout)
                    if silent_since.elapsed() < self.silence(patience) => {}
                Err(RecvTimeoutError::Timeout) => return Written::Stuck,
            }
        }
    }

    /// From now on the waiting is [`Patience::BRIEF`].
    pub fn hurry(&self) {
        self.hurried_at.get_or_init(Instant::now);
    }

    fn silence(&self, patience: Patience) -> Duration {
        let is_hurried = self.hurried_at.get().is_some();
        if is_hurried { Patience::BRIEF.silence } else { patience.silence }
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::PathBuf, sync::mpsc::sync_channel};

    use super::*;
    use crate::event::{Event, Finished};

    /// An output that somebody else can look at, and that takes nothing before it is let go.
    #[derive(Clone)]
    struct Pipe {
        text: Arc<Mutex<Vec<u8>>>,
        closed: Arc<Mutex<Receiver<()>>>,
    }

    impl Pipe {
        /// The pipe, and what has to be dropped to let it go.
        fn new() -> (Self, SyncSender<()>) {
            let (let_go, closed) = sync_channel(0);
            let closed = Arc::new(Mutex::new(closed));
            (Self { text: Arc::default(), closed }, let_go)
        }

        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.text.lock().unwrap().clone()).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error is the signal to take it.
            let _ = self.closed.lock().unwrap().recv();
            self.text.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A reader that has gone.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const EVENT: &str = r#"{"finished":{"at":"2026-11-22T10:00:00Z"}}"#;

    fn sealed() -> Vec<u8> {
        let at = "2026-11-22T10:00:00Z".parse().unwrap();
        let event = Event::Finished(Finished { at, interrupted_by: None });
        let mut line = crate::journal::seal::sealed(&event).unwrap();
        line.push(b'\n');
        line
    }

    /// A journal of so many events; the folder is gone with the guard.
    fn journal(events: usize) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        fs::write(&path, sealed().repeat(events)).unwrap();
        (folder, path)
    }

    fn ends(patience: Patience, out: impl Write + Send + 'static, events: usize) -> Written {
        let (_folder, journal) = journal(events);
        let stream = EventStream::to(out).unwrap();
        stream.follow("first".into(), &journal, 0);
        stream.end("last".into(), patience)
    }

    #[test]
    fn every_event_is_written_between_the_first_and_the_last_line() {
        let (pipe, let_go) = Pipe::new();
        drop(let_go);
        let (_folder, path) = journal(3);
        let stream = EventStream::to(pipe.clone()).unwrap();
        // The first event is an earlier execution's.
        stream.follow("first".into(), &path, sealed().len() as u64);
        let mut growing = fs::OpenOptions::new().append(true).open(&path).unwrap();
        for piece in sealed().chunks(20) {
            growing.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        assert!(matches!(stream.end("last".into(), Patience::USUAL), Written::Done));
        assert_eq!(pipe.lines(), ["first", EVENT, EVENT, EVENT, "last"]);
        assert!(matches!(stream.end("later".into(), Patience::USUAL), Written::Done));
        assert_eq!(pipe.lines().len(), 5, "there is one last line");
    }

    #[test]
    fn what_is_not_whole_or_cut_off_again_is_no_event() {
        let (_folder, path) = journal(1);
        let whole = sealed();
        let mut follower = Follower::open(&path, 0).unwrap();
        assert_eq!(follower.next(), Some(EVENT.as_bytes()));
        let torn = [&whole[..], &whole[..30]].concat();
        fs::write(&path, &torn).unwrap();
        assert_eq!(follower.next(), None);
        fs::write(&path, [&torn[..], b"\n"].concat()).unwrap();
        assert_eq!(follower.next(), None, "not as it was written");
        fs::write(&path, whole.repeat(2)).unwrap();
        assert_eq!(follower.next(), Some(EVENT.as_bytes()));
        assert_eq!(follower.lines_left(), 0);
    }

    #[test]
    fn a_reader_that_has_gone_or_takes_nothing_holds_nothing_up() {
        let begun = Instant::now();
        assert!(matches!(ends(Patience::USUAL, Gone, 3), Written::Done));
        let brief =
            Patience { events: Duration::from_millis(10), silence: Duration::from_millis(100) };
        let (pipe, let_go) = Pipe::new();
        assert!(matches!(ends(brief, pipe, 3), Written::Stuck));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(let_go);
    }

    #[test]
    fn what_nobody_takes_in_time_is_counted() {
        let (pipe, let_go) = Pipe::new();
        let (_folder, path) = journal(2000);
        let stream = EventStream::to(pipe.clone()).unwrap();
        stream.follow("first".into(), &path, 0);
        let patience = Patience { events: Duration::ZERO, silence: Duration::from_secs(20) };
        let written = thread::scope(|scope| {
            let ending = scope.spawn(|| stream.end("last".into(), patience));
            thread::sleep(Duration::from_millis(100));
            drop(let_go);
            ending.join().unwrap()
        });
        assert!(matches!(written, Written::Done), "{written:?}");
        let lines = pipe.lines();
        let (last, rest) = lines.split_last().unwrap();
        let (mark, events) = rest.split_last().unwrap();
        assert_eq!((last.as_str(), events[0].as_str()), ("last", "first"));
        let left_out = 2000 - (events.len() - 1);
        assert!(left_out > 0);
        assert_eq!(*mark, lines::left_out(left_out as u64));
    }

    #[test]
    fn a_signal_at_the_end_leaves_no_event_out_that_is_taken_soon() {
        let (pipe, let_go) = Pipe::new();
        drop(let_go);
        let (_folder, path) = journal(100);
        let stream = EventStream::to(pipe.clone()).unwrap();
        stream.hurry();
        stream.follow("first".into(), &path, 0);
        assert!(matches!(stream.end("last".into(), Patience::USUAL), Written::Done));
        assert_eq!(pipe.lines().len(), 102);
    }

    #[test]
    fn a_signal_at_the_end_shortens_the_wait() {
        let (pipe, let_go) = Pipe::new();
        let (_folder, path) = journal(3);
        let stream = EventStream::to(pipe).unwrap();
        stream.follow("first".into(), &path, 0);
        let begun = Instant::now();
        stream.hurry();
        assert!(matches!(stream.end("last".into(), Patience::USUAL), Written::Stuck));
        assert!(begun.elapsed() < Patience::USUAL.silence / 2, "{:?}", begun.elapsed());
        drop(let_go);
    }
}
