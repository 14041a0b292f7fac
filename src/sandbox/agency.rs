//! `POST /oauth/locationToken` and `/oauth/location-token`: an agency's access token in, the tokens
//! of one of its sub-accounts out.

use super::answers::{self, Answer};
use super::bearer::{self, Bearer};
use super::call::{Api, Call, Content};
use super::faults::Fault;
use super::ledger::Source;
use super::spoil::{self, Casing, Reply};
use super::state::State;
use super::step::Step;
use super::token;
use crate::installation::Scope;

/// The path of version 2.
pub(super) const PATH: &str = "/oauth/locationToken";

/// The path of version 3.
pub(super) const PATH_V3: &str = "/oauth/location-token";

/// Answers a request for the tokens of a sub-account.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    state.note_step(call, Step::Agency);
    if let Some(answer) = wrong_version(call, PATH_V3) {
        return Reply::whole(answer);
    }
    let form = matches!(call.content, Content::Form(_)).then_some(&call.content);
    let field = |name| form.and_then(|form| form.field(name));
    let missing = |name| Reply::whole(answers::VALIDATION.fill(&[("field", name)]));
    let Some(company) = field("companyId") else { return missing("companyId") };
    let Some(location) = field("locationId") else { return missing("locationId") };
    let asked = bearer::asked(call, Step::Agency, Scope::Location, location);
    state.serve_bearer(call, &asked, |state, bearer, fault| {
        give(state, call, bearer, (company, location), fault)
    })
}

/// The answer to a path under the version that does not have it.
pub(super) fn wrong_version(call: &Call, path_v3: &str) -> Option<Answer> {
    let (method, path) = (call.method.as_str(), call.path.as_str());
    match (call.api, path == path_v3) {
        (Api::V3, false) => Some(answers::VERSION_WRONG.fill(&[("path", path)])),
        (Api::V2, true) => Some(answers::NOT_FOUND.fill(&[("method", method), ("path", path)])),
        _ => None,
    }
}

fn give(
    state: &mut State,
    call: &Call,
    bearer: &Bearer,
    (company, location): (&str, &str),
    fault: Option<&Fault>,
) -> Answer {
    if bearer.holder.scope == Scope::Location {
        return answers::USER_TYPE.fill(&[]);
    }
    if bearer.holder.company != company {
        return answers::NO_ACCESS.fill(&[]);
    }
    if !state.agencies.has(company, location) {
        return answers::UNKNOWN_ID.fill(&[("traceId", &state.mint.trace(call.ordinal))]);
    }
    let tenant = state.log.texts.number(location);
    let made = (tenant, Scope::Location, bearer.client, Source::Agency);
    let serial = state.grant_anew(made, fault);
    granted(state, call, serial, bearer.client)
}

/// As specified, neither `userType` nor `companyId` is in it.
fn granted(state: &State, call: &Call, serial: u32, client: Option<u32>) -> Answer {
    let tokens = state.tokens(serial);
    // A second more than other tokens say: observed.
    let life = state.access_life.as_secs().saturating_add(1);
    let location = tokens.holder.id();
    let mut answer = answers::LOCATION_TOKEN.fill(&[
        ("access", &tokens.access),
        ("refresh", &tokens.refresh),
        ("life", &life.to_string()),
        ("scope", token::SCOPE),
        ("location", location),
        ("plan", "66f2a1c04b7d3e5f90a1b2c3"),
        ("app", state.clients.app(client)),
        ("user", &state.mint.user(location)),
        ("traceId", &state.mint.trace(call.ordinal)),
    ]);
    if call.api == Api::V3 {
        spoil::recase(&mut answer, Casing::Camel);
    }
    answer
}
