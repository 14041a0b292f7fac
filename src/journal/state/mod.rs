//! The state of a run, read from its journal alone.

mod books;
mod compare;
mod doubts;
mod outcomes;
mod pair_rows;
mod rows;
mod run_state;
mod store_log;
mod store_mark;
mod stored;
#[cfg(test)]
mod tests;

pub use self::{
    books::{AppBooks, Books, Chain},
    compare::{Disagreement, TokenLine},
    doubts::{Doubts, LostGrant},
    outcomes::Outcome,
    pair_rows::{PairRow, PairRows, PairState},
    rows::{Before, Take, Tried},
    run_state::{RunState, started},
    stored::{StoreCounts, StoredEvents},
};
