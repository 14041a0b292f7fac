//! Whose limit a refusal speaks of: that of one installation, or one of all. HighLevel documents its
//! limits for each location, and they may be global all the same. A pure judgement over answers and
//! times.
//!
//! - An installation that is refused again while others are served is refused alone.
//! - Several different installations refused in a row, and nothing served that was sent after the first
//!   of them had been heard, are a limit of all. If something is served before the time that they were
//!   asked to wait is over, they were not, and it takes more of them the next time.
//! - Refusals of different installations among others that are served slow all down. If their share is
//!   no smaller after that, the pace was not the cause.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// So many installations in a row are a limit of all, as long as that has never been wrong.
const IN_A_ROW: usize = 2;

/// The same after it has been wrong often.
const IN_A_ROW_AT_MOST: usize = 32;

/// Refusals of different installations count together when they are not further apart.
const TOGETHER: Duration = Duration::from_secs(10);

/// Answers from which the share of refusals is told.
const SAMPLE: usize = 12;

/// Answers that are remembered for that.
const REMEMBERED: usize = 48;

/// A wait that is asked for is given to all bit by bit, since it would cost much if it was meant for one
/// installation. One that is not longer than this is given at once, where that has been right.
const SHORT_WAIT: Duration = Duration::from_secs(2);

/// The first of those bits; each later one is twice as long.
const FIRST_BIT: Duration = Duration::from_millis(250);

/// What is served so soon after a refusal that came without a time shows that it was not meant for all.
const SOON: Duration = Duration::from_secs(1);

/// An installation by its row; `None` where the answer is not about one.
pub type Who = Option<u32>;

/// Whose affair a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Of the one that is refused: nobody else waits.
    Own,
    /// Not known: nobody else waits yet.
    Unknown,
    /// Of all: they go slower.
    Pace,
    /// Of all: they wait, so long at first where the server said how long.
    Everybody(Option<Duration>),
}

/// What the answers since a slowing down have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Nothing yet.
    Nothing,
    /// Refusals are fewer: the pace was the cause.
    ThePace,
    /// Refusals are as frequent as before: the pace was not the cause.
    NotThePace,
}

/// Remembers who was refused, and what was served.
#[derive(Debug)]
pub(super) struct Refusals {
    rows: HashMap<u32, RefusedRow>,
    /// The last answers that may tell of the pace, oldest first.
    lately: VecDeque<AnswerSeen>,
    in_a_row: Streak,
    needed: usize,
    trust: HoldTrust,
    served: Option<Served>,
    experiment: Option<Experiment>,
    /// The share of refusals that no pace lowers.
    usual_share: f64,
}

#[derive(Clone, Copy, Debug)]
struct RefusedRow {
    last: Instant,
    alone: Alone,
}

/// Whether a wait of all was needed the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HoldTrust {
    No,
    Yes,
}

/// Whether an installation was refused again while others were served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug)]
struct AnswerSeen {
    at: Instant,
    /// The installation that was refused.
    refused: Option<Who>,
}

/// The last request that was served, by the time at which it was sent.
#[derive(Clone, Copy, Debug)]
struct Served {
    who: Who,
    sent: Instant,
}

/// Installations that were refused, without anything served that was sent after that.
#[derive(Debug, Default)]
struct Streak {
    rows: Vec<Who>,
    /// When the first of them was heard of.
    since: Option<Instant>,
    /// Until when they were asked to wait, at the latest.
    until: Option<Instant>,
    /// Bits of that wait that were given to all.
    bits: u32,
}

/// A slowing down whose effect is being watched.
#[derive(Clone, Copy, Debug)]
struct Experiment {
    began: Instant,
    share_before: f64,
    answers: usize,
    refused: usize,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            lately: VecDeque::new(),
            in_a_row: Streak::default(),
            needed: IN_A_ROW,
            trust: HoldTrust::No,
            served: None,
            experiment: None,
            usual_share: 0.0,
        }
    }
}

impl Refusals {
    /// The request of an installation was refused, which was sent then. `asked` is the wait that the
    /// server asked for; `is_change` whether it was sent after the last slowing down.
    pub(super) fn refused(
        &mut self,
        who: Who,
        sent: Instant,
        asked: Option<Duration>,
        is_change: bool,
        now: Instant,
    ) -> (Whose, Shown) {
        if self.is_alone(who, now) {
            return (Whose::Own, Shown::Nothing);
        }
        self.in_a_row.add(who, asked, now);
        self.remember(AnswerSeen { at: now, refused: Some(who) });
        let shown = self.count(sent, 1);
        if self.in_a_row.rows.len() >= self.needed || who.is_none() {
            return (Whose::Everybody(self.next_wait(who, asked, is_change, now)), shown);
        }
        let whose = if is_change && self.experiment.is_none() && self.is_frequent(now) {
            Whose::Pace
        } else {
            Whose::Unknown
        };
        (whose, shown)
    }

