//! What a run was like, gathered from its events: calls, times, the busiest window.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    bound::{self, BoundsAsked, Exceeded},
    gap::{Gap, Reasons, TOLERANCE},
    times::{Times, Timings},
};
use crate::{
    clock,
    event::{Call, Event, Verdict},
    failure::Stage,
    pace::AskedRate,
    route::Route,
};

/// Gathers figures while events pass by.
#[derive(Default)]
pub struct Stats {
    /// When each request started, in milliseconds of a clock that is never set back.
    starts: Vec<i64>,
    /// Milliseconds by which that clock is ahead of the times of the events.
    ahead_ms: i64,
    latest_start: Option<i64>,
    last: Option<Timestamp>,
    reconnect_ms: Times,
    exchange_ms: Times,
    code_age_ms: Times,
    code_margin_ms: Times,
    reconnects: u64,
    exchanges: u64,
    refreshes: u64,
    agency_calls: u64,
    verifications: u64,
    retries: u64,
    proofs: Proofs,
    held: CoveredTime,
    paused: CoveredTime,
    /// Time between the executions of a run.
    away_ms: u64,
    bounds: BoundsAsked,
    recovered_in: BTreeSet<String>,
}

/// Times in which nothing was asked for, those that overlap counted once.
#[derive(Default)]
struct CoveredTime {
    times: u32,
    total_ms: u64,
    until: Option<Timestamp>,
}

impl CoveredTime {
    fn add(&mut self, at: Timestamp, ms: u32) {
        let Ok(end) = at.checked_add(Duration::from_millis(ms.into())) else { return };
        let from = self.until.map_or(at, |until| until.max(at));
        self.times += 1;
        self.total_ms += u64::try_from(clock::millis_between(from, end)).unwrap_or(0);
        self.until = self.until.max(Some(end));
    }
}

