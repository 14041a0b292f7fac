//! The recovery curve: installations recovered and failed, cumulative.

use super::{
    DataTable, Entry, Figure, MOST_ROWS, axis, grid, legend_of_shades,
    look::Look,
    plot::{Mark, SIZE, drawn},
    times, x_labels, y_label,
};
use crate::views::{
    course::Course,
    report::words::{count, counted, elapsed},
    summary::Summary,
};

pub(super) fn figure(course: &Course, summary: &Summary) -> anyhow::Result<Figure> {
    let end_ms = course.timeline.end_ms.max(1);
    let curve = curve(course);
    let most = curve.iter().map(|point| point.recovered.max(point.failed)).max().unwrap_or(0);
    let (top, places) = axis::of_counts(most);
    let line = |look: Look, of: fn(&Point) -> u64| {
        let place = |point: &Point| {
            (point.at_ms.min(end_ms) as f64 / end_ms as f64, of(point) as f64 / top as f64)
        };
        Mark::Line(look, curve.iter().map(place).collect())
    };
    let mut marks = grid(&places);
    marks.push(line(Look::Failed, |point| point.failed));
    marks.push(line(Look::Recovered, |point| point.recovered));
    let mut legend =
        vec![Entry::line(Look::Recovered, "recovered"), Entry::line(Look::Failed, "failed")];
    legend.extend(legend_of_shades(course));
    Ok(Figure {
        id: "recovery",
        title: "Recovery",
        sentence: sentence(course, summary),
        axes: "Installations over the time of work, without the time between executions.",
        legend,
        marks: drawn(SIZE, &marks)?,
        x_labels: x_labels(end_ms),
        y_labels: places.iter().map(y_label).collect(),
        table: table(course),
    })
}

/// A place of the curve.
struct Point {
    at_ms: i64,
    recovered: u64,
    failed: u64,
}

fn curve(course: &Course) -> Vec<Point> {
    let (mut recovered, mut failed) = (0_i64, 0_i64);
    let mut curve = vec![Point { at_ms: 0, recovered: 0, failed: 0 }];
    for (_, to, step) in course.steps.iter() {
        recovered += step.recovered;
        failed += step.failed;
        let whole = |count: i64| u64::try_from(count).unwrap_or(0);
        curve.push(Point { at_ms: to, recovered: whole(recovered), failed: whole(failed) });
    }
    curve
}

fn sentence(course: &Course, summary: &Summary) -> String {
    let books = &summary.books;
    let recovered = counted(books.recovered.into(), "installation");
    let spans = |held: i64, what: &str| match held {
        0 => String::new(),
        ms => format!(", {what} for {}", elapsed(ms)),
    };
    let end = course.timeline.end_ms;
    format!(
        "{recovered} recovered and {} failed within {} of work{}{}.",
        count(books.failed),
        elapsed(end),
        spans(course.holds.covered_ms(), "held"),
        spans(course.outages.covered_ms(), "paused in an outage"),
    )
}

fn table(course: &Course) -> DataTable {
    let (mut recovered, mut failed) = (0_i64, 0_i64);
    let steps = course.steps.clone().at_most(MOST_ROWS);
    let rows = steps.iter().map(|(from, _, step)| {
        recovered += step.recovered;
        failed += step.failed;
        let [after, at] = times(course, from);
        let whole = |total: i64| count(u64::try_from(total).unwrap_or(0));
        vec![after, at, whole(recovered), whole(failed)]
    });
    DataTable { head: vec!["From", "UTC", "Recovered", "Failed"], rows: rows.collect() }
}
