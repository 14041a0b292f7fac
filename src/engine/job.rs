//! An installation to recover, and what is known of it before its first call.

use crate::{installation::Installation, journal::state::Tried, secret::TokensAtHand};

/// An installation to recover.
#[derive(Clone, Debug)]
pub struct Job {
    /// Number of the record in the list.
    pub row: u32,
    /// What to recover.
    pub installation: Installation,
    /// What the list still has of its tokens.
    pub tokens: TokensAtHand,
    /// What earlier executions of the run have tried.
    pub before: Tried,
}
