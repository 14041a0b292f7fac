//! The journal: the run as a file of events, from which everything else is derived; and the token
//! files.

mod command;
pub mod disk;
pub(crate) mod draft;
mod fault;
pub mod folder;
pub(crate) mod handle;
pub(crate) mod leaks;
pub(crate) mod line_file;
pub(crate) mod merge;
pub(crate) mod parent;
pub mod reader;
pub(crate) mod reconcile;
pub(crate) mod restore;
pub(crate) mod seal;
pub mod spill;
pub mod state;
#[cfg(test)]
pub(crate) mod test_journal;
mod thread;
pub mod token_lines;
pub(crate) mod writer;
