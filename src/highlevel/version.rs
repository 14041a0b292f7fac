//! The two versions of the API: their `Version` headers and OAuth paths.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A version of the API. Paths, casing and pages differ; answers are read in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ApiVersion {
    /// `Version: 2021-07-28`, the common one.
    #[default]
    V2,
    /// `Version: v3`.
    V3,
}

impl ApiVersion {
    /// The value of the `Version` header.
    pub fn header(self) -> &'static str {
        match self {
            Self::V2 => "2021-07-28",
            Self::V3 => "v3",
        }
    }

    /// The value of the `Version` header at `/oauth/token`, which has none in version 2.
    pub fn token_header(self) -> Option<&'static str> {
        match self {
            Self::V2 => None,
            Self::V3 => Some(self.header()),
        }
    }

    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }

    /// The path at which an agency's token gives those of a sub-account.
    pub fn location_token_path(self) -> &'static str {
        match self {
            Self::V2 => "/oauth/locationToken",
            Self::V3 => "/oauth/location-token",
        }
    }

    /// The path that lists the locations of an agency.
    pub fn installed_locations_path(self) -> &'static str {
        match self {
            Self::V2 => "/oauth/installedLocations",
            Self::V3 => "/oauth/installed-locations",
        }
    }
}
