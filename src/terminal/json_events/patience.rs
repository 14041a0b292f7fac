//! How long the last lines may take.

use std::time::Duration;

/// How long the end of the program waits for whoever reads its output.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the events that are not written yet. The rest is left out.
    pub events: Duration,
    /// While nothing is taken. After that the last line is missing.
    pub silence: Duration,
}

impl Patience {
    /// After a program that has done its work.
    pub const USUAL: Self =
        Self { events: Duration::from_mins(2), silence: Duration::from_secs(30) };
    /// After a signal that ends the program at once.
    pub const BRIEF: Self =
        Self { events: Duration::from_secs(1), silence: Duration::from_secs(2) };
}
