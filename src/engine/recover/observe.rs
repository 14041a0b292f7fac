//! What answers, and their absence, mean for all: pace, outages, the server's clock, the daily limit.

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;

use super::recovery::{AttemptError, Recovery};
use crate::{
    clock::{self, Moment},
    engine::outage::{self, Change},
    event::{Call, Continued, DayTooShort, Event, Held, Paused, Probed, ServerClock},
    failure::{Class, Failure, Origin, Stage},
    highlevel::{allowance::Allowance, answer, client::Unanswered, reply::Reply, token_shape},
    journal::writer::StorageError,
    pace::{Answer, AnswerOutcome, Lane, day::Day},
    text::SafeText,
};

/// Requests for one installation when all goes well.
const CALLS_EACH: u64 = 2;

impl Recovery<'_> {
    pub(crate) async fn failed(&mut self, failure: Failure, call: Call) -> AttemptError {
        self.trace_ids.extend(failure.trace_id.clone());
        let failure = Self::without_secrets(failure);
        match self.watch_outage(&failure).await {
            Ok(()) => AttemptError::Failed(failure, Some(call)),
            Err(lost) => lost.into(),
        }
    }

    /// Counts a failure as a sign of an outage, if it is one.
    async fn watch_outage(&self, failure: &Failure) -> Result<(), StorageError> {
        if !outage::is_sign(failure) {
            return self.went_well(failure.stage).await;
        }
        match self.tools.dispatcher.bad(failure, self.row) {
            Change::Began => {
                let (at, failure) = (clock::now(), failure.clone());
                let paused = Paused { at, failure, gives_up_at: self.gives_up_at() };
                self.tools.recorder.record(Event::Paused(paused)).await
            }
            Change::Probed(gap) => {
                let (row, at, failure) = (self.row, clock::now(), failure.clone());
                let next_ms = clock::millis(gap);
                let probed = Probed { row, at, failure, next_ms, gives_up_at: self.gives_up_at() };
                self.tools.recorder.record(Event::Probed(probed)).await
            }
            Change::TooLong => {
                let why = format!("no good answer for longer than --max-outage allows; {failure}");
                self.tools.halt(failure.class, &why, None).await
            }
            Change::NoServer => self.tools.halt(failure.class, &failure.to_string(), None).await,
            Change::None | Change::Ended(_) => Ok(()),
        }
    }

    fn gives_up_at(&self) -> Timestamp {
        let left = self
            .tools
            .dispatcher
            .gives_up_at()
            .map(|at| at.saturating_duration_since(std::time::Instant::now()));
        let now = clock::now();
        now.checked_add(left.unwrap_or_default()).map_or(now, clock::to_millisecond)
    }

    /// An answer came that is no sign of an outage.
    pub(crate) async fn went_well(&self, stage: Stage) -> Result<(), StorageError> {
        match self.tools.dispatcher.good(stage, self.row) {
            Change::Ended(paused) => self.tools.recorder.record(continued(paused)).await,
            _ => Ok(()),
        }
    }

    /// Lets an answer change the pace, whatever its status.
    pub(crate) async fn observe(&mut self, lane: Lane, reply: &Reply) -> Result<(), StorageError> {
        let outcome = match reply.status {
            429 => AnswerOutcome::Throttled(answer::asked_wait(reply)),
            500..600 => AnswerOutcome::Failing,
            _ => AnswerOutcome::Clean,
        };
        if let Some(offset_ms) = self.tools.server_clock.change(reply) {
            let clock = ServerClock { at: reply.received.day(), offset_ms };
            self.tools.recorder.record(Event::ServerClock(clock)).await?;
        }
        let (who, sent, allowance) = (Some(self.row), reply.sent.instant(), reply.allowance);
        let effect = self.tools.pacer.observe(&Answer { who, lane, sent, outcome, allowance });
        self.is_repeated_429 = effect.is_repeated_429;
        if let Some(hold) = effect.hold {
            let held = Held {
                at: clock::now(),
                hold_ms: clock::millis(hold.time),
                interval_ms: clock::millis(hold.interval),
            };
            self.tools.recorder.record(Event::Held(held)).await?;
        }
        if self.tools.pacer.throttled_for() > self.tools.max_outage {
            self.halt_for_the_pace("HighLevel has answered nothing but \"too many requests\" for longer than --max-outage allows").await?;
        }
        match effect.day {
            Some(day) => self.observe_day(lane, day).await,
            None => Ok(()),
        }
    }

    /// The same for a token check, whose limits concern no other installation: HighLevel counts each
    /// location and company apart (100 requests in 10 seconds).
    pub(crate) fn observe_token_check(&self, reply: &Reply) {
        let outcome =
            if reply.status >= 500 { AnswerOutcome::Failing } else { AnswerOutcome::Aside };
        let (lane, sent, allowance) = (Lane::Other, reply.sent.instant(), Allowance::default());
        self.tools.pacer.observe(&Answer { who: Some(self.row), lane, sent, outcome, allowance });
    }

    /// Lets the absence of an answer change the pace.
    pub(crate) fn observe_no_answer(&self, lane: Lane, sent: &Moment) {
        let (who, sent, allowance) = (Some(self.row), sent.instant(), Allowance::default());
        self.tools.pacer.observe(&Answer {
            who,
            lane,
            sent,
            outcome: AnswerOutcome::Failing,
            allowance,
        });
    }

    /// Halts the run when the daily limit leaves no more than the codes in hand need; `resume` continues
    /// it on another day. Records early when the limit will not suffice.
    async fn observe_day(&self, lane: Lane, day: Day) -> Result<(), StorageError> {
        let Day { left, resets_at } = day;
        let codes = u64::from(self.tools.pacer.codes_to_come());
        let done = u64::from(lane == Lane::Exchange);
        let without_code = u64::from(self.tools.gauge.open()).saturating_sub(codes + done);
        // Each of the others may have a request in flight that this answer does not count yet, and may
        // begin another installation before it sees a newer count.
        let in_flight = u64::from(self.tools.gauge.in_flight());
        let on_their_way = in_flight.saturating_sub(1);
        if without_code > 0 && left < codes + on_their_way + in_flight * CALLS_EACH {
            return self.halt_for_the_pace(&come_back(resets_at)).await;
        }
        let needed = codes + without_code * CALLS_EACH;
        if left < needed && !self.tools.day_is_recorded.swap(true, Ordering::Relaxed) {
            let short = DayTooShort { at: clock::now(), left, needed, resets_at };
            self.tools.recorder.record(Event::DayTooShort(short)).await?;
        }
        Ok(())
    }

    async fn halt_for_the_pace(&self, why: &str) -> Result<(), StorageError> {
        self.tools.halt(Class::RateLimited, why, None).await
    }

    /// Cuts tokens out of a message, in case the server repeats some.
    fn without_secrets(failure: Failure) -> Failure {
        let message = token_shape::cut_out_tokens(failure.message.as_str());
        Failure { message: SafeText::new(&message), ..failure }
    }
}

