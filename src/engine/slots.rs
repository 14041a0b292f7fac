//! Who starts next: a pure decision over the installations in flight, waiting and untried.
//!
//! An installation that waits (for its backoff, for the end of an outage, for an agency) holds no slot.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::{
    canary::Canary,
    outage::{Admission, Outages},
};
use crate::failure::Stage;

/// After this many untried installations, one that was tried gets a slot, unless the tried ones have
/// held slots for more than half the time of the untried. So installations that fail repeatedly slow
/// the others down by a bounded share, however long they take to fail.
const UNTRIED_IN_A_ROW: u32 = 3;

/// The most installations that wait at once; more would only take memory.
const MOST_WAITING: usize = 10_000;

/// A request is overdue when this many later ones were answered.
const OVERTAKEN: u32 = 4;

/// How much later a request must be sent to count as later.
const LATER: Duration = Duration::from_secs(1);

/// For each slot, this many requests may be overdue without holding one.
const OVERDUE_EACH: usize = 4;

/// How urgent another attempt is. Urgent ones take turns with untried installations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It can wait.
    None,
    /// Its refresh token can be repeated for a few seconds only.
    Urgent,
}

/// Which untried installations are available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untried {
    /// The next one of the list.
    pub next: bool,
    /// One from anywhere in the list.
    pub elsewhere: bool,
    /// More may come.
    pub more: bool,
}

/// Who starts next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// The next untried one of the list.
    Next,
    /// An untried one from anywhere in the list.
    Elsewhere,
    /// One that has been tried.
    Again(u32),
    /// None, until something changes, or until this time.
    Wait(Option<Instant>),
    /// None, and none is left whose answer could decide the failures so far.
    NoneLeft,
}

#[derive(Debug)]
struct HeldSlot {
    since: Instant,
    was_tried: bool,
    request: Option<Request>,
    is_overdue: bool,
}

#[derive(Debug)]
struct Request {
    stage: Stage,
    sent: Instant,
    overtaken: u32,
}

/// The slots of a batch, and the queues for them.
#[derive(Debug)]
pub struct Slots {
    concurrency: usize,
    held: HashMap<u32, HeldSlot>,
    overdue: usize,
    urgent: VecDeque<u32>,
    again: VecDeque<u32>,
    untried_in_a_row: u32,
    /// Installations that have held a slot before.
    tried: HashSet<u32>,
    /// How long untried installations have held slots, and how long tried ones.
    untried_time: Duration,
    tried_time: Duration,
}

impl Slots {
    /// This many installations may be in flight.
    pub fn new(concurrency: usize) -> Self {
        Self {
            concurrency,
            held: HashMap::new(),
            overdue: 0,
            urgent: VecDeque::new(),
            again: VecDeque::new(),
            untried_in_a_row: 0,
            tried: HashSet::new(),
            untried_time: Duration::ZERO,
            tried_time: Duration::ZERO,
        }
    }

    /// A slot is taken.
    pub fn take(&mut self, row: u32, now: Instant) {
        let was_tried = !self.tried.insert(row);
        let held = HeldSlot { since: now, was_tried, request: None, is_overdue: false };
        self.held.entry(row).or_insert(held);
    }

    /// A slot is given back.
    pub fn give_back(&mut self, row: u32, now: Instant) {
        let Some(held) = self.held.remove(&row) else { return };
        self.overdue -= usize::from(held.is_overdue);
        let time = now.saturating_duration_since(held.since);
        if held.was_tried {
            self.tried_time = self.tried_time.saturating_add(time);
        } else {
            self.untried_time = self.untried_time.saturating_add(time);
        }
    }

    /// An installation is done.
    pub fn forget(&mut self, row: u32) {
        self.tried.remove(&row);
    }

    /// How many slots are taken.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// An installation that was tried wants a slot again.
    pub fn wait(&mut self, row: u32, urgency: Urgency) {
        match urgency {
            Urgency::Urgent => self.urgent.push_back(row),
            Urgency::None => self.again.push_back(row),
        }
    }

    /// An installation wants no slot any more.
    pub fn leave(&mut self, row: u32) {
        self.urgent.retain(|waiting| *waiting != row);
        self.again.retain(|waiting| *waiting != row);
    }

    /// An installation sends a request of this stage, or none (`None`).
    pub fn sends(&mut self, row: u32, stage: Option<Stage>, now: Instant) {
        if let Some(held) = self.held.get_mut(&row) {
            held.request = stage.map(|stage| Request { stage, sent: now, overtaken: 0 });
        }
    }

    /// A request sent at this time got a good answer. Requests that are overdue by comparison give up
    /// their slots and continue.
    pub fn answered(&mut self, stage: Stage, sent: Instant) {
        let most = self.concurrency * OVERDUE_EACH;
        for held in self.held.values_mut().filter(|held| !held.is_overdue) {
            let Some(request) = &mut held.request else { continue };
            if request.stage == stage && sent >= request.sent + LATER {
                request.overtaken += 1;
                if request.overtaken >= OVERTAKEN && self.overdue < most {
                    held.is_overdue = true;
                    self.overdue += 1;
                }
            }
        }
    }

