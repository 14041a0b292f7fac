//! The state of a run, read from its journal alone.

mod books;
mod compare;
mod doubts;
mod outcomes;
mod rows;
mod run_state;

pub use self::{
    books::{AppBooks, Books, Chain},
    compare::{Disagreement, TokenLine},
    doubts::LostGrant,
    outcomes::Outcome,
    rows::{Before, Take, Tried},
    run_state::{RunState, started},
};