fn come_back(resets_at: Option<Timestamp>) -> String {
    let when =
        resets_at.map_or_else(|| "tomorrow".to_owned(), |at| format!("after {}", clock::stamp(at)));
    format!(
        "the day's allowance of requests, as HighLevel counts it, is used up but for those on their \
         way; resume {when}"
    )
}

/// The failure of a request without an answer. A lost reconnect wastes a code at worst; a lost
/// exchange may have granted tokens that nobody holds.
pub(crate) fn no_answer(stage: Stage, unanswered: Unanswered) -> Failure {
    let origin = match &unanswered {
        Unanswered::NeverLeft(_) => Origin::NeverLeft,
        _ => Origin::default(),
    };
    let (class, message) = match (unanswered, stage) {
        (Unanswered::TooLarge(status), _) => {
            let message = "the answer is larger than any real one; it was not read to the end";
            let failure = Failure::without_answer(stage, Class::BadAnswer, message);
            return Failure { http_status: Some(status), ..failure };
        }
        (Unanswered::InDoubt(why), stage) if stage.grants_tokens() => (Class::OutcomeUnknown, why),
        (Unanswered::InDoubt(why) | Unanswered::NeverLeft(why), _) => (Class::Network, why),
        (Unanswered::HeldBack, _) => (
            Class::Network,
            "the program was stopped for a while before the request could leave".to_owned(),
        ),
    };
    Failure { origin, ..Failure::without_answer(stage, class, &message) }
}

/// The event that an outage's pause is over, after this time.
pub(crate) fn continued(paused: Duration) -> Event {
    Event::Continued(Continued { at: clock::now(), paused_ms: clock::millis(paused) })
}

pub(crate) fn call_of(reply: &Reply) -> Call {
    Call {
        at: reply.sent.day(),
        ms: clock::millis(reply.sent.elapsed_at(&reply.received)),
        http_status: Some(reply.status),
        trace_id: reply.trace_id(),
    }
}

pub(crate) fn call_without_answer(sent: &Moment) -> Call {
    let ms = clock::millis(sent.elapsed_at(&Moment::now()));
    Call { at: sent.day(), ms, http_status: None, trace_id: None }
}
