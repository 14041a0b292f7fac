//! Cells that add up an installation's history over all runs.

use jiff::Timestamp;

use crate::{
    clock::stamp,
    event::{History, Listed},
    text::SafeText,
};

/// Attempts of all runs, given those of this one.
pub(super) fn attempts_total(listed: &Listed, attempts: u32) -> u32 {
    listed.history.as_ref().map_or(0, |history| history.attempts_total).saturating_add(attempts)
}

/// The same cells of a row that this run has not tried.
pub(super) fn unchanged(history: Option<&History>) -> [String; 3] {
    let Some(history) = history else { return Default::default() };
    let trace_ids: Vec<_> = history.trace_ids.iter().map(SafeText::as_str).collect();
    let first_failed_at = history.first_failed_at.clone().unwrap_or_default();
    [history.attempts_total.to_string(), first_failed_at, trace_ids.join(" ")]
}

/// When it first failed in any run, as that run wrote it; `failed_at` is that of this run.
pub(super) fn first_failed_at(listed: &Listed, failed_at: Option<Timestamp>) -> String {
    let earlier = listed.history.as_ref().and_then(|history| history.first_failed_at.clone());
    earlier.or_else(|| failed_at.map(stamp)).unwrap_or_default()
}

/// Trace ids of all runs, oldest first, given those of this one.
pub(super) fn trace_ids(listed: &Listed, these: &[SafeText]) -> String {
    let earlier = listed.history.as_ref().map_or(&[][..], |history| &history.trace_ids);
    let all: Vec<_> = earlier.iter().chain(these).map(SafeText::as_str).collect();
    all.join(" ")
}
