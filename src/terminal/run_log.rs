//! `run.log`: what happened, line by line, for people.

use std::{
    io::{BufWriter, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    clock,
    event::{Event, Listener, Started},
    journal::{disk::DiskFile, folder::RunFolder},
    text::SafeText,
};

/// How long the lines of a run that goes well may wait to be written together. Everything else is
/// written at once.
const ROUTINE_WAITS: Duration = Duration::from_millis(200);

/// Lines that wait to be written, at most. On a disk that takes none, what is more is left out.
const QUEUE: usize = 1 << 14;

/// How long a line waits for room in the queue before the disk is taken to hang.
const ROOM_WITHIN: Duration = Duration::from_millis(200);

/// How long the last lines may take to be written, when the log is closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Writes every event as a line, in a thread of its own: a disk that hangs holds nothing else up. What
/// cannot be written is left out: the journal has it.
#[derive(Debug)]
pub struct RunLog {
    queue: Option<SyncSender<(String, Weight)>>,
    hangs: AtomicBool,
    written: Mutex<Receiver<()>>,
}

/// How soon a line has to be in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Routine,
    Important,
}

impl RunLog {
    /// Opens the log of a run folder, or makes it.
    pub fn open(folder: &RunFolder) -> anyhow::Result<Self> {
        let path = folder.file("run.log");
        let file = folder.disk().open_or_create(&path).map(DiskFile::into_handle);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Self::to(file)
    }

    fn to(file: impl Write + Send + 'static) -> anyhow::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let (end, written) = sync_channel(1);
        let write = move || {
            write_all(&mut BufWriter::new(file), &lines);
            // Nobody waits any more for a disk that was given up.
            let _ = end.send(());
        };
        thread::Builder::new().name("log".into()).spawn(write).context("cannot start a thread")?;
        let (hangs, written) = (AtomicBool::new(false), Mutex::new(written));
        Ok(Self { queue: Some(queue), hangs, written })
    }

    fn line(&self, line: &str, weight: Weight) {
        let Some(queue) = &self.queue else { return };
        let mut line = (format!("{} {line}", clock::stamp(clock::now())), weight);
        let begun = Instant::now();
        loop {
            // A log that cannot be written must not stop a recovery.
            match queue.try_send(line) {
                Err(TrySendError::Full(same))
                    if !self.hangs.load(Ordering::Relaxed) && begun.elapsed() < ROOM_WITHIN =>
                {
                    thread::sleep(Duration::from_millis(1));
                    line = same;
                }
                sent => return self.hangs.store(sent.is_err(), Ordering::Relaxed),
            }
        }
    }
}

