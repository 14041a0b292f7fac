//! What a view is: a file of a run that is made from its events.

use std::io::Write;

use super::{course::Course, escalation::answers::AnswerLog, summary::Summary};
use crate::{
    event::{Listed, NotDue, Rejected, Stored},
    journal::state::{Outcome, RunState},
    settings::execution::Escalation,
    text::SafeText,
};

/// A run before its rows are read once more.
pub(super) struct Run<'a> {
    /// Where every row stands.
    pub(super) state: &'a RunState,
    /// How the escalation is written this time.
    pub(super) escalation: &'a Escalation,
    /// How the calls of the rows were answered that have failed.
    pub(super) answers: &'a AnswerLog,
    /// What happened when.
    pub(super) course: &'a Course,
}

/// Turns events into the bytes of one file. Who writes the file is not its concern.
pub(super) trait View {
    /// Takes one installation, in the order of the list.
    fn installation(&mut self, _listed: &Listed, _outcome: &Outcome) -> csv::Result<()> {
        Ok(())
    }

    /// Takes what became of a pair in the store and the table that it went to, in the order of the list.
    fn stored(
        &mut self,
        _listed: &Listed,
        _stored: &Stored,
        _table: Option<&SafeText>,
    ) -> csv::Result<()> {
        Ok(())
    }

    /// Takes one row of an earlier run's failures that was left for another run, in the order of the list.
    fn not_due(&mut self, _not_due: &NotDue) -> csv::Result<()> {
        Ok(())
    }

    /// Takes one row that could not be read, in the order of the list.
    fn rejected(&mut self, _rejected: &Rejected) -> csv::Result<()> {
        Ok(())
    }

    /// Writes what is left, after all rows.
    fn end(self: Box<Self>, summary: &Summary) -> anyhow::Result<()>;
}

/// Begins a view on the bytes of its file.
pub(super) type Begin =
    for<'a> fn(&'a mut dyn Write, &'a Run<'a>) -> anyhow::Result<Box<dyn View + 'a>>;
