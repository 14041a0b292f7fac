//! Processes that a test starts, signals and waits for.

use std::{
    io::{self, Read, Write},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// A program that is not done by then is stuck.
const STUCK: Duration = Duration::from_mins(1);

/// Held while a process starts. Until it is the other program it has a copy of every file that is
/// open here, and with it the lock of every run that works inside a test.
static STARTING: Mutex<()> = Mutex::new(());

fn starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no process has a copy of a file that was open here and is closed by now.
pub(super) fn wait_for_starts() {
    drop(starting());
}

/// How every process is started here, in place of `spawn` and `output`.
pub(crate) trait Launch {
    /// Starts it.
    fn launch(&mut self) -> Child;

    /// Runs it to its end, without input.
    fn capture(&mut self) -> io::Result<Output>;
}

impl Launch for Command {
    fn launch(&mut self) -> Child {
        let _alone = starting();
        self.spawn().unwrap()
    }

    fn capture(&mut self) -> io::Result<Output> {
        self.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = {
            let _alone = starting();
            self.spawn()?
        };
        child.wait_with_output()
    }
}

/// Runs a command with this input to its end.
pub(crate) fn finish(command: &mut Command, input: Vec<u8>) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.launch();
    let mut stdin = child.stdin.take().unwrap();
    // The program may end before it has read everything.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let pipes = (read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap()));
    let mut wait = |pipe: &mpsc::Receiver<Vec<u8>>| {
        pipe.recv_timeout(STUCK).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("stuck: {command:?}")
        })
    };
    let (stdout, stderr) = (wait(&pipes.0), wait(&pipes.1));
    Output { status: child.wait().unwrap(), stdout, stderr }
}

/// Reads a pipe to its end.
fn read(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (done, all) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        done.send(bytes)
    });
    all
}

/// Starts a program whose output the test reads.
pub(crate) fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).launch()
}

/// Starts a program of which the test wants to hear nothing.
pub(crate) fn start_silent(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).launch()
}

/// Sends a signal, `-INT` say, to a process that has not been waited for.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).capture().unwrap();
    assert!(sent.status.success(), "{sent:?}");
}