/// Writes lines until there is nobody any more to give some.
fn write_all(file: &mut impl Write, lines: &Receiver<(String, Weight)>) {
    let mut flushed = Instant::now();
    loop {
        let weight = match lines.recv_timeout(ROUTINE_WAITS) {
            Ok((line, weight)) => {
                let _ = writeln!(file, "{line}");
                weight
            }
            Err(RecvTimeoutError::Timeout) => Weight::Important,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if weight == Weight::Important || flushed.elapsed() >= ROUTINE_WAITS {
            let _ = file.flush();
            flushed = Instant::now();
        }
    }
    let _ = file.flush();
}

impl Drop for RunLog {
    fn drop(&mut self) {
        self.queue = None;
        if !self.hangs.load(Ordering::Relaxed) {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = written.recv_timeout(CLOSED_WITHIN);
        }
    }
}

impl RunLog {
    /// Writes a line that no event stands for.
    pub fn note(&self, line: &str) {
        self.line(line, Weight::Important);
    }
}

impl Listener for RunLog {
    fn on_event(&self, event: &Event) {
        let weight = match event {
            Event::Duplicate(_)
            | Event::Rejected(_)
            | Event::Exchanging(_)
            | Event::Refreshing(_)
            | Event::Requesting(_)
            | Event::Skipped(_)
            | Event::Recovered(_) => Weight::Routine,
            _ => Weight::Important,
        };
        if let Some(line) = line_of(event) {
            self.line(&line, weight);
        }
    }
}

/// An event in one line; `None` for what would only repeat the list.
// A line for each kind of event: there are as many as there are kinds.
#[allow(clippy::too_many_lines)]
pub fn line_of(event: &Event) -> Option<String> {
    match event {
        Event::Started(e) => Some(format!(
            "run {} of ghl-reconnect {} begins: list {} ({}), endpoint {}{}, {}, rate {}, {} in flight",
            e.run_id,
            e.version,
            e.list.name,
            e.list.shape,
            e.base_url,
            e.reconnect_path,
            clients(e),
            e.rate,
            e.concurrency
        )),
        Event::Listed(_) | Event::Saving(_) | Event::Unsent(_) => None,
        Event::Duplicate(e) => {
            Some(format!("row {} (line {}) repeats row {}: {}", e.row, e.line, e.first_row, e.id))
        }
        Event::Rejected(e) => Some(format!(
            "row {} (line {}) rejected: {}: {} ({})",
            e.row, e.line, e.column, e.reason, e.raw
        )),
        Event::Ready(e) => Some(format!("{} rows read; calls begin", e.input)),
        Event::Exchanging(e) => Some(format!(
            "row {} {}: code received in attempt {}{}; exchanging",
            e.row,
            e.id,
            e.attempt,
            trace(e.reconnect.trace_id.as_ref())
        )),
        Event::Refreshing(e) => Some(format!(
            "row {} {}: presenting its refresh token in attempt {}",
            e.row, e.id, e.attempt
        )),
        Event::Requesting(e) => Some(format!(
            "row {} {}: asking for its tokens with its agency's in attempt {}",
            e.row, e.id, e.attempt
        )),
        Event::Retrying(e) => Some(format!(
            "row {} {}: attempt {}: {}{}; {}",
            e.row,
            e.id,
            e.attempt,
            e.failure,
            trace(e.failure.trace_id.as_ref()),
            e.wait_ms.map_or("again after the outage".to_owned(), |ms| format!("again in {ms} ms"))
        )),
        Event::Untried(e) => {
            Some(format!("row {} {}: tokens granted by {}; trying them", e.row, e.id, e.via))
        }
        Event::Skipped(e) => Some(format!("row {} {} skipped: {}", e.row, e.id, e.in_words())),
        Event::Recovered(e) => Some(format!(
            "row {} {}: recovered by {} in attempt {}{}{}",
            e.row,
            e.id,
            e.via,
            e.attempts,
            trace(e.exchange.trace_id.as_ref()),
            e.remark().map(|remark| format!("; {remark}")).unwrap_or_default()
        )),
        Event::Failed(e) => Some(format!(
            "row {} {}: failed after {} attempts: {}{}",
            e.row,
            e.id,
            e.attempts,
            e.failure,
            trace(e.failure.trace_id.as_ref())
        )),
        Event::Held(e) => Some(format!(
            "held: nothing starts for {} ms, then every {} ms",
            e.hold_ms, e.interval_ms
        )),
        Event::DayTooShort(e) => {
            Some(format!("{} requests are left today, {} are needed", e.left, e.needed))
        }
        Event::Paused(e) => {
            Some(format!("paused: {}; gives up at {}", e.failure, clock::stamp(e.gives_up_at)))
        }
        Event::Probed(e) => Some(format!(
            "probe failed: row {}: {}; next probe in {} ms",
            e.row, e.failure, e.next_ms
        )),
        Event::ServerClock(e) => Some(server_clock(e.offset_ms)),
        Event::Continued(e) => Some(format!("goes on after {} ms of pause", e.paused_ms)),
        Event::Halted(e) => {
            let app = e.app.as_ref().map(|app| format!(" for app {app}")).unwrap_or_default();
            Some(format!("halted{app}: {}", e.message))
        }
        Event::Finished(_) => Some("finished".to_owned()),
        Event::Resumed(e) => Some(format!(
            "resumed by ghl-reconnect {}: endpoint {}{}, rate {}, {} in flight",
            e.version, e.base_url, e.reconnect_path, e.rate, e.concurrency
        )),
        Event::Reclaimed(e) => {
            Some(format!("row {} {}: tokens found on disk, recovered", e.row, e.id))
        }
        Event::Missed(e) => {
            Some(format!("row {} {}: no tokens on disk, to be asked for anew", e.row, e.id))
        }
        Event::HandedOn(e) => Some(format!(
            "the tokens of {} installations are where they belong, as was said; they need not be in tokens.jsonl",
            e.installations
        )),
        Event::Leaked(e) => Some(format!("a secret was found in {}, which was set aside", e.file)),
    }
}

fn clients(started: &Started) -> String {
    if started.apps.is_empty() {
        return format!("client id {}", started.client_id);
    }
    let apps =
        started.apps.iter().map(|app| format!("app {} (client id {})", app.name, app.client_id));
    apps.collect::<Vec<_>>().join(", ")
}

fn server_clock(offset_ms: i64) -> String {
    match offset_ms {
        0 => "the server's clock agrees with ours".to_owned(),
        ms if ms > 0 => format!("the server's clock is {ms} ms ahead of ours"),
        ms => format!("the server's clock is {} ms behind ours", ms.unsigned_abs()),
    }
}

fn trace(id: Option<&SafeText>) -> String {
    id.map(|id| format!(", trace {id}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    /// A disk that takes what it is given when it is let go of.
    struct Hanging(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Hanging {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Let go of, there is nothing to wait for.
            let _ = self.0.recv();
            self.1.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_hangs_holds_nobody_up() {
        let (let_go, hanging) = sync_channel(0);
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = RunLog::to(Hanging(hanging, written.clone())).unwrap();
        let begun = Instant::now();
        for _ in 0..2 * QUEUE {
            log.note("a line");
        }
        drop(log);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        drop(let_go);
    }

    #[test]
    fn what_was_said_is_written_when_the_log_is_closed() {
        let (let_go, open) = sync_channel::<()>(0);
        drop(let_go);
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = RunLog::to(Hanging(open, written.clone())).unwrap();
        for _ in 0..QUEUE * 2 {
            log.line("a line", Weight::Routine);
        }
        drop(log);
        let lines = String::from_utf8(written.lock().unwrap().clone()).unwrap().lines().count();
        assert_eq!(lines, QUEUE * 2);
    }
}