    /// Who starts next. `waiting` counts the installations that have begun and hold no slot.
    pub fn draw(
        &mut self,
        outages: &Outages,
        canary: &Canary,
        waiting: usize,
        untried: Untried,
        now: Instant,
    ) -> Draw {
        let draw = match outages.admission(now) {
            Admission::None => Draw::Wait(None),
            Admission::NoneBefore(at) => Draw::Wait(Some(at)),
            Admission::Probe => self.draw_probe(outages, untried),
            Admission::All if self.none_can_decide(outages, waiting, untried) => Draw::NoneLeft,
            Admission::All if !canary.may_begin(self.held.len()) => Draw::Wait(None),
            Admission::All if self.held.len() - self.overdue >= self.concurrency => {
                Draw::Wait(None)
            }
            Admission::All => self.draw_any(waiting, untried),
        };
        match draw {
            Draw::Next | Draw::Elsewhere => self.untried_in_a_row += 1,
            Draw::Again(row) => {
                self.leave(row);
                self.untried_in_a_row = 0;
            }
            Draw::Wait(_) | Draw::NoneLeft => {}
        }
        draw
    }

    /// A probe is an untried installation from anywhere in the list: neighbours often fail together.
    fn draw_probe(&self, outages: &Outages, untried: Untried) -> Draw {
        let mut tried = self.urgent.iter().chain(&self.again);
        if untried.elsewhere {
            Draw::Elsewhere
        } else if untried.next {
            Draw::Next
        } else if let Some(row) = tried.find(|row| !outages.is_suspect(**row))
            && !outages.is_of_the_last()
        {
            Draw::Again(*row)
        } else if untried.more || !self.held.is_empty() {
            Draw::Wait(None)
        } else {
            Draw::NoneLeft
        }
    }

    /// Whether failures are undecided and no answer can decide them any more: no untried installation is
    /// left, and all in flight are suspects.
    fn none_can_decide(&self, outages: &Outages, waiting: usize, untried: Untried) -> bool {
        outages.has_undecided()
            && (waiting >= MOST_WAITING || untried == Untried::default())
            && self.held.keys().all(|row| outages.is_suspect(*row))
    }

    fn is_turn_of_the_tried(&self) -> bool {
        self.untried_in_a_row >= UNTRIED_IN_A_ROW && self.tried_time <= self.untried_time / 2
    }

