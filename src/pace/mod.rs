//! When a request may start: one pacer for every request of a run.
//!
//! governor's rate limiter (GCRA) keeps starts apart, so that nothing is made up for after a stall. It
//! serves waiters in no particular order, knows no holds, cannot change its rate and forgets with the
//! process. So five things stand beside it: lanes, since a code in hand goes before a new one;
//! reservations, since a code is asked for only when its exchange can follow; an exact
//! [`window::Window`] over the starts, those of the last run included; an
//! [`adaptive_rate::AdaptiveRate`] that slows down when the server throttles, and climbs back; and
//! holds. [`refusals`] and [`shared_limits`] tell what the server says to one installation from what it
//! says to all.

pub mod adaptive_rate;
pub mod answer;
pub mod clearance;
pub mod day;
pub mod latency;
pub mod limiter;
pub mod memory;
mod memory_file;
pub mod memory_writer;
mod pacer;
mod pacing;
mod queue;
pub mod rate;
mod refusals;
pub mod shared_limits;
mod thread;
mod turn;
pub mod window;

#[cfg(test)]
mod tests;

pub use self::{
    answer::{Answer, AnswerOutcome, Lane},
    clearance::{Clearance, Readying},
    pacer::{Outlook, Pacer},
    pacing::Pacing,
    rate::{AskedRate, Rate},
    turn::{Preparation, Reservation},
};
