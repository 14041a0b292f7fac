//! `POST /oauth/locationToken` and `/oauth/location-token`: an agency's access token in, the tokens
//! of one of its sub-accounts out.

use super::answers::{self, Answer, Casing, Reply};
use super::call::{Api, Call, Content, Step};
use super::faults::Fault;
use super::options::CLIENT_ID;
use super::records::{Owner, Via};
use super::state::{State, app_of};
use super::token::SCOPE;
use super::tokens;
use super::verify::{self, Bearer};
use crate::installation::Scope;

/// The path of version 2.
pub(super) const PATH: &str = "/oauth/locationToken";

/// The path of version 3.
pub(super) const PATH_V3: &str = "/oauth/location-token";

/// The `planId` and `versionId` of every answer.
const PLAN: &str = "66f2a1c04b7d3e5f90a1b2c3";

/// Answers a request for the tokens of a sub-account.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    state.note_step(call, Step::Agency);
    if let Some(answer) = wrong_version(call, PATH_V3) {
        return answer.into();
    }
    let form = matches!(call.content, Content::Form(_)).then_some(&call.content);
    let field = |name| form.and_then(|form| form.field(name));
    let missing = |name| answers::VALIDATION.fill(&[("field", name)]).into();
    let Some(company) = field("companyId") else { return missing("companyId") };
    let Some(location) = field("locationId") else { return missing("locationId") };
    let asked = (Step::Agency, Scope::Location, location);
    verify::serve(state, call, asked, |state, bearer, fault| {
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
    Bearer { holder, client }: &Bearer,
    (company, location): (&str, &str),
    fault: Option<&Fault>,
) -> Answer {
    if holder.scope() == Scope::Location {
        return answers::USER_TYPE.plain();
    }
    if holder.company != company {
        return answers::NO_ACCESS.plain();
    }
    if !state.has(company, location) {
        return answers::UNKNOWN_ID.plain();
    }
    let tenant = state.texts.add(location);
    let owner = Owner { tenant, scope: Scope::Location, client: *client };
    let position = state.issue(owner, (Via::Agency, None), fault);
    granted(state, call, position, *client)
}

/// As specified, neither `userType` nor `companyId` is in it.
fn granted(state: &mut State, call: &Call, position: u32, client: Option<u32>) -> Answer {
    let tokens = state.hand_out(position);
    // A second more than other tokens say: observed.
    let life = tokens::ACCESS_LIFE.as_secs() + 1;
    let location = tokens.holder.id();
    let answer = answers::LOCATION_TOKEN.fill(&[
        ("access", &tokens.access),
        ("refresh", &tokens.refresh),
        ("life", &life.to_string()),
        ("scope", SCOPE),
        ("location", location),
        ("plan", PLAN),
        ("app", app_of(state.client_id(client).unwrap_or(CLIENT_ID))),
        ("user", &tokens::user(state.options.seed, location)),
    ]);
    if call.api == Api::V3 { answer.spelled(Casing::Camel) } else { answer }
}
