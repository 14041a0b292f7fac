//! Whose failure it is: the installation's own, or that of an outage. A pure judgement over answers
//! and times.
//!
//! An installation that failed, and after which another one did well at the same stage, is suspect:
//! what happens to it is its own affair. Several in a row that are not suspect are an outage.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use super::share::Share;
use crate::failure::{Class, Failure, Origin, Stage};

/// So many installations in a row without one good answer are an outage.
const IN_A_ROW: usize = 5;

/// The same where no answer has been good yet.
const IN_A_ROW_AT_FIRST: usize = 3;

/// The gap after the first probe, which goes at once. Each later one is longer by a seventh, so that a
/// gap is about an eighth of the time that the outage has lasted.
const FIRST_GAP: Duration = Duration::from_millis(100);

/// The longest gap between two probes.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// After so many probes that nobody has answered, where nobody ever has, nobody is there.
const NOBODY_AFTER: u32 = 16;

/// After so many failed probes of installations that had been tried (more than a minute of them), when
/// no others are left, they are taken to be the ones that fail.
const TRIED_PROBES: u32 = 34;

/// An outage that ends with one of so many probes was none: neighbours in the list have failed.
const FALSE_ALARM: u32 = 8;

/// However many false alarms there were, so many installations in a row are an outage.
const MOST_IN_A_ROW: usize = 40;

/// After so many good answers a false alarm is forgotten.
const FORGIVEN_AFTER: u32 = 50;

/// A request that waits for its answer so long, while a later one has been answered, is alone in it.
const OVERTAKEN_BY: Duration = Duration::from_millis(250);

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing for the others.
    None,
    /// An outage is on from now on; the first probe goes at once.
    Began,
    /// The probe failed; the next one is this far away.
    Probed(Duration),
    /// The outage has lasted longer than it may.
    TooLong,
    /// Nobody answers, and nobody ever has.
    Nobody,
    /// The outage is over, after this time.
    Ended(Duration),
}

/// Whose a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Not known before others have been answered.
    Undecided,
    /// The installation's own: it costs an attempt.
    Own,
    /// An outage's: it costs nothing.
    Outage,
}

/// Whether the answer to a request proves that what failed was no outage: it was sent after the
/// failure, or while the failed request had been waiting for some time.
fn is_contrast(good_sent: Instant, bad: Bad) -> bool {
    good_sent >= bad.at.min(bad.sent + OVERTAKEN_BY)
}

/// A failed request.
#[derive(Clone, Copy, Debug)]
struct Bad {
    sent: Instant,
    at: Instant,
}

/// What is known of one stage.
#[derive(Debug, Default)]
struct Health {
    /// When the last request was sent that was answered well.
    good: Option<Instant>,
    /// Installations that failed since, and are not suspect.
    in_a_row: BTreeMap<u32, Bad>,
    suspects: HashSet<u32>,
    share: Share,
    /// How often the count in a row was made four times as long, since what seemed an outage was
    /// none.
    false_alarms: u32,
    good_since_alarm: u32,
    /// An outage that concerns this stage has been on since.
    out_since: Option<Instant>,
}

impl Health {
    fn needed(&self) -> usize {
        if self.good.is_none() {
            return IN_A_ROW_AT_FIRST;
        }
        let least = IN_A_ROW << (2 * self.false_alarms.min(2));
        self.share.too_many_in_a_row(least.min(MOST_IN_A_ROW))
    }

