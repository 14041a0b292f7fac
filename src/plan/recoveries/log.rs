//! What this run recovers, written for others; and what others recover beside it.

use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Earlier, FileHeader, Print,
    earlier::{files, read_from},
    file_name, line_of,
};
use crate::{clock, event::RecoveredBefore, installation::Installation, state_folder};

/// Recoveries of this time are written together.
const BATCH: Duration = Duration::from_millis(20);

/// How often the files of others are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often the file is synced while it grows.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How long the end of a run waits for the last lines, in case the disk hangs.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Whose recoveries are written, and where.
#[derive(Clone, Debug)]
pub struct LogOwner {
    /// Scheme and host.
    pub base_url: String,
    /// The app's client id.
    pub client_id: String,
    /// The run.
    pub run_id: String,
    /// The run folder, as a full path.
    pub folder: String,
}

/// Remembers what one run recovers of one app. A thread of its own writes, so that no installation
/// waits for it.
#[derive(Debug)]
pub struct RecoveryLog {
    shared: Arc<LogShared>,
    client_id: String,
    ended: Mutex<mpsc::Receiver<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct LogShared {
    state: Mutex<LogState>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    /// Not written yet: 20 bytes for each recovery.
    pending: Vec<(Print, Timestamp)>,
    /// What others have recovered since this run began.
    elsewhere: HashMap<Print, (i64, usize)>,
    folders: Vec<String>,
    is_over: bool,
}

impl RecoveryLog {
    /// Begins to write. With `earlier`, the recoveries of others that follow it are read too.
    pub fn begin(writer: LogOwner, earlier: Option<&Earlier>) -> io::Result<Self> {
        let client_id = writer.client_id.clone();
        let read_to = earlier.map(|earlier| earlier.read_to(&client_id));
        let shared = Arc::new(LogShared::default());
        let (end, ended) = mpsc::sync_channel(1);
        let mut work = LogThread::new(writer, read_to, shared.clone());
        let work = move || {
            // The receiver may have stopped waiting. Written lines outlive the process; the sync, which
            // is for a power cut, need not be waited for.
            let _ = end.try_send(work.go());
            let _ = work.sync();
        };
        thread::Builder::new().name("recoveries".into()).spawn(work)?;
        Ok(Self { shared, client_id, ended: Mutex::new(ended) })
    }

    /// Records that an installation is recovered.
    pub fn remember(&self, installation: &Installation) {
        self.remember_at(installation, clock::now());
    }

    /// Records that an installation was recovered at this time.
    pub fn remember_at(&self, installation: &Installation, at: Timestamp) {
        let print = Print::of(&self.client_id, installation);
        self.shared.lock().pending.push((print, at));
        self.shared.woken.notify_one();
    }

    /// The recovery of an installation by another run since this one began.
    pub fn elsewhere(&self, installation: &Installation) -> Option<RecoveredBefore> {
        let state = self.shared.lock();
        if state.elsewhere.is_empty() {
            return None;
        }
        let (at, folder) = state.elsewhere.get(&Print::of(&self.client_id, installation))?;
        let folder = state.folders.get(*folder)?.clone();
        Some(RecoveredBefore { at: Timestamp::from_second(*at).ok()?, folder })
    }

    /// Waits until everything is written, for a bounded time; it may not be synced yet. An error means
    /// that something is not written.
    pub fn finish(&self) -> io::Result<()> {
        self.shared.lock().is_over = true;
        self.shared.woken.notify_one();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(LAST_LINES).unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the disk does not answer"))
        })
    }
}

impl Drop for RecoveryLog {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.woken.notify_one();
    }
}

