//! How a sandbox behaves.

use std::time::Duration;

use jiff::SignedDuration;

use super::plan::FaultPlan;
use super::stored::{InstalledLocation, StoredPair};

/// A client id of the right shape, for runs against the sandbox, where none is needed.
pub const CLIENT_ID: &str = "5a0dbc0de5a0dbc0de5a0dbc-m1sandbx";

/// A client secret of the right shape, for runs against the sandbox, where none is needed.
pub const CLIENT_SECRET: &str = "5a0dbc0d-e000-4000-8000-5a0dbc0de000";

/// How a sandbox behaves.
#[derive(Clone)]
pub struct Options {
    /// How long a code works. 60 seconds by default; the API's own is "minutes", as observed.
    pub code_life: Duration,
    /// How long each answer is held back. Nothing by default.
    pub latency: Duration,
    /// What goes wrong. Nothing by default.
    pub faults: FaultPlan,
    /// What codes, tokens, trace ids and shares of faults are drawn from. 0 by default.
    pub seed: u64,
    /// How far the server's clock is ahead, in its `Date` header and its times. 0 by default.
    pub clock_offset: SignedDuration,
    /// How long a used refresh token gives the same pair again: 30 seconds by default, as
    /// documented.
    pub same_again: Duration,
    /// Tokens that are known from the start. None by default.
    pub stored: Vec<StoredPair>,
    /// The locations of agencies, in the order in which they are listed. None by default: then an
    /// agency's token acts for every location of the agency, and a discovery finds none.
    pub installed: Vec<InstalledLocation>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            code_life: Duration::from_secs(60),
            latency: Duration::ZERO,
            faults: FaultPlan::default(),
            seed: 0,
            clock_offset: SignedDuration::ZERO,
            same_again: Duration::from_secs(30),
            stored: Vec::new(),
            installed: Vec::new(),
        }
    }
}
