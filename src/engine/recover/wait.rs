//! What an installation waits for between attempts: its backoff, an outage's end, agencies, a slot.

use std::time::Duration;

use tokio::time::sleep;

use super::recovery::Recovery;
use crate::{
    clock,
    engine::{
        cancellation::Cause,
        outage::{self, Blame},
        slots::Urgency,
        watchdog::WaitingFor,
    },
    event::{Call, Event, Retrying},
    failure::Failure,
    journal::writer::StorageError,
};

impl Recovery<'_> {
    /// Waits, without a slot, until it is known whether a failure is the installation's own. The error
    /// is a cancellation before that.
    pub(super) async fn blame(&mut self, failure: &Failure) -> Result<Blame, Cause> {
        if !outage::is_sign(failure) {
            return Ok(Blame::Own);
        }
        if self.tools.dispatcher.is_server_absent(failure) {
            return Ok(Blame::Own);
        }
        self.slot = None;
        self.enter(WaitingFor::Outage);
        tokio::select! {
            biased;
            blame = self.tools.dispatcher.blame(failure.stage, self.row) => Ok(blame),
            cause = self.tools.cancellation.cancelled() => Err(cause),
        }
    }

    /// Waits for the end of an outage, or to be its probe.
    pub(super) async fn wait_for_outage(
        &mut self,
        failure: Failure,
        call: Option<Call>,
    ) -> Result<(), StorageError> {
        self.record_retrying(failure, call, None).await?;
        self.enter(WaitingFor::Outage);
        self.take_slot().await;
        Ok(())
    }

    /// Waits for a slot if it has none. After a cancellation there are none, and none is needed.
    async fn take_slot(&mut self) {
        if self.slot.is_some() {
            return;
        }
        let in_doubt = self.refresh_sent.is_some();
        let urgency = if in_doubt { Urgency::Urgent } else { Urgency::None };
        tokio::select! {
            biased;
            _ = self.tools.cancellation.cancelled() => {}
            slot = self.tools.dispatcher.slot_again(self.row, urgency) => self.slot = Some(slot),
        }
    }

    /// Waits, without a slot, for the agencies whose tokens may serve it.
    pub(super) async fn wait_for_agencies(&mut self) {
        if self.tools.routes.are_agencies_done() {
            return;
        }
        self.slot = None;
        self.enter(WaitingFor::Agencies);
        self.tools.routes.agencies_are_done().await;
        self.enter(WaitingFor::Slot);
        self.take_slot().await;
    }

    /// Records why another attempt follows, and waits for it without a slot.
    pub(super) async fn wait_for_next(
        &mut self,
        failure: Failure,
        call: Option<Call>,
        wait: Duration,
    ) -> Result<(), StorageError> {
        let keeps_slot = self.tools.dispatcher.concerns_the_canary(&failure);
        self.record_retrying(failure, call, Some(wait)).await?;
        if wait.is_zero() {
            return Ok(());
        }
        if !keeps_slot {
            self.slot = None;
        }
        self.enter(WaitingFor::Backoff(wait));
        tokio::select! {
            _ = self.tools.cancellation.cancelled() => {}
            () = sleep(wait) => {
                self.enter(WaitingFor::Slot);
                self.take_slot().await;
            }
        }
        Ok(())
    }

    async fn record_retrying(
        &mut self,
        failure: Failure,
        call: Option<Call>,
        wait: Option<Duration>,
    ) -> Result<(), StorageError> {
        let retrying = Retrying {
            row: self.row,
            id: self.installation.id.clone(),
            attempt: self.attempts(),
            at: clock::now(),
            failure: failure.clone(),
            call,
            wait_ms: wait.map(clock::millis),
        };
        self.last = Some(failure);
        self.tools.recorder.record(Event::Retrying(retrying)).await
    }
}
