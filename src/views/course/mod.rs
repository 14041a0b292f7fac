//! The course of a run: what happened when, gathered from its events in one pass and bounded memory.

mod spans;
mod starts;
mod steps;
mod timeline;

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use jiff::Timestamp;

use self::{spans::Spans, starts::start_steps, timeline::Timeline};
pub(super) use self::{
    starts::StartStep,
    steps::{Merge, Steps},
};
use super::stats::Stats;
use crate::{
    event::{Call, Event, Failed, Recovered},
    failure::Stage,
    pace::Rate,
    route::Route,
    settings::Settings,
};

/// Executions whose settings are kept.
const MOST_EXECUTIONS: usize = 50;

/// What is gathered.
#[derive(Default)]
pub struct Course {
    pub(super) timeline: Timeline,
    pub(super) steps: Steps<Step>,
    /// Everything was held.
    pub(super) holds: Spans,
    /// The run paused in an outage.
    pub(super) outages: Spans,
    /// Request starts in steps of the same length.
    pub(super) starts: Vec<StartStep>,
    /// Settings of the executions, the first ones.
    pub(super) settings: Vec<Settings>,
    rows: BTreeMap<u32, RowEnd>,
    paused_from: Option<i64>,
}

/// How a row stands so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RowEnd {
    #[default]
    Open,
    Recovered,
    Failed,
}

/// What happened in a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    /// By how many more installations are recovered; fewer, where tokens were missed.
    pub(super) recovered: i64,
    /// By how many more have failed; fewer, where they were tried again.
    pub(super) failed: i64,
    pub(super) reconnect_ms: Latencies,
    pub(super) exchange_ms: Latencies,
    pub(super) codes: Codes,
}

/// Codes that were presented.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codes {
    pub(super) count: u64,
    pub(super) oldest_ms: Option<u32>,
    pub(super) least_margin_ms: Option<u32>,
    /// The shortest life of a code.
    pub(super) life_ms: Option<u32>,
}

/// How long calls took, to two digits.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Option<Histogram<u32>>);

impl Latencies {
    fn add(&mut self, ms: u32) {
        if self.0.is_none() {
            self.0 = Histogram::new(2).ok();
        }
        if let Some(histogram) = &mut self.0 {
            // One that grows takes every value.
            let _ = histogram.record(ms.into());
        }
    }

    /// Calls.
    pub(super) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// Milliseconds that this share of the calls took at most.
    pub(super) fn at(&self, share: f64) -> Option<u64> {
        let histogram = self.0.as_ref()?;
        Some(histogram.value_at_quantile(share).min(histogram.max()))
    }
}

impl Merge for Latencies {
    fn merge(&mut self, later: Self) {
        match (&mut self.0, later.0) {
            (Some(own), Some(later)) => drop(own.add(later)),
            (own @ None, later) => *own = later,
            (Some(_), None) => {}
        }
    }
}

impl Merge for Codes {
    fn merge(&mut self, later: Self) {
        self.count += later.count;
        self.oldest_ms = self.oldest_ms.max(later.oldest_ms);
        self.least_margin_ms = least(self.least_margin_ms, later.least_margin_ms);
        self.life_ms = least(self.life_ms, later.life_ms);
    }
}

fn least(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    one.into_iter().chain(other).min()
}

impl Merge for Step {
    fn merge(&mut self, later: Self) {
        self.recovered += later.recovered;
        self.failed += later.failed;
        self.reconnect_ms.merge(later.reconnect_ms);
        self.exchange_ms.merge(later.exchange_ms);
        self.codes.merge(later.codes);
    }
}

