//! What the rows of a list bring for each route: counts only, by agency.

use std::collections::HashMap;

use crate::{
    installation::{Id, Installation, Scope},
    secret::TokensAtHand,
};

/// Agencies that are told apart; a list with more has their sub-accounts counted together.
const MOST_AGENCIES: usize = 100_000;

/// Installations by whether they have a refresh token that can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByRefresh {
    /// They have one.
    pub with: u32,
    /// They have none.
    pub without: u32,
}

impl ByRefresh {
    /// All of them.
    pub fn all(self) -> u32 {
        self.with + self.without
    }

    /// Both kinds apart.
    pub(super) fn kinds(self) -> [(u32, RefreshToken); 2] {
        [(self.with, RefreshToken::AtHand), (self.without, RefreshToken::Missing)]
    }

    fn count(&mut self, tokens: &TokensAtHand) {
        let count = if tokens.refresh.is_some() { &mut self.with } else { &mut self.without };
        *count += 1;
    }
}

impl std::ops::AddAssign for ByRefresh {
    fn add_assign(&mut self, more: Self) {
        self.with += more.with;
        self.without += more.without;
    }
}

/// Whether an installation has a refresh token that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshToken {
    AtHand,
    Missing,
}

/// An agency as the list knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agency {
    /// Its sub-accounts that are to be recovered.
    pub locations: ByRefresh,
    /// Whether it is to be recovered itself.
    pub own: OwnTokens,
}

/// Whether an agency's own connection is on the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnTokens {
    /// It is not.
    #[default]
    NotListed,
    /// It is, so that its token is at hand once it is recovered.
    Listed,
}

/// What a list brings for each route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListStats {
    /// Agency connections.
    pub companies: ByRefresh,
    /// Sub-accounts whose agency is not named.
    pub without_agency: ByRefresh,
    /// Sub-accounts of the agencies beyond those that are told apart.
    pub beyond: ByRefresh,
    /// The agencies that the list names.
    pub agencies: HashMap<Id, Agency>,
}

impl ListStats {
    /// Counts an installation and the tokens that may be presented for it.
    pub fn count(&mut self, installation: &Installation, tokens: &TokensAtHand) {
        let Installation { scope, id, company } = installation;
        match (scope, company) {
            (Scope::Company, _) => {
                self.companies.count(tokens);
                if let Some(agency) = self.agency(id) {
                    agency.own = OwnTokens::Listed;
                }
            }
            (Scope::Location, None) => self.without_agency.count(tokens),
            (Scope::Location, Some(company)) => match self.agency(company) {
                Some(agency) => agency.locations.count(tokens),
                None => self.beyond.count(tokens),
            },
        }
    }

    fn agency(&mut self, id: &Id) -> Option<&mut Agency> {
        if self.agencies.len() >= MOST_AGENCIES {
            return self.agencies.get_mut(id);
        }
        Some(self.agencies.entry(id.clone()).or_default())
    }
}
