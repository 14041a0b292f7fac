//! What a person sees: progress during the calls, `run.log`, and the final summary.

pub(crate) mod console;
mod event_line;
mod json_events;
mod log_line;
pub(crate) mod next;
pub(crate) mod output;
mod progress;
pub(crate) mod run_log;
mod screen;
pub(crate) mod stored;
pub(crate) mod summary;
pub mod verbosity;
mod wrap;
