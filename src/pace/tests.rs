use std::{
    num::NonZeroU32,
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{
    limiter::Limiter,
    memory::Promise,
    memory_writer::SaveResult,
    queue::{Promised, QueueEnd},
    turn::Turn,
    *,
};
use crate::highlevel::{allowance::Allowance, client::MayLeave};

fn pacing(rate: &str) -> Pacing {
    Pacing {
        asked: rate.parse().unwrap(),
        max: Rate::Unlimited,
        burst: NonZeroU32::MIN,
        machines: NonZeroU32::MIN,
    }
}

#[tokio::test]
async fn a_waiting_exchange_goes_before_a_waiting_reconnect() {
    let (pacer, _ended) = Pacer::start(pacing("50/s"), None).unwrap();
    let go = |turn: Turn| assert_eq!(turn.leave(Instant::now()), MayLeave::Yes);
    let (first, _place) = pacer.turn_to_reconnect(QueueEnd::Back).await;
    go(first);
    let order = Mutex::new(Vec::new());
    let reconnect = || async {
        let (turn, reservation) = pacer.turn_to_reconnect(QueueEnd::Back).await;
        order.lock().unwrap().push(Lane::Reconnect);
        go(turn);
        reservation
    };
    let exchange = || async {
        go(pacer.turn(Lane::Exchange, QueueEnd::Back).await);
        order.lock().unwrap().push(Lane::Exchange);
    };
    let _places = futures::join!(reconnect(), reconnect(), exchange(), exchange());
    let order = order.into_inner().unwrap();
    assert_eq!(order[..2], [Lane::Exchange; 2], "{order:?}");
}

#[tokio::test]
async fn nothing_starts_during_a_hold() {
    let (pacer, _ended) = Pacer::start(pacing("unlimited"), None).unwrap();
    let start = Instant::now();
    let observe = |outcome| {
        let (who, lane, allowance) = (None, Lane::Exchange, Allowance::default());
        pacer.observe(&Answer { who, lane, sent: Instant::now(), outcome, allowance })
    };
    let ms = Duration::from_millis;
    observe(AnswerOutcome::Throttled(Some(ms(60))));
    observe(AnswerOutcome::Throttled(Some(ms(5))));
    observe(AnswerOutcome::Clean);
    pacer.turn(Lane::Exchange, QueueEnd::Back).await;
    assert!(start.elapsed() >= ms(60));
}

#[tokio::test]
async fn a_turn_that_is_given_back_is_free_again_and_an_open_one_delays_the_next() {
    let (pacer, _ended) = Pacer::start(pacing("1/h"), None).unwrap();
    for _ in 0..3 {
        drop(pacer.turn(Lane::Other, QueueEnd::Back).await);
        // The spacing was spent all the same, so that a burst is what the bound allows.
        pacer.queue_handle.lock().limiter = Limiter::new(pacing("1/h"), std::iter::empty());
    }
    let first = pacer.turn(Lane::Other, QueueEnd::Back).await;
    let second = pacer.turn(Lane::Other, QueueEnd::Back);
    let waited = tokio::time::timeout(Duration::from_millis(20), second).await;
    assert!(waited.is_err(), "the first may leave at any moment");
    assert_eq!(first.leave(Instant::now()), MayLeave::Yes);
}

#[tokio::test]
async fn nothing_leaves_after_the_promise() {
    let (pacer, _ended) = Pacer::start(pacing("unlimited"), None).unwrap();
    let turn = pacer.turn(Lane::Other, QueueEnd::Back).await;
    let now = Instant::now();
    pacer.queue_handle.lock().promised = Promised::Until(now);
    assert_eq!(turn.leave(now), MayLeave::No);
    let next = pacer.turn(Lane::Other, QueueEnd::Back);
    assert!(tokio::time::timeout(Duration::from_millis(20), next).await.is_err());
    let until = Instant::now() + Duration::from_mins(1);
    let promise = Some(Promise { until, at_most: 1 });
    pacer.queue_handle.change(|queue| queue.kept(SaveResult::Saved(promise)));
    assert_eq!(pacer.turn(Lane::Other, QueueEnd::Back).await.leave(now), MayLeave::Yes);
}

#[tokio::test]
async fn few_requests_are_made_ready_before_their_turns() {
    let (pacer, _ended) = Pacer::start(pacing("10/s"), None).unwrap();
    let ready = async |count: usize| {
        let mut all = Vec::new();
        let prepare = async {
            for _ in 0..count {
                all.push(pacer.preparation().await);
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(30), prepare).await;
        all.len()
    };
    assert_eq!(ready(50).await, 2, "nothing is known to take long");
    pacer.queue_handle.change(|queue| queue.limiter.record_preparation(Duration::from_secs(2)));
    assert!((28..=31).contains(&ready(50).await), "three seconds at ten a second");
}
