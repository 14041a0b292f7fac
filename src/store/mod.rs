//! The app's own token store: where the recovered pairs belong in the end.
//!
//! Look first, write later. The target says which store is meant; the table and its columns are found
//! in the catalog and proven by the data; a mapping says which field of a [`pair`] goes where. Each
//! pair is then read, decided about, swapped and read back. The database is the truth: to do it all
//! again changes nothing.

pub mod backup;
pub mod catalog;
pub mod choice;
pub mod column;
pub mod decide;
pub mod deliver;
pub mod document;
pub mod encode;
pub mod exec;
pub mod fault;
pub mod field;
pub mod list_tokens;
pub mod look;
pub mod mapping;
#[cfg(feature = "store-mongodb")]
pub mod mongodb;
#[cfg(not(feature = "store-mongodb"))]
mod no_mongodb;
pub mod open;
pub mod pair;
pub mod pairs;
pub mod plan;
mod plan_text;
mod program;
pub mod role;
pub mod runs;
pub mod sql;
pub mod statement;
pub mod status;
pub mod swap;
pub mod target;
pub mod through;
pub mod time_form;
pub mod written;
