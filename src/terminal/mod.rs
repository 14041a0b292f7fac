//! What a person sees: progress while calls go on, `run.log`, and the last words.

pub mod console;
mod event_line;
pub mod progress;
pub mod run_log;
pub mod summary;
