//! What a request is for, and at which of these steps a fault makes sense.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a request to the sandbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// `POST /oauth/reconnect`: an authorization code is asked for.
    Reconnect,
    /// `POST /oauth/token` with a code, or with a body that names no grant type that is known.
    Exchange,
    /// `POST /oauth/token` with a refresh token.
    Refresh,
    /// `POST /oauth/locationToken` or `/oauth/location-token`: an agency token is shown for a
    /// sub-account's.
    Agency,
    /// `GET` of a location, a company or contacts: an access token is tried.
    Verify,
    /// `GET /oauth/installedLocations` or `/oauth/installed-locations`: a page of a list.
    Discover,
    /// Any other path. No fault applies there.
    Other,
}

impl Step {
    /// How many steps there are: the length of tables with a place for each.
    pub(super) const COUNT: usize = 7;

    /// The steps that faults can strike at.
    pub const FAULTY: [Self; 6] = [
        Self::Reconnect,
        Self::Exchange,
        Self::Refresh,
        Self::Agency,
        Self::Verify,
        Self::Discover,
    ];

    /// The name in plans and in the audit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
            Self::Exchange => "exchange",
            Self::Refresh => "refresh",
            Self::Agency => "agency",
            Self::Verify => "verify",
            Self::Discover => "discover",
            Self::Other => "other",
        }
    }

    /// Reads the step before the colon of a plan entry.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::FAULTY.into_iter().find(|step| step.name() == name)
    }

    /// Its position in tables with a place for each step.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// At which steps a fault makes sense; the first one is where it strikes unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Every step; the reconnect unless told otherwise.
    Anywhere,
    /// The reconnect alone: it concerns the code that is handed out.
    ReconnectOnly,
    /// The exchange alone: it concerns the code that is handed in.
    ExchangeOnly,
    /// Where tokens come from: the exchange (unless told otherwise), the refresh and the agency.
    Tokens,
    /// Where tokens come from without a code: the agency (unless told otherwise) and the refresh.
    Later,
    /// The agency alone.
    AgencyOnly,
    /// Where an access token is shown: its trial (unless told otherwise), the agency and the
    /// discovery.
    Bearer,
    /// The discovery alone: it concerns the list.
    DiscoverOnly,
}

impl Place {
    /// The step of a fault that is written without one.
    pub fn natural_step(self) -> Step {
        match self {
            Self::Anywhere | Self::ReconnectOnly => Step::Reconnect,
            Self::ExchangeOnly | Self::Tokens => Step::Exchange,
            Self::Later | Self::AgencyOnly => Step::Agency,
            Self::Bearer => Step::Verify,
            Self::DiscoverOnly => Step::Discover,
        }
    }

    /// Whether the fault makes sense at this step.
    pub fn allows(self, step: Step) -> bool {
        match self {
            Self::Anywhere => step != Step::Other,
            Self::ReconnectOnly | Self::ExchangeOnly | Self::AgencyOnly | Self::DiscoverOnly => {
                step == self.natural_step()
            }
            Self::Tokens => matches!(step, Step::Exchange | Step::Refresh | Step::Agency),
            Self::Later => matches!(step, Step::Refresh | Step::Agency),
            Self::Bearer => matches!(step, Step::Agency | Step::Verify | Step::Discover),
        }
    }
}
