//! What a run was like, gathered from its events: calls, times, the busiest window.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    clock,
    event::{Call, Event, Failed},
    highlevel::failure::{Class, Stage},
    journal::ledger::Outcome,
    text::SafeText,
};

/// Trace ids that a cause shows.
const SAMPLES: usize = 10;

/// Gathers figures while events pass by.
#[derive(Default)]
pub struct Stats {
    /// When each request started, in milliseconds since the run did.
    starts: Vec<u32>,
    began: Option<Timestamp>,
    last: Option<Timestamp>,
    reconnect_ms: Times,
    exchange_ms: Times,
    code_age_ms: Times,
    code_margin_ms: Times,
    reconnects: u64,
    exchanges: u64,
    retries: u64,
}

impl Stats {
    /// Takes an event into account.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Started(started) => self.began = Some(started.at),
            Event::Exchanging(e) => self.reconnect(&e.reconnect),
            Event::Retrying(e) => {
                self.retries += 1;
                self.failed_call(e.failure.stage, e.call.as_ref());
            }
            Event::Failed(e) => self.failed_call(e.failure.stage, e.call.as_ref()),
            Event::Recovered(e) => {
                self.exchange(&e.exchange);
                self.code_age_ms.add(e.code_age_ms);
                self.code_margin_ms.add(e.code_margin_ms);
            }
            _ => {}
        }
    }

    fn failed_call(&mut self, stage: Stage, call: Option<&Call>) {
        match (stage, call) {
            (Stage::Reconnect, Some(call)) => self.reconnect(call),
            (_, Some(call)) => self.exchange(call),
            (_, None) => {}
        }
    }

    fn reconnect(&mut self, call: &Call) {
        self.reconnects += 1;
        self.reconnect_ms.add(call.ms);
        self.start(call);
    }

    fn exchange(&mut self, call: &Call) {
        self.exchanges += 1;
        self.exchange_ms.add(call.ms);
        self.start(call);
    }

    fn start(&mut self, call: &Call) {
        let since = self.began.map_or(0, |began| clock::millis_between(began, call.at));
        self.starts.push(u32::try_from(since.max(0)).unwrap_or(u32::MAX));
        self.last = self.last.max(Some(call.at));
    }

    /// Requests by kind.
    pub fn calls(&self) -> Calls {
        Calls {
            total: self.reconnects + self.exchanges,
            reconnect: self.reconnects,
            exchange: self.exchanges,
            retries: self.retries,
        }
    }

    /// Percentiles of times.
    pub fn timings(&self) -> Timings {
        Timings {
            reconnect_ms: self.reconnect_ms.spread(),
            exchange_ms: self.exchange_ms.spread(),
            code_age_ms: self.code_age_ms.spread(),
            code_margin_ms: self.code_margin_ms.spread(),
        }
    }

    /// Request starts a second, from the first to the last.
    pub fn reached_per_second(&mut self) -> f64 {
        self.starts.sort_unstable();
        match (self.starts.first(), self.starts.last()) {
            (Some(first), Some(last)) if last > first => {
                let gaps = (self.starts.len() - 1) as f64;
                (gaps * 1000.0 / f64::from(last - first) * 100.0).round() / 100.0
            }
            _ => 0.0,
        }
    }

    /// The most request starts in any window of this length.
    pub fn busiest(&mut self, window: Duration) -> u64 {
        self.starts.sort_unstable();
        let window = clock::millis(window);
        let mut oldest = 0;
        let mut most = 0;
        for (newest, start) in self.starts.iter().enumerate() {
            while self.starts[oldest].saturating_add(window) <= *start {
                oldest += 1;
            }
            most = most.max(newest - oldest + 1);
        }
        most as u64
    }
}

/// Request counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Calls {
    total: u64,
    reconnect: u64,
    exchange: u64,
    retries: u64,
}

/// Percentiles of times; absent where there was nothing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timings {
    reconnect_ms: Option<Spread>,
    exchange_ms: Option<Spread>,
    code_age_ms: Option<Spread>,
    code_margin_ms: Option<Spread>,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    min: u64,
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

/// Milliseconds, kept to three significant digits.
#[derive(Default)]
struct Times(Option<Histogram<u32>>);

impl Times {
    fn add(&mut self, ms: u32) {
        if self.0.is_none() {
            self.0 = Histogram::new_with_bounds(1, u64::from(u32::MAX), 3).ok();
        }
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(ms.into());
        }
    }

    fn spread(&self) -> Option<Spread> {
        let times = self.0.as_ref()?;
        let at = |quantile| times.value_at_quantile(quantile).min(times.max());
        Some(Spread {
            min: times.min(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: times.max(),
        })
    }
}

/// Failures by cause, the most frequent first.
#[derive(Default)]
pub struct Causes(BTreeMap<(Stage, Class, Option<u16>), Cause>);

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Where.
    pub stage: Stage,
    /// What kind.
    pub class: Class,
    /// Status of the answers.
    pub http_status: Option<u16>,
    /// How many installations.
    pub installations: u32,
    /// What to do, as in `failures.csv`.
    pub retry: &'static str,
    /// What the server said to one of them.
    pub message: SafeText,
    /// Some of their trace ids.
    pub sample_trace_ids: Vec<SafeText>,
}

impl Causes {
    /// Takes the end of one installation into account.
    pub fn installation(&mut self, outcome: &Outcome) {
        if let Outcome::Failed(failed) = outcome {
            self.add(failed);
        }
    }

    fn add(&mut self, failed: &Failed) {
        let failure = &failed.failure;
        let cause = self
            .0
            .entry((failure.stage, failure.class, failure.http_status))
            .or_insert_with(|| Cause {
                stage: failure.stage,
                class: failure.class,
                http_status: failure.http_status,
                installations: 0,
                retry: failure.class.advice().name(),
                message: failure.message.clone(),
                sample_trace_ids: Vec::new(),
            });
        cause.installations += 1;
        let room = SAMPLES.saturating_sub(cause.sample_trace_ids.len());
        cause.sample_trace_ids.extend(failed.trace_ids.iter().take(room).cloned());
    }

    /// The causes, the most frequent first.
    pub fn by_frequency(self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.0.into_values().collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.installations));
        causes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_window_is_counted_over_every_window() {
        for (starts, window_ms, busiest) in [
            (vec![], 1000, 0),
            (vec![0], 1000, 1),
            (vec![0, 100, 200, 1000, 1100], 1000, 3),
            (vec![0, 999, 1000, 1001], 1000, 3),
            (vec![1000, 0, 999, 1001], 1000, 3),
        ] {
            let mut stats = Stats { starts, ..Stats::default() };
            assert_eq!(stats.busiest(Duration::from_millis(window_ms)), busiest);
        }
    }
}
