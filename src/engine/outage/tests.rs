use super::*;

const MOST: Duration = Duration::from_mins(10);

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
fn five_in_a_row_are_an_outage_and_three_before_the_first_good_answer() {
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
fn an_installation_that_fails_while_others_succeed_is_a_suspect() {
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
fn an_answer_to_an_earlier_request_does_not_explain_a_later_failure() {
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
fn a_request_that_hangs_while_later_ones_are_answered_makes_a_suspect_at_once() {
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
        assert_eq!(story.outages.admission(story.at(story.ms)), Admission::Probe);
        story.outages.probe(row);
        assert_eq!(story.outages.admission(story.at(story.ms)), Admission::None);
        assert_eq!(story.bad(7), Change::None, "it was sent before the outage was known");
        let Change::Probed(gap) = story.bad(row) else { panic!("the outage goes on") };
        let next = story.at(story.ms) + gap;
        assert_eq!(story.outages.admission(story.at(story.ms)), Admission::NoneBefore(next));
        story.ms += u64::try_from(gap.as_millis()).unwrap() + 1;
        gaps.push(gap.as_secs_f64());
    }
    let gaps: Vec<_> = gaps.iter().map(|gap| format!("{gap:.1}")).collect();
    assert_eq!(gaps[..6], ["0.1", "0.1", "0.1", "0.1", "0.2", "0.2"]);
    assert_eq!(gaps[20..], ["1.4", "1.7", "1.9", "2.2", "2.5"]);
    assert!(matches!(story.good(125), Change::Ended(_)));
    assert_eq!(story.outages.admission(story.at(story.ms)), Admission::All);
    assert!(
        [1, 5, 7].iter().all(|row| story.outages.is_suspect(*row)),
        "they failed while it did well"
    );
}

#[test]
fn the_last_probe_reports_an_outage_that_lasts_too_long() {
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
fn neighbours_that_fail_raise_a_few_false_alarms_only() {
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
fn a_probe_without_a_result_passes_the_role_on_at_once() {
    let mut story = Story::new(true);
    for row in 1..=5 {
        story.bad(row);
    }
    story.outages.probe(9);
    let now = story.at(story.ms);
    story.outages.leave(9, now);
    assert_eq!(story.outages.admission(now), Admission::Probe);
}

#[test]
fn a_server_that_never_answers_is_absent() {
    let now = Instant::now();
    let network = failure(Class::Network);
    let mut outages = Outages::new(MOST, None);
    for row in 1..=3 {
        outages.bad(&network, row, now, now);
    }
    let last = (10..100).find(|row| {
        outages.probe(*row);
        outages.bad(&network, *row, now, now) == Change::NoServer
    });
    assert_eq!(last, Some(25));
    let unreachable = Failure { origin: Origin::NeverLeft, ..network };
    let mut outages = Outages::new(MOST, None);
    assert!(outages.is_server_absent(&unreachable));
    assert_eq!(outages.bad(&unreachable, 1, now, now), Change::None);
    assert_eq!(outages.blame(Stage::Reconnect, 1), Blame::Own);
    outages.good(Stage::Refresh, 2, now, now);
    assert!(!outages.is_server_absent(&unreachable));
}

#[test]
fn the_last_ones_of_a_list_probe_for_a_while_and_then_fail_on_their_own() {
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
fn a_failure_at_another_stage_is_part_of_the_outage() {
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
fn failures_that_no_answer_can_explain_are_the_installations_own() {
    let mut story = Story::new(true);
    story.bad(1);
    assert!(story.outages.has_undecided());
    assert_eq!(story.outages.none_left(story.at(100)), Change::None);
    assert_eq!(story.blame(1), Blame::Own);
    for row in 1..=5 {
        story.bad(row);
    }
    assert!(matches!(story.outages.none_left(story.at(200)), Change::Ended(_)));
}
