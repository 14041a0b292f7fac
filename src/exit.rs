//! Exit codes: an interface that scripts rely on.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every installation is recovered; for other commands, all went well.
    Recovered,
    /// The run went through, some installations are not recovered.
    NotAllRecovered,
    /// Wrong usage, unreadable or empty input, unusable credentials, or a run folder that already
    /// exists: nothing was sent.
    Usage,
    /// A fault that concerns all installations stopped the run.
    Halted,
    /// Disk full, run folder locked, journal unreadable.
    Local,
    /// The books do not balance, or a secret was found outside its file: a bug.
    Bug,
    /// Ctrl-C; the run can be resumed.
    Interrupted,
    /// SIGTERM; the run can be resumed.
    Terminated,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Recovered => 0,
            Self::NotAllRecovered => 1,
            Self::Usage => 2,
            Self::Halted => 3,
            Self::Local => 4,
            Self::Bug => 5,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

/// What an engine does when a task has ended with an exit code: `explain shards` and the files for
/// engines are held to it.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineStep {
    /// Nothing: the task is done.
    Done,
    /// Nothing: the task is done, and some of its installations failed. A restart would change nothing.
    DoneWithFailures,
    /// No other task would do better: it ends the whole job.
    FailJob,
    /// It starts the same command again, which continues the run.
    Restart,
}

/// Each exit code with what it means for an engine. 137 is the system's, after SIGKILL.
#[cfg(test)]
pub const FOR_ENGINES: [(u8, EngineStep); 9] = [
    (0, EngineStep::Done),
    (1, EngineStep::DoneWithFailures),
    (2, EngineStep::FailJob),
    (3, EngineStep::FailJob),
    (5, EngineStep::FailJob),
    (4, EngineStep::Restart),
    (130, EngineStep::Restart),
    (137, EngineStep::Restart),
    (143, EngineStep::Restart),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// An error with the exit code that it means.
#[derive(Debug)]
pub struct Fault {
    /// How the program ends.
    pub exit: Exit,
    /// What happened, printed once as a chain.
    pub error: anyhow::Error,
}

/// Says which exit code an error means.
pub trait OrExit<T> {
    /// Turns an error into a [`Fault`].
    fn or_exit(self, exit: Exit) -> Result<T, Fault>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Fault> {
        self.map_err(|error| Fault { exit, error: error.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 8] = [
        Exit::Recovered,
        Exit::NotAllRecovered,
        Exit::Usage,
        Exit::Halted,
        Exit::Local,
        Exit::Bug,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    #[test]
    fn every_exit_code_says_what_an_engine_does() {
        use EngineStep::{Done, DoneWithFailures, FailJob, Restart};
        let step = |code| FOR_ENGINES.iter().find(|(of, _)| *of == code).map(|(_, step)| *step);
        let expected =
            [Done, DoneWithFailures, FailJob, FailJob, Restart, FailJob, Restart, Restart];
        for (exit, expected) in ALL.into_iter().zip(expected) {
            assert_eq!(step(exit.code()), Some(expected), "{exit:?}");
        }
        assert_eq!(step(137), Some(Restart), "SIGKILL");
        assert_eq!(FOR_ENGINES.len(), ALL.len() + 1);
    }
}
