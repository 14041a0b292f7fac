//! The journal: the run as a file of events, from which everything else is derived; and the token
//! files.

mod command;
pub mod disk;
pub mod draft;
mod fault;
pub mod folder;
pub mod handle;
pub mod leaks;
pub mod line_file;
pub mod parent;
pub mod reader;
pub mod reconcile;
pub mod restore;
pub mod seal;
pub mod spill;
pub mod state;
mod thread;
pub mod tokens;
pub mod writer;