    /// The request of an installation was served, which was sent then.
    pub(super) fn served(&mut self, who: Who, sent: Instant, now: Instant) -> Shown {
        if self.served.is_none_or(|served| sent > served.sent) {
            self.served = Some(Served { who, sent });
        }
        if let Some(since) = self.in_a_row.since
            && sent > since
        {
            let is_early = sent < self.in_a_row.until.unwrap_or(since + SOON);
            if is_early && self.in_a_row.bits > 0 {
                // All waited for what was not meant for all.
                self.doubt();
            }
            self.in_a_row = Streak::default();
        }
        self.remember(AnswerSeen { at: now, refused: None });
        self.count(sent, 0)
    }

    /// Whether anything was ever served.
    pub(super) fn has_served(&self) -> bool {
        self.served.is_some()
    }

    /// All go slower from now on, on account of refusals: the answers to come show whether that helps.
    pub(super) fn slowed(&mut self, now: Instant) {
        let share_before = self.share();
        self.experiment = Some(Experiment { began: now, share_before, answers: 0, refused: 0 });
    }

    /// Whether an installation is refused alone: again, and another was served in between.
    fn is_alone(&mut self, who: Who, now: Instant) -> bool {
        let Some(number) = who else { return false };
        let served = self.served;
        let row = self.rows.entry(number).or_insert(RefusedRow { last: now, alone: Alone::No });
        if row.last < now
            && served.is_some_and(|served| served.who != who && served.sent > row.last)
        {
            row.alone = Alone::Yes;
        }
        row.last = now;
        row.alone == Alone::Yes
    }

    fn remember(&mut self, outcome: AnswerSeen) {
        self.lately.push_back(outcome);
        if self.lately.len() > REMEMBERED {
            self.lately.pop_front();
        }
    }

    /// Whether different installations are refused more often than no pace could change.
    fn is_frequent(&self, now: Instant) -> bool {
        let is_together =
            |outcome: &&AnswerSeen| now.saturating_duration_since(outcome.at) < TOGETHER;
        let lately = self.lately.iter().filter(is_together).filter_map(|outcome| outcome.refused);
        let mut rows: Vec<Who> = lately.collect();
        rows.sort_unstable();
        rows.dedup();
        rows.len() >= 2 && self.share() > self.usual_share * 1.5 + self.margin()
    }

    /// What a usual share may be exceeded by through chance.
    fn margin(&self) -> f64 {
        if self.usual_share > 0.0 { 0.1 } else { 0.0 }
    }

    fn share(&self) -> f64 {
        let refused = self.lately.iter().filter(|outcome| outcome.refused.is_some()).count();
        refused as f64 / self.lately.len().max(1) as f64
    }

    /// Counts an answer to a request that was sent after the slowing down, and judges when there are
    /// enough. Were the pace the cause, as many would be served at half of it, so that their share
    /// would be twice as large.
    fn count(&mut self, sent: Instant, refused: usize) -> Shown {
        let Some(experiment) = &mut self.experiment else { return Shown::Nothing };
        if sent <= experiment.began {
            return Shown::Nothing;
        }
        experiment.answers += 1;
        experiment.refused += refused;
        if experiment.answers < SAMPLE {
            return Shown::Nothing;
        }
        let share = experiment.refused as f64 / experiment.answers as f64;
        let expected = (1.0 - 2.0 * (1.0 - experiment.share_before)).max(0.0);
        let is_as_before = share > f64::midpoint(expected, experiment.share_before);
        self.experiment = None;
        self.lately.clear();
        if is_as_before {
            self.usual_share = share;
            self.doubt();
            return Shown::NotThePace;
        }
        (self.usual_share, self.needed) = (0.0, IN_A_ROW);
        Shown::ThePace
    }

    /// It takes more of them the next time.
    fn doubt(&mut self) {
        self.needed = (self.needed * 2).min(IN_A_ROW_AT_MOST);
        self.trust = HoldTrust::No;
    }

    /// How long all wait now; `None` where the server did not say, and it is for us to choose. What
    /// repeats an answer that is known adds nothing.
    fn next_wait(
        &mut self,
        who: Who,
        asked: Option<Duration>,
        is_change: bool,
        now: Instant,
    ) -> Option<Duration> {
        let streak = &mut self.in_a_row;
        let until = streak.until;
        let left = until.map(|until| until.saturating_duration_since(now));
        if who.is_none() {
            return left.or(asked);
        }
        if is_change {
            streak.bits += 1;
            // They waited, and were refused again.
            if streak.bits > 1 {
                self.trust = HoldTrust::Yes;
            }
        }
        if self.trust == HoldTrust::Yes && left.is_none_or(|left| left <= SHORT_WAIT) {
            return left;
        }
        let bit = FIRST_BIT * 2_u32.pow(streak.bits.saturating_sub(1).min(10));
        Some(left.map_or(bit, |left| bit.min(left)))
    }
}

