//! One execution of a run: every installation of the list, many at a time, until the list or the run
//! ends.

pub mod batch;
pub mod breaker;
pub mod canary;
pub mod cancellation;
pub mod closing;
pub mod discover;
pub mod dispatcher;
pub mod gauge;
pub mod job;
pub mod jobs;
pub mod list;
pub mod outage;
pub mod recorder;
pub mod recover;
pub mod screen;
pub mod session;
pub mod share;
pub mod signals;
pub mod slots;
pub mod watchdog;
pub mod work;
