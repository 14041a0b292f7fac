//! Signals while no execution answers them: before its work, and while the last line is waited for.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};

use crate::exit::Exit;

/// Who answers signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is sent yet: a signal writes the last line and ends the program.
    Preparing,
    /// The execution answers them.
    Working,
    /// The last line is being written: a signal shortens the wait for whoever reads it.
    Ending,
}

/// The phase that the program is in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CurrentPhase(Arc<Mutex<Phase>>);

impl CurrentPhase {
    /// Listens to signals from here on. `write_last` is called for one that comes before the work,
    /// `hurry` for one that comes after it.
    pub fn begin(
        write_last: impl Fn(Exit) + Send + 'static,
        hurry: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let phase = Self(Arc::new(Mutex::new(Phase::Preparing)));
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let current = phase.clone();
        let answer = move || {
            for signal in signals.forever() {
                let phase = current.lock();
                match *phase {
                    Phase::Working => {}
                    Phase::Preparing => {
                        write_last(exit_of(signal));
                        // It ends the program as if nobody had listened. The work cannot begin meanwhile:
                        // the phase is locked.
                        let _ = emulate_default_handler(signal);
                    }
                    Phase::Ending => hurry(),
                }
            }
        };
        thread::Builder::new().name("signals".into()).spawn(answer)?;
        Ok(phase)
    }

    /// Another phase begins.
    pub fn set(&self, phase: Phase) {
        *self.lock() = phase;
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exit_of(signal: i32) -> Exit {
    if signal == SIGINT { Exit::Interrupted } else { Exit::Terminated }
}