impl Streak {
    fn add(&mut self, who: Who, asked: Option<Duration>, now: Instant) {
        self.since.get_or_insert(now);
        let until = asked.map(|asked| now + asked);
        self.until = self.until.max(until);
        if !self.rows.contains(&who) {
            self.rows.push(who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// What happens: who is refused, with which wait, or served, one answer each 10 ms.
    #[derive(Clone, Copy)]
    enum Said {
        No(u32, Option<u64>),
        Yes(u32),
    }
    use Said::{No, Yes};

    fn outcome(answers: &[Said]) -> Vec<Whose> {
        let mut refusals = Refusals::default();
        let begin = Instant::now();
        let mut outcome = Vec::new();
        for (number, said) in (1..).zip(answers) {
            let now = begin + MS(number * 10);
            let sent = begin + MS(number * 10 - 2);
            match said {
                No(row, asked) => {
                    let asked = asked.map(MS);
                    outcome.push(refusals.refused(Some(*row), sent, asked, true, now).0);
                }
                Yes(row) => drop(refusals.served(Some(*row), sent, now)),
            }
        }
        outcome
    }

    #[test]
    fn whose_limit_it_is_follows_from_who_else_is_served() {
        use Whose::{Everybody, Own, Pace, Unknown};
        for (answers, expected) in [
            // One alone, however often.
            (
                &[Yes(1), No(2, Some(60_000)), Yes(3), No(2, Some(60_000)), Yes(4)][..],
                &[Unknown, Own][..],
            ),
            (&[No(2, None), No(2, None), No(2, None)], &[Unknown; 3]),
            // Two in a row: all wait, a bit at first, and as long as they were asked to when that was
            // right and is short.
            (
                &[Yes(1), No(2, Some(1000)), No(3, Some(1000)), No(4, Some(1000))],
                &[Unknown, Everybody(Some(MS(250))), Everybody(Some(MS(1000)))],
            ),
            (
                &[Yes(1), No(2, None), No(3, None), No(4, None)],
                &[Unknown, Everybody(Some(MS(250))), Everybody(None)],
            ),
            // A long wait is given bit by bit.
            (
                &[Yes(1), No(2, Some(60_000)), No(3, Some(60_000)), No(4, Some(60_000))],
                &[Unknown, Everybody(Some(MS(250))), Everybody(Some(MS(500)))],
            ),
            // Different ones among others that are served: all go slower.
            (&[No(2, None), Yes(1), Yes(1), No(3, None), Yes(1)], &[Unknown, Pace]),
            // The second refusal of one is its own when others were served since.
            (&[No(2, None), Yes(1), No(3, None), Yes(1), No(2, None)], &[Unknown, Pace, Own]),
        ] {
            assert_eq!(outcome(answers), expected);
        }
    }

    #[test]
    fn a_wait_of_all_that_was_not_meant_for_all_makes_the_next_one_harder() {
        let mut refusals = Refusals::default();
        let mut now = Instant::now();
        let mut next = || {
            now += MS(10);
            now
        };
        let mut needed = Vec::new();
        let mut row = 0;
        for _ in 0..4 {
            let mut in_a_row = 0;
            loop {
                (row, in_a_row) = (row + 1, in_a_row + 1);
                let at = next();
                let (whose, _) = refusals.refused(Some(row), at, Some(MS(60_000)), true, at);
                if matches!(whose, Whose::Everybody(_)) {
                    break;
                }
            }
            needed.push(in_a_row);
            let at = next();
            refusals.served(Some(row + 1000), at, at);
        }
        assert_eq!(needed, [2, 4, 8, 16]);
    }

    #[test]
    fn a_share_that_a_slower_pace_does_not_lower_is_not_the_paces() {
        // Of so many, one is refused, before and after the slowing down.
        for (before, after, shown) in
            [(3, 3, true), (3, 100, false), (2, 2, true), (4, 4, true), (20, 100, false)]
        {
            let mut refusals = Refusals::default();
            let mut now = Instant::now();
            let mut row = 0;
            let mut answer = |refusals: &mut Refusals, every: u32| {
                now += MS(10);
                row += 1;
                if row % every == 0 {
                    refusals.refused(Some(row), now, None, false, now).1
                } else {
                    refusals.served(Some(row), now, now)
                }
            };
            for _ in 0..48 {
                assert_eq!(answer(&mut refusals, before), Shown::Nothing);
            }
            let begin = Instant::now();
            refusals.slowed(begin);
            let shows = (0..SAMPLE).map(|_| answer(&mut refusals, after));
            let shows: Vec<Shown> = shows.collect();
            let is_shown = shows.contains(&Shown::NotThePace);
            assert_eq!(is_shown, shown, "one in {before}, then one in {after}");
        }
    }
}
