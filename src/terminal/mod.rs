//! What a person sees: progress while calls go on, `run.log`, and the last words.

pub(crate) mod console;
mod event_line;
pub mod progress;
pub(crate) mod run_log;
pub(crate) mod summary;
