use std::num::NonZeroU32;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

fn limiter(rate: &str, burst: u32) -> Limiter {
    let (asked, burst) = (rate.parse().unwrap(), NonZeroU32::new(burst).unwrap());
    let machines = NonZeroU32::MIN;
    Limiter::new(Pacing { asked, max: Rate::Unlimited, burst, machines }, std::iter::empty())
}

fn answer(lane: Lane, sent: Instant, outcome: AnswerOutcome) -> Answer {
    Answer { who: None, lane, sent, outcome, allowance: Allowance::default() }
}

/// Whether a request leaves as soon as it asks.
fn started(limiter: &mut Limiter, lane: Lane, now: Instant) -> bool {
    limiter.try_start(lane, now).map(|turn| limiter.leave(turn, now)).is_ok()
}

/// Codes that may be asked for in one go.
fn codes_at_once(limiter: &mut Limiter, now: Instant) -> usize {
    (0..100).take_while(|_| started(limiter, Lane::Reconnect, now)).count()
}

#[test]
fn of_a_burst_half_is_kept_for_the_exchanges() {
    let (mut limiter, now) = (limiter("10/10s", 10), Instant::now());
    assert_eq!(codes_at_once(&mut limiter, now), 5);
    let exchanges = (0..9).take_while(|_| started(&mut limiter, Lane::Exchange, now));
    assert_eq!(exchanges.count(), 5);
}

#[test]
fn a_reservation_is_free_again_when_its_code_is_presented() {
    let (mut limiter, now) = (limiter("10/10s", 10), Instant::now());
    while started(&mut limiter, Lane::Reconnect, now) {}
    assert!(
        limiter.try_start(Lane::Reconnect, now + MS(5000)).is_err(),
        "time alone is not enough"
    );
    for _ in 0..5 {
        assert!(started(&mut limiter, Lane::Exchange, now));
        limiter.release_reservation();
    }
    let later = now + MS(10_200);
    assert_eq!(limiter.wait_for_reservation(Lane::Reconnect, later), Duration::ZERO);
}

#[test]
fn codes_in_flight_are_as_many_as_can_be_presented_in_time() {
    let now = Instant::now();
    let allowed = |life: Option<u64>, takes: u64| {
        let mut limiter = limiter("40/s", 1);
        limiter.codes.reconnect_takes = MS(takes);
        limiter.codes.life = life.map(MS);
        (1..1000).find(|codes| {
            limiter.codes.to_come = *codes;
            !limiter.wait_for_reservation(Lane::Reconnect, now).is_zero()
        })
    };
    // 25.25 ms apart: a second has 39 of them.
    for (life, takes, codes) in [
        (None, 30, 39),
        (Some(60_000), 30, 39),
        (Some(2000), 30, 19),
        (Some(60_000), 4000, 237),
        (Some(40), 30, 2),
    ] {
        assert_eq!(allowed(life, takes), Some(codes), "life {life:?}, answers take {takes} ms");
    }
}

#[test]
fn a_slow_rate_allows_one_code() {
    for rate in ["1/s", "1/10s", "2/h", "100/10s"] {
        let mut limiter = limiter(rate, 1);
        assert!(started(&mut limiter, Lane::Reconnect, Instant::now()), "{rate}");
    }
}

#[test]
fn what_the_server_has_left_is_kept_for_codes_in_hand() {
    let (mut limiter, now) = (limiter("unlimited", 1), Instant::now());
    let reported = |remaining| Allowance {
        remaining: Some(remaining),
        resets_in: Some(MS(5000)),
        ..Allowance::default()
    };
    let observe = |limiter: &mut Limiter, remaining| {
        let clean = answer(Lane::Reconnect, now, AnswerOutcome::Clean);
        limiter.observe(&Answer { allowance: reported(remaining), ..clean }, now);
    };
    limiter.codes.to_come = 1;
    observe(&mut limiter, 3);
    let mut starts = |lane, ms| started(&mut limiter, lane, now + MS(ms));
    assert!(starts(Lane::Reconnect, 1), "two are left for two");
    assert!(!starts(Lane::Reconnect, 1));
    assert!(starts(Lane::Exchange, 1));
    assert!(starts(Lane::Exchange, 1));
    assert!(!starts(Lane::Exchange, 1), "nothing is left");
    assert!(starts(Lane::Exchange, 5001), "until it begins anew");
}

