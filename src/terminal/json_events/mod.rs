//! `--json=events`: the journal's events on standard output as they happen.
//!
//! A thread of its own reads the journal behind those who write it, and writes each event as soon as it
//! stands there. The journal is the queue: a reader that is slow loses nothing, and holds up nobody.

mod follower;
pub mod lines;
#[cfg(unix)]
pub mod signals;
mod writing;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use self::{
    follower::Follower,
    writing::{Counted, Order, Writing},
};

/// How long the end of the program waits for whoever reads its output.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the events that are not written yet. The rest is left out.
    pub events: Duration,
    /// While nothing is taken. After that the last line is missing.
    pub silence: Duration,
}

impl Patience {
    /// After a program that has done its work.
    pub const USUAL: Self =
        Self { events: Duration::from_mins(2), silence: Duration::from_secs(30) };
    /// After a signal that ends the program at once.
    pub const BRIEF: Self =
        Self { events: Duration::from_secs(1), silence: Duration::from_secs(2) };
}

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
}

impl EventStream {
    /// Starts it. Nothing is written yet.
    pub fn begin() -> anyhow::Result<Self> {
        Self::to(io::stdout())
    }

    fn to(out: impl io::Write + Send + 'static) -> anyhow::Result<Self> {
        // Two orders are given at most.
        let (orders, given) = mpsc::sync_channel(2);
        let (end, ended) = mpsc::sync_channel(1);
        let taken = Arc::new(AtomicU64::new(0));
        let mut writing = Writing::to(Counted::new(out, taken.clone()));
        let write = move || {
            // The receiver may have stopped waiting.
            let _ = end.send(writing.run(&given));
        };
        thread::Builder::new()
            .name("events".into())
            .spawn(write)
            .context("cannot start a thread")?;
        Ok(Self { orders, ended: Mutex::new(Some(ended)), taken })
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
            match ended.recv_timeout(patience.silence / 20) {
                Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Written::Failed(error);
                }
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return Written::Done,
                Err(RecvTimeoutError::Timeout) if self.taken() != taken => {
                    (taken, silent_since) = (self.taken(), Instant::now());
                }
                Err(RecvTimeoutError::Timeout) if silent_since.elapsed() < patience.silence => {}
                Err(RecvTimeoutError::Timeout) => return Written::Stuck,
            }
        }
    }

    fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}
