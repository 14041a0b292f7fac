//! What an execution wants of the terminal, which lies above it.

use std::{io, sync::Arc};

use super::gauge::Gauge;
use crate::{event::Observer, pace::Outlook};

/// How long the next requests will take to start, asked for whenever something is drawn.
pub type AskOutlook = Box<dyn Fn() -> Outlook + Send>;

/// The screen of the person on call.
pub trait Screen: Send + Sync {
    /// Prints a line.
    fn print(&self, line: &str);

    /// Begins to show progress.
    fn begin(&self, gauge: Gauge, outlook: AskOutlook) -> io::Result<Arc<dyn Progress>>;
}

/// Progress on the screen.
pub trait Progress: Observer {
    /// The run was interrupted: codes in hand are exchanged, and no new one is asked for.
    fn ending(&self);

    /// Ends it; lines that were noted are printed before.
    fn end(&self);
}
