//! One execution of a run: every installation of the list, many at a time, until the list or the run
//! ends.

pub(crate) mod batch;
pub(crate) mod breaker;
pub(crate) mod canary;
pub(crate) mod cancellation;
pub(crate) mod closing;
pub(crate) mod discover;
pub(crate) mod dispatcher;
pub mod failure_share;
pub(crate) mod gauge;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod outage;
pub(crate) mod recorder;
pub(crate) mod recover;
pub(crate) mod screen;
pub(crate) mod session;
pub mod signals;
pub(crate) mod slots;
mod storing;
pub(crate) mod watchdog;
pub(crate) mod work;
