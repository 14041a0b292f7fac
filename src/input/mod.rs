//! The list of installations: CSV, JSON or JSON lines in, installations and rejected records out.
//!
//! A [`Source`] says where the list comes from, [`Source::read`] tells what it is and gives a
//! [`List`], which is read one [`Record`] at a time: memory does not grow with the list. Three stages:
//! a reader ([`table`] or [`elements`]) gives decoded cells and nothing else; the [`layout`] says what
//! each column is for, by the one table of [`names`] or by what was said of it; [`judge`] turns the
//! cells into an installation or a reason. Where nothing can be read on, there is an [`InputError`]
//! with its line. What stands in a place for secrets, or looks like a token, is neither carried nor
//! shown.

mod cells;
mod choice;
mod csv;
mod elements;
mod error;
mod events;
mod format;
pub mod formula;
mod history;
mod id;
mod json;
mod judge;
mod layout;
mod list;
mod looks;
mod names;
mod nested;
mod record;
mod row_secrets;
mod sample;
mod secrets;
mod shape;
mod show;
mod source;
mod spool;
mod table;
mod text;
mod tokens;

#[cfg(test)]
mod tests;

pub use self::choice::{ColumnChoice, FirstLine, ScopeChoice};
pub use self::error::InputError;
pub use self::events::EventCounts;
pub use self::id::{NotAnId, typed_id};
pub use self::list::List;
pub use self::names::is_for_secrets;
pub use self::names::{TokenName, name_words, token_name};
pub use self::record::{History, IdSource, Listed, Record, Rejected};
pub use self::row_secrets::RowSecrets;
pub use self::shape::Continues;
pub use self::show::look;
pub use self::source::Source;
pub use self::tokens::{Stored, Unused};
