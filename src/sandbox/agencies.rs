//! Which agency a sub-account belongs to, and what an agency has.

use std::collections::HashMap;

use super::mint;
use super::stored::{InstalledLocation, Presence};

/// The agencies, as far as anybody said something about them.
#[derive(Default)]
pub(super) struct Agencies {
    /// The agency of every sub-account of which nothing else is said.
    only: Option<String>,
    listed: Vec<InstalledLocation>,
    positions: HashMap<String, usize>,
    told: HashMap<String, String>,
}

impl Agencies {
    /// Agencies of which nothing else is known.
    pub(super) fn new(only: Option<String>) -> Self {
        Self { only, ..Self::default() }
    }

    /// Lists locations behind those that are there; one that is there already is replaced.
    pub(super) fn list(&mut self, locations: Vec<InstalledLocation>) {
        for location in locations {
            let free = self.listed.len();
            let position = *self.positions.entry(location.id.clone()).or_insert(free);
            match self.listed.get_mut(position) {
                Some(there) => *there = location,
                None => self.listed.push(location),
            }
        }
    }

    /// Notes whose a location is that is not listed.
    pub(super) fn tell(&mut self, location: &str, company: &str) {
        self.told.insert(location.to_owned(), company.to_owned());
    }

    fn listed(&self, location: &str) -> Option<&InstalledLocation> {
        self.listed.get(*self.positions.get(location)?)
    }

    /// The agency of a location: as listed, as told, the only one, or one of seven.
    pub(super) fn company_of(&self, location: &str) -> String {
        let known = self.listed(location).map(|listed| &listed.company);
        let known = known.or_else(|| self.told.get(location)).or(self.only.as_ref());
        known.cloned().unwrap_or_else(|| mint::company_of(location))
    }

    /// Whether the agency's token gives a token of this location. Where locations of the agency are
    /// listed, it has those with the app and no others.
    pub(super) fn has(&self, company: &str, location: &str) -> bool {
        match self.listed(location) {
            Some(listed) => listed.company == company && listed.presence == Presence::Installed,
            None => self.of(company).next().is_none() && self.company_of(location) == company,
        }
    }

    /// The listed locations of an agency, in their order.
    pub(super) fn of<'a>(
        &'a self,
        company: &'a str,
    ) -> impl Iterator<Item = &'a InstalledLocation> {
        self.listed.iter().filter(move |listed| listed.company == company)
    }
}
