//! The line that shows how a run gets on, at any width: what matters least gives way first.

use std::time::Duration;

use super::pause::PauseNow;
use crate::plan::{countdown, grouped};

/// Between two parts of the line.
const SEPARATOR: &str = " · ";

/// How a run gets on at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    /// Installations that this execution takes.
    pub(super) total: u32,
    pub(super) recovered: u32,
    pub(super) skipped: u32,
    pub(super) failed: u32,
    pub(super) in_flight: u32,
    /// Request starts a second, lately; `None` before there is anything to measure.
    pub(super) starts_per_second: Option<f64>,
    pub(super) state: State,
}

/// What the run is doing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// It works, and may take this long.
    Working(Option<Duration>),
    /// HighLevel answered "too many requests": nothing starts for so long.
    Held(Duration),
    /// Everything fails the same way: it probes.
    Paused(PauseNow),
    /// It was interrupted: codes in hand are exchanged.
    Ending,
}

/// A part of the line: its text, the shorter one (empty: left out), and how many other parts give way
/// before it does.
struct Part {
    long: String,
    short: String,
    shortens: usize,
}

impl Part {
    fn always(text: String) -> Self {
        Self { short: text.clone(), long: text, shortens: usize::MAX }
    }

    fn leaves(text: String, shortens: usize) -> Self {
        Self { long: text, short: String::new(), shortens }
    }

    fn at(&self, brevity: usize) -> &str {
        if brevity >= self.shortens { &self.short } else { &self.long }
    }
}

/// The most that a line can be shortened.
const BRIEFEST: usize = 7;

impl Figures {
    /// Installations that are done with.
    pub(super) fn done(&self) -> u32 {
        self.recovered + self.skipped + self.failed
    }

    /// Done of all, in percent.
    pub(super) fn percent(&self) -> u8 {
        let percent = u64::from(self.done()) * 100 / u64::from(self.total.max(1));
        u8::try_from(percent.min(100)).unwrap_or(100)
    }

    /// The line in at most so many columns; where even the briefest is wider, that one.
    pub(super) fn line(&self, width: usize) -> String {
        let parts = self.parts();
        let at = |brevity: usize| {
            let texts = parts.iter().map(|part| part.at(brevity)).filter(|text| !text.is_empty());
            texts.collect::<Vec<_>>().join(SEPARATOR)
        };
        let fits = |line: &String| textwrap::core::display_width(line) <= width;
        (0..BRIEFEST).map(at).find(fits).unwrap_or_else(|| at(BRIEFEST))
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![self.count()];
        if self.skipped > 0 {
            parts.push(Part::leaves(format!("{} skipped", grouped(self.skipped)), 2));
        }
        // In an outage its cause is worth more than the counts.
        let leaves = if matches!(self.state, State::Paused(_)) { 4 } else { 6 };
        parts.push(Part::leaves(format!("{} failed", grouped(self.failed)), leaves));
        match &self.state {
            State::Paused(pause) => parts.extend(in_pause(pause)),
            State::Working(left) => {
                parts.extend(self.in_work());
                parts.extend(left.map(|left| Part::always(format!("{} left", countdown(left)))));
            }
            State::Held(left) => {
                parts.extend(self.in_work());
                let left = countdown(*left);
                parts.push(Part {
                    long: format!("held by HighLevel: {left} left"),
                    short: format!("held: {left} left"),
                    shortens: 5,
                });
            }
            State::Ending => {
                parts.extend(self.in_work());
                parts.push(Part {
                    long: "stopping: codes in hand are exchanged".to_owned(),
                    short: "stopping".to_owned(),
                    shortens: 5,
                });
            }
        }
        parts
    }

    fn count(&self) -> Part {
        let short = format!("{}/{}", grouped(self.recovered), grouped(self.total));
        let long = format!("{short} recovered");
        match self.state {
            State::Paused(_) => Part { long: short, short: String::new(), shortens: 4 },
            _ => Part { long, short, shortens: 4 },
        }
    }

