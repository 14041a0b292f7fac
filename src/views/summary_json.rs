//! `summary.json`: the run in figures.

use std::io::Write;

use super::{
    summary::Summary,
    view::{Run, View},
};

struct SummaryFile<'a>(&'a mut dyn Write);

/// Begins with nothing: the figures come last.
#[expect(clippy::unnecessary_wraps, reason = "as every view begins")]
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    _run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(SummaryFile(out)))
}

impl View for SummaryFile<'_> {
    fn end(self: Box<Self>, summary: &Summary) -> anyhow::Result<()> {
        Ok(self.0.write_all(summary.to_json()?.as_bytes())?)
    }
}
