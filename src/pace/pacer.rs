//! The pacer: every request of a run asks it for its turn.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    answer::{Answer, Lane},
    limiter::{Limiter, PaceChange, TurnId},
    memory::Memory,
    memory_writer::MemoryWriter,
    pacing::Pacing,
    queue::{Promised, Queue, QueueEnd, SharedQueue},
    rate::Rate,
    thread::PacerThread,
    turn::{Preparation, Reservation, Turn, TurnState},
};

/// How long requests will have to wait.
#[derive(Clone, Copy, Debug)]
pub struct Outlook {
    /// Time between two starts at the present pace.
    pub interval: Duration,
    /// How much longer everything is held.
    pub held: Duration,
}

/// Hands out request starts. Cheap to clone; the thread behind it ends with the last clone.
///
/// It is a thread rather than a task: Tokio's timers are exact to a millisecond only, which at 40
/// starts a second would delay every twentieth.
#[derive(Clone, Debug)]
pub struct Pacer {
    pub(super) queue_handle: Arc<SharedQueue>,
    _open: Arc<Opening>,
}

/// Resolves when the pacer's thread has ended and the last starts are saved.
pub type PacerEnded = oneshot::Receiver<()>;

/// The pacer is open as long as this lives.
#[derive(Debug)]
struct Opening(Arc<SharedQueue>);

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.lock().is_open = false;
        self.0.changed.notify_all();
    }
}

impl Pacer {
    /// Starts the pacer's thread, which ends after the last handle is dropped.
    pub fn start(pacing: Pacing, memory: Option<Memory>) -> io::Result<(Self, PacerEnded)> {
        Self::start_after(Vec::new(), pacing, memory)
    }

    /// The same after the starts that another pacer of this run has given, which count too.
    pub fn start_after(
        mut earlier: Vec<Instant>,
        pacing: Pacing,
        memory: Option<Memory>,
    ) -> io::Result<(Self, PacerEnded)> {
        earlier.extend(earlier_starts(memory.as_ref(), pacing.bound()));
        earlier.sort_unstable();
        let promised = match memory {
            // The promise has to be saved first.
            Some(_) => Promised::Until(Instant::now()),
            None => Promised::Nothing,
        };
        let limiter = Limiter::new(pacing, earlier.into_iter());
        let queue_handle = Arc::new(SharedQueue::new(limiter, promised));
        let (end, ended) = oneshot::channel();
        let memory = memory.map(|memory| memory_writer(memory, &queue_handle, end)).transpose()?;
        let thread = PacerThread::new(queue_handle.clone(), memory);
        thread::Builder::new().name("pacer".into()).spawn(move || thread.run())?;
        let open = Arc::new(Opening(queue_handle.clone()));
        Ok((Self { queue_handle, _open: open }, ended))
    }

    /// Waits until a request may be prepared: its connection, and what has to be on disk before it. Few
    /// are prepared ahead of their turns.
    pub async fn preparation(&self) -> Preparation {
        let come = self.queue_handle.change(Queue::ask_to_prepare);
        let ticket = PreparationTicket { queue_handle: &self.queue_handle, come };
        ticket.come().await
    }

    /// Waits until a code may be asked for. Comes with the reservation of its exchange.
    pub(super) async fn turn_to_reconnect(&self, end: QueueEnd) -> (Turn, Reservation) {
        let turn = self.turn(Lane::Reconnect, end).await;
        (turn, Reservation(self.queue_handle.clone()))
    }

    /// Waits until a request may start.
    pub(super) async fn turn(&self, lane: Lane, end: QueueEnd) -> Turn {
        let asked = self.queue_handle.lock().ask(lane, end);
        let id = match asked {
            Ok(id) => id,
            Err(turn) => {
                self.queue_handle.changed.notify_all();
                TurnTicket { lane, queue_handle: &self.queue_handle, turn }.come().await
            }
        };
        Turn { id, queue_handle: self.queue_handle.clone(), state: TurnState::Open }
    }

    /// Lets an answer change the pace.
    pub fn observe(&self, answer: &Answer) -> PaceChange {
        self.queue_handle.change(|queue| queue.limiter.observe(answer, Instant::now()))
    }

    /// A code came that lives so long.
    pub fn observe_code_lifetime(&self, life: Duration) {
        self.queue_handle.lock().limiter.observe_code_lifetime(life);
    }

    /// The disk took this long to write; it may take as long before a code can be presented.
    pub fn disk_took(&self, time: Duration) {
        self.queue_handle.lock().limiter.code_readied_in(time);
    }

    /// Whether codes die before they can be presented, as recent times suggest.
    pub fn codes_would_expire(&self) -> bool {
        self.queue_handle.lock().limiter.codes_would_expire()
    }

    /// How long every answer has been a throttle.
    pub fn throttled_for(&self) -> Duration {
        self.queue_handle.lock().limiter.throttled_for(Instant::now())
    }

    /// Codes that were asked for, or have come, and are not presented yet.
    pub fn codes_to_come(&self) -> u32 {
        self.queue_handle.lock().limiter.codes_to_come()
    }

    /// The last starts, oldest first.
    pub fn starts(&self) -> Vec<Instant> {
        self.queue_handle.lock().limiter.remembered()
    }

    /// How long requests will have to wait.
    pub fn outlook(&self) -> Outlook {
        let queue = self.queue_handle.lock();
        Outlook { interval: queue.limiter.interval(), held: queue.limiter.held(Instant::now()) }
    }
}

/// Starts the thread that writes the memory; `end` is sent when it ends.
fn memory_writer(
    memory: Memory,
    queue_handle: &Arc<SharedQueue>,
    end: oneshot::Sender<()>,
) -> io::Result<MemoryWriter> {
    let queue_handle = queue_handle.clone();
    let on_kept = move |kept| queue_handle.change(|queue| queue.kept(kept));
    let on_end = move || {
        // The receiver may be gone.
        let _ = end.send(());
    };
    MemoryWriter::start(memory, on_kept, on_end)
}

fn earlier_starts(memory: Option<&Memory>, bound: Rate) -> Vec<Instant> {
    match (memory, bound) {
        (Some(memory), Rate::Limited { starts, window }) => memory.recall(window * 2, starts.get()),
        _ => Vec::new(),
    }
}

/// A wait for a turn. On drop, a turn that came too late is given back.
struct TurnTicket<'a> {
    lane: Lane,
    queue_handle: &'a SharedQueue,
    turn: oneshot::Receiver<TurnId>,
}

impl TurnTicket<'_> {
    async fn come(mut self) -> TurnId {
        match (&mut self.turn).await {
            Ok(turn) => turn,
            // The thread outlives every handle. Without it, nothing may start.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for TurnTicket<'_> {
    fn drop(&mut self) {
        self.turn.close();
        if let Ok(turn) = self.turn.try_recv() {
            self.queue_handle.change(|queue| queue.give_back(self.lane, turn));
        }
    }
}

/// A wait for a preparation. On drop, one that came too late is given back.
struct PreparationTicket<'a> {
    queue_handle: &'a Arc<SharedQueue>,
    come: oneshot::Receiver<Instant>,
}

impl PreparationTicket<'_> {
    async fn come(mut self) -> Preparation {
        match (&mut self.come).await {
            Ok(since) => Preparation { queue_handle: self.queue_handle.clone(), since },
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for PreparationTicket<'_> {
    fn drop(&mut self) {
        self.come.close();
        if self.come.try_recv().is_ok() {
            self.queue_handle.change(|queue| queue.limiter.preparation_ended());
        }
    }
}
