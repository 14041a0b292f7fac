//! The ids of a run, as many of them as are looked for.

use crate::installation::Scope;

/// Ids that are looked for once the table is known.
pub const MOST_IDS: usize = 20_000;

/// The installations that a look is about, and the apps that they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// Location ids.
    pub locations: Vec<String>,
    /// Company ids of agencies.
    pub companies: Vec<String>,
    /// The client ids of the apps.
    pub client_ids: Vec<String>,
}

impl Ids {
    /// Takes an installation in.
    pub fn add(&mut self, scope: Scope, id: &str) {
        match scope {
            Scope::Location => self.locations.push(id.to_owned()),
            Scope::Company => self.companies.push(id.to_owned()),
        }
    }

    /// The ids of a kind.
    pub fn of(&self, scope: Scope) -> &[String] {
        match scope {
            Scope::Location => &self.locations,
            Scope::Company => &self.companies,
        }
    }

    /// Some of the ids of a kind, spread over all of them.
    pub fn some(&self, scope: Scope, most: usize) -> Vec<&str> {
        let ids = self.of(scope);
        let step = ids.len().div_ceil(most).max(1);
        ids.iter().step_by(step).map(String::as_str).collect()
    }
}
