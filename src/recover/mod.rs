//! One installation, start to end: ask for a code, present it at once, bring the tokens to disk.

pub mod decide;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use self::decide::{Ground, Next};
use crate::{
    clock::{self, Moment},
    event::{Call, Continued, Event, Exchanging, Failed, Halted, Paused, Recovered, Retrying},
    highlevel::{
        answer,
        client::{Client, Presentation, Reply, Unanswered},
        failure::{Class, Failure, Stage},
        grant::{self, CodeLife, Grant},
        tokens::{self, Mismatch, TokenPair},
    },
    installation::Installation,
    journal::{
        ledger::Tried,
        writer::{Custody, CustodyLost},
    },
    outage::{self, News, Watch},
    pace::{Heard, Lane, Pacer},
    record::Recorder,
    secret::{self, AuthorizationCode},
    stop::{Cause, Stop},
    text::SafeText,
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
    /// Conversations for one installation at most.
    pub attempts: u32,
}

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
                Err(Setback::Failed(failure, call)) if self.is_of_an_outage(&failure) => {
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
        let _passage = tokio::select! {
            biased;
            cause = tools.stop.requested() => return Err(Setback::Stopped(cause)),
            passage = tools.outage.pass() => passage,
        };
        let (grant, reconnect) = self.ask_for_code().await?;
        let exchanging = Exchanging {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            reconnect,
            code_expires_at: grant.expires_at.map(clock::to_millisecond),
        };
        // Were the process killed after the exchange, this is how one knows of a lost grant.
        self.tools.recorder.tell_first(Event::Exchanging(exchanging)).await?;
        let exchanged = self.exchange(grant).await?;
        match exchanged.pair.belongs_to(self.installation) {
            Ok(()) => Ok(self.keep(exchanged).await?),
            Err(mismatch) => Err(misdirected(&mismatch, exchanged)),
        }
    }

    async fn ask_for_code(&mut self) -> Result<(Grant, Call), Setback> {
        self.turn_to_reconnect().await?;
        let sent = Moment::now();
        let answer = self.tools.client.reconnect(self.installation).await;
        match answer {
            Ok(reply) => {
                self.heed(&reply).await?;
                let call = call_of(&reply);
                self.reconnect_trace_id.clone_from(&call.trace_id);
                match grant::grant_of(&reply) {
                    Ok(grant) => {
                        let call = Call { trace_id: grant.trace_id.clone(), ..call };
                        self.reconnect_trace_id.clone_from(&call.trace_id);
                        self.trace_ids.extend(call.trace_id.clone());
                        self.went_well(Stage::Reconnect).await?;
                        Ok((grant, call))
                    }
                    Err(failure) => Err(self.failed(failure, call).await),
                }
            }
            Err(unanswered) => {
                let failure = no_answer(Stage::Reconnect, unanswered);
                Err(self.failed(failure, call_without_answer(&sent)).await)
            }
        }
    }

    /// Presents the code; as long as it never leaves, again, while it lives.
    async fn exchange(&mut self, grant: Grant) -> Result<Exchanged, Setback> {
        let Grant { mut code, life, .. } = grant;
        for _ in 0..NEVER_LEFT_TRIES {
            let (sent, margin) = self.turn_to_exchange(&life).await?;
            match self.tools.client.exchange(code, self.installation.scope).await {
                Presentation::Answered(reply) => {
                    return self.judge_exchange(&reply, life.age(&sent), margin).await;
                }
                Presentation::InDoubt(doubt) => {
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
        self.heed(reply).await?;
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
    async fn turn_to_reconnect(&self) -> Result<(), Setback> {
        tokio::select! {
            biased;
            cause = self.tools.stop.requested() => Err(Setback::Stopped(cause)),
            () = self.tools.pacer.turn(Lane::Reconnect) => Ok(()),
        }
    }

    /// Waits for a start in the lane for codes in hand, no longer than the code lives, and looks at
    /// the code again after it.
    async fn turn_to_exchange(&self, life: &CodeLife) -> Result<(Moment, Duration), Setback> {
        let left = life.left(&Moment::now()).unwrap_or_default();
        let turn = timeout(left, self.tools.pacer.turn(Lane::Exchange)).await;
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

    /// Whether a failure is the outage's. So many times only: an installation that is all by itself
    /// in failing must in the end leave the probing to another.
    fn is_of_an_outage(&self, failure: &Failure) -> bool {
        let has_pardons = self.pardons < self.tools.attempts;
        has_pardons && outage::is_sign(failure) && self.tools.outage.is_on()
    }

    /// Lets an answer change the pace, whatever else it says; a day whose allowance is used up ends
    /// the run, to be gone on with later.
    async fn heed(&self, reply: &Reply) -> Result<(), CustodyLost> {
        let heard = match reply.status {
            429 => Heard::Throttled(answer::asked_wait(reply)),
            _ => Heard::Clean,
        };
        self.tools.pacer.hear(reply.sent.instant(), heard, &reply.allowance);
        if reply.allowance.is_day_used_up() && self.tools.stop.request(Cause::Halted) {
            let halted = Halted {
                at: clock::now(),
                class: Class::RateLimited,
                message: SafeText::new(&come_back(reply.allowance.daily_resets_at)),
            };
            self.tools.recorder.tell(Event::Halted(halted)).await?;
        }
        Ok(())
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
