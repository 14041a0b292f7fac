//! `report.html`: the run as a page, in one file that asks nothing of any network.

mod charts;
mod facts;
mod next;
mod page;
mod rows;
mod verdict;
mod words;

use std::io::Write;

use self::{page::Page, rows::FailureRows};
use super::{
    summary::Summary,
    view::{Run, View},
};
use crate::{event::Listed, journal::state::Outcome};

struct Report<'a> {
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
    failures: FailureRows,
}

/// Begins with nothing: the verdict comes first.
#[expect(clippy::unnecessary_wraps, reason = "as every view begins")]
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(Report { out, run, failures: FailureRows::default() }))
}

impl View for Report<'_> {
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        if let Outcome::Failed(failed) = outcome
            && !failed.failure.class.is_left_off()
        {
            self.failures.add(listed, failed);
        }
        Ok(())
    }

    fn end(self: Box<Self>, summary: &Summary) -> anyhow::Result<()> {
        let Self { out, run, failures } = *self;
        let groups = failures.by_frequency();
        Page::of(run, summary, &groups)?.write(out)
    }
}
