//! One installation, start to end: ask for a code, present it at once, bring the tokens to disk.

pub mod decide;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use self::decide::{Ground, Next};
use crate::{
    clock::{self, Moment},
    event::{
        Call, Continued, DayTooShort, Event, Exchanging, Failed, Halted, Held, Paused, Recovered,
        Retrying, ServerClock,
    },
    gauge::Gauge,
    highlevel::{
        allowance::Allowance,
        answer,
        client::{Client, Presentation, Reply, Unanswered},
        failure::{Class, Failure, Stage},
        grant::{self, CodeLife, Grant},
        server_clock::OffsetWatch,
        tokens::{self, Mismatch, TokenPair},
    },
    installation::Installation,
    journal::{
        ledger::Tried,
        writer::{Custody, CustodyLost},
    },
    outage::{self, News, Watch},
    pace::{Answer, Heard, Lane, Pacer, Place},
    record::Recorder,
    secret::{self, AuthorizationCode},
    stop::{Cause, Stop},
    text::SafeText,
    watchdog::{Step, Watchdog},
};

/// The wait before a code that never left is presented again.
const NEVER_LEFT_WAIT: Duration = Duration::from_millis(200);

/// How often a code that never left is presented in one conversation.
const NEVER_LEFT_TRIES: u32 = 10;

/// What a recovery works with.
pub struct Tools {
    /// The API.
    pub client: Client,
    /// When requests may start.
    pub pacer: Pacer,
    /// Where it is said what happens.
    pub recorder: Recorder,
    /// Whether the run is to end.
    pub stop: Stop,
    /// Whether everything fails the same way.
    pub outage: Watch,
    /// How far the server's clock is from ours.
    pub server_clock: OffsetWatch,
    /// Conversations for one installation at most.
    pub attempts: u32,
    /// How long nothing but bad answers may come.
    pub max_outage: Duration,
    /// How many installations there are.
    pub gauge: Gauge,
    /// What each of them waits for.
    pub watchdog: Watchdog,
    /// Whether it was said that the day's allowance is too small.
    pub day_is_told: AtomicBool,
}

/// Calls that one installation takes when all goes well.
const CALLS_EACH: u64 = 2;

/// How it ended.
#[derive(Debug)]
pub enum Ending {
    /// The token pair is on disk.
    Recovered,
    /// Given up.
    Failed(Failure),
    /// The run is to end and this installation was left as it is.
    Abandoned,
    /// An outage lasted longer than it may; this installation was left as it is.
    OutageTooLong(Failure),
    /// The disk does not take what it is given.
    CustodyLost(CustodyLost),
}

/// Recovers one installation, for which earlier legs of the run have tried so much.
pub async fn recover(
    tools: &Tools,
    row: u32,
    installation: &Installation,
    before: &Tried,
) -> Ending {
    let recovery = Recovery {
        tools,
        row,
        installation,
        started_at: clock::now(),
        attempts_before: before.attempts,
        attempt: 0,
        pardons: 0,
        is_echo: false,
        reconnect_trace_id: None,
        token_trace_id: None,
        trace_ids: before.trace_ids.clone(),
        last: None,
    };
    recovery.run().await.unwrap_or_else(Ending::CustodyLost)
}

struct Recovery<'a> {
    tools: &'a Tools,
    row: u32,
    installation: &'a Installation,
    started_at: Timestamp,
    attempts_before: u32,
    attempt: u32,
    /// Failures in outages that cost no attempt.
    pardons: u32,
    /// Whether the last answer only repeated a "too many" that another installation got.
    is_echo: bool,
    reconnect_trace_id: Option<SafeText>,
    token_trace_id: Option<SafeText>,
    trace_ids: Vec<SafeText>,
    last: Option<Failure>,
}

/// Why a conversation did not end with tokens on disk.
enum Setback {
    Failed(Failure, Option<Call>),
    /// Tokens came for somebody else.
    Misdirected(Failure, Call, Box<TokenPair>),
    Stopped(Cause),
    /// An outage lasted longer than it may.
    TooLong(Failure, Call),
    CustodyLost(CustodyLost),
}