    /// What seemed an outage of this stage is over, after so many failed probes.
    fn recovers(&mut self, failed_probes: u32) {
        self.out_since = None;
        // They failed while others did well: from now on they are on their own.
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

    /// Makes suspects of those that failed before a request was sent that was answered well.
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

    fn suspect(&mut self, row: u32) {
        self.in_a_row.remove(&row);
        if self.suspects.insert(row) {
            self.share.bad();
        }
    }

    fn good(&mut self, row: u32, sent: Instant) {
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

/// Whether and since when the run pauses.
#[derive(Clone, Debug)]
struct Outage {
    since: Instant,
    gap: Duration,
    next_probe: Instant,
    /// The installation that probes.
    probe: Option<u32>,
    failed_probes: u32,
    /// Those among them that had been tried before.
    tried_probes: u32,
}

/// Watches every stage for outages.
#[derive(Debug)]
pub struct Outages {
    most: Duration,
    /// When answers were known to be good before this execution.
    proven: Option<Instant>,
    stages: BTreeMap<Stage, Health>,
    outage: Option<Outage>,
}

/// Whether outages are made of such failures.
pub fn is_sign(failure: &Failure) -> bool {
    matches!(failure.class, Class::Network | Class::ServerError | Class::OutcomeUnknown)
}

/// What an outage allows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// There is none: everybody may go.
    All,
    /// One may go, as its probe.
    Probe,
    /// Nobody before this time.
    NoneBefore(Instant),
    /// Nobody before the probe has been answered.
    None,
}

impl Outages {
    /// Watches; an outage may last so long. With `proven`, answers have been good before.
    pub fn new(most: Duration, proven: Option<Instant>) -> Self {
        Self { most, proven, stages: BTreeMap::new(), outage: None }
    }

    fn at(&mut self, stage: Stage) -> &mut Health {
        let good = self.proven;
        self.stages.entry(stage).or_insert_with(|| Health { good, ..Health::default() })
    }

    /// An answer came that is no sign of an outage, to a request that was sent then.
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

    /// An installation met a failure that outages are made of, in a request that was sent then.
    pub fn bad(&mut self, failure: &Failure, row: u32, sent: Instant, now: Instant) -> Change {
        if self.is_nobody(failure) {
            return Change::None;
        }
        let health = self.at(failure.stage);
        if health.suspects.contains(&row) {
            return Change::None;
        }
        let bad = Bad { sent, at: now };
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

    /// Whether there is no way to the server, and never was one: no installation is to blame, and
    /// no other one would fare better.
    pub fn is_nobody(&self, failure: &Failure) -> bool {
        failure.origin == Origin::Nobody && self.outage.is_none() && !self.has_anybody_answered()
    }

    fn has_anybody_answered(&self) -> bool {
        self.proven.is_some() || self.stages.values().any(|health| health.good.is_some())
    }

    fn probe_failed(&mut self, failure: &Failure, was_tried: bool, now: Instant) -> Change {
        let nobody_ever = !self.has_anybody_answered();
        let most = self.most;
        let Some(outage) = &mut self.outage else { return Change::None };
        outage.probe = None;
        outage.failed_probes += 1;
        outage.tried_probes += u32::from(was_tried);
        let end = outage.since + most;
        if now >= end {
            return Change::TooLong;
        }
        if nobody_ever && failure.class == Class::Network && outage.failed_probes >= NOBODY_AFTER {
            return Change::Nobody;
        }
        let gap = outage.gap;
        outage.next_probe = (now + gap).min(end);
        outage.gap = (gap * 8 / 7).min(LONGEST_GAP);
        Change::Probed(outage.next_probe - now)
    }

    /// An installation gives its place back. A probe that has told nothing of the outage leaves the
    /// role to the next one at once: it made its way without meeting it.
    pub fn leave(&mut self, row: u32, now: Instant) {
        if let Some(outage) = &mut self.outage
            && outage.probe == Some(row)
        {
            (outage.probe, outage.next_probe) = (None, now);
        }
    }

    /// What may go now.
    pub fn leave_to_go(&self, now: Instant) -> Leave {
        match &self.outage {
            None => Leave::All,
            Some(Outage { probe: Some(_), .. }) => Leave::None,
            Some(outage) if outage.next_probe <= now => Leave::Probe,
            Some(outage) => Leave::NoneBefore(outage.next_probe),
        }
    }

    /// An installation goes as the probe.
    pub fn probe(&mut self, row: u32) {
        if let Some(outage) = &mut self.outage {
            outage.probe = Some(row);
        }
    }

    /// Whether only those are left that have probed again and again.
    pub fn is_of_the_last(&self) -> bool {
        self.outage.as_ref().is_some_and(|outage| outage.tried_probes >= TRIED_PROBES)
    }

    /// Nobody is left that could show whether there is an outage: those who failed are on their own.
    pub fn nobody_left(&mut self, now: Instant) -> Change {
        for health in self.stages.values_mut() {
            let failed = std::mem::take(&mut health.in_a_row);
            if health.out_since.take().is_some() {
                health.suspects.extend(failed.into_keys());
            }
        }
        self.end_if_over(now)
    }

    /// Whether some have failed of which nobody knows yet whose fault it is.
    pub fn has_undecided(&self) -> bool {
        self.outage.is_none() && self.stages.values().any(|health| !health.in_a_row.is_empty())
    }

    /// Whose the last failure of an installation at a stage was.
    pub fn blame(&mut self, stage: Stage, row: u32) -> Blame {
        let is_on = self.outage.is_some();
        let health = self.at(stage);
        match health.in_a_row.contains_key(&row) {
            false => Blame::Own,
            // An outage rarely keeps to one stage: a code that was in hand when it began fails, too.
            true if is_on => Blame::Outage,
            true => Blame::Undecided,
        }
    }

    /// Whether an installation has failed while others did well.
    pub fn is_suspect(&self, row: u32) -> bool {
        self.stages.values().any(|health| health.suspects.contains(&row))
    }

    /// Whether an answer has come at a stage that is no sign of an outage.
    pub fn has_been_good(&mut self, stage: Stage) -> bool {
        self.at(stage).good.is_some()
    }

    /// When the outage that is on is given up.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.outage.as_ref().map(|outage| outage.since + self.most)
    }

    /// An installation is done with.
    pub fn forget(&mut self, row: u32) {
        for health in self.stages.values_mut() {
            health.suspects.remove(&row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(600);

    fn failure(class: Class) -> Failure {
        Failure::without_answer(Stage::Reconnect, class, "")
    }

    /// Outages with a clock of their own, in milliseconds.
    struct Story {
        outages: Outages,
        begin: Instant,
        ms: u64,
    }

    impl Story {
        fn new(proven: bool) -> Self {
            let begin = Instant::now();
            let outages = Outages::new(MOST, proven.then_some(begin));
            Self { outages, begin, ms: 0 }
        }

        fn at(&self, ms: u64) -> Instant {
            self.begin + Duration::from_millis(ms)
        }

        /// A request that takes 10 ms and fails.
        fn bad(&mut self, row: u32) -> Change {
            self.bad_since(row, self.ms)
        }

        fn bad_since(&mut self, row: u32, sent: u64) -> Change {
            self.ms += 10;
            let (sent, now) = (self.at(sent), self.at(self.ms));
            self.outages.bad(&failure(Class::ServerError), row, sent, now)
        }

        /// A request that takes 10 ms and is answered well.
        fn good(&mut self, row: u32) -> Change {
            let sent = self.at(self.ms);
            self.ms += 10;
            self.outages.good(Stage::Reconnect, row, sent, self.at(self.ms))
        }

        fn blame(&mut self, row: u32) -> Blame {
            self.outages.blame(Stage::Reconnect, row)
        }
    }

    #[test]
    fn five_in_a_row_are_an_outage_and_three_where_nothing_has_been_good() {
        for (proven, enough) in [(true, 5), (false, 3)] {
            let mut story = Story::new(proven);
            for row in 1..enough {
                assert_eq!(story.bad(row), Change::None);
                assert_eq!(story.bad(row), Change::None, "one installation counts once");
                assert_eq!(story.blame(row), Blame::Undecided);
            }
            assert_eq!(story.bad(enough), Change::Began);
            assert!((1..=enough).all(|row| story.blame(row) == Blame::Outage));
        }
    }

    #[test]
    fn who_fails_while_others_do_well_is_suspect_and_no_sign_any_more() {
        let mut story = Story::new(true);
        for row in 1..100 {
            assert_eq!(story.bad(row), Change::None);
            story.good(1000 + row);
            assert_eq!(story.blame(row), Blame::Own);
        }
        for row in 1..100 {
            assert_eq!(story.bad(row), Change::None, "known to fail");
            assert_eq!(story.blame(row), Blame::Own);
        }
        story.good(1);
        assert!(!story.outages.is_suspect(1), "it has done well itself");
    }

    #[test]
    fn an_answer_to_an_earlier_request_tells_nothing_of_a_later_failure() {
        let mut story = Story::new(true);
        story.ms = 5000;
        story.bad(1);
        let (sent, now) = (story.at(4000), story.at(6000));
        story.outages.good(Stage::Reconnect, 2, sent, now);
        assert_eq!(story.blame(1), Blame::Undecided, "the server may have gone in between");
        story.good(3);
        assert_eq!(story.blame(1), Blame::Own);
    }

    #[test]
    fn who_hangs_while_later_requests_are_answered_is_suspect_at_once() {
        let mut story = Story::new(true);
        story.ms = 5000;
        story.good(2);
        story.ms = 30_000;
        for row in 10..20 {
            assert_eq!(story.bad_since(row, 100), Change::None);
            assert_eq!(story.blame(row), Blame::Own);
        }
    }

    #[test]
    fn one_probe_at_a_time_at_growing_gaps_up_to_a_bound() {
        let mut story = Story::new(true);
        for row in 1..=5 {
            story.bad(row);
        }
        let mut gaps = Vec::new();
        for row in 100..125 {
            assert_eq!(story.outages.leave_to_go(story.at(story.ms)), Leave::Probe);
            story.outages.probe(row);
            assert_eq!(story.outages.leave_to_go(story.at(story.ms)), Leave::None);
            assert_eq!(story.bad(7), Change::None, "it was sent before the outage was known");
            let Change::Probed(gap) = story.bad(row) else { panic!("the outage goes on") };
            let next = story.at(story.ms) + gap;
            assert_eq!(story.outages.leave_to_go(story.at(story.ms)), Leave::NoneBefore(next));
            story.ms += u64::try_from(gap.as_millis()).unwrap() + 1;
            gaps.push(gap.as_secs_f64());
        }
        let gaps: Vec<_> = gaps.iter().map(|gap| format!("{gap:.1}")).collect();
        assert_eq!(gaps[..6], ["0.1", "0.1", "0.1", "0.1", "0.2", "0.2"]);
        assert_eq!(gaps[20..], ["1.4", "1.7", "1.9", "2.2", "2.5"]);
        assert!(matches!(story.good(125), Change::Ended(_)));
        assert_eq!(story.outages.leave_to_go(story.at(story.ms)), Leave::All);
        assert!(
            [1, 5, 7].iter().all(|row| story.outages.is_suspect(*row)),
            "they failed while it did well"
        );
    }

    #[test]
    fn an_outage_that_lasts_too_long_is_told_by_a_probe_at_its_end() {
        let mut story = Story::new(true);
        for row in 1..=5 {
            story.bad(row);
        }
        let end = story.outages.gives_up_at().unwrap();
        for row in 10..1000 {
            story.outages.probe(row);
            match story.bad(row) {
                Change::Probed(gap) => story.ms += u64::try_from(gap.as_millis()).unwrap() + 1,
                Change::TooLong => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(story.at(story.ms) <= end + Duration::from_millis(11));
    }

    #[test]
    fn a_block_of_neighbours_that_fail_seems_an_outage_a_few_times_only() {
        let mut story = Story::new(true);
        for row in 1..=40 {
            story.good(1000 + row);
        }
        let mut alarms = 0;
        for row in 1..=200 {
            if story.bad(row) == Change::Began {
                alarms += 1;
                story.outages.probe(500 + row);
                assert!(matches!(story.good(500 + row), Change::Ended(_)));
            }
        }
        assert!((3..=8).contains(&alarms), "{alarms}");
        for row in 2000..2600 {
            story.good(row);
        }
        let again = (3000..3100).find(|row| story.bad(*row) == Change::Began);
        assert_eq!(again, Some(3004), "it is forgotten");
    }

    #[test]
    fn a_probe_that_tells_nothing_leaves_the_role_to_the_next_at_once() {
        let mut story = Story::new(true);
        for row in 1..=5 {
            story.bad(row);
        }
        story.outages.probe(9);
        let now = story.at(story.ms);
        story.outages.leave(9, now);
        assert_eq!(story.outages.leave_to_go(now), Leave::Probe);
    }

    #[test]
    fn where_nobody_ever_answers_nobody_is_there() {
        let now = Instant::now();
        let network = failure(Class::Network);
        let mut outages = Outages::new(MOST, None);
        for row in 1..=3 {
            outages.bad(&network, row, now, now);
        }
        let last = (10..100).find(|row| {
            outages.probe(*row);
            outages.bad(&network, *row, now, now) == Change::Nobody
        });
        assert_eq!(last, Some(25));
        let unreachable = Failure { origin: Origin::Nobody, ..network };
        let mut outages = Outages::new(MOST, None);
        assert!(outages.is_nobody(&unreachable));
        assert_eq!(outages.bad(&unreachable, 1, now, now), Change::None);
        assert_eq!(outages.blame(Stage::Reconnect, 1), Blame::Own);
        outages.good(Stage::Refresh, 2, now, now);
        assert!(!outages.is_nobody(&unreachable));
    }

    #[test]
    fn the_last_ones_of_a_list_probe_some_times_and_are_on_their_own_then() {
        for proven in [true, false] {
            let mut story = Story::new(proven);
            for row in 1..=5 {
                story.bad(row);
            }
            for n in 0..34 {
                assert!(!story.outages.is_of_the_last(), "{n}");
                let row = 1 + n % 5;
                story.outages.probe(row);
                assert!(matches!(story.bad(row), Change::Probed(_)));
            }
            assert!(story.outages.is_of_the_last());
        }
    }

    #[test]
    fn a_failure_at_another_stage_is_the_outages_too() {
        let mut story = Story::new(true);
        let at_exchange = Failure { stage: Stage::Exchange, ..failure(Class::ServerError) };
        story.ms = 500;
        let now = story.at(story.ms);
        story.outages.bad(&at_exchange, 9, now, now);
        assert_eq!(story.outages.blame(Stage::Exchange, 9), Blame::Undecided);
        for row in 1..=5 {
            story.bad(row);
        }
        assert_eq!(story.outages.blame(Stage::Exchange, 9), Blame::Outage);
    }

    #[test]
    fn those_who_are_left_alone_are_on_their_own() {
        let mut story = Story::new(true);
        story.bad(1);
        assert!(story.outages.has_undecided());
        assert_eq!(story.outages.nobody_left(story.at(100)), Change::None);
        assert_eq!(story.blame(1), Blame::Own);
        for row in 1..=5 {
            story.bad(row);
        }
        assert!(matches!(story.outages.nobody_left(story.at(200)), Change::Ended(_)));
    }
}
