//! Whether a failure is the installation's own or an outage's. A pure decision over answers and times.
//!
//! An installation that failed, and after which another one succeeded at the same stage, is a suspect:
//! its failures are its own. Several failures in a row of installations that are not suspects are an
//! outage.

mod health;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use self::health::{FailedRequest, Health, is_contrast};
use crate::failure::{Class, Failure, Origin, Stage};

/// The gap after the first probe, which starts at once. Each later gap is longer by a seventh, so that
/// it is about an eighth of the time that the outage has lasted.
const FIRST_GAP: Duration = Duration::from_millis(100);

/// The longest gap between two probes.
const LONGEST_GAP: Duration = Duration::from_mins(1);

/// Unanswered probes after which the server does not exist, if nothing has ever answered.
const ABSENT_AFTER: u32 = 16;

/// Failed probes (more than a minute of them) of installations that were tried before. If no others
/// are left after that, the failures are their own.
const TRIED_PROBES: u32 = 34;

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// An outage has begun; the first probe starts at once.
    Began,
    /// The probe failed; the next one follows after this gap.
    Probed(Duration),
    /// The outage has exceeded `--max-outage`.
    TooLong,
    /// Nothing answers, and nothing ever has.
    NoServer,
    /// The outage is over, after this time.
    Ended(Duration),
}

/// Where the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Not known until others are answered.
    Undecided,
    /// The installation's own: it costs an attempt.
    Own,
    /// An outage's: it costs nothing.
    Outage,
}

/// An outage: the run pauses and probes.
#[derive(Clone, Debug)]
struct Outage {
    since: Instant,
    gap: Duration,
    next_probe: Instant,
    /// The row that probes.
    probe: Option<u32>,
    failed_probes: u32,
    /// Those of them that were tried before.
    tried_probes: u32,
}

/// Detects outages, stage by stage.
#[derive(Debug)]
pub struct Outages {
    most: Duration,
    /// When answers were known to be good before this execution.
    proven: Option<Instant>,
    stages: BTreeMap<Stage, Health>,
    outage: Option<Outage>,
}

/// Whether a failure is a sign of an outage.
pub fn is_sign(failure: &Failure) -> bool {
    matches!(failure.class, Class::Network | Class::ServerError | Class::OutcomeUnknown)
}

/// What an outage allows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// There is none: every installation may start.
    All,
    /// One may start, as its probe.
    Probe,
    /// None before this time.
    NoneBefore(Instant),
    /// None before the probe is answered.
    None,
}

impl Outages {
    /// An outage may last `most`. With `proven`, answers were good before this execution.
    pub fn new(most: Duration, proven: Option<Instant>) -> Self {
        Self { most, proven, stages: BTreeMap::new(), outage: None }
    }

    fn at(&mut self, stage: Stage) -> &mut Health {
        let good = self.proven;
        self.stages.entry(stage).or_insert_with(|| Health::after(good))
    }

    /// A request sent at this time got an answer that is no sign of an outage.
    pub fn good(&mut self, stage: Stage, row: u32, sent: Instant, now: Instant) -> Change {
        let failed_probes = self.outage.as_ref().map_or(0, |outage| outage.failed_probes);
        let health = self.at(stage);
        health.good(row, sent);
        if health.out_since.is_some_and(|since| sent >= since) {
            health.recovers(failed_probes);
        }
        self.end_if_over(now)
    }

    fn end_if_over(&mut self, now: Instant) -> Change {
        if self.stages.values().any(|health| health.out_since.is_some()) {
            return Change::None;
        }
        let ended = self.outage.take();
        ended.map_or(Change::None, |outage| {
            Change::Ended(now.saturating_duration_since(outage.since))
        })
    }

    /// A request sent at this time failed in a way that is a sign of an outage.
    pub fn bad(&mut self, failure: &Failure, row: u32, sent: Instant, now: Instant) -> Change {
        if self.is_server_absent(failure) {
            return Change::None;
        }
        let health = self.at(failure.stage);
        if health.suspects.contains(&row) {
            return Change::None;
        }
        let bad = FailedRequest { sent, at: now };
        let was_tried = health.in_a_row.insert(row, bad).is_some();
        if health.good.is_some_and(|good| health.out_since.is_none() && is_contrast(good, bad)) {
            health.suspect(row);
            return Change::None;
        }
        let is_out = health.out_since.is_none() && health.in_a_row.len() >= health.needed();
        if is_out {
            health.out_since = Some(now);
        }
        match &mut self.outage {
            Some(outage) if outage.probe == Some(row) => self.probe_failed(failure, was_tried, now),
            None if is_out => {
                self.outage = Some(Outage {
                    since: now,
                    gap: FIRST_GAP,
                    next_probe: now,
                    probe: None,
                    failed_probes: 0,
                    tried_probes: 0,
                });
                Change::Began
            }
            Some(_) | None => Change::None,
        }
    }

