//! Holds that follow each other, as one line with their count.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    clock,
    event::Held,
    plan::{countdown, counted},
};

/// A hold that begins within this time after another one is of the same stretch.
const SAME_STRETCH: Duration = Duration::from_secs(30);

/// Holds that follow each other.
#[derive(Debug, Default)]
pub(super) struct Holds(Option<Stretch>);

#[derive(Debug)]
struct Stretch {
    since: Timestamp,
    until: Timestamp,
    holds: u32,
    interval_ms: u32,
}

impl Holds {
    /// Takes a hold into account; the lines for the person: the end of the stretch before, and the
    /// beginning of a new one.
    pub(super) fn add(&mut self, held: &Held) -> Vec<String> {
        let until = after(held.at, Duration::from_millis(held.hold_ms.into()));
        if let Some(stretch) = &mut self.0
            && held.at <= after(stretch.until, SAME_STRETCH)
        {
            stretch.holds += 1;
            stretch.until = stretch.until.max(until);
            stretch.interval_ms = held.interval_ms;
            return Vec::new();
        }
        let ended = self.end();
        let interval_ms = held.interval_ms;
        self.0 = Some(Stretch { since: held.at, until, holds: 1, interval_ms });
        let begun = format!(
            "{} HighLevel answers \"too many requests\": nothing starts until {}{}",
            clock::stamp(held.at),
            clock::stamp(until),
            pace(interval_ms)
        );
        ended.into_iter().chain([begun]).collect()
    }

    /// The line for a stretch that is over by now, where it had several holds.
    pub(super) fn end_by(&mut self, now: Timestamp) -> Option<String> {
        let stretch = self.0.as_ref()?;
        if now <= after(stretch.until, SAME_STRETCH) {
            return None;
        }
        self.end()
    }

    /// Ends the stretch; its line, where it had several holds.
    pub(super) fn end(&mut self) -> Option<String> {
        let Stretch { since, until, holds, interval_ms } = self.0.take()?;
        let lasted = Duration::try_from(until.duration_since(since)).unwrap_or_default();
        (holds > 1).then(|| {
            format!(
                "{} HighLevel answered \"too many requests\": {} in {}{}",
                clock::stamp(until),
                counted(holds, "hold"),
                countdown(lasted),
                pace(interval_ms)
            )
        })
    }
}

fn pace(interval_ms: u32) -> String {
    match interval_ms {
        0 => String::new(),
        ms => format!(", then {:.1} requests a second", 1000.0 / f64::from(ms)),
    }
}

fn after(time: Timestamp, wait: Duration) -> Timestamp {
    time.checked_add(wait).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn the_holds_of_a_stretch_are_two_lines_however_many_there_are() {
        let hold = |second, interval_ms| Held { at: at(second), hold_ms: 5000, interval_ms };
        let mut holds = Holds::default();
        assert_eq!(
            holds.add(&hold(0, 200)),
            ["2027-01-15T08:00:00.000Z HighLevel answers \"too many requests\": nothing starts \
                 until 2027-01-15T08:00:05.000Z, then 5.0 requests a second"]
        );
        assert_eq!(holds.add(&hold(6, 250)), [""; 0]);
        assert_eq!(holds.add(&hold(20, 400)), [""; 0]);
        assert_eq!(holds.end_by(at(55)), None);
        assert_eq!(
            holds.end_by(at(56)).unwrap(),
            "2027-01-15T08:00:25.000Z HighLevel answered \"too many requests\": 3 holds in 25 s, \
             then 2.5 requests a second"
        );
        assert_eq!(holds.end_by(at(57)), None);
    }

    #[test]
    fn a_single_hold_has_one_line_and_a_later_one_is_another_stretch() {
        let hold = |second| Held { at: at(second), hold_ms: 1000, interval_ms: 0 };
        let mut holds = Holds::default();
        assert_eq!(holds.add(&hold(0)).len(), 1);
        assert_eq!(holds.end_by(at(100)), None);
        assert_eq!(holds.add(&hold(200)).len(), 1);
        assert_eq!(holds.add(&hold(210)).len(), 0);
        assert_eq!(holds.add(&hold(400)).len(), 2, "the end of one and the beginning of another");
        assert_eq!(holds.end(), None);
    }
}
