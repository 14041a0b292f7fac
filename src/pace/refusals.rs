//! Whether a refusal (429) is one installation's limit or one of all. HighLevel documents its limits for
//! each location, but they may be global all the same. A pure decision over answers and times.
//!
//! - An installation that is refused again while others are served is refused alone.
//! - Several different installations refused in a row are a limit of all, if nothing sent after the
//!   first refusal is served. If something is served before their wait is over, they were not, and it
//!   takes more of them the next time.
//! - Refusals of different installations among others that are served slow all down. If their share is
//!   no smaller after that, the rate was not the cause.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// Refused installations in a row that are a limit of all, until that proves wrong.
const IN_A_ROW: usize = 2;

/// The same after it has been wrong often.
const IN_A_ROW_AT_MOST: usize = 32;

/// Refusals of different installations this close together count together.
const TOGETHER: Duration = Duration::from_secs(10);

/// Answers from which the share of refusals is computed.
const SAMPLE: usize = 12;

/// Answers that are remembered for that.
const REMEMBERED: usize = 48;

/// All wait step by step for what the server asked of one installation, since the whole wait would cost
/// much if it was meant for that one. A wait up to this long is taken at once, once that was right.
const SHORT_WAIT: Duration = Duration::from_secs(2);

/// The first of those steps; each later one is twice as long.
const FIRST_BIT: Duration = Duration::from_millis(250);

/// An answer this soon after a refusal without a wait shows that it was not meant for all.
const SOON: Duration = Duration::from_secs(1);

/// An installation by its row; `None` where the answer is not about one.
pub type Who = Option<u32>;

/// Whom a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The installation alone: no other waits.
    Own,
    /// Not known yet: no other waits.
    Unknown,
    /// All: they slow down.
    Pace,
    /// All: they wait, this long at first if the server said how long.
    Everybody(Option<Duration>),
}

/// What the answers since a slowdown have shown.
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
    /// The last answers, oldest first.
    recent: VecDeque<AnswerSeen>,
    in_a_row: Streak,
    needed: usize,
    trust: HoldTrust,
    served: Option<Served>,
    experiment: Option<Experiment>,
    /// The share of refusals that no slowdown lowers.
    usual_share: f64,
}

#[derive(Clone, Copy, Debug)]
struct RefusedRow {
    last: Instant,
    alone: Alone,
}

/// Whether the last wait of all was needed.
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

/// Installations refused in a row, with nothing served that was sent after the first refusal.
#[derive(Debug, Default)]
struct Streak {
    rows: Vec<Who>,
    /// When the first refusal came.
    since: Option<Instant>,
    /// Until when they were asked to wait, at the latest.
    until: Option<Instant>,
    /// Steps of that wait that all have taken.
    bits: u32,
}

/// A slowdown whose effect is being measured.
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
            recent: VecDeque::new(),
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
    /// A request sent at this time was refused. `asked` is the wait that the server asked for;
    /// `is_change` whether the request was sent after the last slowdown.
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

    /// A request sent at this time was served.
    pub(super) fn served(&mut self, who: Who, sent: Instant, now: Instant) -> Shown {
        if self.served.is_none_or(|served| sent > served.sent) {
            self.served = Some(Served { who, sent });
        }
        if let Some(since) = self.in_a_row.since
            && sent > since
        {
            let is_early = sent < self.in_a_row.until.unwrap_or(since + SOON);
            if is_early && self.in_a_row.bits > 0 {
                // All have waited for a limit that was one installation's.
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

    /// All slow down from now on: the answers to come show whether that helps.
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
        self.recent.push_back(outcome);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }

    /// Whether different installations are refused more often than the usual share.
    fn is_frequent(&self, now: Instant) -> bool {
        let is_together =
            |outcome: &&AnswerSeen| now.saturating_duration_since(outcome.at) < TOGETHER;
        let recent = self.recent.iter().filter(is_together).filter_map(|outcome| outcome.refused);
        let mut rows: Vec<Who> = recent.collect();
        rows.sort_unstable();
        rows.dedup();
        rows.len() >= 2 && self.share() > self.usual_share * 1.5 + self.margin()
    }

    /// How far chance may exceed the usual share.
    fn margin(&self) -> f64 {
        if self.usual_share > 0.0 { 0.1 } else { 0.0 }
    }

    fn share(&self) -> f64 {
        let refused = self.recent.iter().filter(|outcome| outcome.refused.is_some()).count();
        refused as f64 / self.recent.len().max(1) as f64
    }

    /// Counts an answer to a request sent after the slowdown, and judges once there are enough. If the
    /// rate was the cause, as many are served at half the rate, so that their share is twice as large.
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
        self.recent.clear();
        if is_as_before {
            self.usual_share = share;
            self.doubt();
            return Shown::NotThePace;
        }
        (self.usual_share, self.needed) = (0.0, IN_A_ROW);
        Shown::ThePace
    }

    /// More refusals in a row are needed the next time.
    fn doubt(&mut self) {
        self.needed = (self.needed * 2).min(IN_A_ROW_AT_MOST);
        self.trust = HoldTrust::No;
    }

    /// How long all wait now; `None` if the server did not say, and the limiter chooses. A refusal from
    /// before the last slowdown adds nothing.
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
            // They have waited, and were refused again.
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
    enum Response {
        No(u32, Option<u64>),
        Yes(u32),
    }
    use Response::{No, Yes};

    fn outcome(answers: &[Response]) -> Vec<Whose> {
        let mut refusals = Refusals::default();
        let begin = Instant::now();
        let mut outcome = Vec::new();
        for (number, response) in (1..).zip(answers) {
            let now = begin + MS(number * 10);
            let sent = begin + MS(number * 10 - 2);
            match response {
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
    fn after_a_needless_wait_of_all_the_next_one_takes_more_refusals() {
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
    fn a_share_of_refusals_that_a_slowdown_does_not_lower_has_another_cause() {
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
