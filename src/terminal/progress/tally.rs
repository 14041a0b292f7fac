//! What has happened so far, and what of it a person has to know at once.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{pause::Pause, verbosity::Verbosity};
use crate::{
    clock,
    engine::gauge::Gauge,
    event::{Event, Held},
    failure::{Class, Failure, Stage},
    highlevel::{normalised_message::normalised, table},
    plan::in_words,
};

/// Rows to paste that are shown; a server that never sends the same text twice would fill the screen.
const ROWS_SHOWN: usize = 20;

/// Failures that are distinguished by their text, for the same reason.
const KINDS_SHOWN: usize = 50;

/// Failures of which the first is shown: stage, class, status, and the error text where no row of the
/// table knows it.
type ShownKind = (Stage, Class, Option<u16>, String);

#[derive(Debug)]
pub(super) struct RunTally {
    pub(super) verbosity: Verbosity,
    pub(super) total: u32,
    pub(super) recovered: AtomicU32,
    pub(super) failed: AtomicU32,
    pub(super) calls: AtomicU64,
    pub(super) left_out: AtomicU64,
    pub(super) pause: Mutex<Option<Pause>>,
    pub(super) gauge: Gauge,
    kinds_shown: Mutex<HashSet<ShownKind>>,
    rows_shown: Mutex<HashSet<String>>,
}

impl RunTally {
    /// Nothing has happened yet.
    pub(super) fn new(verbosity: Verbosity, gauge: Gauge) -> Self {
        Self {
            verbosity,
            total: gauge.open(),
            recovered: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            calls: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            pause: Mutex::default(),
            gauge,
            kinds_shown: Mutex::default(),
            rows_shown: Mutex::default(),
        }
    }

    pub(super) fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, event: &Event) {
        let calls = match event {
            Event::Exchanging(_) => 1,
            Event::Retrying(e) => u64::from(e.call.is_some()),
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

    fn is_new_kind(&self, failure: &Failure) -> bool {
        let Failure { stage, class, http_status, message, .. } = failure;
        let mut shown = self.kinds_shown.lock().unwrap_or_else(PoisonError::into_inner);
        let by_message = *class == Class::Unrecognised && shown.len() < KINDS_SHOWN;
        let text = if by_message { normalised(message.as_str()) } else { String::new() };
        shown.insert((*stage, *class, *http_status, text))
    }

    /// The row to paste for an answer that no row knows, where it was not shown before.
    pub(super) fn new_row(&self, failure: &Failure) -> Option<String> {
        let row = table::row_for(failure)?;
        let mut shown = self.rows_shown.lock().unwrap_or_else(PoisonError::into_inner);
        (shown.len() < ROWS_SHOWN && shown.insert(row.clone())).then_some(row)
    }

    /// What a person has to know at once.
    pub(super) fn change(&self, event: &Event) -> Option<String> {
        match event {
            Event::Held(held) => Some(hold_in_words(held)),
            Event::DayTooShort(day) => Some(format!("{} {}", clock::stamp(day.at), day.in_words())),
            Event::Paused(paused) => Some(format!(
                "{} PAUSED: installation after installation fails ({}); probing with one at a time, \
                 the run continues by itself, or halts at {}",
                clock::stamp(paused.at),
                paused.failure,
                clock::stamp(paused.gives_up_at)
            )),
            Event::Continued(continued) => {
                let paused = Duration::from_millis(continued.paused_ms.into());
                let at = clock::stamp(continued.at);
                Some(format!("{at} The pause is over; continuing after {}", in_words(paused)))
            }
            Event::Failed(failed) if self.is_new_kind(&failed.failure) => Some(format!(
                "row {} {}: {} (further ones like this are only counted)",
                failed.row, failed.id, failed.failure
            )),
            _ => None,
        }
    }
}

fn hold_in_words(held: &Held) -> String {
    let wait = Duration::from_millis(held.hold_ms.into());
    let until = held.at.checked_add(wait).unwrap_or(held.at);
    let pace = match held.interval_ms {
        0 => String::new(),
        ms => format!(", then {:.1} requests a second", 1000.0 / f64::from(ms)),
    };
    format!(
        "{} HighLevel answers \"too many requests\": nothing starts until {}{pace}",
        clock::stamp(held.at),
        clock::stamp(until)
    )
}
