//! How long both calls took.

use super::{
    DataTable, Entry, Figure, MOST_POINTS, MOST_ROWS,
    axis::LogAxis,
    grid, legend_of_shades, lines,
    look::Look,
    plot::{SIZE, drawn},
    times, x_labels, y_label,
};
use crate::views::{
    course::{Course, Latencies, Merge, Step, Steps},
    report::words::{count, ms, or_dash},
};

/// Fewer calls in a step make percentiles of chance.
const CALLS_PER_POINT: u64 = 10;

/// The least number of points.
const FEWEST_POINTS: usize = 24;

const SHARES: [(Look, f64, &str); 3] =
    [(Look::Median, 0.5, "p50"), (Look::P95, 0.95, "p95"), (Look::P99, 0.99, "p99")];

/// A call, and what its chart is called.
struct Calls {
    id: &'static str,
    title: &'static str,
    /// One of them, and several.
    what: [&'static str; 2],
    of: fn(&Step) -> &Latencies,
}

/// A chart for each call that was made.
pub(super) fn figures(course: &Course) -> anyhow::Result<Vec<Figure>> {
    let calls = [
        Calls {
            id: "latency-reconnect",
            title: "Latency of reconnect",
            what: ["request for a code", "requests for a code"],
            of: |step| &step.reconnect_ms,
        },
        Calls {
            id: "latency-exchange",
            title: "Latency of exchange",
            what: ["exchange", "exchanges"],
            of: |step| &step.exchange_ms,
        },
    ];
    let figures = calls.iter().map(|calls| figure(course, calls));
    Ok(figures.collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn figure(course: &Course, calls: &Calls) -> anyhow::Result<Option<Figure>> {
    let mut all = Latencies::default();
    course.steps.iter().for_each(|(_, _, step)| all.merge((calls.of)(step).clone()));
    if all.count() == 0 {
        return Ok(None);
    }
    let steps = course.steps.clone().at_most(points_for(all.count()));
    let end_ms = course.timeline.end_ms.max(1) as f64;
    let values = steps.iter().flat_map(|(_, _, step)| {
        SHARES.iter().filter_map(|(_, share, _)| (calls.of)(step).at(*share))
    });
    let axis = LogAxis::around(values);
    let places = axis.ticks();
    let mut marks = grid(&places);
    for (look, share, _) in SHARES.iter().rev() {
        let values = steps.iter().map(|(from, to, step)| {
            let middle = (from + to) as f64 / 2.0 / end_ms;
            (middle.min(1.0), (calls.of)(step).at(*share).map(|ms| axis.share(ms)))
        });
        marks.extend(lines(*look, steps.length_ms() as f64 / end_ms, values));
    }
    let name = |(look, _, name): &(Look, f64, &'static str)| Entry::line(*look, *name);
    let mut legend: Vec<Entry> = SHARES.iter().map(name).collect();
    legend.extend(legend_of_shades(course));
    Ok(Some(Figure {
        id: calls.id,
        title: calls.title,
        sentence: sentence(&all, calls.what),
        axes: "Time until the whole answer on a logarithmic axis, over the time of work.",
        legend,
        marks: drawn(SIZE, &marks)?,
        x_labels: x_labels(course.timeline.end_ms),
        y_labels: places.iter().map(y_label).collect(),
        table: table(&course.steps, course, calls),
    }))
}

fn points_for(calls: u64) -> usize {
    let points = usize::try_from(calls / CALLS_PER_POINT).unwrap_or(MOST_POINTS);
    points.clamp(FEWEST_POINTS, MOST_POINTS)
}

fn sentence(all: &Latencies, [one, several]: [&str; 2]) -> String {
    let what = if all.count() == 1 { one } else { several };
    let [p50, p95, p99] = SHARES.map(|(_, share, _)| or_dash(all.at(share).map(ms)));
    format!(
        "Of {} {what}, half were answered within {p50}, 95 % within {p95} and 99 % within {p99}.",
        count(all.count())
    )
}

fn table(steps: &Steps<Step>, course: &Course, calls: &Calls) -> DataTable {
    let rows = steps.clone().at_most(MOST_ROWS);
    let rows = rows.iter().map(|(from, _, step)| {
        let latencies = (calls.of)(step);
        let times = times(course, from).into_iter().chain([count(latencies.count())]);
        times.chain(SHARES.map(|(_, share, _)| or_dash(latencies.at(share).map(ms)))).collect()
    });
    DataTable { head: vec!["From", "UTC", "Calls", "p50", "p95", "p99"], rows: rows.collect() }
}
