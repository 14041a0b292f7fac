//! The state of one stage: the installations that have failed in a row, and the suspects.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use crate::engine::failure_share::FailureShare;

/// Failed installations in a row that make an outage.
const IN_A_ROW: usize = 5;

/// The same before the first good answer.
const IN_A_ROW_AT_FIRST: usize = 3;

/// An outage that ends within this many probes was a false alarm: neighbours in the list had failed.
const FALSE_ALARM: u32 = 8;

/// This many in a row are always an outage, however many false alarms there were.
const MOST_IN_A_ROW: usize = 40;

/// Good answers after which a false alarm is forgotten.
const FORGIVEN_AFTER: u32 = 50;

/// A request that has waited this long when a later one is answered fails on its own.
const OVERTAKEN_BY: Duration = Duration::from_millis(250);

/// Whether a good answer proves that a failure was no outage: its request was sent after the failure,
/// or while the failed request had been waiting for some time.
pub(super) fn is_contrast(good_sent: Instant, bad: FailedRequest) -> bool {
    good_sent >= bad.at.min(bad.sent + OVERTAKEN_BY)
}

/// A failed request.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedRequest {
    pub(super) sent: Instant,
    pub(super) at: Instant,
}

/// The state of one stage.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// When the last request with a good answer was sent.
    pub(super) good: Option<Instant>,
    /// Installations that failed since, and are not suspect.
    pub(super) in_a_row: BTreeMap<u32, FailedRequest>,
    pub(super) suspects: HashSet<u32>,
    share: FailureShare,
    /// False alarms; each one quadruples the failures in a row that make an outage.
    false_alarms: u32,
    good_since_alarm: u32,
    /// Start of the present outage of this stage.
    pub(super) out_since: Option<Instant>,
}

impl Health {
    /// A stage with a good answer at this time, or without any.
    pub(super) fn after(good: Option<Instant>) -> Self {
        Self { good, ..Self::default() }
    }

    pub(super) fn needed(&self) -> usize {
        if self.good.is_none() {
            return IN_A_ROW_AT_FIRST;
        }
        let least = IN_A_ROW << (2 * self.false_alarms.min(2));
        self.share.too_many_in_a_row(least.min(MOST_IN_A_ROW))
    }

    /// The outage of this stage is over, after this many failed probes.
    pub(super) fn recovers(&mut self, failed_probes: u32) {
        self.out_since = None;
        // They failed while another succeeded: from now on they are suspects.
        let failed = std::mem::take(&mut self.in_a_row);
        if failed_probes < FALSE_ALARM {
            self.false_alarms += 1;
            self.good_since_alarm = 0;
            for _ in failed.keys() {
                self.share.bad();
            }
        }
        self.suspects.extend(failed.into_keys());
    }

    /// Makes suspects of the installations whose failures a good answer explains.
    fn contrast(&mut self, good_sent: Instant, good_row: u32) {
        let found: Vec<u32> = self
            .in_a_row
            .iter()
            .filter(|(row, bad)| **row != good_row && is_contrast(good_sent, **bad))
            .map(|(row, _)| *row)
            .collect();
        for row in found {
            self.suspect(row);
        }
    }

    pub(super) fn suspect(&mut self, row: u32) {
        self.in_a_row.remove(&row);
        if self.suspects.insert(row) {
            self.share.bad();
        }
    }

    pub(super) fn good(&mut self, row: u32, sent: Instant) {
        let is_known = self.in_a_row.remove(&row).is_some() | self.suspects.remove(&row);
        if !is_known {
            self.share.good();
        }
        self.good_since_alarm += 1;
        if self.good_since_alarm >= FORGIVEN_AFTER {
            self.false_alarms = self.false_alarms.saturating_sub(1);
            self.good_since_alarm = 0;
        }
        self.good = Some(self.good.map_or(sent, |before| before.max(sent)));
        self.contrast(sent, row);
    }
}
