//! Tells each event to the journal and to everybody who listens, in that order of trust: what
//! has to be durable is durable before anybody hears of it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    event::{Event, Listener},
    journal::{
        handle::Journal,
        writer::{StorageError, TokenFile},
    },
};

/// The one way by which work speaks. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    journal: Journal,
    listeners: Vec<Arc<dyn Listener>>,
}

impl Recorder {
    /// Speaks to a journal and to listeners.
    pub fn new(journal: Journal, listeners: Vec<Arc<dyn Listener>>) -> Self {
        Self { journal, listeners }
    }

    /// Records what happened.
    pub async fn record(&self, event: Event) -> Result<(), StorageError> {
        self.journal.record(&event).await?;
        self.on_event(&event);
        Ok(())
    }

    /// Records what is about to happen, and returns when a crash of the process cannot undo that.
    pub async fn record_first(&self, event: Event) -> Result<(), StorageError> {
        self.journal.record_first(&event).await?;
        self.on_event(&event);
        Ok(())
    }

    /// Returns when the disk has taken what it was given before.
    pub async fn settle(&self) -> Result<(), StorageError> {
        self.journal.settle().await
    }

    /// Records what must not be forgotten, and returns when it is durable.
    pub async fn record_durably(&self, event: Event) -> Result<(), StorageError> {
        self.journal.record_durably(&event).await?;
        self.on_event(&event);
        Ok(())
    }

    /// Takes tokens into custody with the event that says so; returns when both are durable.
    pub async fn keep(
        &self,
        storage: TokenFile,
        document: &Map<String, Value>,
        event: Event,
    ) -> Result<(), StorageError> {
        self.journal.keep(storage, document, &event).await?;
        self.on_event(&event);
        Ok(())
    }

    fn on_event(&self, event: &Event) {
        for listener in &self.listeners {
            listener.on_event(event);
        }
    }
}
