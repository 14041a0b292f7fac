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

use super::{event_line, log_line};
use crate::{
    clock,
    event::{Event, Listener},
    journal::{disk::DiskFile, folder::RunFolder},
    settings::args::LogFormat,
};

/// How long the lines of a run that goes well may wait to be written together. Everything else is
/// written at once.
const ROUTINE_WAITS: Duration = Duration::from_millis(200);

/// Lines that wait to be written, at most. On a disk that hangs, further lines are left out.
const QUEUE: usize = 1 << 14;

/// How long a line waits for room in the queue before the disk counts as stuck.
const ROOM_WITHIN: Duration = Duration::from_millis(200);

/// How long the last lines may take to be written, when the log is closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// Writes every event as a line, in a thread of its own: a disk that hangs delays nothing else. Lines
/// that cannot be written are left out: the journal has the events.
#[derive(Debug)]
pub struct RunLog {
    format: LogFormat,
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
    /// Opens the log of a run folder, or makes it. Lines of another format stay as they are.
    pub fn open(folder: &RunFolder, format: LogFormat) -> anyhow::Result<Self> {
        let path = folder.file("run.log");
        let file = folder.disk().open_or_create(&path).map(DiskFile::into_handle);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Self::to(file, format)
    }

    fn to(file: impl Write + Send + 'static, format: LogFormat) -> anyhow::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let (end, written) = sync_channel(1);
        let write = move || {
            write_all(&mut BufWriter::new(file), &lines);
            // The receiver is gone if the disk was given up.
            let _ = end.send(());
        };
        thread::Builder::new().name("log".into()).spawn(write).context("cannot start a thread")?;
        let (hangs, written) = (AtomicBool::new(false), Mutex::new(written));
        Ok(Self { format, queue: Some(queue), hangs, written })
    }

    fn line(&self, line: String, weight: Weight) {
        let Some(queue) = &self.queue else { return };
        let line = match self.format {
            LogFormat::Text => format!("{} {line}", clock::stamp(clock::now())),
            LogFormat::Json => line,
        };
        let mut line = (line, weight);
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

/// Writes lines until every sender is dropped.
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
        self.line(log_line::of_text(self.format, line), Weight::Important);
    }
}

impl Listener for RunLog {
    fn on_event(&self, event: &Event) {
        let weight = match event {
            Event::Duplicate(_)
            | Event::Rejected(_)
            | Event::NotDue(_)
            | Event::Exchanging(_)
            | Event::Refreshing(_)
            | Event::Requesting(_)
            | Event::Skipped(_)
            | Event::Recovered(_) => Weight::Routine,
            _ => Weight::Important,
        };
        if let Some(line) = event_line::of(event) {
            self.line(log_line::of_event(self.format, event, &line), weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    /// A disk that writes when the sender is dropped.
    struct Hanging(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Hanging {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error is the signal to write.
            let _ = self.0.recv();
            self.1.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_hangs_delays_nothing() {
        let (let_go, hanging) = sync_channel(0);
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = RunLog::to(Hanging(hanging, written.clone()), LogFormat::Text).unwrap();
        let begun = Instant::now();
        for _ in 0..2 * QUEUE {
            log.note("a line");
        }
        drop(log);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        drop(let_go);
    }

    #[test]
    fn every_line_is_written_when_the_log_is_closed() {
        let (let_go, open) = sync_channel::<()>(0);
        drop(let_go);
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = RunLog::to(Hanging(open, written.clone()), LogFormat::Text).unwrap();
        for _ in 0..QUEUE * 2 {
            log.line("a line".into(), Weight::Routine);
        }
        drop(log);
        let lines = String::from_utf8(written.lock().unwrap().clone()).unwrap().lines().count();
        assert_eq!(lines, QUEUE * 2);
    }
}
