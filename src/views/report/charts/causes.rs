//! Failures by cause.

use super::{
    DataTable, Entry, Figure, Label, MOST_ROWS,
    look::Look,
    plot::{Mark, drawn},
};
use crate::views::{
    causes::FailureCause,
    report::words::{count, counted},
};

/// Bars that are drawn.
const MOST_BARS: usize = 12;

/// Height of a bar with its text, in pixels.
const BAR: u32 = 40;

/// The chart and its height; `None` where nothing failed.
pub(in crate::views::report) fn failures_by_cause(
    causes: &[FailureCause],
) -> anyhow::Result<Option<(Figure, u32)>> {
    let (Some(first), all) = (causes.first(), causes) else { return Ok(None) };
    let total: u64 = all.iter().map(|cause| u64::from(cause.installations)).sum();
    let bars = &all[..all.len().min(MOST_BARS)];
    let height = BAR * u32::try_from(bars.len()).unwrap_or(1);
    let marks: Vec<Mark> =
        bars.iter().zip(0_u32..).map(|(cause, n)| bar(cause, n, first, height)).collect();
    let labels = bars.iter().zip(0_u32..).map(|(cause, n)| Label {
        at: (n * BAR + 16).to_string(),
        anchor: "start",
        text: format!("{} · {}", cause.kind(), count(cause.installations)),
    });
    let left = all.len() - bars.len();
    let left = if left == 0 {
        String::new()
    } else {
        format!(" The {} most frequent are drawn.", bars.len())
    };
    let figure = Figure {
        id: "causes-chart",
        title: "Failures by cause",
        sentence: format!(
            "{} failed of {}, most of them ({}) of {}.{left}",
            counted(total, "installation"),
            counted(all.len() as u64, "cause"),
            count(first.installations),
            first.kind()
        ),
        axes: "A bar for each cause, the most frequent first.",
        legend: Vec::<Entry>::new(),
        marks: drawn((1000, height), &marks)?,
        x_labels: Vec::new(),
        y_labels: labels.collect(),
        table: table(all),
    };
    Ok(Some((figure, height)))
}

fn bar(cause: &FailureCause, number: u32, first: &FailureCause, height: u32) -> Mark {
    let share = f64::from(cause.installations) / f64::from(first.installations.max(1));
    let from_top = |pixels: u32| 1.0 - f64::from(pixels) / f64::from(height);
    let (top, bottom) = (from_top(number * BAR + 22), from_top(number * BAR + 34));
    Mark::Area(Look::Failed, (0.0, bottom), (share.max(0.004), top))
}

fn table(causes: &[FailureCause]) -> DataTable {
    let row = |cause: &FailureCause| {
        vec![
            cause.class.to_string(),
            cause.stage.to_string(),
            cause.http_status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
            count(cause.installations),
        ]
    };
    DataTable {
        head: vec!["Class", "Stage", "HTTP status", "Installations"],
        rows: causes.iter().take(MOST_ROWS).map(row).collect(),
    }
}
