//! What came in, kept small: a request is a row of numbers until somebody asks.

use super::clock::Micros;
use super::step::Step;
use super::symbols::{Symbol, Symbols};

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) at: Micros,
    pub(super) ended: Option<Micros>,
    pub(super) method: Symbol,
    pub(super) path: Symbol,
    pub(super) query: Option<Symbol>,
    pub(super) content_type: Option<Symbol>,
    pub(super) user_agent: Option<Symbol>,
    pub(super) version: Option<Symbol>,
    pub(super) authorization: bool,
    pub(super) bearer: Option<Symbol>,
    pub(super) step: Step,
    pub(super) tenant: Option<Symbol>,
    pub(super) fault: Option<Symbol>,
    pub(super) status: Option<u16>,
}

/// What became of a code or a refresh token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It gave a token pair.
    Granted,
    /// A refresh token that gave the same pair again.
    Repeated,
    /// None such was handed out.
    Unknown,
    /// It was used before. What a code gave is revoked; a refresh token may be dead otherwise, too.
    Used,
    /// The client pair is not the one that it was handed out to.
    ClientRefused,
    /// It was too old.
    Expired,
    /// The request was incomplete.
    Malformed,
    /// A fault stood in the way before it was looked at.
    Fault,
}

/// One presentation of a code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presented {
    pub(super) code: Presentee,
    pub(super) request: u64,
    pub(super) outcome: Outcome,
}

/// One presentation of a refresh token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refreshing {
    pub(super) token: Symbol,
    pub(super) tenant: Option<Symbol>,
    pub(super) request: u64,
    pub(super) outcome: Outcome,
    /// The pair that it gave.
    pub(super) gave: Option<u32>,
}

/// A code as presented: one that was handed out, or any text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Presentee {
    Issued(u32),
    Text(Symbol),
}

/// Everything that came in since the last reset.
#[derive(Default)]
pub(super) struct Log {
    pub(super) rows: Vec<Row>,
    pub(super) presented: Vec<Presented>,
    pub(super) refreshes: Vec<Refreshing>,
    pub(super) texts: Symbols,
}

impl Log {
    pub(super) fn row(&mut self, ordinal: u64) -> Option<&mut Row> {
        self.rows.get_mut(usize::try_from(ordinal).ok()?)
    }

    pub(super) fn arrive(&mut self, row: Row) -> u64 {
        self.rows.push(row);
        self.rows.len() as u64 - 1
    }

    pub(super) fn present(&mut self, presented: Presented) {
        self.presented.push(presented);
    }
}
