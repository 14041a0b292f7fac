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
