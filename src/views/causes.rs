//! Failures by cause, for the summary.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    event::Failed,
    failure::{Class, Failure, Stage, kind_in_words},
    highlevel::normalised_message::normalised,
    journal::state::Outcome,
    text::SafeText,
};

/// Trace ids that a cause shows.
const SAMPLES: usize = 10;

/// Failures by cause, the most frequent first.
#[derive(Default)]
pub struct FailureCauses(BTreeMap<CauseKey, FailureCause>);

/// What tells a cause from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CauseKey(FailureKind, TextKey);

/// Stage, class and status.
type FailureKind = (Stage, Class, Option<u16>);

/// What distinguishes causes of a kind. Where the class is known, the text does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TextKey {
    /// Any.
    Any,
    /// This one, without its ids.
    Own(String),
    /// Texts beyond [`TEXTS`].
    Beyond,
}

/// Texts that are distinguished within a kind that no row of the table knows. A server that never sends
/// the same text twice would fill the screen.
const TEXTS: usize = 20;

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureCause {
    /// Where.
    pub stage: Stage,
    /// What kind.
    pub class: Class,
    /// Status of the answers.
    pub http_status: Option<u16>,
    /// How many installations.
    pub installations: u32,
    /// What to do, as in `failures.csv`.
    pub retry: &'static str,
    /// The error text of one of them.
    pub message: SafeText,
    /// Some of their trace ids.
    pub sample_trace_ids: Vec<SafeText>,
}

impl FailureCause {
    /// What kind of failure it is, for a person.
    pub fn kind(&self) -> String {
        kind_in_words(self.class, self.stage, self.http_status)
    }
}

impl FailureCauses {
    /// Counts the outcome of one installation.
    pub fn installation(&mut self, outcome: &Outcome) {
        if let Outcome::Failed(failed) = outcome
            && !failed.failure.class.is_left_off()
        {
            self.add(failed);
        }
    }

    /// Counts a failure; its cause.
    pub(super) fn add(&mut self, failed: &Failed) -> CauseKey {
        let failure = &failed.failure;
        let kind = (failure.stage, failure.class, failure.http_status);
        let text = self.text_of(kind, failure);
        let message = match text {
            TextKey::Beyond => SafeText::new(&format!("other texts, such as: {}", failure.message)),
            TextKey::Any | TextKey::Own(_) => failure.message.clone(),
        };
        let key = CauseKey(kind, text);
        let cause = self.0.entry(key.clone()).or_insert_with(|| FailureCause {
            stage: failure.stage,
            class: failure.class,
            http_status: failure.http_status,
            installations: 0,
            retry: failure.advice().name(),
            message,
            sample_trace_ids: Vec::new(),
        });
        cause.installations += 1;
        let room = SAMPLES.saturating_sub(cause.sample_trace_ids.len());
        cause.sample_trace_ids.extend(failed.trace_ids.iter().take(room).cloned());
        key
    }

    fn text_of(&self, kind: FailureKind, failure: &Failure) -> TextKey {
        if failure.class != Class::Unrecognised {
            return TextKey::Any;
        }
        let own = TextKey::Own(normalised(failure.message.as_str()));
        let key = CauseKey(kind, own);
        let all = CauseKey(kind, TextKey::Any)..CauseKey(kind, TextKey::Beyond);
        let known = self.0.range(all).count();
        if known < TEXTS || self.0.contains_key(&key) { key.1 } else { TextKey::Beyond }
    }

    /// The causes, the most frequent first.
    pub fn by_frequency(self) -> Vec<FailureCause> {
        self.by_frequency_with_keys().into_iter().map(|(_, cause)| cause).collect()
    }

    /// The same with their keys.
    pub(super) fn by_frequency_with_keys(self) -> Vec<(CauseKey, FailureCause)> {
        let mut causes: Vec<_> = self.0.into_iter().collect();
        causes.sort_by_key(|(_, cause)| std::cmp::Reverse(cause.installations));
        causes
    }
}