    fn draw_any(&self, waiting: usize, untried: Untried) -> Draw {
        let has_room = waiting < MOST_WAITING;
        let has_untried = has_room && (untried.next || (untried.elsewhere && !untried.more));
        if let Some(row) = self.urgent.front()
            && (!has_untried || self.untried_in_a_row > 0)
        {
            return Draw::Again(*row);
        }
        if let Some(row) = self.again.front()
            && (!has_untried || self.is_turn_of_the_tried())
        {
            return Draw::Again(*row);
        }
        if has_untried {
            if untried.next { Draw::Next } else { Draw::Elsewhere }
        } else {
            Draw::Wait(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Untried = Untried { next: true, elsewhere: true, more: true };
    const NONE: Untried = Untried { next: false, elsewhere: false, more: false };

    fn quiet() -> Outages {
        Outages::new(Duration::from_mins(10), Some(Instant::now()))
    }

    fn draw(slots: &mut Slots, untried: Untried) -> Draw {
        slots.draw(&quiet(), &Canary::proven(), 0, untried, Instant::now())
    }

    #[test]
    fn untried_ones_go_first_and_tried_ones_get_every_fourth_turn() {
        let mut slots = Slots::new(100);
        (1..=9).for_each(|row| slots.wait(row, Urgency::None));
        let drawn: Vec<_> = (0..8).map(|_| draw(&mut slots, ALL)).collect();
        let [next, again] = [Draw::Next, Draw::Again(1)];
        assert_eq!(drawn[..4], [next, next, next, again]);
        assert_eq!(drawn[7], Draw::Again(2));
        slots.wait(20, Urgency::Urgent);
        assert_eq!(draw(&mut slots, ALL), Draw::Next);
        assert_eq!(draw(&mut slots, ALL), Draw::Again(20), "what it has in hand is dying");
        let rest: Vec<_> = (0..3).map(|_| draw(&mut slots, NONE)).collect();
        assert_eq!(rest, [3, 4, 5].map(Draw::Again));
    }

    #[test]
    fn those_that_take_long_to_fail_again_take_no_more_than_their_share() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut slots = Slots::new(1);
        slots.take(9, at(0));
        slots.give_back(9, at(100));
        slots.take(9, at(100));
        slots.give_back(9, at(2100));
        slots.wait(9, Urgency::None);
        let drawn: Vec<_> = (0..8).map(|_| draw(&mut slots, ALL)).collect();
        assert_eq!(drawn, [Draw::Next; 8], "it has held the slot for two seconds");
        slots.take(1, at(2100));
        slots.give_back(1, at(6100));
        assert_eq!(draw(&mut slots, ALL), Draw::Again(9));
    }

    #[test]
    fn the_sample_is_kept_for_probes_until_the_list_ends() {
        let mut slots = Slots::new(100);
        let waiting = Untried { next: false, ..ALL };
        assert_eq!(draw(&mut slots, waiting), Draw::Wait(None));
        assert_eq!(draw(&mut slots, Untried { more: false, ..waiting }), Draw::Elsewhere);
    }

    #[test]
    fn no_more_are_in_flight_than_may_be_and_one_as_long_as_nothing_is_proven() {
        for (canary, most) in [(Canary::proven(), 3), (Canary::default(), 1)] {
            let mut slots = Slots::new(3);
            for row in 1..=most {
                assert_eq!(slots.draw(&quiet(), &canary, 0, ALL, Instant::now()), Draw::Next);
                slots.take(row, Instant::now());
            }
            let full = slots.draw(&quiet(), &canary, 0, ALL, Instant::now());
            assert_eq!(full, Draw::Wait(None));
            slots.give_back(1, Instant::now());
            assert_eq!(slots.draw(&quiet(), &canary, 0, ALL, Instant::now()), Draw::Next);
        }
    }

    #[test]
    fn an_overdue_request_gives_up_its_slot() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut slots = Slots::new(1);
        slots.take(1, Instant::now());
        slots.sends(1, Some(Stage::Reconnect), at(0));
        for (stage, sent) in [(Stage::Exchange, 2000), (Stage::Reconnect, 900)] {
            (0..9).for_each(|_| slots.answered(stage, at(sent)));
        }
        assert_eq!(draw(&mut slots, ALL), Draw::Wait(None));
        (0..4).for_each(|_| slots.answered(Stage::Reconnect, at(1000)));
        assert_eq!(draw(&mut slots, ALL), Draw::Next);
        slots.take(2, Instant::now());
        assert_eq!(draw(&mut slots, ALL), Draw::Wait(None));
        slots.give_back(1, Instant::now());
        assert_eq!(draw(&mut slots, ALL), Draw::Wait(None), "it had given its slot up before");
        slots.give_back(2, Instant::now());
        assert_eq!(draw(&mut slots, ALL), Draw::Next);
    }

    #[test]
    fn failures_are_decided_when_only_suspects_are_in_flight() {
        let now = Instant::now();
        let failure = crate::failure::Failure::without_answer(
            Stage::Reconnect,
            crate::failure::Class::ServerError,
            "",
        );
        let mut outages = quiet();
        outages.bad(&failure, 9, now, now);
        outages.good(Stage::Reconnect, 1, now + LATER, now + LATER);
        outages.bad(&failure, 5, now + LATER * 2, now + LATER * 2);
        let mut slots = Slots::new(16);
        slots.take(9, Instant::now());
        let draw =
            |slots: &mut Slots, untried| slots.draw(&outages, &Canary::proven(), 1, untried, now);
        assert_eq!(draw(&mut slots, ALL), Draw::Next);
        assert_eq!(draw(&mut slots, NONE), Draw::NoneLeft, "the one in flight is suspect");
        slots.take(2, Instant::now());
        assert_eq!(draw(&mut slots, NONE), Draw::Wait(None), "this one could tell");
    }

    #[test]
    fn no_untried_installation_begins_while_too_many_wait() {
        let mut slots = Slots::new(1);
        let full = slots.draw(&quiet(), &Canary::proven(), MOST_WAITING, ALL, Instant::now());
        assert_eq!(full, Draw::Wait(None));
    }

    #[test]
    fn a_probe_is_untried_and_from_elsewhere_else_not_suspect_else_there_is_no_outage() {
        let now = Instant::now();
        let mut outages = quiet();
        let failure = crate::failure::Failure::without_answer(
            Stage::Reconnect,
            crate::failure::Class::ServerError,
            "",
        );
        outages.bad(&failure, 9, now, now);
        outages.good(Stage::Reconnect, 1, now + LATER, now + LATER);
        let now = now + LATER * 2;
        for row in 1..=5 {
            outages.bad(&failure, row, now, now);
        }
        let mut slots = Slots::new(16);
        slots.wait(9, Urgency::None);
        slots.wait(3, Urgency::None);
        let mut probe = |untried| slots.draw(&outages, &Canary::proven(), 0, untried, now);
        assert_eq!(probe(ALL), Draw::Elsewhere);
        assert_eq!(probe(Untried { elsewhere: false, ..ALL }), Draw::Next);
        assert_eq!(probe(NONE), Draw::Again(3));
        assert_eq!(probe(NONE), Draw::NoneLeft, "the one that is left is suspect");
    }
}
