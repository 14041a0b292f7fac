//! `GET` of a location, a company or contacts: an access token is tried.

use super::answers::{self, Answer};
use super::bearer::{self, Bearer};
use super::call::Call;
use super::spoil::Reply;
use super::state::State;
use super::step::Step;
use crate::installation::Scope;

/// What is read with the token.
#[derive(Clone, Copy)]
enum Read {
    Location,
    Company,
    Contacts,
}

/// What a path reads, and of whom; none for a path that is no trial of a token.
fn target(call: &Call) -> Option<(Read, &str)> {
    let of = |prefix| {
        let rest: &str = call.path.strip_prefix(prefix)?;
        rest.split('/').next().filter(|id| !id.is_empty())
    };
    if matches!(call.path.as_str(), "/contacts" | "/contacts/") {
        return Some((Read::Contacts, call.query("locationId").unwrap_or_default()));
    }
    let location = of("/locations/").map(|id| (Read::Location, id));
    location.or_else(|| of("/companies/").map(|id| (Read::Company, id)))
}

/// Answers a trial; none for a path that is none.
pub(super) fn answer(state: &mut State, call: &Call) -> Option<Reply> {
    let (read, id) = target(call)?;
    state.note_step(call, Step::Verify);
    let scope = match read {
        Read::Location | Read::Contacts => Scope::Location,
        Read::Company => Scope::Company,
    };
    let asked = bearer::asked(call, Step::Verify, scope, id);
    Some(state.serve_bearer(call, &asked, |state, bearer, _| judge(state, call, bearer, read)))
}

fn judge(state: &State, call: &Call, bearer: &Bearer, read: Read) -> Answer {
    let (scope, recorded) = match read {
        Read::Location => (Scope::Location, answers::LOCATION),
        Read::Company => (Scope::Company, answers::COMPANY),
        Read::Contacts => (Scope::Location, answers::CONTACTS),
    };
    let holder = &bearer.holder;
    if holder.scope != scope {
        return answers::AUTH_CLASS.fill(&[]);
    }
    let id = holder.id();
    if target(call).is_none_or(|(_, asked)| asked != id) {
        return answers::NO_ACCESS.fill(&[]);
    }
    let trace = state.mint.trace(call.ordinal);
    recorded.fill(&[("id", id), ("company", &holder.company), ("traceId", &trace)])
}
