//! Which access tokens prove themselves, and where.

use super::token_check::TokenCheckPath;

/// What is done with the access tokens that the list still has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OldTokens {
    /// Nothing.
    #[default]
    Ignored,
    /// They are tried first; an installation whose token is good is left alone.
    Tried,
}

/// How new and old access tokens are tried.
#[derive(Clone, Debug, Default)]
pub struct TokenChecks {
    /// Whether old ones are.
    pub old: OldTokens,
    /// Where new ones are; `None` is nowhere.
    pub new: Option<TokenCheckPath>,
}