impl Stats {
    /// Counts an event.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Exchanging(e) => self.reconnect(&e.reconnect),
            Event::Retrying(e) => {
                self.retries += 1;
                self.failed_call(e.failure.stage, e.call.as_ref());
            }
            Event::Failed(e) => self.failed_call(e.failure.stage, e.call.as_ref()),
            Event::Held(e) => self.held.add(e.at, e.hold_ms),
            Event::Continued(e) => self.pause(e.at, e.paused_ms),
            Event::Resumed(e) => self.away(e.at),
            Event::Recovered(e) => {
                self.proofs.without_refresh_token += u64::from(e.without_refresh_token);
                match &e.verified {
                    Some(verified) => {
                        self.proofs.count(verified.verdict);
                        verified.call.iter().for_each(|call| self.verify(call));
                    }
                    None => self.granting(e.via, &e.exchange),
                }
                e.code_age_ms.into_iter().for_each(|ms| self.code_age_ms.add(ms));
                e.code_margin_ms.into_iter().for_each(|ms| self.code_margin_ms.add(ms));
            }
            Event::Reclaimed(e) => {
                self.proofs.without_refresh_token += u64::from(e.without_refresh_token);
            }
            Event::Untried(e) => self.granting(e.via, &e.call),
            Event::Skipped(e) => {
                e.call.iter().for_each(|call| self.verify(call));
                self.recovered_in.extend(e.recovered.iter().map(|before| before.folder.clone()));
            }
            _ => {}
        }
        let ahead_ms = self.ahead_ms;
        self.bounds.observe(event, |at| at.as_millisecond().saturating_add(ahead_ms));
    }

    /// A pause that ended at this time.
    fn pause(&mut self, end: Timestamp, ms: u32) {
        if let Ok(begin) = end.checked_sub(Duration::from_millis(ms.into())) {
            self.paused.add(begin, ms);
        }
    }

    fn away(&mut self, until: Timestamp) {
        let away = self.last.map_or(0, |last| clock::millis_between(last, until));
        self.away_ms = self.away_ms.saturating_add(u64::try_from(away).unwrap_or(0));
        self.continue_from(until.as_millisecond(), 0);
    }

    /// Where the clock was set back by more than events come out of order, time continues from the
    /// latest start: otherwise one window would hold requests that were hours apart.
    fn continue_from(&mut self, at: i64, out_of_order: i64) {
        let Some(latest) = self.latest_start else { return };
        let behind = latest.saturating_sub(at.saturating_add(self.ahead_ms));
        if behind > out_of_order {
            self.ahead_ms = self.ahead_ms.saturating_add(behind);
        }
    }

    fn failed_call(&mut self, stage: Stage, call: Option<&Call>) {
        let Some(call) = call else { return };
        match stage {
            Stage::Reconnect => self.reconnect(call),
            Stage::Exchange | Stage::Store | Stage::Input => self.exchange(call),
            Stage::Refresh => self.granting(Route::Refresh, call),
            Stage::Agency => self.granting(Route::Agency, call),
            Stage::Verify => self.verify(call),
        }
    }

    /// The call of a route that gives tokens.
    fn granting(&mut self, route: Route, call: &Call) {
        match route {
            Route::Reconnect => return self.exchange(call),
            Route::Refresh => self.refreshes += 1,
            Route::Agency => self.agency_calls += 1,
        }
        self.start(call);
    }

    fn verify(&mut self, call: &Call) {
        self.verifications += 1;
        self.start(call);
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
        let at = call.at.as_millisecond();
        self.continue_from(at, OUT_OF_ORDER_MS);
        let at = at.saturating_add(self.ahead_ms);
        self.starts.push(at);
        self.latest_start = self.latest_start.max(Some(at));
        self.last = self.last.max(Some(call.at));
    }

    /// A time by a clock that is never set back, in milliseconds: as of the events so far.
    pub(super) fn steady_ms(&self, at: Timestamp) -> i64 {
        at.as_millisecond().saturating_add(self.ahead_ms)
    }

    /// When each request started by that clock, in its order.
    pub(super) fn sorted_starts(&mut self) -> &[i64] {
        self.starts.sort_unstable();
        &self.starts
    }

    /// When the last request started, if one did.
    pub fn last_start(&self) -> Option<Timestamp> {
        self.last
    }

    /// Requests by kind.
    pub fn calls(&self) -> CallCounts {
        CallCounts {
            total: self.starts.len() as u64,
            reconnect: self.reconnects,
            exchange: self.exchanges,
            refresh: self.refreshes,
            agency: self.agency_calls,
            verify: self.verifications,
            retries: self.retries,
        }
    }

    /// The folders of the runs that had recovered what was skipped.
    pub fn recovered_in(&self) -> BTreeSet<String> {
        self.recovered_in.clone()
    }

    /// The tokens that were granted.
    pub fn proofs(&self) -> Proofs {
        self.proofs
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
        match self.working_ms() {
            0 => 0.0,
            ms => ((self.starts.len() - 1) as f64 * 1000.0 / ms as f64 * 100.0).round() / 100.0,
        }
    }

    /// From the first request to the last, without the time between executions.
    fn working_ms(&mut self) -> u64 {
        self.starts.sort_unstable();
        let span = match (self.starts.first(), self.starts.last()) {
            (Some(first), Some(last)) => last.abs_diff(*first),
            _ => 0,
        };
        span.saturating_sub(self.away_ms)
    }

    /// What kept the run from the pace that `interval` stands for, with so many in flight; `None`
    /// when it was reached.
    pub fn gap(&mut self, interval: Duration, concurrency: u32, asked: AskedRate) -> Option<Gap> {
        let working_ms = self.working_ms();
        let gaps = self.starts.len().saturating_sub(1) as f64;
        let least_ms = interval.as_secs_f64() * 1000.0 * gaps;
        let missing_ms = working_ms as f64 - least_ms * TOLERANCE;
        if interval.is_zero() || missing_ms <= 0.0 {
            return None;
        }
        let answers_ms = self.reconnect_ms.total + self.exchange_ms.total;
        let reasons = Reasons {
            missing_ms,
            held_ms: self.held.total_ms as f64,
            paused_ms: self.paused.total_ms as f64,
            in_flight: answers_ms as f64 / (working_ms as f64 * f64::from(concurrency)),
            was_lowered: self.held.times > 0,
            asked,
        };
        Some(Gap {
            reason: reasons.main(),
            held_ms: self.held.total_ms,
            paused_ms: self.paused.total_ms,
        })
    }

    /// A window with more starts than the rate of its execution allows, if there is one.
    pub fn exceeded(&mut self) -> Option<Exceeded> {
        self.starts.sort_unstable();
        self.bounds.exceeded(&self.starts)
    }

    /// The most request starts in any window of this length.
    pub fn busiest(&mut self, window: Duration) -> u64 {
        self.starts.sort_unstable();
        // The start of the next window is not in this one.
        bound::busiest(&self.starts, window.saturating_sub(Duration::from_millis(1)))
    }
}

