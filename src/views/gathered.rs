//! What the summary needs of the rows of a run.

use super::{causes::FailureCauses, next::OpenRows, store::StoreExamples};

/// What is gathered from the rows for the summary.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) causes: FailureCauses,
    pub(super) open: OpenRows,
    /// Of what the store does not have.
    pub(super) examples: StoreExamples,
}
