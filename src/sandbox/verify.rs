//! Access tokens: what one is worth, and `GET` of a location, a company or contacts to check it.

use super::answers::{self, Answer, Reply};
use super::call::{Api, Call, Step};
use super::faults::Fault;
use super::options::AccessLife;
use super::state::{Requested, State};
use super::tokens::{Holder, Purpose};
use crate::installation::Scope;

/// Whose an access token is.
pub(super) struct Bearer {
    pub(super) holder: Holder,
    /// The number of the client to which it belongs, where that is known.
    pub(super) client: Option<u32>,
}

/// Serves a request with an access token, for what concerns this id: it needs a version, and a token
/// that works.
pub(super) fn serve(
    state: &mut State,
    call: &Call,
    (step, scope, id): (Step, Scope, &str),
    work: impl FnOnce(&mut State, &Bearer, Option<&Fault>) -> Answer,
) -> Reply {
    let secret = call.bearer.clone().unwrap_or_default();
    let requested = Requested { step, client: String::new(), secret, scope, id: id.to_owned() };
    state.serve(call, &requested, |state, fault| {
        if call.api == Api::Unnamed {
            return answers::VERSION_MISSING.plain();
        }
        match bearer(state, call.bearer.as_deref().unwrap_or_default()) {
            Ok(bearer) => work(state, &bearer, fault),
            Err(answer) => answer,
        }
    })
}

fn bearer(state: &State, token: &str) -> Result<Bearer, Answer> {
    let recorded = match state.find(Purpose::Access, token) {
        Some(position) => {
            let pair = &state.pairs[position as usize];
            let now = state.clock.utc(state.clock.now());
            match pair.access {
                _ if pair.expires.is_some_and(|expires| expires <= now) => answers::TOKEN_DEAD,
                AccessLife::Alive => {
                    return Ok(Bearer { holder: state.holder(pair), client: pair.owner.client });
                }
                AccessLife::Dead => answers::TOKEN_DEAD,
                AccessLife::Revoked => answers::TOKEN_INVALID,
                AccessLife::NoScope => answers::SCOPE_MISSING,
                AccessLife::NoFeature => answers::NO_FEATURE,
            }
        }
        // A Private Integration Token: observed.
        None if token.starts_with("pit-") => answers::SCOPE_MISSING,
        None => answers::TOKEN_DEAD,
    };
    Err(recorded.plain())
}

/// Answers a check of a token; none for a path that is none.
pub(super) fn answer(state: &mut State, call: &Call) -> Option<Reply> {
    let (recorded, scope, id) = target(call)?;
    state.note_step(call, Step::Verify);
    Some(serve(state, call, (Step::Verify, scope, id), |_, bearer, _| {
        let Bearer { holder, .. } = bearer;
        if holder.scope() != scope {
            answers::AUTH_CLASS.plain()
        } else if holder.id() != id {
            answers::NO_ACCESS.plain()
        } else {
            recorded.fill(&[("id", id), ("company", &holder.company)])
        }
    }))
}

/// What a path reads, and of whom; none for a path that checks no token.
fn target(call: &Call) -> Option<(answers::Recorded, Scope, &str)> {
    if matches!(call.path.as_str(), "/contacts" | "/contacts/") {
        let id = call.query("locationId").unwrap_or_default();
        return Some((answers::CONTACTS, Scope::Location, id));
    }
    let of = |prefix| call.path.strip_prefix(prefix)?.split('/').next().filter(|id| !id.is_empty());
    let location = of("/locations/").map(|id| (answers::LOCATION, Scope::Location, id));
    location.or_else(|| of("/companies/").map(|id| (answers::COMPANY, Scope::Company, id)))
}
