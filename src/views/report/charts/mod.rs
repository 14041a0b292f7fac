//! The charts of the page: each a sentence, marks over two axes, and the same in a table.

mod age;
mod axis;
mod books;
mod causes;
mod latency;
mod look;
mod plot;
mod recovery;
mod starts;

pub(super) use self::{
    books::{BooksBar, bar_of_books},
    causes::failures_by_cause,
};

use self::{
    axis::Place,
    look::Look,
    plot::{Mark, SIZE, drawn},
};
use super::words::{elapsed, or_dash, utc};
use crate::views::{course::Course, summary::Summary};

/// Points of a line.
const MOST_POINTS: usize = 200;

/// Rows of a table beside a chart.
const MOST_ROWS: usize = 16;

/// Height of a plot, in pixels.
const HEIGHT: f64 = SIZE.1 as f64;

/// Places of a plot's labels below its top.
const TOP: f64 = 16.0;

/// A chart, ready for the page.
pub(super) struct Figure {
    /// Names it within the page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What it shows, in a sentence.
    pub(super) sentence: String,
    /// What its axes are.
    pub(super) axes: &'static str,
    pub(super) legend: Vec<Entry>,
    /// Elements of an SVG.
    pub(super) marks: String,
    pub(super) x_labels: Vec<Label>,
    pub(super) y_labels: Vec<Label>,
    pub(super) table: DataTable,
}

/// A line of a legend.
pub(super) struct Entry {
    pub(super) class: &'static str,
    pub(super) colour: &'static str,
    pub(super) dashes: &'static str,
    pub(super) kind: EntryKind,
    pub(super) text: String,
}

/// What a sample in a legend looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Line,
    Area,
}

impl Entry {
    fn line(look: Look, text: impl Into<String>) -> Self {
        Self::of(look, EntryKind::Line, text)
    }

    fn area(look: Look, text: impl Into<String>) -> Self {
        Self::of(look, EntryKind::Area, text)
    }

    fn of(look: Look, kind: EntryKind, text: impl Into<String>) -> Self {
        let pen = look.pen();
        let (class, colour, dashes) = (pen.class, pen.colour, pen.dashes);
        Self { class, colour, dashes, kind, text: text.into() }
    }

    /// Whether the sample is a line.
    pub(super) fn is_line(&self) -> bool {
        self.kind == EntryKind::Line
    }
}

/// A text at an axis.
pub(super) struct Label {
    /// Per cent of the width for the x axis, pixels from the top for the y axis.
    pub(super) at: String,
    /// Which part of the text is there.
    pub(super) anchor: &'static str,
    pub(super) text: String,
}

/// The figures of a chart.
pub(super) struct DataTable {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Every chart over time that the run has data for.
pub(super) fn over_time(course: &Course, summary: &Summary) -> anyhow::Result<Vec<Figure>> {
    let mut figures = vec![recovery::figure(course, summary)?];
    figures.extend(starts::figure(course, summary)?);
    figures.extend(age::figure(course)?);
    figures.extend(latency::figures(course)?);
    Ok(figures)
}

fn x_labels(end_ms: i64) -> Vec<Label> {
    axis::of_time(end_ms).into_iter().map(x_label).collect()
}

fn x_label(place: Place) -> Label {
    let anchor = match place.share {
        ..0.02 => "start",
        0.95.. => "end",
        _ => "middle",
    };
    Label { at: format!("{:.2}%", place.share * 100.0), anchor, text: place.text }
}

fn y_label(place: &Place) -> Label {
    let at = TOP + (1.0 - place.share) * HEIGHT - 4.0;
    Label { at: format!("{at:.0}"), anchor: "start", text: place.text.clone() }
}

fn grid(places: &[Place]) -> Vec<Mark> {
    places.iter().map(|place| Mark::across(Look::Grid, place.share)).collect()
}

/// What every chart over time has behind its lines: holds and outages as bands, each with a strong bar
/// above, and the edges between executions.
pub(super) fn shades(course: &Course) -> anyhow::Result<String> {
    let end = course.timeline.end_ms.max(1) as f64;
    let band = |look: Look, bar: Look| {
        move |(from, to): (i64, i64)| {
            let (from, to) = (from as f64 / end, to as f64 / end);
            [Mark::band(look, from, to, 0.0), Mark::band(bar, from, to, 0.98)]
        }
    };
    let holds = course.holds.iter().flat_map(band(Look::Hold, Look::HoldBar));
    let outages = course.outages.iter().flat_map(band(Look::Outage, Look::OutageBar));
    let later = course.timeline.executions.iter().skip(1).take(MOST_EDGES);
    let edges = later.map(|edge| Mark::upright(Look::Execution, edge.from_ms as f64 / end));
    drawn(SIZE, &holds.chain(outages).chain(edges).collect::<Vec<_>>())
}

/// Edges between executions that are drawn.
const MOST_EDGES: usize = 40;

fn legend_of_shades(course: &Course) -> Vec<Entry> {
    let mut legend = Vec::new();
    if !course.holds.is_empty() {
        legend.push(Entry::area(Look::Hold, "held: HighLevel asked to wait"));
    }
    if !course.outages.is_empty() {
        legend.push(Entry::area(Look::Outage, "paused in an outage"));
    }
    if course.timeline.executions.len() > 1 {
        legend.push(Entry::line(Look::Execution, "the run was resumed"));
    }
    legend
}

/// The beginning of a step, as the work had taken so long, and by the clock.
fn times(course: &Course, from_ms: i64) -> [String; 2] {
    let at = course.timeline.time_at(from_ms).map(utc);
    [elapsed(from_ms), or_dash(at)]
}

/// Lines through the values that there are, which are so far apart where none is missing. A gap of
/// several of them, and of more than a tenth of the plot, parts a line.
fn lines(look: Look, apart: f64, values: impl Iterator<Item = (f64, Option<f64>)>) -> Vec<Mark> {
    let gap = (apart * 3.5).max(0.1);
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    for (x, value) in values {
        let Some(y) = value else { continue };
        match lines.last_mut() {
            Some(line) if line.last().is_some_and(|(last, _)| x - last < gap) => line.push((x, y)),
            _ => lines.push(vec![(x, y)]),
        }
    }
    for line in &mut lines {
        if let [(x, y)] = line[..] {
            *line = vec![((x - 0.004).max(0.0), y), ((x + 0.004).min(1.0), y)];
        }
    }
    lines.into_iter().map(|line| Mark::Line(look, line)).collect()
}
