//! The locations of agencies, page by page, as a list that `run` takes.

pub mod agency_walk;
pub mod cursor;
pub mod list_writer;
pub mod pager;
pub mod words;