impl LogShared {
    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is to be written, or until it is time to look at others.
    fn wait(&self) -> (Vec<(Print, Timestamp)>, bool) {
        let is_idle = |state: &mut LogState| state.pending.is_empty() && !state.is_over;
        let woken = self.woken.wait_timeout_while(self.lock(), LOOK_EVERY, is_idle);
        let (mut state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        if !state.pending.is_empty() {
            let woken = self.woken.wait_timeout_while(state, BATCH, |state| !state.is_over);
            (state, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
        (std::mem::take(&mut state.pending), state.is_over)
    }
}

/// The thread's own.
struct LogThread {
    writer: LogOwner,
    /// How far the files of others are read; `None` where they are not needed.
    read_to: Option<HashMap<PathBuf, u64>>,
    shared: Arc<LogShared>,
    file: Option<File>,
    /// Of the run's own file.
    written: HashSet<Print>,
    synced: Instant,
}

impl LogThread {
    fn new(
        writer: LogOwner,
        read_to: Option<HashMap<PathBuf, u64>>,
        shared: Arc<LogShared>,
    ) -> Self {
        let (file, written, synced) = (None, HashSet::new(), Instant::now());
        Self { writer, read_to, shared, file, written, synced }
    }

    /// Works until the end. Having failed once, it writes no more.
    fn go(&mut self) -> io::Result<()> {
        let (mut outcome, mut looked) = (Ok(()), Instant::now());
        loop {
            let (pending, is_over) = self.shared.wait();
            if outcome.is_ok() {
                outcome = self.write(&pending);
            }
            if is_over {
                return outcome;
            }
            if looked.elapsed() >= LOOK_EVERY {
                self.look_at_others();
                looked = Instant::now();
            }
        }
    }

    fn write(&mut self, pending: &[(Print, Timestamp)]) -> io::Result<()> {
        if pending.is_empty() {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(self.open()?);
        }
        let fresh = pending.iter().filter(|(print, _)| self.written.insert(*print));
        let lines: String = fresh.map(|(print, at)| line_of(*print, *at)).collect();
        if let Some(file) = &mut self.file {
            file.write_all(lines.as_bytes())?;
        }
        if self.synced.elapsed() >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.synced = Instant::now();
        self.file.as_mut().map_or(Ok(()), |file| file.sync_data())
    }

    fn path(&self) -> io::Result<PathBuf> {
        let LogOwner { base_url, client_id, run_id, .. } = &self.writer;
        Ok(state_folder::create()?.join(file_name(base_url, client_id, run_id)))
    }

    /// Opens the run's own file. Its last line may be torn: what follows begins on a new one.
    fn open(&mut self) -> io::Result<File> {
        let path = self.path()?;
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&path)?;
        if file.metadata()?.len() > 0 {
            let written = &mut self.written;
            read_from(&path, 0, |print, _| {
                written.insert(print);
            })?;
            file.write_all(b"\n")?;
            return Ok(file);
        }
        let LogOwner { base_url, client_id, folder, .. } = self.writer.clone();
        let header = serde_json::to_string(&FileHeader { base_url, client_id, folder })?;
        file.write_all((header + "\n").as_bytes())?;
        Ok(file)
    }

    fn look_at_others(&mut self) {
        let own = self.path().ok();
        let Some(read_to) = &mut self.read_to else { return };
        for path in files(&self.writer.base_url, &self.writer.client_id) {
            let start = read_to.get(&path).copied().unwrap_or_default();
            let has_grown = path.metadata().is_ok_and(|file| file.len() > start);
            if own.as_ref() == Some(&path) || !has_grown {
                continue;
            }
            let mut found = Vec::new();
            let Ok(read) = read_from(&path, start, |print, at| found.push((print, at))) else {
                continue;
            };
            read_to.insert(path.clone(), read.end);
            let mut state = self.shared.lock();
            let folder = read.folder.or_else(|| folder_of(&path)).unwrap_or_default();
            let known = state.folders.iter().position(|known| *known == folder);
            let place = known.unwrap_or_else(|| {
                state.folders.push(folder);
                state.folders.len() - 1
            });
            state.elsewhere.extend(found.into_iter().map(|(print, at)| (print, (at, place))));
        }
    }
}

/// The folder that the first line of a file names.
fn folder_of(path: &std::path::Path) -> Option<String> {
    use std::io::{BufRead, BufReader};
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok().map(|header: FileHeader| header.folder)
}