#[test]
fn a_hold_that_other_answers_repeat_is_reported_once() {
    let (mut limiter, now) = (limiter("10/s", 1), Instant::now());
    let throttled = answer(Lane::Exchange, now, AnswerOutcome::Throttled(Some(MS(3000))));
    assert_eq!(limiter.observe(&throttled, now).hold.map(|hold| hold.time), Some(MS(3000)));
    assert_eq!(
        limiter.observe(&throttled, now + MS(20)),
        PaceChange { hold: None, is_repeated_429: true, day: None }
    );
    assert_eq!(limiter.held(now + MS(20)), MS(3000));
    limiter.observe(&answer(Lane::Exchange, now + MS(20), AnswerOutcome::Clean), now + MS(30));
    assert!(limiter.try_start(Lane::Exchange, now + MS(2900)).is_err(), "no success ends a hold");
}

#[test]
fn only_a_rate_to_be_found_slows_down_for_slow_answers_and_failures() {
    let now = Instant::now();
    for (rate, slows) in [("auto", true), ("10/s", false)] {
        let mut limiter = limiter(rate, 1);
        let before = limiter.interval();
        limiter.observe(&answer(Lane::Exchange, now, AnswerOutcome::Failing), now);
        assert_eq!(limiter.interval() > before, slows, "{rate}");
    }
}

#[test]
fn one_of_several_machines_takes_its_share_of_what_the_server_grants() {
    let now = Instant::now();
    for (machines, interval, day) in [(1, 101, 8000), (4, 404, 2000)] {
        let machines = NonZeroU32::new(machines).unwrap();
        let pacing = Pacing {
            asked: "50/s".parse().unwrap(),
            max: Rate::Unlimited,
            burst: NonZeroU32::MIN,
            machines,
        };
        let mut limiter = Limiter::new(pacing, std::iter::empty());
        let allowance = Allowance {
            limit: Some((10, MS(1000))),
            daily_remaining: Some(8000),
            ..Allowance::default()
        };
        let told = |who| Answer {
            who: Some(who),
            allowance,
            ..answer(Lane::Other, now, AnswerOutcome::Clean)
        };
        limiter.observe(&told(1), now);
        let change = limiter.observe(&told(2), now);
        assert_eq!(limiter.interval().as_millis(), interval);
        assert_eq!(change.day.map(|day| day.left), Some(day));
        assert_eq!(limiter.day().map(|day| day.left), Some(8000), "what is kept is as reported");
    }
}

#[test]
fn a_late_answer_gives_back_nothing_of_the_day() {
    let (mut limiter, now) = (limiter("50/s", 1), Instant::now());
    for (who, sent, left) in [(1, 0, 30), (2, 1, 29), (3, 20, 20), (4, 19, 21), (5, 2, 28)] {
        let allowance = Allowance { daily_remaining: Some(left), ..Allowance::default() };
        let sent = now + MS(sent);
        let answer = answer(Lane::Other, sent, AnswerOutcome::Clean);
        limiter.observe(&Answer { who: Some(who), allowance, ..answer }, now + MS(30));
    }
    assert_eq!(limiter.day().map(|day| day.left), Some(20));
}

#[test]
fn several_machines_begin_an_adaptive_rate_together() {
    let pacing = |machines| Pacing {
        asked: AskedRate::Auto,
        max: "50/s".parse().unwrap(),
        burst: NonZeroU32::MIN,
        machines: NonZeroU32::new(machines).unwrap(),
    };
    let interval = |machines| Limiter::new(pacing(machines), std::iter::empty()).interval();
    assert_eq!([1, 5].map(interval), [MS(100), MS(500)]);
}
