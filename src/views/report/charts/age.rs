//! How old codes were when they were presented, and how much of their life was left.

use super::{
    DataTable, Entry, Figure, MOST_POINTS, MOST_ROWS,
    axis::LogAxis,
    grid, legend_of_shades, lines,
    look::Look,
    plot::{SIZE, drawn},
    times, x_labels, y_label,
};
use crate::views::{
    course::{Codes, Course, Merge},
    report::words::{count, counted, ms, or_dash},
};

/// `None` where no code was presented.
pub(super) fn figure(course: &Course) -> anyhow::Result<Option<Figure>> {
    let steps = course.steps.clone().at_most(MOST_POINTS);
    let mut all = Codes::default();
    steps.iter().for_each(|(_, _, step)| all.merge(step.codes));
    let Some(oldest) = all.oldest_ms else { return Ok(None) };
    let end_ms = course.timeline.end_ms.max(1) as f64;
    let values = steps.iter().flat_map(|(_, _, step)| {
        let Codes { oldest_ms, least_margin_ms, life_ms, .. } = step.codes;
        [oldest_ms, least_margin_ms, life_ms].into_iter().flatten().map(u64::from)
    });
    let axis = LogAxis::around(values);
    let places = axis.ticks();
    let line = |look: Look, of: fn(&Codes) -> Option<u32>| {
        let values = steps.iter().map(|(from, to, step)| {
            let middle = (from + to) as f64 / 2.0 / end_ms;
            (middle.min(1.0), of(&step.codes).map(|ms| axis.share(ms.into())))
        });
        lines(look, steps.length_ms() as f64 / end_ms, values)
    };
    let mut marks = grid(&places);
    marks.extend(line(Look::Life, |codes| codes.life_ms));
    marks.extend(line(Look::Margin, |codes| codes.least_margin_ms));
    marks.extend(line(Look::Oldest, |codes| codes.oldest_ms));
    let mut legend = vec![
        Entry::line(Look::Oldest, "age of the oldest code"),
        Entry::line(Look::Margin, "least time that was left"),
        Entry::line(Look::Life, "life of a code"),
    ];
    legend.extend(legend_of_shades(course));
    Ok(Some(Figure {
        id: "codes",
        title: "Age of the codes",
        sentence: sentence(all, oldest),
        axes: "Time on a logarithmic axis, over the time of work.",
        legend,
        marks: drawn(SIZE, &marks)?,
        x_labels: x_labels(course.timeline.end_ms),
        y_labels: places.iter().map(y_label).collect(),
        table: table(course),
    }))
}

fn sentence(all: Codes, oldest: u32) -> String {
    let life = match (all.life_ms, all.least_margin_ms) {
        (Some(life), Some(margin)) => format!(
            " of a life of {}; the least time left was {}",
            ms(life.into()),
            ms(margin.into())
        ),
        _ => String::new(),
    };
    format!(
        "{} brought a token pair; the oldest was {} old when it was presented{life}.",
        counted(all.count, "code"),
        ms(oldest.into()),
    )
}

fn table(course: &Course) -> DataTable {
    let rows = course.steps.clone().at_most(MOST_ROWS);
    let rows = rows.iter().map(|(from, _, step)| {
        let [after, at] = times(course, from);
        let time = |value: Option<u32>| or_dash(value.map(|value| ms(value.into())));
        let Codes { count: codes, oldest_ms, least_margin_ms, life_ms } = step.codes;
        vec![after, at, count(codes), time(oldest_ms), time(least_margin_ms), time(life_ms)]
    });
    DataTable {
        head: vec!["From", "UTC", "Codes", "Oldest", "Least left", "Life"],
        rows: rows.collect(),
    }
}
