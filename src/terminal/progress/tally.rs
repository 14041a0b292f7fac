//! What has happened so far, and what of it a person has to know at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{holds::Holds, pause::Pause};
use crate::{
    clock,
    engine::gauge::Gauge,
    event::{Event, Failed},
    failure::{Class, Failure, Stage, kind_in_words},
    highlevel::{normalised_message::normalised, table},
    plan::{countdown, grouped},
    terminal::verbosity::Verbosity,
};

/// Rows to paste that are shown; a server that never sends the same text twice would fill the screen.
const ROWS_SHOWN: usize = 20;

/// Failures that are distinguished by their text, for the same reason.
const KINDS_SHOWN: usize = 50;

/// What distinguishes failures: stage, class, status, and the error text where no row of the table knows
/// it.
type FailureKind = (Stage, Class, Option<u16>, String);

#[derive(Debug)]
pub(super) struct RunTally {
    pub(super) verbosity: Verbosity,
    pub(super) total: u32,
    pub(super) recovered: AtomicU32,
    pub(super) skipped: AtomicU32,
    pub(super) failed: AtomicU32,
    pub(super) calls: AtomicU64,
    pub(super) left_out: AtomicU64,
    pub(super) is_ending: AtomicBool,
    pub(super) gauge: Gauge,
    pause: Mutex<Option<Pause>>,
    holds: Mutex<Holds>,
    kinds: Mutex<HashMap<FailureKind, u32>>,
    rows_shown: Mutex<HashSet<String>>,
}

impl RunTally {
    /// Nothing has happened yet.
    pub(super) fn new(verbosity: Verbosity, gauge: Gauge) -> Self {
        Self {
            verbosity,
            total: gauge.open(),
            recovered: AtomicU32::new(0),
            skipped: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            is_ending: AtomicBool::new(false),
            gauge,
            pause: Mutex::default(),
            holds: Mutex::default(),
            kinds: Mutex::default(),
            rows_shown: Mutex::default(),
        }
    }

    pub(super) fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        held(&self.pause)
    }

    pub(super) fn count(&self, event: &Event) {
        let calls = match event {
            Event::Exchanging(_) => 1,
            Event::Retrying(e) => u64::from(e.call.is_some()),
            Event::Skipped(e) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                u64::from(e.call.is_some())
            }
            Event::Failed(e) => {
                let has_failed = !e.failure.class.is_left_off();
                self.failed.fetch_add(u32::from(has_failed), Ordering::Relaxed);
                u64::from(e.call.is_some())
            }
            Event::Recovered(_) => {
                self.recovered.fetch_add(1, Ordering::Relaxed);
                1
            }
            Event::Paused(e) => {
                *self.pause() = Some(Pause::of(e));
                0
            }
            Event::Probed(e) => {
                if let Some(pause) = &mut *self.pause() {
                    pause.next = Instant::now() + Duration::from_millis(e.next_ms.into());
                }
                0
            }
            // Another app may be worked for after a halt.
            Event::Continued(_) | Event::Halted(_) => {
                *self.pause() = None;
                0
            }
            _ => 0,
        };
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    /// The row to paste for an answer that no row knows, where it was not shown before.
    pub(super) fn new_row(&self, failure: &Failure) -> Option<String> {
        let row = table::row_for(failure)?;
        let mut shown = held(&self.rows_shown);
        (shown.len() < ROWS_SHOWN && shown.insert(row.clone())).then_some(row)
    }

    /// What a person has to know at once, a line each.
    pub(super) fn change(&self, event: &Event) -> Vec<String> {
        let line = match event {
            Event::Held(hold) => return held(&self.holds).add(hold),
            Event::DayTooShort(day) => format!("{} {}", clock::stamp(day.at), day.in_words()),
            Event::Paused(paused) => format!(
                "{} PAUSED: installation after installation fails ({}); probing with one at a time, \
                 the run continues by itself, or halts at {}",
                clock::stamp(paused.at),
                paused.failure,
                clock::stamp(paused.gives_up_at)
            ),
            Event::Continued(continued) => {
                let paused = Duration::from_millis(continued.paused_ms.into());
                let at = clock::stamp(continued.at);
                format!("{at} The pause is over; continuing after {}", countdown(paused))
            }
            Event::Failed(failed) if !failed.failure.class.is_left_off() => {
                return self.failure(failed).into_iter().collect();
            }
            _ => return Vec::new(),
        };
        vec![line]
    }

    /// The end of a stretch of holds, where one is over by now.
    pub(super) fn holds_ended(&self, now: Timestamp) -> Option<String> {
        held(&self.holds).end_by(now)
    }

    /// The end of the stretch of holds that is on, if one is.
    pub(super) fn last_holds(&self) -> Option<String> {
        held(&self.holds).end()
    }

    /// The first failure of a kind, and then how many there are, at 10, 100, 1,000.
    fn failure(&self, failed: &Failed) -> Option<String> {
        let Failed { row, id, failure, .. } = failed;
        match self.count_kind(failure) {
            1 => {
                Some(format!("row {row} {id}: {failure} (further ones like this are only counted)"))
            }
            count if is_round(count) => {
                let Failure { stage, class, http_status, .. } = failure;
                let kind = kind_in_words(*class, *stage, *http_status);
                Some(format!("{} failures so far: {kind}", grouped(count)))
            }
            _ => None,
        }
    }

    fn count_kind(&self, failure: &Failure) -> u32 {
        let Failure { stage, class, http_status, message, .. } = failure;
        let mut kinds = held(&self.kinds);
        let by_message = *class == Class::Unrecognised && kinds.len() < KINDS_SHOWN;
        let text = if by_message { normalised(message.as_str()) } else { String::new() };
        let count = kinds.entry((*stage, *class, *http_status, text)).or_default();
        *count += 1;
        *count
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a count is 10, 100, 1,000 and so on.
fn is_round(count: u32) -> bool {
    count >= 10 && count == 10_u32.saturating_pow(count.ilog10())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_counts_are_powers_of_ten() {
        let round: Vec<u32> = (0..=20_000).filter(|count| is_round(*count)).collect();
        assert_eq!(round, [10, 100, 1000, 10_000]);
    }
}