impl From<CustodyLost> for Setback {
    fn from(lost: CustodyLost) -> Self {
        Self::CustodyLost(lost)
    }
}

/// A code that was presented and taken.
struct Exchanged {
    pair: TokenPair,
    call: Call,
    received: Moment,
    age: Duration,
    margin: Duration,
}

impl Drop for Recovery<'_> {
    fn drop(&mut self) {
        self.tools.watchdog.leave(self.row);
    }
}

impl Recovery<'_> {
    async fn run(mut self) -> Result<Ending, CustodyLost> {
        loop {
            self.attempt += 1;
            match self.converse().await {
                Ok(()) => return Ok(Ending::Recovered),
                Err(Setback::CustodyLost(lost)) => return Err(lost),
                Err(Setback::Stopped(cause)) => {
                    self.attempt -= 1;
                    return self.abandon(cause, None).await;
                }
                Err(Setback::Misdirected(failure, call, pair)) => {
                    return self.quarantine(failure, call, &pair).await;
                }
                Err(Setback::Failed(failure, call)) if self.is_pardoned(&failure) => {
                    // The pause is not this installation's fault, and costs it no attempt.
                    self.pardons += 1;
                    self.wait_for_next(failure, call, Duration::ZERO).await?;
                    self.attempt -= 1;
                }
                Err(Setback::TooLong(failure, call)) => {
                    self.last = Some(failure.clone());
                    self.abandon(Cause::Halted, Some(call)).await?;
                    return Ok(Ending::OutageTooLong(failure));
                }
                Err(Setback::Failed(failure, call)) => {
                    let (attempts, ground) = (self.tools.attempts, self.ground());
                    match decide::next(&failure, self.attempt, attempts, ground, fastrand::u64(..))
                    {
                        Next::GiveUp => return self.give_up(failure, call).await,
                        Next::Again(wait) => self.wait_for_next(failure, call, wait).await?,
                    }
                }
            }
        }
    }

    /// Conversations in all legs.
    fn attempts(&self) -> u32 {
        self.attempts_before + self.attempt
    }

    /// Whether HighLevel has given an answer in this leg that is no sign of an outage.
    fn ground(&self) -> Ground {
        if self.tools.outage.has_been_good(Stage::Reconnect) {
            Ground::Known
        } else {
            Ground::Unknown
        }
    }

    /// One code, one exchange.
    async fn converse(&mut self) -> Result<(), Setback> {
        let tools = self.tools;
        self.enter(Step::Outage);
        let _passage = tokio::select! {
            biased;
            cause = tools.stop.requested() => return Err(Setback::Stopped(cause)),
            passage = tools.outage.pass() => passage,
        };
        let (grant, reconnect, place) = self.ask_for_code().await?;
        let exchanging = Exchanging {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            reconnect,
            code_expires_at: grant.expires_at.map(clock::to_millisecond),
        };
        // Were the process killed after the exchange, this is how one knows of a lost grant.
        self.enter(Step::Disk);
        self.tools.recorder.tell_first(Event::Exchanging(exchanging)).await?;
        let exchanged = self.exchange(grant, place).await?;
        self.enter(Step::Disk);
        match exchanged.pair.belongs_to(self.installation) {
            Ok(()) => Ok(self.keep(exchanged).await?),
            Err(mismatch) => Err(misdirected(&mismatch, exchanged)),
        }
    }

    async fn ask_for_code(&mut self) -> Result<(Grant, Call, Place), Setback> {
        let place = self.turn_to_reconnect().await?;
        self.enter(Step::Reconnect);
        let sent = Moment::now();
        let answer = self.tools.client.reconnect(self.installation).await;
        match answer {
            Ok(reply) => {
                self.heed(Lane::Reconnect, &reply).await?;
                let call = call_of(&reply);
                self.reconnect_trace_id.clone_from(&call.trace_id);
                match grant::grant_of(&reply) {
                    Ok(grant) => {
                        let call = Call { trace_id: grant.trace_id.clone(), ..call };
                        self.reconnect_trace_id.clone_from(&call.trace_id);
                        self.trace_ids.extend(call.trace_id.clone());
                        self.went_well(Stage::Reconnect).await?;
                        self.tools
                            .pacer
                            .code_lives(grant.life.left(&reply.received).unwrap_or_default());
                        Ok((grant, call, place))
                    }
                    Err(failure) => Err(self.failed(failure, call).await),
                }
            }
            Err(unanswered) => {
                self.heed_silence(Lane::Reconnect, &sent);
                let failure = no_answer(Stage::Reconnect, unanswered);
                Err(self.failed(failure, call_without_answer(&sent)).await)
            }
        }
    }

    /// Presents the code; as long as it never leaves, again, while it lives.
    async fn exchange(&mut self, grant: Grant, place: Place) -> Result<Exchanged, Setback> {
        let Grant { mut code, life, .. } = grant;
        let mut place = Some(place);
        for _ in 0..NEVER_LEFT_TRIES {
            let (sent, margin) = self.turn_to_exchange(&life).await?;
            place.take();
            self.enter(Step::Exchange);
            match self.tools.client.exchange(code, self.installation.scope).await {
                Presentation::Answered(reply) => {
                    return self.judge_exchange(&reply, life.age(&sent), margin).await;
                }
                Presentation::InDoubt(doubt) => {
                    self.heed_silence(Lane::Exchange, &sent);
                    let failure = no_answer(Stage::Exchange, doubt);
                    return Err(self.failed(failure, call_without_answer(&sent)).await);
                }
                Presentation::NeverLeft(same, why) => {
                    code = self.wait_with_code(same, &why, &sent).await?;
                }
            }
        }
        let why = "no connection for the exchange, several times in a row";
        Err(Setback::Failed(Failure::without_answer(Stage::Exchange, Class::Network, why), None))
    }

    async fn judge_exchange(
        &mut self,
        reply: &Reply,
        age: Duration,
        margin: Duration,
    ) -> Result<Exchanged, Setback> {
        self.heed(Lane::Exchange, reply).await?;
        let call = call_of(reply);
        self.token_trace_id.clone_from(&call.trace_id);
        match tokens::tokens_of(reply) {
            Ok(pair) => {
                self.went_well(Stage::Exchange).await?;
                let call = Call { trace_id: pair.trace_id.clone(), ..call };
                self.token_trace_id.clone_from(&call.trace_id);
                Ok(Exchanged { pair, call, received: reply.received, age, margin })
            }
            Err(failure) => Err(self.failed(failure, call).await),
        }
    }

    /// Waits for a start in the lane for new codes; a run that is to end asks for no more.
    async fn turn_to_reconnect(&self) -> Result<Place, Setback> {
        self.enter(Step::TurnToReconnect);
        tokio::select! {
            biased;
            cause = self.tools.stop.requested() => Err(Setback::Stopped(cause)),
            place = self.tools.pacer.turn_to_reconnect() => Ok(place),
        }
    }

    /// Waits for a start in the lane for codes in hand, no longer than the code lives, and looks at
    /// the code again after it.
    async fn turn_to_exchange(&self, life: &CodeLife) -> Result<(Moment, Duration), Setback> {
        self.enter(Step::TurnToExchange);
        let left = life.left(&Moment::now()).unwrap_or_default();
        let turn = timeout(left, self.tools.pacer.turn_to_exchange()).await;
        let now = Moment::now();
        match (turn, life.left(&now)) {
            (Ok(()), Some(margin)) => Ok((now, margin)),
            _ => Err(Setback::Failed(past_its_life(), None)),
        }
    }

    async fn wait_with_code(
        &self,
        code: AuthorizationCode,
        why: &str,
        sent: &Moment,
    ) -> Result<AuthorizationCode, Setback> {
        let retrying = Retrying {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            failure: Failure::without_answer(Stage::Exchange, Class::Network, why),
            call: Some(call_without_answer(sent)),
            wait_ms: clock::millis(NEVER_LEFT_WAIT),
        };
        self.tools.recorder.tell(Event::Retrying(retrying)).await?;
        sleep(NEVER_LEFT_WAIT).await;
        Ok(code)
    }

    async fn keep(&self, exchanged: Exchanged) -> Result<(), CustodyLost> {
        let Exchanged { pair, call, received, age, margin } = exchanged;
        let document = self.document(&pair);
        let recovered = Recovered {
            row: self.row,
            id: self.installation.id.clone(),
            attempts: self.attempts(),
            started_at: self.started_at,
            at: received.day(),
            reconnect_trace_id: self.reconnect_trace_id.clone(),
            exchange: call,
            code_age_ms: clock::millis(age),
            code_margin_ms: clock::millis(margin),
            token_expires_at: pair.expires_at(),
        };
        let event = Event::Recovered(Box::new(recovered));
        self.tools.recorder.keep(Custody::Tokens, &document, event).await
    }

    async fn quarantine(
        &mut self,
        failure: Failure,
        call: Call,
        pair: &TokenPair,
    ) -> Result<Ending, CustodyLost> {
        let mut document = serde_json::Map::new();
        document.insert("quarantined_for".into(), failure.class.name().into());
        document.insert("reason".into(), failure.message.as_str().into());
        document.insert("row".into(), self.row.into());
        document.extend(self.document(pair));
        self.trace_ids.extend(call.trace_id.clone());
        let event = self.failed_event(failure.clone(), Some(call));
        self.tools.recorder.keep(Custody::Quarantine, &document, event).await?;
        Ok(Ending::Failed(failure))
    }

    fn document(&self, pair: &TokenPair) -> serde_json::Map<String, serde_json::Value> {
        pair.session_document(&self.tools.client.credentials().client_id, self.installation)
    }

    async fn give_up(
        &mut self,
        failure: Failure,
        call: Option<Call>,
    ) -> Result<Ending, CustodyLost> {
        let event = self.failed_event(failure.clone(), call);
        self.tools.recorder.tell(event).await?;
        Ok(Ending::Failed(failure))
    }

    /// Leaves the installation as it is. One that was never asked for stays without an outcome.
    async fn abandon(&mut self, cause: Cause, call: Option<Call>) -> Result<Ending, CustodyLost> {
        if let Some(last) = self.last.take() {
            let (class, word) = match cause {
                Cause::Interrupted(_) => (Class::Interrupted, "interrupted"),
                Cause::Halted | Cause::CustodyLost => (Class::Halted, "halted"),
            };
            let message = format!("the run was {word} before the next attempt, after {last}");
            let failure = Failure { class, message: SafeText::new(&message), ..last };
            let event = self.failed_event(failure, call);
            self.tools.recorder.tell(event).await?;
        }
        Ok(Ending::Abandoned)
    }

    async fn wait_for_next(
        &mut self,
        failure: Failure,
        call: Option<Call>,
        wait: Duration,
    ) -> Result<(), CustodyLost> {
        let retrying = Retrying {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            failure: failure.clone(),
            call,
            wait_ms: clock::millis(wait),
        };
        self.last = Some(failure);
        self.tools.recorder.tell(Event::Retrying(retrying)).await?;
        self.enter(Step::Backoff(wait));
        tokio::select! {
            _ = self.tools.stop.requested() => {}
            () = sleep(wait) => {}
        }
        Ok(())
    }

    async fn failed(&mut self, failure: Failure, call: Call) -> Setback {
        self.trace_ids.extend(failure.trace_id.clone());
        let failure = Self::without_secrets(failure);
        match self.watch_outage(&failure).await {
            Ok(News::TooLong) => Setback::TooLong(failure, call),
            Ok(_) => Setback::Failed(failure, Some(call)),
            Err(lost) => lost.into(),
        }
    }

    /// Tells the watch of a failure, and the run of an outage that begins with it.
    async fn watch_outage(&self, failure: &Failure) -> Result<News, CustodyLost> {
        if !outage::is_sign(failure) {
            self.went_well(failure.stage).await?;
            return Ok(News::None);
        }
        let news = self.tools.outage.bad(failure.stage, self.row);
        if news == News::Began {
            let paused = Paused { at: clock::now(), failure: failure.clone() };
            self.tools.recorder.tell(Event::Paused(paused)).await?;
        }
        Ok(news)
    }

    /// An answer came that is no sign of an outage.
    async fn went_well(&self, stage: Stage) -> Result<(), CustodyLost> {
        if let Some(paused) = self.tools.outage.good(stage) {
            let paused_ms = clock::millis(paused);
            let continued = Continued { at: clock::now(), paused_ms };
            self.tools.recorder.tell(Event::Continued(continued)).await?;
        }
        Ok(())
    }

    /// Whether a failure is the outage's, or that of a pace which another installation was told of
    /// before. So many times only: an installation that is all by itself in failing must in the end
    /// make room for another.
    fn is_pardoned(&self, failure: &Failure) -> bool {
        let is_of_an_outage = outage::is_sign(failure) && self.tools.outage.is_on();
        let is_of_the_pace = failure.class == Class::RateLimited && self.is_echo;
        (is_of_an_outage || is_of_the_pace) && self.pardons < self.tools.attempts
    }

    /// What the installation waits for from now on, for the watchdog.
    fn enter(&self, step: Step) {
        self.tools.watchdog.enter(self.row, &self.installation.id, step);
    }

    /// Lets an answer change the pace, whatever else it says.
    async fn heed(&mut self, lane: Lane, reply: &Reply) -> Result<(), CustodyLost> {
        let heard = match reply.status {
            429 => Heard::Throttled(answer::asked_wait(reply)),
            500..600 => Heard::Failing,
            _ => Heard::Clean,
        };
        if let Some(offset_ms) = self.tools.server_clock.news(reply) {
            let clock = ServerClock { at: reply.received.day(), offset_ms };
            self.tools.recorder.tell(Event::ServerClock(clock)).await?;
        }
        let (sent, allowance) = (reply.sent.instant(), reply.allowance);
        let effect = self.tools.pacer.hear(&Answer { lane, sent, heard, allowance });
        self.is_echo = effect.is_echo;
        if let Some(hold) = effect.hold {
            let held = Held {
                at: clock::now(),
                hold_ms: clock::millis(hold.time),
                interval_ms: clock::millis(hold.interval),
            };
            self.tools.recorder.tell(Event::Held(held)).await?;
        }
        if self.tools.pacer.throttled_for() > self.tools.max_outage {
            self.halt_for_the_pace("HighLevel has answered nothing but \"too many requests\" for longer than --max-outage allows").await?;
        }
        self.heed_day(lane, &reply.allowance).await
    }

    /// No answer came, which tells the pace something too.
    fn heed_silence(&self, lane: Lane, sent: &Moment) {
        let (sent, allowance) = (sent.instant(), Allowance::default());
        self.tools.pacer.hear(&Answer { lane, sent, heard: Heard::Failing, allowance });
    }

    /// A day whose allowance is used up ends the run, to be gone on with later; what is left is for
    /// the codes in hand. One that will not do is told in time.
    async fn heed_day(&self, lane: Lane, allowance: &Allowance) -> Result<(), CustodyLost> {
        let Some(left) = allowance.daily_remaining else { return Ok(()) };
        let resets_at = allowance.daily_resets_at;
        let codes = u64::from(self.tools.pacer.codes_to_come());
        let done = u64::from(lane == Lane::Exchange);
        let without_code = u64::from(self.tools.gauge.open()).saturating_sub(codes + done);
        // Each of the others may have a request on its way that this answer does not count yet.
        let on_their_way = u64::from(self.tools.gauge.in_flight()).saturating_sub(1);
        if without_code > 0 && left < codes + on_their_way + CALLS_EACH {
            return self.halt_for_the_pace(&come_back(resets_at)).await;
        }
        let needed = codes + without_code * CALLS_EACH;
        if left < needed && !self.tools.day_is_told.swap(true, Ordering::Relaxed) {
            let short = DayTooShort { at: clock::now(), left, needed, resets_at };
            self.tools.recorder.tell(Event::DayTooShort(short)).await?;
        }
        Ok(())
    }

    async fn halt_for_the_pace(&self, why: &str) -> Result<(), CustodyLost> {
        if !self.tools.stop.request(Cause::Halted) {
            return Ok(());
        }
        let (at, class, message) = (clock::now(), Class::RateLimited, SafeText::new(why));
        self.tools.recorder.tell(Event::Halted(Halted { at, class, message })).await
    }

    /// Cuts tokens out of what a server said, should it echo some.
    fn without_secrets(failure: Failure) -> Failure {
        let message = secret::cut_out_tokens(failure.message.as_str());
        Failure { message: SafeText::new(&message), ..failure }
    }

    fn failed_event(&mut self, failure: Failure, call: Option<Call>) -> Event {
        Event::Failed(Box::new(Failed {
            row: self.row,
            id: self.installation.id.clone(),
            attempts: self.attempts(),
            started_at: self.started_at,
            at: clock::now(),
            failure,
            call,
            reconnect_trace_id: self.reconnect_trace_id.take(),
            token_trace_id: self.token_trace_id.take(),
            trace_ids: std::mem::take(&mut self.trace_ids),
        }))
    }
}

