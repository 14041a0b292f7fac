//! Looks for the exact secrets of a run in files that must not have any.
//!
//! A run can handle millions of tokens, and its files can have gigabytes. Each form of a secret is
//! therefore known by a mark of its last 16 bytes, and one pass over a file looks up every 16 bytes of
//! it. A hit is then compared byte for byte.

mod search;
mod tails;
#[cfg(test)]
mod tests;
mod token_files;

pub use self::{
    search::Search,
    token_files::{HasTokens, MoreTokens},
};
