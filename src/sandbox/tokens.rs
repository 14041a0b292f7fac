//! The tokens of a pair, and whose they are.

use super::faults::{Fault, Kind};
use super::ledger::{MadeOut, Pair, PairState, Source};
use super::mint::{self, Claims, Holder};
use super::state::State;
use super::stored::AccessLife;
use super::symbols::Symbol;
use super::token;
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
        let client = self.clients.known_name(pair.client);
        let issued = self.clock.told(pair.at).as_second();
        let life = i64::try_from(self.access_life.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims { holder: &holder, client, issued, life, serial: serial.into() };
        let (access, refresh) = (self.mint.access(&claims), self.mint.refresh(&claims));
        Tokens { holder, access, refresh }
    }

    fn holder(&self, pair: &Pair) -> Holder {
        let asked = self.log.texts.text(pair.tenant);
        let (scope, id) = match (pair.made_out, pair.scope) {
            (MadeOut::AsAsked, scope) => (scope, asked.to_owned()),
            (MadeOut::ToAnotherTenant, scope) => (scope, mint::stranger(asked)),
            (MadeOut::ToTheOtherKind, Scope::Location) => {
                (Scope::Company, self.agencies.company_of(asked))
            }
            (MadeOut::ToTheOtherKind, Scope::Company) => (Scope::Location, mint::stranger(asked)),
        };
        match (scope, pair.made_out) {
            (Scope::Company, _) => Holder { scope, company: id, location: None },
            // A location of the agency that asked.
            (Scope::Location, MadeOut::ToTheOtherKind) => {
                Holder { scope, company: asked.to_owned(), location: Some(id) }
            }
            (Scope::Location, _) => {
                Holder { scope, company: self.agencies.company_of(&id), location: Some(id) }
            }
        }
    }

    /// Books a pair that no code gave, to the one that the fault wants.
    pub(super) fn grant_anew(
        &mut self,
        (tenant, scope, client, source): (Symbol, Scope, Option<u32>, Source),
        fault: Option<&Fault>,
    ) -> u32 {
        if fault.is_some_and(|fault| fault.kind == Kind::KillsEarlier) {
            self.ledger.kill(tenant);
            self.vault.kill(self.log.texts.text(tenant));
        }
        let (made_out, at) = (token::made_out(fault), self.clock.now());
        let (state, access, successor) = (PairState::Live, AccessLife::Alive, None);
        self.ledger.book(Pair {
            tenant,
            scope,
            client,
            source,
            made_out,
            at,
            state,
            access,
            successor,
        })
    }
}
