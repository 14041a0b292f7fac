//! Access tokens that prove themselves: new ones before they count, old ones before anything is asked
//! for.

use std::time::Duration;

use super::{
    Ending, Granted, Recovery, Setback, Tools, decide,
    listen::{call_of, call_without_answer, no_answer},
};
use crate::{
    clock::{self, Moment},
    event::{Call, Event, Skipped, Verdict, Verified},
    highlevel::{
        client::MayLeave,
        failure::{Failure, Stage},
        trial::{self, Trial, TrialPath},
    },
    journal::writer::CustodyLost,
    pace::{Lane, Readying},
    secret::Secret,
    trials::OldTokens,
    watchdog::Step,
};

/// How often a token is tried that nobody says anything clear about.
const TRIES: u32 = 3;

impl Recovery<'_> {
    /// Tries a token that was granted just now; an error is that it is refused.
    pub(super) async fn try_new_token(
        &mut self,
        granted: &Granted,
        path: &TrialPath,
    ) -> Result<Result<Verified, (Failure, Call)>, Setback> {
        let (trial, call) = self.try_until_clear(path, granted.pair.access_token()).await?;
        let verdict = |verdict, message| Ok(Ok(Verified { verdict, message, call: call.clone() }));
        match trial {
            Trial::Alive => verdict(Verdict::Alive, None),
            Trial::WithoutScope(said) => verdict(Verdict::WithoutScope, Some(said)),
            Trial::Unclear(failure) => verdict(Verdict::Unclear, Some(failure.message)),
            Trial::Foreign(failure) | Trial::Dead(failure) => Ok(Err((failure, call))),
        }
    }

    /// Leaves the installation alone when the access token that the list has is good.
    pub(super) async fn try_old_token(&mut self) -> Result<Option<Ending>, CustodyLost> {
        let trials = self.tools.roads.trials();
        let (OldTokens::Tried, Some(token)) = (trials.old, &self.job.tokens.access) else {
            return Ok(None);
        };
        let path = trials.new.clone().unwrap_or_default();
        let (trial, call) = match self.try_until_clear(&path, token).await {
            Ok(tried) => tried,
            Err(setback) => return self.end_early(setback).await.map(Some),
        };
        if let Trial::Dead(failure) | Trial::Foreign(failure) | Trial::Unclear(failure) = trial {
            self.wait_for_next(failure, Some(call), Duration::ZERO).await?;
            return Ok(None);
        }
        let (row, id) = (self.row, self.installation.id.clone());
        let skipped = Skipped { row, id, at: clock::now(), call };
        self.tools.recorder.tell(Event::Skipped(skipped)).await?;
        Ok(Some(Ending::Skipped))
    }

    async fn try_until_clear(
        &mut self,
        path: &TrialPath,
        token: &Secret,
    ) -> Result<(Trial, Call), Setback> {
        let mut tried = self.try_once(path, token).await?;
        for attempt in 1..TRIES {
            let (Trial::Unclear(failure), call) = &tried else { break };
            let asked = failure.retry_after_ms.unwrap_or_default();
            let asked = Duration::from_millis(asked.into());
            let wait = decide::backoff(attempt, fastrand::u64(..)).max(asked);
            self.wait_for_next(failure.clone(), Some(call.clone()), wait).await?;
            tried = self.try_once(path, token).await?;
        }
        Ok(tried)
    }

    async fn try_once(
        &mut self,
        path: &TrialPath,
        token: &Secret,
    ) -> Result<(Trial, Call), Setback> {
        // Whoever has new tokens in hand tries them also in a run that is to end.
        self.enter(Step::TurnToReconnect);
        let Tools { pacer, client, .. } = self.tools;
        let sent = Moment::now();
        let readying = Readying::Ahead(pacer.preparation().await);
        let tried = match pacer.clear(client, Lane::Other, None, readying).await {
            Err(unanswered) => Err(unanswered),
            Ok(cleared) => {
                self.enter(Step::Trial);
                let (departure, _) = cleared.depart(|_| MayLeave::Yes);
                client.try_token(departure, &path.of(self.installation), token).await
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
}
