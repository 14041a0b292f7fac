//! The failures that the page lists: by cause, in bounded memory.

use std::collections::BTreeMap;

use super::words::cut;
use crate::{
    clock,
    event::{Failed, Listed},
    failure::kind_in_words,
    text::SafeText,
    views::{
        causes::{CauseKey, FailureCause, FailureCauses},
        history,
    },
};

/// Failures that the page lists.
pub(super) const MOST: usize = 10_000;

/// Failures of a block.
const BLOCK: usize = 500;

/// Causes that have a group of their own; the failures of the others are together.
pub(super) const MOST_GROUPS: usize = 12;

/// Trace ids of a failure that the page shows.
const TRACE_IDS: usize = 2;

/// Gathered one by one, in the order of the list.
#[derive(Default)]
pub(super) struct FailureRows {
    causes: FailureCauses,
    rows: BTreeMap<CauseKey, Vec<FailureRow>>,
    held: usize,
}

/// A failure of the page.
pub(super) struct FailureRow {
    pub(super) row: u32,
    pub(super) id: String,
    pub(super) scope: &'static str,
    pub(super) attempts: u32,
    pub(super) failed_at: String,
    cause: String,
    message: SafeText,
    pub(super) trace_ids: String,
}

/// The failures of a cause, or of all the rarer ones.
pub(super) struct FailureGroup {
    pub(super) name: String,
    /// The error text; none where there are several causes.
    message: Option<SafeText>,
    /// How many failures it has.
    pub(super) all: u64,
    rows: Vec<FailureRow>,
}

/// Some failures of a cause, in the order of the list.
pub(super) struct Block<'a> {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) rows: &'a [FailureRow],
}

impl FailureRows {
    pub(super) fn add(&mut self, listed: &Listed, failed: &Failed) {
        let key = self.causes.add(failed);
        self.rows.entry(key).or_default().push(FailureRow::of(listed, failed));
        self.held += 1;
        if self.held > MOST {
            self.drop_one();
        }
    }

    /// Leaves out the last failure of the most frequent cause: each cause keeps some.
    fn drop_one(&mut self) {
        if let Some(rows) = self.rows.values_mut().max_by_key(|rows| rows.len()) {
            rows.pop();
            self.held -= 1;
        }
    }

    /// The failures by cause, the most frequent first.
    pub(super) fn by_frequency(mut self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        for (key, cause) in self.causes.by_frequency_with_keys() {
            let rows = self.rows.remove(&key).unwrap_or_default();
            let count = groups.len();
            match groups.get_mut(MOST_GROUPS) {
                Some(others) => others.take_in(&cause, rows),
                None if count < MOST_GROUPS => groups.push(FailureGroup::of(cause, rows)),
                None => groups.push(FailureGroup::of_others(&cause, rows)),
            }
        }
        if let Some(others) = groups.get_mut(MOST_GROUPS) {
            others.rows.sort_by_key(|row| row.row);
        }
        groups
    }
}

impl FailureRow {
    fn of(listed: &Listed, failed: &Failed) -> Self {
        let shown = failed.trace_ids.len().saturating_sub(TRACE_IDS);
        let trace_ids: Vec<_> = failed.trace_ids[shown..].iter().map(SafeText::as_str).collect();
        let failure = &failed.failure;
        Self {
            row: listed.row,
            id: listed.installation.id.to_string(),
            scope: listed.installation.scope.user_type(),
            attempts: history::attempts_total(listed, failed.attempts),
            failed_at: clock::stamp(failed.at),
            cause: kind_in_words(failure.class, failure.stage, failure.http_status),
            message: failure.message.clone(),
            trace_ids: trace_ids.join(" "),
        }
    }

    /// The error text, unless it is that of its group; among several causes, with the cause.
    pub(super) fn own_message(&self, group: &FailureGroup) -> String {
        match &group.message {
            Some(message) if *message == self.message => "as above".into(),
            Some(_) => cut(self.message.as_str()),
            None => format!("{}: {}", self.cause, cut(self.message.as_str())),
        }
    }
}

impl FailureGroup {
    fn of(cause: FailureCause, rows: Vec<FailureRow>) -> Self {
        let name = cause.kind();
        let all = cause.installations.into();
        Self { name, message: Some(cause.message), all, rows }
    }

    fn of_others(cause: &FailureCause, rows: Vec<FailureRow>) -> Self {
        let (name, all) = ("further causes".into(), cause.installations.into());
        Self { name, message: None, all, rows }
    }

    fn take_in(&mut self, cause: &FailureCause, rows: Vec<FailureRow>) {
        self.all += u64::from(cause.installations);
        self.rows.extend(rows);
    }

    /// The error text in its title.
    pub(super) fn title(&self) -> Option<String> {
        self.message.as_ref().map(|message| cut(message.as_str()))
    }

    /// How many of them the page lists.
    pub(super) fn shown(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.rows.chunks(BLOCK).zip(0..).map(|(rows, index)| {
            let before = index * BLOCK as u64;
            Block { from: before + 1, to: before + rows.len() as u64, rows }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::journal::test_journal::id;

    fn add(rows: &mut FailureRows, row: u32, class: &str, status: u16) {
        let installation = json!({ "scope": "location", "id": id(row) });
        let listed = json!({ "row": row, "line": row, "installation": installation, "values": [] });
        let failure = json!({ "stage": "reconnect", "class": class, "http_status": status, "message": "x".repeat(300) });
        let at = "2027-01-15T08:00:20Z";
        let failed = json!({
            "row": row, "id": id(row), "attempts": 1, "started_at": at, "at": at,
            "failure": failure, "trace_ids": ["a", "b", "c"],
        });
        rows.add(
            &serde_json::from_value(listed).unwrap(),
            &serde_json::from_value(failed).unwrap(),
        );
    }

    #[test]
    fn a_rare_cause_keeps_its_failures_beside_ten_thousands_of_another() {
        let mut rows = FailureRows::default();
        (1..=12_000).for_each(|row| add(&mut rows, row, "not_installed", 400));
        (12_001..=12_700).for_each(|row| add(&mut rows, row, "unknown_id", 400));
        let groups = rows.by_frequency();
        let counts: Vec<_> = groups.iter().map(|group| (group.all, group.shown())).collect();
        assert_eq!(counts, [(12_000, MOST as u64 - 700), (700, 700)]);
        let blocks: Vec<_> = groups[1].blocks().map(|block| (block.from, block.to)).collect();
        assert_eq!(blocks, [(1, 500), (501, 700)]);
        assert_eq!(groups[1].rows[0].trace_ids, "b c");
        assert_eq!(groups[1].rows[0].own_message(&groups[1]), "as above");
    }

    #[test]
    fn the_rarer_causes_are_together_and_each_row_says_its_own() {
        let mut rows = FailureRows::default();
        for row in 1..=60 {
            add(&mut rows, row, "server_error", 500 + u16::try_from(row % 30).unwrap());
        }
        let groups = rows.by_frequency();
        assert_eq!(groups.len(), MOST_GROUPS + 1);
        let others = &groups[MOST_GROUPS];
        assert_eq!((&*others.name, others.title(), others.all), ("further causes", None, 36));
        assert!(others.rows.is_sorted_by_key(|row| row.row));
        let message = others.rows[0].own_message(others);
        assert!(message.starts_with("server_error at reconnect, HTTP 5"), "{message}");
    }
}