    fn in_work(&self) -> Vec<Part> {
        let pace = self.starts_per_second.filter(|_| matches!(self.state, State::Working(_)));
        let in_flight = Part::leaves(format!("{} in flight", grouped(self.in_flight)), 1);
        let pace = pace.map(|pace| Part::leaves(format!("{pace:.1}/s"), 3));
        std::iter::once(in_flight).chain(pace).collect()
    }
}

fn in_pause(pause: &PauseNow) -> [Part; 3] {
    let since = format!("PAUSED {}", countdown(pause.since));
    let next = if pause.next.is_zero() {
        "probing now".to_owned()
    } else {
        format!("next probe in {}", countdown(pause.next))
    };
    let gives_up = format!("gives up in {}", countdown(pause.gives_up));
    [
        Part { long: format!("{since}: {}", pause.what), short: since, shortens: 5 },
        Part::always(next),
        Part::leaves(gives_up, 7),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(state: State) -> Figures {
        Figures {
            total: 4000,
            recovered: 1204,
            skipped: 0,
            failed: 3,
            in_flight: 16,
            starts_per_second: Some(9.94),
            state,
        }
    }

    #[test]
    fn what_matters_least_gives_way_first() {
        let seconds = Duration::from_secs;
        let working = figures(State::Working(Some(seconds(280))));
        let pause = PauseNow {
            what: "HTTP 503 at reconnect".to_owned(),
            since: seconds(130),
            next: seconds(8),
            gives_up: seconds(470),
        };
        let paused = figures(State::Paused(pause.clone()));
        let probing = figures(State::Paused(PauseNow { next: Duration::ZERO, ..pause }));
        let skipping = Figures { skipped: 1200, ..working.clone() };
        for (figures, width, line) in [
            (&working, 80, "1,204/4,000 recovered · 3 failed · 16 in flight · 9.9/s · 4m 40s left"),
            (&working, 66, "1,204/4,000 recovered · 3 failed · 9.9/s · 4m 40s left"),
            (&working, 50, "1,204/4,000 recovered · 3 failed · 4m 40s left"),
            (&working, 40, "1,204/4,000 · 3 failed · 4m 40s left"),
            (&working, 30, "1,204/4,000 · 4m 40s left"),
            (&working, 10, "1,204/4,000 · 4m 40s left"),
            (
                &skipping,
                100,
                "1,204/4,000 recovered · 1,200 skipped · 3 failed · 16 in flight · 9.9/s · 4m 40s left",
            ),
            (
                &skipping,
                80,
                "1,204/4,000 recovered · 1,200 skipped · 3 failed · 9.9/s · 4m 40s left",
            ),
            (
                &figures(State::Held(seconds(12))),
                80,
                "1,204/4,000 recovered · 3 failed · 16 in flight · held by HighLevel: 12 s left",
            ),
            (&figures(State::Held(seconds(12))), 40, "1,204/4,000 · 3 failed · held: 12 s left"),
            (
                &figures(State::Ending),
                80,
                "1,204/4,000 recovered · 3 failed · stopping: codes in hand are exchanged",
            ),
            (&figures(State::Ending), 40, "1,204/4,000 · 3 failed · stopping"),
            (
                &paused,
                120,
                "1,204/4,000 · 3 failed · PAUSED 2m 10s: HTTP 503 at reconnect · next probe in 8 s \
                 · gives up in 7m 50s",
            ),
            (
                &paused,
                80,
                "PAUSED 2m 10s: HTTP 503 at reconnect · next probe in 8 s · gives up in 7m 50s",
            ),
            (&paused, 40, "PAUSED 2m 10s · next probe in 8 s"),
            (&probing, 40, "PAUSED 2m 10s · probing now"),
            (&figures(State::Working(None)), 40, "1,204/4,000 recovered · 3 failed · 9.9/s"),
        ] {
            assert_eq!(figures.line(width), line, "{width} columns");
        }
    }

    #[test]
    fn skipped_rows_are_done_with() {
        let mut figures = figures(State::Working(None));
        assert_eq!((figures.done(), figures.percent()), (1207, 30));
        figures.skipped = 2793;
        assert_eq!((figures.done(), figures.percent()), (4000, 100));
        figures.total = 0;
        assert_eq!(figures.percent(), 100);
    }
}
