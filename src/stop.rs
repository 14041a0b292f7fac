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
    CustodyLost,
}

/// Carries the wish. After it no new code is asked for; codes in hand are still exchanged.
#[derive(Clone, Debug)]
pub struct Stop {
    cause: Arc<watch::Sender<Option<Cause>>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { cause: Arc::new(watch::Sender::new(None)) }
    }
}

impl Stop {
    /// Asks the run to end. The first cause counts; whether this is the first is the answer.
    pub fn request(&self, cause: Cause) -> bool {
        self.cause.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(cause);
            first
        })
    }

    /// The cause, if the run is to end.
    pub fn cause(&self) -> Option<Cause> {
        *self.cause.borrow()
    }

    /// Waits until the run is to end.
    pub async fn requested(&self) -> Cause {
        let mut wish = self.cause.subscribe();
        loop {
            if let Some(cause) = *wish.borrow_and_update() {
                return cause;
            }
            if wish.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
