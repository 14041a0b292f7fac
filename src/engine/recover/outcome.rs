//! How the work on an installation ends: tokens on disk, in quarantine, or the event of a failure.

use std::time::Instant;

use serde_json::{Map, Value};

use super::recovery::{AttemptError, Ending, Granted, Recovery};
use crate::{
    clock,
    engine::cancellation::Cause,
    event::{Call, Event, Failed, Recovered, Untried, Verified},
    failure::{Class, Failure},
    highlevel::tokens::TokenPair,
    installation::Scope,
    journal::writer::{StorageError, TokenFile},
    text::SafeText,
};

impl Recovery<'_> {
    /// Brings tokens to disk. A token check, where one is asked for, follows when they are safe.
    pub(super) async fn store_tokens(&mut self, granted: Granted) -> Result<(), AttemptError> {
        let tools = self.tools;
        let Some(path) = &tools.routes.token_checks().new else {
            return Ok(self.keep(granted).await?);
        };
        self.keep_untried(&granted).await?;
        match self.check_new_token(&granted, path).await? {
            Ok(verified) => Ok(self.record_recovered(granted, Some(verified)).await?),
            Err((failure, call)) => {
                Err(AttemptError::Quarantine(failure, call, Box::new(granted.pair)))
            }
        }
    }

    async fn keep(&self, granted: Granted) -> Result<(), StorageError> {
        let document = self.document(&granted.pair);
        let event = Event::Recovered(Box::new(self.recovered(&granted, None)));
        let begun = Instant::now();
        self.tools.recorder.keep(TokenFile::Tokens, &document, event).await?;
        self.tools.pacer.disk_took(begun.elapsed());
        self.pass_on(&granted);
        Ok(())
    }

    async fn keep_untried(&self, granted: &Granted) -> Result<(), StorageError> {
        let untried = Untried {
            row: self.row,
            id: self.installation.id.clone(),
            at: granted.received.day(),
            via: granted.route,
            call: granted.call.clone(),
        };
        let document = self.document(&granted.pair);
        self.tools.recorder.keep(TokenFile::Tokens, &document, Event::Untried(untried)).await
    }

    async fn record_recovered(
        &self,
        granted: Granted,
        verified: Option<Verified>,
    ) -> Result<(), StorageError> {
        let event = Event::Recovered(Box::new(self.recovered(&granted, verified)));
        self.tools.recorder.record_durably(event).await?;
        self.pass_on(&granted);
        Ok(())
    }

    /// Makes the recovery known to other runs, and the tokens of an agency to its sub-accounts.
    fn pass_on(&self, granted: &Granted) {
        if let Some(recoveries) = &self.tools.recoveries {
            recoveries.remember(self.installation);
        }
        if self.installation.scope == Scope::Company {
            let (token, expires_at) = (granted.pair.access_token(), granted.pair.expires_at());
            let company = self.installation.id.clone();
            self.tools.routes.agencies().insert(company, token.clone(), expires_at);
        }
    }

    fn recovered(&self, granted: &Granted, verified: Option<Verified>) -> Recovered {
        Recovered {
            row: self.row,
            id: self.installation.id.clone(),
            attempts: self.attempts(),
            via: granted.route,
            started_at: self.started_at,
            at: granted.received.day(),
            reconnect_trace_id: self.reconnect_trace_id.clone(),
            exchange: granted.call.clone(),
            code_age_ms: granted.code.map(|code| code.age_ms),
            code_margin_ms: granted.code.map(|code| code.margin_ms),
            token_expires_at: granted.pair.expires_at(),
            without_refresh_token: !granted.pair.has_refresh_token(),
            verified,
        }
    }

    /// Keeps a pair that must not be used, with the reason.
    pub(super) async fn quarantine(
        &mut self,
        failure: Failure,
        call: Call,
        pair: &TokenPair,
    ) -> Result<Ending, StorageError> {
        let mut document = Map::new();
        document.insert("quarantined_for".into(), failure.class.name().into());
        document.insert("reason".into(), failure.message.as_str().into());
        document.insert("row".into(), self.row.into());
        document.extend(self.document(pair));
        self.trace_ids.extend(call.trace_id.clone());
        let event = self.failed_event(failure.clone(), Some(call));
        self.tools.recorder.keep(TokenFile::Quarantine, &document, event).await?;
        Ok(self.ended_with(failure))
    }

    fn ended_with(&mut self, failure: Failure) -> Ending {
        self.for_all.take().map_or(Ending::Failed(failure), Ending::FailedForAll)
    }

    fn document(&self, pair: &TokenPair) -> Map<String, Value> {
        pair.session_document(&self.tools.client.credentials().client_id, self.installation)
    }

    /// Records that the installation has failed.
    pub(super) async fn give_up(
        &mut self,
        failure: Failure,
        call: Option<Call>,
    ) -> Result<Ending, StorageError> {
        let event = self.failed_event(failure.clone(), call);
        self.tools.recorder.record(event).await?;
        Ok(self.ended_with(failure))
    }

    /// Leaves the installation as it is. One for which no request was made stays without an outcome.
    pub(super) async fn abandon(
        &mut self,
        cause: Cause,
        call: Option<Call>,
    ) -> Result<Ending, StorageError> {
        if let Some(last) = self.last.take() {
            let (class, word) = match cause {
                Cause::Interrupted(_) => (Class::Interrupted, "interrupted"),
                Cause::Halted | Cause::StorageError => (Class::Halted, "halted"),
            };
            let message = format!("the run was {word} before the next attempt, after {last}");
            let failure = Failure { class, message: SafeText::new(&message), ..last };
            let event = self.failed_event(failure, call);
            self.tools.recorder.record(event).await?;
        }
        Ok(Ending::Abandoned)
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
