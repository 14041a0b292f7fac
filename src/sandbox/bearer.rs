//! Who stands behind an access token, and what it is worth.

use super::answers::{self, Answer};
use super::call::{Api, Call};
use super::clock::micros;
use super::faults::Fault;
use super::mint::{Holder, Purpose};
use super::spoil::Reply;
use super::state::{Asked, State};
use super::step::Step;
use super::stored::AccessLife;
use crate::installation::Scope;

/// Who stands behind an access token that works.
pub(super) struct Bearer {
    pub(super) holder: Holder,
    /// The number of the client to which it belongs, where that is known.
    pub(super) client: Option<u32>,
}

/// What a request with an access token asks for.
pub(super) fn asked(call: &Call, step: Step, scope: Scope, id: &str) -> Asked {
    let secret = call.bearer.clone().unwrap_or_default();
    Asked { step, client: String::new(), secret, scope, id: id.to_owned() }
}

impl State {
    /// Serves a request that shows an access token: with a version, and with a token that works.
    pub(super) fn serve_bearer(
        &mut self,
        call: &Call,
        asked: &Asked,
        work: impl FnOnce(&mut Self, &Bearer, Option<&Fault>) -> Answer,
    ) -> Reply {
        self.serve(call, asked, |state, fault| {
            if call.api == Api::Unnamed {
                return answers::VERSION_MISSING.fill(&[]);
            }
            match state.bearer(call) {
                Ok(bearer) => work(state, &bearer, fault),
                Err(answer) => answer,
            }
        })
    }

    fn bearer(&self, call: &Call) -> Result<Bearer, Answer> {
        let token = call.bearer.as_deref().unwrap_or_default();
        let trace = || self.mint.trace(call.ordinal);
        let known = self.stored_bearer(token).or_else(|| self.granted_bearer(token));
        match known {
            Some((bearer, AccessLife::Alive)) => Ok(bearer),
            Some((_, AccessLife::Revoked)) => Err(answers::TOKEN_INVALID.fill(&[])),
            Some((_, AccessLife::NoScope)) => Err(answers::SCOPE_MISSING.fill(&[])),
            Some((_, AccessLife::NoFeature)) => {
                Err(answers::NO_FEATURE.fill(&[("traceId", &trace())]))
            }
            // A Private Integration Token: observed.
            None if token.starts_with("pit-") => Err(answers::SCOPE_MISSING.fill(&[])),
            Some((_, AccessLife::Dead)) | None => Err(answers::TOKEN_DEAD.fill(&[])),
        }
    }

    fn stored_bearer(&self, token: &str) -> Option<(Bearer, AccessLife)> {
        let now = self.clock.told(self.clock.now());
        let (kept, life) = self.vault.find_access(token, now)?;
        let id = kept.pair.id.clone();
        let holder = match kept.pair.scope {
            Scope::Company => Holder { scope: Scope::Company, company: id, location: None },
            Scope::Location => {
                let company = self.agencies.company_of(&id);
                Holder { scope: Scope::Location, company, location: Some(id) }
            }
        };
        Some((Bearer { holder, client: kept.client }, life))
    }

    fn granted_bearer(&self, token: &str) -> Option<(Bearer, AccessLife)> {
        let serial = self.mint.serial(token, Purpose::Access)?;
        let pair = self.ledger.pairs.get(serial as usize)?;
        let tokens = self.tokens(serial);
        let old = self.clock.now().saturating_sub(pair.at) > micros(self.access_life);
        let life = if old { AccessLife::Dead } else { pair.access };
        let bearer = Bearer { holder: tokens.holder, client: pair.client };
        (tokens.access == token).then_some((bearer, life))
    }
}
