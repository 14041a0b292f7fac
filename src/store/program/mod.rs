//! A program of the user's own that is spoken to in lines: a filter, or a helper that writes pairs.
//!
//! Secrets go over its standard input alone. It runs in a process group of its own, so that Ctrl-C
//! reaches us first and the program can be ended in order.

mod command_line;
mod lines;
mod words;

use std::{
    io,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

pub use self::{command_line::CommandLine, lines::BadLine, words::Words};

/// How long a program may take to end after its standard input is closed.
pub const END: Duration = Duration::from_secs(5);

/// Bytes of its standard error that are kept: enough that no token in the part shown is cut in two.
const COMPLAINTS: usize = 1 << 16;

/// Lines that wait for either side.
const QUEUE: usize = 64;

/// A running program. Dropped, it is killed with all that it has started.
pub struct Program {
    child: Child,
    /// `None` after it was closed.
    input: Option<mpsc::Sender<Vec<u8>>>,
    output: mpsc::Receiver<Result<String, BadLine>>,
    complaints: Arc<Mutex<Vec<u8>>>,
    tasks: Vec<JoinHandle<()>>,
    has_ended: bool,
}

impl Program {
    /// Starts it; `without` are variables that it does not inherit.
    pub fn start(command: &CommandLine, without: &[&str]) -> io::Result<Self> {
        let program = command.find().map_err(io::Error::other)?;
        let mut builder = Command::new(program);
        builder
            .args(command.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        builder.process_group(0);
        for name in without {
            builder.env_remove(name);
        }
        let mut child = builder.spawn()?;
        let no_pipe = || io::Error::other("it has no standard input, output or error");
        let stdin = child.stdin.take().ok_or_else(no_pipe)?;
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        let stderr = child.stderr.take().ok_or_else(no_pipe)?;
        let (input, to_write) = mpsc::channel(QUEUE);
        let (read, output) = mpsc::channel(QUEUE);
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let tasks = vec![
            tokio::spawn(feed(stdin, to_write)),
            tokio::spawn(read_lines(stdout, read)),
            tokio::spawn(drain(stderr, complaints.clone())),
        ];
        Ok(Self { child, input: Some(input), output, complaints, tasks, has_ended: false })
    }

    /// Gives it a line, to which a line end is added. What it does not take shows in its silence.
    pub async fn send(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        if let Some(input) = &self.input {
            // It fails only after the program has closed its end.
            let _ = input.send(line).await;
        }
    }

    /// Its next line; `None` after it has closed its standard output.
    pub async fn line(&mut self) -> Option<Result<String, BadLine>> {
        self.output.recv().await
    }

    /// A line that it has written already.
    pub fn line_at_hand(&mut self) -> Option<Result<String, BadLine>> {
        self.output.try_recv().ok()
    }

    /// The end of what it has written to standard error.
    pub fn complaints(&self) -> String {
        let bytes = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Closes its standard input and waits until it ends; after `patience` it is killed, with all that
    /// it has started, and `None` is returned.
    pub async fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        self.input = None;
        let (child, output) = (&mut self.child, &mut self.output);
        // A program that still writes must not be stuck.
        let drained = async {
            while output.recv().await.is_some() {}
            std::future::pending::<()>().await;
        };
        let ended = timeout(patience, async {
            tokio::select! {
                status = child.wait() => status.ok(),
                () = drained => None,
            }
        });
        let status = ended.await.ok().flatten();
        if status.is_none() {
            self.kill();
            // The error would be that it cannot be waited for: then it is no child of ours any more.
            let _ = self.child.wait().await;
        } else {
            // What it said last may still be in the pipe, which somebody else may hold open.
            // A task that was awaited to its end, by an earlier call, must not be polled again.
            if let Some(drained) = self.tasks.last_mut().filter(|task| !task.is_finished()) {
                let _ = timeout(Duration::from_millis(200), drained).await;
            }
        }
        self.has_ended = true;
        status
    }

    /// Kills it, with all that it has started.
    fn kill(&mut self) {
        #[cfg(unix)]
        {
            let group = self.child.id().and_then(|id| i32::try_from(id).ok());
            if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
                // It may be gone already.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        }
        let _ = self.child.start_kill();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if !self.has_ended {
            // The runtime waits for it in the background.
            self.kill();
        }
    }
}

async fn feed(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        // The error is that it no longer reads; why shows where its answers are awaited.
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read_lines(stdout: ChildStdout, lines: mpsc::Sender<Result<String, BadLine>>) {
    let mut input = BufReader::new(stdout);
    while let Some(line) = lines::next(&mut input).await {
        let is_last = line.is_err();
        if lines.send(line).await.is_err() || is_last {
            return;
        }
    }
}

/// Keeps the end of what is read.
async fn drain(mut stderr: ChildStderr, complaints: Arc<Mutex<Vec<u8>>>) {
    let mut piece = vec![0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        let mut kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&piece[..read]);
        if let Some(more) = kept.len().checked_sub(COMPLAINTS) {
            kept.drain(..more);
        }
    }
}
