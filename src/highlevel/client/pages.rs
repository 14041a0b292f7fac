//! Which page of an agency's locations is asked for.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::{highlevel::version::ApiVersion, installation::Id};

/// Locations asked for in a page: the most that version 3 allows. Smaller pages are accepted.
const PAGE_SIZE: &str = "100";

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageCursor {
    /// After this many locations: the first page, and every page of version 2.
    Skip(u64),
    /// Where the previous page says, in version 3.
    Token(String),
}

impl Default for PageCursor {
    fn default() -> Self {
        Self::Skip(0)
    }
}

/// Which locations of the agency are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listing {
    /// All that the API lists for the app.
    All,
    /// Those in which the app is installed.
    Installed,
}

/// A query for a page.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The agency.
    pub company: &'a Id,
    /// The app: its client id before the dash.
    pub app: &'a str,
    /// Which locations.
    pub listing: Listing,
    /// Where the page begins.
    pub cursor: &'a PageCursor,
}

impl Query<'_> {
    /// The address with this query.
    pub(super) fn put_to(&self, mut url: Url, version: ApiVersion) -> Url {
        let size = match version {
            ApiVersion::V2 => "limit",
            ApiVersion::V3 => "pageSize",
        };
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("companyId", self.company.as_str()).append_pair("appId", self.app);
        if self.listing == Listing::Installed {
            pairs.append_pair("isInstalled", "true");
        }
        match self.cursor {
            PageCursor::Token(token) => pairs.append_pair("pageToken", token),
            PageCursor::Skip(count) if version == ApiVersion::V2 => {
                pairs.append_pair("skip", &count.to_string())
            }
            PageCursor::Skip(_) => &mut pairs,
        };
        pairs.append_pair(size, PAGE_SIZE);
        drop(pairs);
        url
    }
}