impl Course {
    /// Takes an event into account that `stats` have observed.
    pub fn observe(&mut self, event: &Event, stats: &Stats) {
        match event {
            Event::Started(e) => self.begin(e.at, &e.settings, stats),
            Event::Resumed(e) => {
                self.end_pause();
                self.holds.cut_at(self.timeline.end_ms);
                self.begin(e.at, &e.settings, stats);
            }
            Event::Exchanging(e) => self.call(Stage::Reconnect, &e.reconnect, stats),
            Event::Retrying(e) => {
                e.call.iter().for_each(|call| self.call(e.failure.stage, call, stats));
            }
            Event::Held(e) => {
                let from = self.note(e.at, stats);
                self.holds.add(from, from.saturating_add(e.hold_ms.into()));
            }
            Event::Paused(e) => {
                self.end_pause();
                self.paused_from = Some(self.note(e.at, stats));
            }
            Event::Probed(e) => drop(self.note(e.at, stats)),
            Event::Continued(e) => {
                self.note(e.at, stats);
                self.end_pause();
            }
            Event::Halted(e) => drop(self.note(e.at, stats)),
            Event::Untried(e) if e.via == Route::Reconnect => {
                self.call(Stage::Exchange, &e.call, stats);
            }
            Event::Recovered(e) => self.recovered(e, stats),
            Event::Reclaimed(e) => self.settle(e.row, RowEnd::Recovered, e.at, stats),
            Event::Missed(e) => self.settle(e.row, RowEnd::Open, e.at, stats),
            Event::Failed(e) => self.failed(e, stats),
            Event::Skipped(e) => self.settle(e.row, RowEnd::Open, e.at, stats),
            _ => {}
        }
    }

    /// Closes what is still open when the journal ends, and adds the request starts.
    pub fn finish(&mut self, stats: &mut Stats) {
        self.end_pause();
        let end = self.timeline.end_ms.max(1);
        self.holds.cut_at(end);
        self.steps.extend_to(end);
        self.starts = start_steps(&self.timeline, stats.sorted_starts(), self.steps.length_ms());
    }

    fn begin(&mut self, at: Timestamp, settings: &serde_json::Value, stats: &Stats) {
        let settings = Settings::read(settings).ok();
        let bound = settings.as_ref().map_or(Rate::Unlimited, |s| s.pacing().bound());
        self.timeline.begin(at, stats.steady_ms(at), bound);
        if self.settings.len() < MOST_EXECUTIONS {
            self.settings.extend(settings);
        }
    }

    fn note(&mut self, at: Timestamp, stats: &Stats) -> i64 {
        self.timeline.note(stats.steady_ms(at))
    }

    fn end_pause(&mut self) {
        if let Some(from) = self.paused_from.take() {
            self.outages.add(from, self.timeline.end_ms);
        }
    }

    fn recovered(&mut self, e: &Recovered, stats: &Stats) {
        self.settle(e.row, RowEnd::Recovered, e.at, stats);
        // Where the token was checked, an earlier event has the call.
        if e.via == Route::Reconnect && e.verified.is_none() {
            self.call(Stage::Exchange, &e.exchange, stats);
        }
        if let Some(age) = e.code_age_ms {
            let at = self.note(e.exchange.at, stats);
            self.steps.at(at).codes.merge(Codes {
                count: 1,
                oldest_ms: Some(age),
                least_margin_ms: e.code_margin_ms,
                life_ms: e.code_margin_ms.map(|margin| margin.saturating_add(age)),
            });
        }
    }

    fn failed(&mut self, e: &Failed, stats: &Stats) {
        let is_left_off = e.failure.class.is_left_off();
        let end = if is_left_off { RowEnd::Open } else { RowEnd::Failed };
        self.settle(e.row, end, e.at, stats);
        e.call.iter().for_each(|call| self.call(e.failure.stage, call, stats));
    }

    fn settle(&mut self, row: u32, end: RowEnd, at: Timestamp, stats: &Stats) {
        let at = self.note(at, stats);
        let before = self.rows.insert(row, end).unwrap_or_default();
        let step = self.steps.at(at);
        let change = |which: RowEnd| i64::from(end == which) - i64::from(before == which);
        step.recovered += change(RowEnd::Recovered);
        step.failed += change(RowEnd::Failed);
    }

    /// A call, at the time of its answer.
    fn call(&mut self, stage: Stage, call: &Call, stats: &Stats) {
        let ended = stats.steady_ms(call.at).saturating_add(call.ms.into());
        let at = self.timeline.note(ended);
        let step = self.steps.at(at);
        match stage {
            Stage::Reconnect => step.reconnect_ms.add(call.ms),
            Stage::Exchange | Stage::Store | Stage::Input => step.exchange_ms.add(call.ms),
            Stage::Refresh | Stage::Agency | Stage::Verify => {}
        }
    }
}
