//! What marks look like. The page's style has the colours by class, for light and dark; a viewer that
//! takes no styles finds colours and dashes in the attributes.

/// What a mark stands for, which decides how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Recovered,
    Failed,
    Skipped,
    NotAttempted,
    LeftOut,
    Hold,
    HoldBar,
    Outage,
    OutageBar,
    Execution,
    Bound,
    Busiest,
    Mean,
    Median,
    P95,
    P99,
    Oldest,
    Margin,
    Life,
    Grid,
}

/// How a look is written down.
pub(super) struct Pen {
    /// Its class in the page's style.
    pub(super) class: &'static str,
    /// Its colour where no style applies.
    pub(super) colour: &'static str,
    /// Its dashes; empty for a solid line.
    pub(super) dashes: &'static str,
    /// Width of its lines in pixels.
    pub(super) width: u32,
}

impl Look {
    /// Every look; its place is its mark in what plotters draws.
    pub(super) const ALL: [Self; 20] = [
        Self::Recovered,
        Self::Failed,
        Self::Skipped,
        Self::NotAttempted,
        Self::LeftOut,
        Self::Hold,
        Self::HoldBar,
        Self::Outage,
        Self::OutageBar,
        Self::Execution,
        Self::Bound,
        Self::Busiest,
        Self::Mean,
        Self::Median,
        Self::P95,
        Self::P99,
        Self::Oldest,
        Self::Margin,
        Self::Life,
        Self::Grid,
    ];

    /// How it is written down.
    pub(super) fn pen(self) -> Pen {
        let (class, colour, dashes, width) = match self {
            Self::Recovered => ("ok", "#0f766e", "", 2),
            Self::Failed => ("bad", "#b4330e", "6 4", 2),
            Self::Skipped => ("skip", "#4b6b9b", "", 2),
            Self::NotAttempted => ("open", "#8a6d1f", "", 2),
            Self::LeftOut => ("mute", "#8b949e", "", 2),
            Self::Hold => ("hold", "#f3dfae", "", 1),
            Self::HoldBar => ("open", "#8a6d1f", "", 1),
            Self::Outage => ("out", "#f2c4b3", "", 1),
            Self::OutageBar => ("bad", "#b4330e", "", 1),
            Self::Execution => ("exec", "#8b949e", "2 3", 1),
            Self::Bound => ("bad", "#b4330e", "8 4", 1),
            Self::Busiest | Self::Median | Self::Oldest => ("one", "#0b5cad", "", 2),
            Self::Mean | Self::P95 | Self::Margin => ("two", "#8a4baf", "6 4", 2),
            Self::P99 | Self::Life => ("three", "#a15c00", "2 3", 2),
            Self::Grid => ("grid", "#d9dde1", "", 1),
        };
        Pen { class, colour, dashes, width }
    }
}
