//! Sends each event to the journal first, then to the listeners: what has to be durable is durable
//! before anything else shows it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    event::{Event, Listener},
    journal::{
        handle::Journal,
        writer::{StorageError, TokenFile},
    },
};

/// Records the events of the work. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    journal: Journal,
    listeners: Vec<Arc<dyn Listener>>,
}

impl Recorder {
    /// Records to a journal, then to listeners.
    pub fn new(journal: Journal, listeners: Vec<Arc<dyn Listener>>) -> Self {
        Self { journal, listeners }
    }

    /// Records an event. It becomes durable with the next sync.
    pub async fn record(&self, event: Event) -> Result<(), StorageError> {
        self.journal.record(&event).await?;
        self.on_event(&event);
        Ok(())
    }

    /// Records an event, and returns when it survives a crash of the process.
    pub async fn record_first(&self, event: Event) -> Result<(), StorageError> {
        self.journal.record_first(&event).await?;
        self.on_event(&event);
        Ok(())
    }

    /// Waits until everything recorded before is written.
    pub async fn settle(&self) -> Result<(), StorageError> {
        self.journal.settle().await
    }

    /// Records an event, and returns when it survives a power cut.
    pub async fn record_durably(&self, event: Event) -> Result<(), StorageError> {
        self.journal.record_durably(&event).await?;
        self.on_event(&event);
        Ok(())
    }

    /// Writes tokens and the event that says so; returns when both survive a power cut.
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
