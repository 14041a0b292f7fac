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
    /// The wish of which this one is a part.
    whole: Option<Arc<watch::Sender<Option<Cause>>>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { cause: Arc::new(watch::Sender::new(None)), whole: None }
    }
}

impl Stop {
    /// A stop for a part of the work: it ends with the whole, and the whole goes on without it.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { whole: Some(self.cause.clone()), ..Self::default() }
    }

    /// Asks the run, or this part of it, to end. The first cause counts; whether this is the first
    /// is the answer.
    pub fn request(&self, cause: Cause) -> bool {
        self.cause.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(cause);
            first
        })
    }

    /// The cause, if the run is to end.
    pub fn cause(&self) -> Option<Cause> {
        let whole = self.whole.as_ref().and_then(|whole| *whole.borrow());
        whole.or_else(|| *self.cause.borrow())
    }

    /// Waits until the run is to end.
    pub async fn requested(&self) -> Cause {
        let Some(whole) = &self.whole else { return wished(&self.cause).await };
        tokio::select! {
            cause = wished(whole) => cause,
            cause = wished(&self.cause) => cause,
        }
    }
}

async fn wished(wish: &watch::Sender<Option<Cause>>) -> Cause {
    let mut wish = wish.subscribe();
    loop {
        if let Some(cause) = *wish.borrow_and_update() {
            return cause;
        }
        if wish.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_ends_alone_and_with_the_whole() {
        let whole = Stop::default();
        let [first, second] = [whole.part(), whole.part()];
        assert!(first.request(Cause::Halted));
        assert_eq!(first.requested().await, Cause::Halted);
        assert_eq!((second.cause(), whole.cause()), (None, None));
        whole.request(Cause::CustodyLost);
        assert_eq!(second.requested().await, Cause::CustodyLost);
    }
}
