//! Cancellation of a run, or of its part for one app: set once, awaited by everyone.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

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

/// A cancellation token with its first cause. Once it is cancelled, no new code is asked for; codes
/// in hand are still exchanged.
#[derive(Clone, Debug)]
pub struct Cancellation {
    token: CancellationToken,
    /// The causes of the whole first, then its own. A cause is set before its token is cancelled.
    causes: Vec<Arc<OnceLock<Cause>>>,
}

impl Default for Cancellation {
    fn default() -> Self {
        Self { token: CancellationToken::new(), causes: vec![Arc::default()] }
    }
}

impl Cancellation {
    /// A part of the work: it is cancelled with the whole, and the whole continues without it.
    #[must_use]
    pub fn child(&self) -> Self {
        let causes = self.causes.iter().cloned().chain([Arc::default()]).collect();
        Self { token: self.token.child_token(), causes }
    }

    /// Cancels the run, or this part of it. Returns whether this cause is its first one.
    pub fn cancel(&self, cause: Cause) -> bool {
        let is_first = self.causes.last().is_some_and(|own| own.set(cause).is_ok());
        self.token.cancel();
        is_first
    }

    /// The cause; `None` while nothing is cancelled.
    pub fn cause(&self) -> Option<Cause> {
        self.causes.iter().find_map(|cause| cause.get().copied())
    }

    /// Waits for the cancellation.
    pub async fn cancelled(&self) -> Cause {
        self.token.cancelled().await;
        self.cause().unwrap_or(Cause::Halted)
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
        assert!(!first.cancel(Cause::StorageError), "the first cause stays");
        assert_eq!(first.cancelled().await, Cause::Halted);
        assert_eq!((second.cause(), parent.cause()), (None, None));
        assert!(parent.cancel(Cause::StorageError));
        assert_eq!(second.cancelled().await, Cause::StorageError);
        assert_eq!(second.child().cause(), Some(Cause::StorageError));
    }
}