/// Requests are recorded when they end: one may come so much later than others that started after it.
const OUT_OF_ORDER_MS: i64 = 10 * 60 * 1000;

/// The tokens that were granted; the checks are those of `--verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proofs {
    /// Good where they were checked.
    pub alive: u64,
    /// Alive, and without the scope for the check.
    pub without_scope: u64,
    /// Checked without a clear answer.
    pub unclear: u64,
    /// Without a refresh token: they die with the access token.
    pub without_refresh_token: u64,
}

impl Proofs {
    fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Alive => &mut self.alive,
            Verdict::WithoutScope => &mut self.without_scope,
            Verdict::Unclear => &mut self.unclear,
        } += 1;
    }
}

/// Request counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CallCounts {
    total: u64,
    reconnect: u64,
    exchange: u64,
    refresh: u64,
    agency: u64,
    verify: u64,
    retries: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::gap::GapReason;

    #[test]
    fn a_slower_run_has_a_reason() {
        let second = Duration::from_secs(1);
        let covered =
            |total_ms: u64| CoveredTime { times: u32::from(total_ms > 0), total_ms, until: None };
        let stats = |starts: Vec<i64>, held: u64, paused: u64, answers: u64| Stats {
            starts,
            held: covered(held),
            paused: covered(paused),
            exchange_ms: Times { total: answers, ..Times::default() },
            ..Stats::default()
        };
        let (quick, slow) = (|| vec![0, 1000, 2000], || vec![0, 1000, 12_000]);
        let fixed = AskedRate::Fixed("1/s".parse().unwrap());
        for (mut stats, asked, reason) in [
            (stats(quick(), 0, 0, 0), fixed, None),
            (stats(slow(), 9000, 0, 0), fixed, Some(GapReason::Held)),
            (stats(slow(), 1000, 9000, 0), fixed, Some(GapReason::Paused)),
            (stats(slow(), 1000, 0, 0), fixed, Some(GapReason::Lowered)),
            (stats(slow(), 0, 0, 22_000), fixed, Some(GapReason::InFlight)),
            (stats(slow(), 0, 0, 2000), fixed, Some(GapReason::Attempts)),
            (stats(slow(), 0, 0, 22_000), AskedRate::Auto, Some(GapReason::Finding)),
            (stats(vec![], 0, 0, 0), fixed, None),
        ] {
            assert_eq!(stats.gap(second, 2, asked).map(|gap| gap.reason), reason);
        }
        assert_eq!(stats(slow(), 0, 0, 0).gap(Duration::ZERO, 2, fixed), None, "unlimited");
    }

    #[test]
    fn the_time_between_two_executions_does_not_count() {
        let mut stats = Stats { starts: vec![0, 1000, 9000], away_ms: 7000, ..Stats::default() };
        assert!((stats.reached_per_second() - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_clock_that_is_set_stops_no_count() {
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        let (day, year) = (86_400_000, 365 * 86_400_000);
        for jump in [0, 50 * day, year, -day, -50 * 365 * day] {
            let mut stats = Stats::default();
            let times = [0, 1000, 2000, jump, jump + 1000, jump + 2000];
            for (number, ms) in times.iter().enumerate() {
                if number == 3 {
                    stats.away(at(jump));
                }
                stats.start(&Call { at: at(*ms), ms: 1, http_status: None, trace_id: None });
            }
            assert_eq!(stats.calls().total, 6, "{jump}");
            assert!(stats.busiest(Duration::from_millis(500)) <= 2, "{jump}");
            assert!(stats.reached_per_second() <= 3.0, "{jump}");
        }
    }

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
