//! The journal: the run as a file of events, from which everything else is derived, and the custody
//! of the tokens that were granted.

pub mod disk;
pub mod folder;
pub mod leaks;
pub mod line_file;
pub mod parent;
pub mod reader;
pub mod recoveries;
pub mod seal;
pub mod spill;
pub mod state;
pub mod tokens;
pub mod writer;