fn come_back(resets_at: Option<Timestamp>) -> String {
    let when =
        resets_at.map_or_else(|| "tomorrow".to_owned(), |at| format!("after {}", clock::stamp(at)));
    format!("HighLevel says that the day's allowance of requests is used up; resume {when}")
}

fn past_its_life() -> Failure {
    let why = "the code was past its life before it could be presented";
    Failure::without_answer(Stage::Exchange, Class::CodeExpired, why)
}

fn misdirected(mismatch: &Mismatch, exchanged: Exchanged) -> Setback {
    let Exchanged { pair, call, .. } = exchanged;
    let failure = Failure {
        http_status: call.http_status,
        trace_id: call.trace_id.clone(),
        ..Failure::without_answer(Stage::Exchange, mismatch.class, &mismatch.message)
    };
    Setback::Misdirected(failure, call, Box::new(pair))
}

/// What a missing answer means: at the reconnect, a code is wasted at worst; at the exchange,
/// tokens may have been granted that nobody holds.
fn no_answer(stage: Stage, unanswered: Unanswered) -> Failure {
    let (class, message) = match (unanswered, stage) {
        (Unanswered::TooLarge(status), _) => {
            let message = "the answer is larger than any real one; it was not read to the end";
            let failure = Failure::without_answer(stage, Class::BadAnswer, message);
            return Failure { http_status: Some(status), ..failure };
        }
        (Unanswered::InDoubt(why), Stage::Exchange) => (Class::OutcomeUnknown, why),
        (Unanswered::InDoubt(why) | Unanswered::NeverLeft(why), _) => (Class::Network, why),
    };
    Failure::without_answer(stage, class, &message)
}

fn call_of(reply: &Reply) -> Call {
    Call {
        at: reply.sent.day(),
        ms: clock::millis(reply.sent.elapsed_at(&reply.received)),
        http_status: Some(reply.status),
        trace_id: answer::trace_id(reply),
    }
}

fn call_without_answer(sent: &Moment) -> Call {
    let ms = clock::millis(sent.elapsed_at(&Moment::now()));
    Call { at: sent.day(), ms, http_status: None, trace_id: None }
}
