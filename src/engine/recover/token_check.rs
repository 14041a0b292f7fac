//! Token checks: of new access tokens before they count, of the list's before any route is tried.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    observe::{call_of, call_without_answer, no_answer},
    recovery::{AttemptError, Ending, Granted, Recovery},
    retry,
};
use crate::{
    clock::{self, Moment},
    engine::watchdog::WaitingFor,
    event::{Call, Event, RecoveredBefore, Skipped, Verdict, Verified},
    failure::{Failure, Stage},
    highlevel::{
        client::MayLeave,
        token_check::{self, TokenCheck, TokenCheckPath},
        token_checks::OldTokens,
    },
    journal::writer::StorageError,
    pace::{Lane, Preparation, Readying},
    secret::Secret,
};

/// How often a token is checked while the answers are unclear.
const TRIES: u32 = 3;

/// The longest wait before another check of a new token after a cancellation. The token is on disk by
/// then, and counts without a clear answer.
const LONGEST_WAIT_IN_A_DRAIN: Duration = Duration::from_secs(5);

/// Which access token is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// A new one: checked after a cancellation too.
    New,
    /// The list's: not checked after a cancellation.
    Old,
}

/// The result of a token check.
struct CheckedToken {
    token_check: TokenCheck,
    /// The last request.
    call: Call,
    /// Whether an event has recorded that request already.
    is_recorded: bool,
}

/// What follows an unclear answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Another check.
    Again,
    /// The run is cancelled, and the wait would be too long.
    Over,
}

impl Recovery<'_> {
    /// Checks a new token; the inner error is its refusal.
    pub(crate) async fn check_new_token(
        &mut self,
        granted: &Granted,
        path: &TokenCheckPath,
    ) -> Result<Result<Verified, (Failure, Call)>, AttemptError> {
        let CheckedToken { token_check, call, is_recorded } =
            self.check_until_clear(path, granted.pair.access_token(), Age::New).await?;
        let unrecorded = (!is_recorded).then(|| call.clone());
        let verdict = |verdict, message| Ok(Ok(Verified { verdict, message, call: unrecorded }));
        match token_check {
            TokenCheck::Alive => verdict(Verdict::Alive, None),
            TokenCheck::WithoutScope(text) => verdict(Verdict::WithoutScope, Some(text)),
            TokenCheck::Unclear(failure) => verdict(Verdict::Unclear, Some(failure.message)),
            TokenCheck::Foreign(failure) | TokenCheck::Dead(failure) => Ok(Err((failure, call))),
        }
    }

    /// Skips the installation if another run has recovered it meanwhile, or if the list's access token
    /// is good.
    pub(crate) async fn check_old_token(&mut self) -> Result<Option<Ending>, StorageError> {
        let recoveries = self.tools.recoveries.as_ref();
        if let Some(recovered) = recoveries.and_then(|log| log.elsewhere(self.installation)) {
            return self.skip(None, Some(recovered)).await.map(Some);
        }
        let token_checks = self.tools.routes.token_checks();
        let (OldTokens::Tried, Some(token)) = (token_checks.old, &self.job.tokens.access) else {
            return Ok(None);
        };
        let path = token_checks.new.clone().unwrap_or_default();
        let CheckedToken { token_check, call, .. } =
            match self.check_until_clear(&path, token, Age::Old).await {
                Ok(tried) => tried,
                Err(error) => return self.end_early(error).await.map(Some),
            };
        if let TokenCheck::Dead(failure)
        | TokenCheck::Foreign(failure)
        | TokenCheck::Unclear(failure) = token_check
        {
            self.wait_for_next(failure, Some(call), Duration::ZERO).await?;
            return Ok(None);
        }
        self.skip(Some(call), None).await.map(Some)
    }

    async fn skip(
        &self,
        call: Option<Call>,
        recovered: Option<RecoveredBefore>,
    ) -> Result<Ending, StorageError> {
        let (row, id) = (self.row, self.installation.id.clone());
        let skipped = Skipped { row, id, at: clock::now(), call, recovered };
        self.tools.recorder.record(Event::Skipped(skipped)).await?;
        Ok(Ending::Skipped)
    }

    async fn check_until_clear(
        &mut self,
        path: &TokenCheckPath,
        token: &Secret,
        age: Age,
    ) -> Result<CheckedToken, AttemptError> {
        let (mut token_check, mut call) = self.check_once(path, token, age).await?;
        for attempt in 1..TRIES {
            let TokenCheck::Unclear(failure) = &token_check else { break };
            let asked = failure.retry_after_ms.unwrap_or_default();
            let asked = Duration::from_millis(asked.into());
            let wait = retry::backoff(attempt, fastrand::u64(..)).max(asked);
            let patience = self.wait_to_check(failure.clone(), call.clone(), wait, age).await?;
            if patience == Patience::Over {
                return Ok(CheckedToken { token_check, call, is_recorded: true });
            }
            (token_check, call) = self.check_once(path, token, age).await?;
        }
        Ok(CheckedToken { token_check, call, is_recorded: false })
    }

    /// Waits before another check. A cancellation shortens no wait that the server has asked for.
    async fn wait_to_check(
        &mut self,
        failure: Failure,
        call: Call,
        wait: Duration,
        age: Age,
    ) -> Result<Patience, AttemptError> {
        let until = Instant::now() + wait;
        self.wait_for_next(failure, Some(call), wait).await?;
        let Some(cause) = self.tools.cancellation.cause() else { return Ok(Patience::Again) };
        if age == Age::Old {
            return Err(AttemptError::Cancelled(cause));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left > LONGEST_WAIT_IN_A_DRAIN {
            return Ok(Patience::Over);
        }
        sleep(left).await;
        Ok(Patience::Again)
    }

    async fn check_once(
        &mut self,
        path: &TokenCheckPath,
        token: &Secret,
        age: Age,
    ) -> Result<(TokenCheck, Call), AttemptError> {
        let preparation = self.turn_to_check(age).await?;
        let tools = self.tools;
        let sent = Moment::now();
        let readying = Readying::Ahead(preparation);
        let tried = match tools.pacer.clear(&tools.client, Lane::Other, None, readying).await {
            Err(unanswered) => Err(unanswered),
            Ok(cleared) => {
                self.enter(WaitingFor::Answer(Stage::Verify));
                let (departure, _) = cleared.depart(|_| MayLeave::Yes);
                tools.client.check_token(departure, &path.of(self.installation), token).await
            }
        };
        match tried {
            Ok(reply) => {
                self.observe_token_check(&reply);
                let token_check = token_check::judge(&reply);
                if let TokenCheck::Unclear(failure) = &token_check {
                    self.trace_ids.extend(failure.trace_id.clone());
                }
                Ok((token_check, call_of(&reply)))
            }
            Err(unanswered) => {
                self.observe_no_answer(Lane::Other, &sent);
                let failure = no_answer(Stage::Verify, unanswered);
                Ok((TokenCheck::Unclear(failure), call_without_answer(&sent)))
            }
        }
    }

    /// Waits until a token check may be prepared.
    async fn turn_to_check(&self, age: Age) -> Result<Preparation, AttemptError> {
        if age == Age::Old {
            return self.preparation().await;
        }
        // New tokens are checked after a cancellation too.
        self.enter(WaitingFor::TurnToReconnect);
        Ok(self.tools.pacer.preparation().await)
    }
}
