//! Signals while no execution answers them: before its work, and while the last line is waited for.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
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
    /// The last line is being written: a signal ends the program.
    Ending,
}

/// The phase that the program is in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CurrentPhase(Arc<Mutex<Phase>>);

impl CurrentPhase {
    /// Listens to signals from here on; `write_last` is told of one that comes before the work.
    pub fn begin(write_last: impl Fn(Exit) + Send + 'static) -> io::Result<Self> {
        let phase = Self(Arc::new(Mutex::new(Phase::Preparing)));
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let now = phase.clone();
        let answer = move || {
            for signal in signals.forever() {
                match now.get() {
                    Phase::Working => continue,
                    Phase::Preparing => write_last(exit_of(signal)),
                    Phase::Ending => {}
                }
                // It ends the program as if nobody had listened.
                let _ = emulate_default_handler(signal);
            }
        };
        thread::Builder::new().name("signals".into()).spawn(answer)?;
        Ok(phase)
    }

    /// Another phase begins.
    pub fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn get(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exit_of(signal: i32) -> Exit {
    if signal == SIGINT { Exit::Interrupted } else { Exit::Terminated }
}
