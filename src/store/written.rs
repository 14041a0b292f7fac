//! What a store answers for a pair.

use crate::{event::StoreOutcome, text::SafeText};

/// The answer for one pair, in the order of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What became of it.
    pub outcome: StoreOutcome,
    /// Why, where the pair is not in the store; else empty. It has no secret.
    pub message: SafeText,
}

impl Written {
    /// An outcome that explains itself.
    pub fn plain(outcome: StoreOutcome) -> Self {
        Self { outcome, message: SafeText::default() }
    }

    /// An outcome with its reason.
    pub fn with(outcome: StoreOutcome, message: &str) -> Self {
        Self { outcome, message: SafeText::new(message) }
    }
}
