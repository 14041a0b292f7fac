//! `POST /oauth/reconnect`: a client pair and an id in, an authorization code out.

use std::time::Duration;

use super::answers::{self, Answer, Reply};
use super::call::{Call, Content, Step};
use super::clock::micros;
use super::faults::{Effect, Fault};
use super::records::Owner;
use super::state::{Requested, State};
use crate::installation::Scope;

/// The path.
pub(super) const PATH: &str = "/oauth/reconnect";

/// Answers a reconnect.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    state.note_step(call, Step::Reconnect);
    match read(&call.content) {
        Ok(asked) => state.serve(call, &asked, |state, fault| issue(state, &asked, fault)),
        Err(answer) => answer.into(),
    }
}

fn issue(state: &mut State, asked: &Requested, fault: Option<&Fault>) -> Answer {
    let client = state.client(&asked.client, Some(&asked.secret));
    let life = match fault {
        Some(fault) if matches!(fault.kind.effect, Effect::ShortCode) => {
            Duration::from_millis(fault.number)
        }
        _ => state.options.code_life,
    };
    let issued = state.clock.now();
    let expires = issued.saturating_add(micros(life));
    let tenant = state.texts.add(&asked.id);
    let owner = Owner { tenant, scope: asked.scope, client: Some(client) };
    let code = state.issue_code(owner, issued, expires);
    answers::CODE.fill(&[("code", &code), ("expiresAt", &state.clock.rfc3339(expires))])
}

/// What is asked for. The messages are in the words of Nest's validator; none is published.
fn read(content: &Content) -> Result<Requested, Answer> {
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
        _ => return Err(answers::ONE_ID.plain()),
    };
    let [client, secret, id] = [client, secret, id].map(str::to_owned);
    Ok(Requested { step: Step::Reconnect, client, secret, scope, id })
}
