//! The thread's own part: events out of a journal, lines onto an output.

use std::{
    io::{self, BufWriter, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use super::{follower::Follower, lines, patience::Patience};

/// How often the journal is looked at for new events.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Bytes that are written together: few, so that it shows soon whether the reader still reads.
const BUFFER: usize = 1 << 12;

/// What the thread is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Begin, with this line and the events of this journal.
    Follow { first: String, follower: Option<Follower> },
    /// End with this line. Events that are not written by `until` are left out.
    End { last: String, until: Instant },
}

/// An output that counts what it has taken.
#[derive(Debug)]
pub(super) struct Counted<W> {
    out: W,
    taken: Arc<AtomicU64>,
}

impl<W> Counted<W> {
    pub(super) fn new(out: W, taken: Arc<AtomicU64>) -> Self {
        Self { out, taken }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.taken.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The thread's state.
pub(super) struct Writing<W: Write> {
    out: BufWriter<W>,
    hurried_at: Arc<OnceLock<Instant>>,
    follower: Option<Follower>,
    end: Option<(String, Instant)>,
}

impl<W: Write> Writing<W> {
    /// Writes to an output. Once it is hurried, the end waits only briefly for the events before it.
    pub(super) fn to(out: W, hurried_at: Arc<OnceLock<Instant>>) -> Self {
        let out = BufWriter::with_capacity(BUFFER, out);
        Self { out, hurried_at, follower: None, end: None }
    }

    /// Writes until the last line is written, or nobody reads any more.
    pub(super) fn run(&mut self, orders: &Receiver<Order>) -> io::Result<()> {
        loop {
            let wrote = self.write_event()?;
            let hurried = self.hurried_at.get().map(|at| *at + Patience::BRIEF.events);
            let is_over =
                |until: Instant| Instant::now() >= hurried.map_or(until, |at| at.min(until));
            if let Some((last, _)) = self.end.take_if(|(_, until)| !wrote || is_over(*until)) {
                return self.write_end(&last);
            }
            let order = if wrote {
                orders.try_recv().map_err(|why| why == TryRecvError::Disconnected)
            } else {
                self.out.flush()?;
                let order = orders.recv_timeout(LOOK_EVERY);
                order.map_err(|why| why == RecvTimeoutError::Disconnected)
            };
            match order {
                Ok(Order::Follow { first, follower }) => {
                    writeln!(self.out, "{first}")?;
                    self.follower = follower;
                }
                Ok(Order::End { last, until }) => self.end = Some((last, until)),
                Err(is_disconnected) if is_disconnected && self.end.is_none() => return Ok(()),
                Err(_) => {}
            }
        }
    }

    /// Writes the next event; false where none is there.
    fn write_event(&mut self) -> io::Result<bool> {
        let Some(event) = self.follower.as_mut().and_then(Follower::next) else { return Ok(false) };
        self.out.write_all(event)?;
        self.out.write_all(b"\n")?;
        Ok(true)
    }

    fn write_end(&mut self, last: &str) -> io::Result<()> {
        let left_out = self.follower.take().map_or(0, Follower::lines_left);
        if left_out > 0 {
            writeln!(self.out, "{}", lines::left_out(left_out))?;
        }
        writeln!(self.out, "{last}")?;
        self.out.flush()
    }
}
