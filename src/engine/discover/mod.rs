//! The locations of agencies, page by page, as a list that `run` takes.

pub mod position;
pub mod scout;
pub mod sheet;
