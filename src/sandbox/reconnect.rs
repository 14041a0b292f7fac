//! `POST /oauth/reconnect`: a client pair and an id in, an authorization code out.

use super::answers::{self, Answer};
use super::call::{Call, Content};
use super::faults::Fault;
use super::ledger::Code;
use super::mint;
use super::spoil::{self, Reply};
use super::state::{Asked, State};
use super::step::Step;
use crate::installation::Scope;

/// Answers a reconnect.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    state.note_step(call, Step::Reconnect);
    match read(&call.content) {
        Ok(asked) => state.serve(call, &asked, |state, fault| work(state, call, &asked, fault)),
        Err(answer) => Reply::whole(answer),
    }
}

fn work(state: &mut State, call: &Call, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let Some(client) = state.clients.accept(&asked.client, &asked.secret) else {
        return answers::CLIENT_REFUSED.fill(&[]);
    };
    let issued = state.clock.now();
    let expires = issued.saturating_add(spoil::code_life(fault, state.code_life));
    let tenant = state.log.texts.number(&asked.id);
    let (scope, gave) = (asked.scope, None);
    let code = Code { tenant, scope, client, issued, expires, gave };
    let serial = state.ledger.issue(state.mint, code);
    answers::CODE.fill(&[
        ("code", &mint::hex(&state.mint.code(serial.into()))),
        ("expiresAt", &state.clock.rfc3339(expires)),
        ("traceId", &state.mint.trace(call.ordinal)),
    ])
}

/// What is asked for. The messages are in the words of Nest's validator; none is published.
fn read(content: &Content) -> Result<Asked, Answer> {
    if let Content::BadJson(position) = content {
        return Err(answers::BAD_JSON.fill(&[("position", &position.to_string())]));
    }
    // Forms are not documented here, so that one is as good as no body.
    let json = matches!(content, Content::Json(_)).then_some(content);
    let field = |name| json.and_then(|content| content.field(name));
    let needed = |name| field(name).ok_or_else(|| answers::VALIDATION.fill(&[("field", name)]));
    let (client, secret) = (needed("clientKey")?, needed("clientSecret")?);
    let (scope, id) = match (field("locationId"), field("companyId")) {
        (Some(id), None) => (Scope::Location, id),
        (None, Some(id)) => (Scope::Company, id),
        _ => return Err(answers::ONE_ID.fill(&[])),
    };
    let [client, secret, id] = [client, secret, id].map(str::to_owned);
    Ok(Asked { step: Step::Reconnect, client, secret, scope, id })
}
