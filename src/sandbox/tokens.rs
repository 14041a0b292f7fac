//! The tokens of a pair, and whose they are.

use super::ledger::{MadeOut, Pair};
use super::mint::{self, Claims, Holder};
use super::state::State;
use crate::installation::Scope;

/// The tokens of a pair, and for whom they are.
pub(super) struct Tokens {
    pub(super) holder: Holder,
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Tokens {
    fn none() -> Self {
        let holder = Holder { scope: Scope::Company, company: String::new(), location: None };
        Self { holder, access: String::new(), refresh: String::new() }
    }
}

impl State {
    /// The tokens of a pair, made again.
    pub(super) fn tokens(&self, serial: u32) -> Tokens {
        let Some(pair) = self.ledger.pairs.get(serial as usize) else { return Tokens::none() };
        let holder = self.holder(pair);
        let client = self.clients.get(pair.client as usize).map_or("", |(client, _)| client);
        let issued = self.clock.told(pair.at).as_second();
        let claims = Claims { holder: &holder, client, issued, serial: serial.into() };
        let (access, refresh) = (self.mint.access(&claims), self.mint.refresh(&claims));
        Tokens { holder, access, refresh }
    }

    fn holder(&self, pair: &Pair) -> Holder {
        let asked = self.log.texts.text(pair.tenant);
        let (scope, id) = match (pair.made_out, pair.scope) {
            (MadeOut::AsAsked, scope) => (scope, asked.to_owned()),
            (MadeOut::ToAnotherTenant, scope) => (scope, mint::stranger(asked)),
            (MadeOut::ToTheOtherKind, Scope::Location) => (Scope::Company, self.company_of(asked)),
            (MadeOut::ToTheOtherKind, Scope::Company) => (Scope::Location, mint::stranger(asked)),
        };
        match (scope, pair.made_out) {
            (Scope::Company, _) => Holder { scope, company: id, location: None },
            // A location of the agency that asked.
            (Scope::Location, MadeOut::ToTheOtherKind) => {
                Holder { scope, company: asked.to_owned(), location: Some(id) }
            }
            (Scope::Location, _) => {
                Holder { scope, company: self.company_of(&id), location: Some(id) }
            }
        }
    }

    fn company_of(&self, location: &str) -> String {
        self.company.clone().unwrap_or_else(|| mint::company_of(location))
    }
}
