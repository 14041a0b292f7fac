//! Request starts against the rate.

use super::{
    DataTable, Entry, Figure, MOST_ROWS, axis, grid, legend_of_shades, lines,
    look::Look,
    plot::{SIZE, drawn},
    times, x_labels, y_label,
};
use crate::views::{
    course::{Course, StartStep},
    report::words::{count, counted, or_dash},
    summary::Summary,
};

/// `None` where no request started.
pub(super) fn figure(course: &Course, summary: &Summary) -> anyhow::Result<Option<Figure>> {
    let steps = &course.starts;
    let calls: u64 = steps.iter().map(|step| step.count).sum();
    if calls == 0 {
        return Ok(None);
    }
    let length_ms = course.steps.length_ms();
    let end_ms = course.timeline.end_ms.max(1) as f64;
    // Of a step that is shorter than the window the mean says nothing.
    let has_mean = length_ms >= i64::from(summary.rate.window_ms());
    let mean = |step: &StartStep| has_mean.then(|| step.count as f64 * 1000.0 / length_ms as f64);
    let most = steps.iter().map(|step| step.busiest.max(step.allowed.unwrap_or(0.0)));
    let most = most.fold(0.0, f64::max).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate, rounded up"
    )]
    let (top, places) = axis::of_counts(most as u64);
    let line = |look: Look, of: &dyn Fn(&StartStep) -> Option<f64>| {
        let values = steps.iter().zip(0_u32..).map(|(step, index)| {
            let middle = (f64::from(index) + 0.5) * length_ms as f64 / end_ms;
            (middle.min(1.0), of(step).map(|value| (value / top as f64).min(1.0)))
        });
        lines(look, length_ms as f64 / end_ms, values)
    };
    let mut marks = grid(&places);
    marks.extend(line(Look::Bound, &|step| step.allowed));
    marks.extend(line(Look::Mean, &mean));
    marks.extend(line(Look::Busiest, &|step| Some(step.busiest)));
    let mut legend = vec![Entry::line(Look::Busiest, "starts a second in the busiest window")];
    if has_mean {
        legend.push(Entry::line(Look::Mean, "starts a second on average"));
    }
    if steps.iter().any(|step| step.allowed.is_some()) {
        legend.push(Entry::line(Look::Bound, "what the rate allows"));
    }
    legend.extend(legend_of_shades(course));
    Ok(Some(Figure {
        id: "starts",
        title: "Request starts",
        sentence: sentence(calls, summary),
        axes: "Request starts a second over the time of work.",
        legend,
        marks: drawn(SIZE, &marks)?,
        x_labels: x_labels(course.timeline.end_ms),
        y_labels: places.iter().map(y_label).collect(),
        table: table(course),
    }))
}

fn sentence(calls: u64, summary: &Summary) -> String {
    let rate = &summary.rate;
    let bound = match rate.allowed() {
        Some(allowed) => {
            format!("{} of the {} that the rate allows", count(rate.busiest()), count(allowed))
        }
        None => format!("{}, without a bound", count(rate.busiest())),
    };
    let gap = match &rate.gap {
        Some(gap) => format!("; slower than asked for: {}", gap.reason.in_words()),
        None => String::new(),
    };
    format!(
        "{} started, {} a second on average ({} asked for); the busiest window of {} ms had {bound}{gap}.",
        counted(calls, "request"),
        rate.reached_per_second,
        rate.asked,
        count(rate.window_ms()),
    )
}

fn table(course: &Course) -> DataTable {
    let length_ms = course.steps.length_ms();
    let together = course.starts.len().div_ceil(MOST_ROWS).max(1);
    let rows = course.starts.chunks(together).zip(0_i64..).map(|(steps, index)| {
        let from = index * length_ms * i64::try_from(together).unwrap_or(1);
        let [after, at] = times(course, from);
        let calls: u64 = steps.iter().map(|step| step.count).sum();
        let busiest = steps.iter().map(|step| step.busiest).fold(0.0, f64::max);
        let allowed = steps.iter().filter_map(|step| step.allowed).reduce(f64::max);
        vec![after, at, count(calls), rate(busiest), or_dash(allowed.map(rate))]
    });
    DataTable {
        head: vec!["From", "UTC", "Starts", "A second, at most", "Allowed"],
        rows: rows.collect(),
    }
}

fn rate(per_second: f64) -> String {
    let text = format!("{per_second:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
