//! How much is printed, and in which colors.

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress, and the first failure of each kind.
    Normal,
    /// Every event.
    Verbose,
}

/// Whether to color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colors {
    /// With colors.
    On,
    /// Without.
    Off,
}
