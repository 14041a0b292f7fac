//! Which access tokens are checked, and where.

use super::token_check::TokenCheckPath;

/// What happens to the access tokens that the list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OldTokens {
    /// Nothing.
    #[default]
    Ignored,
    /// They are checked first; an installation whose token is good is skipped.
    Tried,
}

/// The token checks of a run.
#[derive(Clone, Debug, Default)]
pub struct TokenChecks {
    /// Whether the list's tokens are checked.
    pub old: OldTokens,
    /// Where new tokens are checked; `None`: not at all.
    pub new: Option<TokenCheckPath>,
}
