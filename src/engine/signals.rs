//! Ctrl-C and its kin: the first asks the run to end, the second ends it at once.

use std::io;

use crate::{event::Interrupt, exit::Exit};

/// Listens to signals, and remembers that there was one.
#[derive(Debug)]
pub struct Signals {
    streams: Streams,
    first: Option<Interrupt>,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { streams: Streams::open()?, first: None })
    }

    /// Returns at any signal, with the exit code that it means.
    pub async fn any(&mut self) -> Exit {
        exit_of(self.streams.next().await)
    }

    /// Returns at the second signal, with the exit code that it means; `on_first` is told of the
    /// first one.
    pub async fn second(&mut self, on_first: impl Fn(Interrupt)) -> Exit {
        loop {
            let signal = self.streams.next().await;
            if self.first.is_some() {
                return exit_of(signal);
            }
            self.first = Some(signal);
            on_first(signal);
        }
    }
}

/// Lets a write beyond the largest size that a file may have (`ulimit -f`) fail as on a full disk: the
/// system would end the process instead, with tokens in hand.
pub fn ignore_file_size_limits() {
    #[cfg(unix)]
    {
        use std::sync::{Arc, atomic::AtomicBool};
        // A signal that somebody listens to ends nothing. Should that fail, all is as it was before.
        let heard = Arc::new(AtomicBool::new(false));
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, heard);
    }
}

fn exit_of(signal: Interrupt) -> Exit {
    match signal {
        Interrupt::Interrupt => Exit::Interrupted,
        Interrupt::Terminate => Exit::Terminated,
    }
}

#[cfg(unix)]
#[derive(Debug)]
struct Streams {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Streams {
    fn open() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupt::Interrupt,
            _ = self.terminate.recv() => Interrupt::Terminate,
            _ = self.hangup.recv() => Interrupt::Terminate,
        }
    }
}

#[cfg(windows)]
#[derive(Debug)]
struct Streams {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Streams {
    fn open() -> io::Result<Self> {
        use tokio::signal::windows;
        Ok(Self {
            interrupt: windows::ctrl_c()?,
            stop: windows::ctrl_break()?,
            close: windows::ctrl_close()?,
            shutdown: windows::ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupt::Interrupt,
            _ = self.stop.recv() => Interrupt::Interrupt,
            _ = self.close.recv() => Interrupt::Terminate,
            _ = self.shutdown.recv() => Interrupt::Terminate,
        }
    }
}
