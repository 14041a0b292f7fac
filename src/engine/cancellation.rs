//! The wish that the run end: once made it stays, and everybody can wait for it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::event::Interrupt;

/// Why the run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A person or the system asked for it.
    Interrupted(Interrupt),
    /// A fault that concerns all installations.
    Halted,
    /// The disk no longer takes what it is given.
    StorageError,
}

/// Carries the wish. After it no new code is asked for; codes in hand are still exchanged.
#[derive(Clone, Debug)]
pub struct Cancellation {
    cause: Arc<watch::Sender<Option<Cause>>>,
    /// The wish of which this one is a part.
    parent: Option<Arc<watch::Sender<Option<Cause>>>>,
}

impl Default for Cancellation {
    fn default() -> Self {
        Self { cause: Arc::new(watch::Sender::new(None)), parent: None }
    }
}

impl Cancellation {
    /// A stop for a part of the work: it ends with the whole, and the whole goes on without it.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { parent: Some(self.cause.clone()), ..Self::default() }
    }

    /// Asks the run, or this part of it, to end. The first cause counts; whether this is the first
    /// is the answer.
    pub fn cancel(&self, cause: Cause) -> bool {
        self.cause.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(cause);
            first
        })
    }

    /// The cause, if the run is to end.
    pub fn cause(&self) -> Option<Cause> {
        let parent = self.parent.as_ref().and_then(|parent| *parent.borrow());
        parent.or_else(|| *self.cause.borrow())
    }

    /// Waits until the run is to end.
    pub async fn cancelled(&self) -> Cause {
        let Some(parent) = &self.parent else { return first_cause(&self.cause).await };
        tokio::select! {
            cause = first_cause(parent) => cause,
            cause = first_cause(&self.cause) => cause,
        }
    }
}

async fn first_cause(sender: &watch::Sender<Option<Cause>>) -> Cause {
    let mut sender = sender.subscribe();
    loop {
        if let Some(cause) = *sender.borrow_and_update() {
            return cause;
        }
        if sender.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_ends_alone_and_with_the_whole() {
        let parent = Cancellation::default();
        let [first, second] = [parent.child(), parent.child()];
        assert!(first.cancel(Cause::Halted));
        assert_eq!(first.cancelled().await, Cause::Halted);
        assert_eq!((second.cause(), parent.cause()), (None, None));
        parent.cancel(Cause::StorageError);
        assert_eq!(second.cancelled().await, Cause::StorageError);
    }
}