    /// Whether no connection can be made, and none ever could: the fault is no installation's, and no
    /// other one would succeed.
    pub fn is_server_absent(&self, failure: &Failure) -> bool {
        failure.origin == Origin::NeverLeft && self.outage.is_none() && !self.has_ever_answered()
    }

    fn has_ever_answered(&self) -> bool {
        self.proven.is_some() || self.stages.values().any(|health| health.good.is_some())
    }

    fn probe_failed(&mut self, failure: &Failure, was_tried: bool, now: Instant) -> Change {
        let never_answered = !self.has_ever_answered();
        let most = self.most;
        let Some(outage) = &mut self.outage else { return Change::None };
        outage.probe = None;
        outage.failed_probes += 1;
        outage.tried_probes += u32::from(was_tried);
        let end = outage.since + most;
        if now >= end {
            return Change::TooLong;
        }
        if never_answered && failure.class == Class::Network && outage.failed_probes >= ABSENT_AFTER
        {
            return Change::NoServer;
        }
        let gap = outage.gap;
        outage.next_probe = (now + gap).min(end);
        outage.gap = (gap * 8 / 7).min(LONGEST_GAP);
        Change::Probed(outage.next_probe - now)
    }

    /// An installation gives its slot back. If it was a probe without a result, the next one probes at
    /// once.
    pub fn leave(&mut self, row: u32, now: Instant) {
        if let Some(outage) = &mut self.outage
            && outage.probe == Some(row)
        {
            (outage.probe, outage.next_probe) = (None, now);
        }
    }

    /// Who may start now.
    pub fn admission(&self, now: Instant) -> Admission {
        match &self.outage {
            None => Admission::All,
            Some(Outage { probe: Some(_), .. }) => Admission::None,
            Some(outage) if outage.next_probe <= now => Admission::Probe,
            Some(outage) => Admission::NoneBefore(outage.next_probe),
        }
    }

    /// An installation starts as the probe.
    pub fn probe(&mut self, row: u32) {
        if let Some(outage) = &mut self.outage {
            outage.probe = Some(row);
        }
    }

    /// Whether only installations are left that have probed many times.
    pub fn is_of_the_last(&self) -> bool {
        self.outage.as_ref().is_some_and(|outage| outage.tried_probes >= TRIED_PROBES)
    }

    /// No installation is left that could prove an outage: the failures so far are the installations'
    /// own.
    pub fn none_left(&mut self, now: Instant) -> Change {
        for health in self.stages.values_mut() {
            let failed = std::mem::take(&mut health.in_a_row);
            if health.out_since.take().is_some() {
                health.suspects.extend(failed.into_keys());
            }
        }
        self.end_if_over(now)
    }

    /// Whether failures are undecided.
    pub fn has_undecided(&self) -> bool {
        self.outage.is_none() && self.stages.values().any(|health| !health.in_a_row.is_empty())
    }

    /// Where the fault of an installation's last failure at a stage lies.
    pub fn blame(&mut self, stage: Stage, row: u32) -> Blame {
        let is_on = self.outage.is_some();
        let health = self.at(stage);
        match health.in_a_row.contains_key(&row) {
            false => Blame::Own,
            // An outage rarely affects one stage only: the exchange of a code in hand fails too.
            true if is_on => Blame::Outage,
            true => Blame::Undecided,
        }
    }

    /// Whether an installation has failed while others succeeded.
    pub fn is_suspect(&self, row: u32) -> bool {
        self.stages.values().any(|health| health.suspects.contains(&row))
    }

    /// Whether a stage has had an answer that is no sign of an outage.
    pub fn has_been_good(&mut self, stage: Stage) -> bool {
        self.at(stage).good.is_some()
    }

    /// When the present outage exceeds `--max-outage`.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.outage.as_ref().map(|outage| outage.since + self.most)
    }

    /// An installation is done.
    pub fn forget(&mut self, row: u32) {
        for health in self.stages.values_mut() {
            health.suspects.remove(&row);
        }
    }
}
