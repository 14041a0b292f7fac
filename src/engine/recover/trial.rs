//! Access tokens that prove themselves: new ones before they count, old ones before anything is asked
//! for.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    Ending, Granted, Recovery, Setback, decide,
    listen::{call_of, call_without_answer, no_answer},
};
use crate::{
    clock::{self, Moment},
    engine::watchdog::Step,
    event::{Call, Event, Skipped, Verdict, Verified},
    failure::{Failure, Stage},
    highlevel::{
        client::MayLeave,
        trial::{self, Trial, TrialPath},
        trials::OldTokens,
    },
    journal::{recoveries::RecoveredBefore, writer::CustodyLost},
    pace::{Lane, Preparation, Readying},
    secret::Secret,
};

/// How often a token is tried that nobody says anything clear about.
const TRIES: u32 = 3;

/// The longest wait that a run which is to end still makes before it tries a new token once more. The
/// token is safe on disk by then, and counts without a clear answer.
const LONGEST_WAIT_IN_A_DRAIN: Duration = Duration::from_secs(5);

/// Whose access token is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// Granted just now: it is tried in a run that is to end, too.
    New,
    /// The list's: nobody tries it in a run that is to end.
    Old,
}

/// What came of trying a token.
struct Tried {
    trial: Trial,
    /// The last call.
    call: Call,
    /// Whether an event has told of it already.
    is_told: bool,
}

/// What follows an unclear answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Another try.
    Again,
    /// The run is to end, and the wait would be too long for that.
    Over,
}

impl Recovery<'_> {
    /// Tries a token that was granted just now; an error is that it is refused.
    pub(crate) async fn try_new_token(
        &mut self,
        granted: &Granted,
        path: &TrialPath,
    ) -> Result<Result<Verified, (Failure, Call)>, Setback> {
        let Tried { trial, call, is_told } =
            self.try_until_clear(path, granted.pair.access_token(), Age::New).await?;
        let untold = (!is_told).then(|| call.clone());
        let verdict = |verdict, message| Ok(Ok(Verified { verdict, message, call: untold }));
        match trial {
            Trial::Alive => verdict(Verdict::Alive, None),
            Trial::WithoutScope(said) => verdict(Verdict::WithoutScope, Some(said)),
            Trial::Unclear(failure) => verdict(Verdict::Unclear, Some(failure.message)),
            Trial::Foreign(failure) | Trial::Dead(failure) => Ok(Err((failure, call))),
        }
    }

    /// Leaves the installation alone when another run has recovered it in the meantime, or when the
    /// access token that the list has is good.
    pub(crate) async fn try_old_token(&mut self) -> Result<Option<Ending>, CustodyLost> {
        let recoveries = self.tools.recoveries.as_ref();
        if let Some(recovered) = recoveries.and_then(|log| log.elsewhere(self.installation)) {
            return self.skip(None, Some(recovered)).await.map(Some);
        }
        let trials = self.tools.roads.trials();
        let (OldTokens::Tried, Some(token)) = (trials.old, &self.job.tokens.access) else {
            return Ok(None);
        };
        let path = trials.new.clone().unwrap_or_default();
        let Tried { trial, call, .. } = match self.try_until_clear(&path, token, Age::Old).await {
            Ok(tried) => tried,
            Err(setback) => return self.end_early(setback).await.map(Some),
        };
        if let Trial::Dead(failure) | Trial::Foreign(failure) | Trial::Unclear(failure) = trial {
            self.wait_for_next(failure, Some(call), Duration::ZERO).await?;
            return Ok(None);
        }
        self.skip(Some(call), None).await.map(Some)
    }

    async fn skip(
        &self,
        call: Option<Call>,
        recovered: Option<RecoveredBefore>,
    ) -> Result<Ending, CustodyLost> {
        let (row, id) = (self.row, self.installation.id.clone());
        let skipped = Skipped { row, id, at: clock::now(), call, recovered };
        self.tools.recorder.tell(Event::Skipped(skipped)).await?;
        Ok(Ending::Skipped)
    }

    async fn try_until_clear(
        &mut self,
        path: &TrialPath,
        token: &Secret,
        age: Age,
    ) -> Result<Tried, Setback> {
        let (mut trial, mut call) = self.try_once(path, token, age).await?;
        for attempt in 1..TRIES {
            let Trial::Unclear(failure) = &trial else { break };
            let asked = failure.retry_after_ms.unwrap_or_default();
            let asked = Duration::from_millis(asked.into());
            let wait = decide::backoff(attempt, fastrand::u64(..)).max(asked);
            let patience = self.wait_to_try(failure.clone(), call.clone(), wait, age).await?;
            if patience == Patience::Over {
                return Ok(Tried { trial, call, is_told: true });
            }
            (trial, call) = self.try_once(path, token, age).await?;
        }
        Ok(Tried { trial, call, is_told: false })
    }

    /// Waits before another try. A run that is to end waits no less: the server has asked for it.
    async fn wait_to_try(
        &mut self,
        failure: Failure,
        call: Call,
        wait: Duration,
        age: Age,
    ) -> Result<Patience, Setback> {
        let until = Instant::now() + wait;
        self.wait_for_next(failure, Some(call), wait).await?;
        let Some(cause) = self.tools.stop.cause() else { return Ok(Patience::Again) };
        if age == Age::Old {
            return Err(Setback::Stopped(cause));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left > LONGEST_WAIT_IN_A_DRAIN {
            return Ok(Patience::Over);
        }
        sleep(left).await;
        Ok(Patience::Again)
    }

    async fn try_once(
        &mut self,
        path: &TrialPath,
        token: &Secret,
        age: Age,
    ) -> Result<(Trial, Call), Setback> {
        let preparation = self.turn_to_try(age).await?;
        let tools = self.tools;
        let sent = Moment::now();
        let readying = Readying::Ahead(preparation);
        let tried = match tools.pacer.clear(&tools.client, Lane::Other, None, readying).await {
            Err(unanswered) => Err(unanswered),
            Ok(cleared) => {
                self.enter(Step::Trial);
                let (departure, _) = cleared.depart(|_| MayLeave::Yes);
                tools.client.try_token(departure, &path.of(self.installation), token).await
            }
        };
        match tried {
            Ok(reply) => {
                self.heed_trial(&reply);
                let trial = trial::judge(&reply);
                if let Trial::Unclear(failure) = &trial {
                    self.trace_ids.extend(failure.trace_id.clone());
                }
                Ok((trial, call_of(&reply)))
            }
            Err(unanswered) => {
                self.heed_silence(Lane::Other, &sent);
                let failure = no_answer(Stage::Verify, unanswered);
                Ok((Trial::Unclear(failure), call_without_answer(&sent)))
            }
        }
    }

    /// Waits until a token may be tried.
    async fn turn_to_try(&self, age: Age) -> Result<Preparation, Setback> {
        if age == Age::Old {
            return self.preparation().await;
        }
        // Whoever has new tokens in hand tries them also in a run that is to end.
        self.enter(Step::TurnToReconnect);
        Ok(self.tools.pacer.preparation().await)
    }
}
