//! `POST /oauth/token`: a code or a refresh token in, a token pair out.

use super::answers::{self, Answer};
use super::call::{Api, Call, Content};
use super::faults::{Fault, Kind};
use super::ledger::{Code, MadeOut, Refused};
use super::log::{Outcome, Presented, Presentee};
use super::refresh;
use super::spoil::{self, Casing, Reply};
use super::state::{Asked, State};
use super::step::Step;
use super::symbols::Symbol;
use crate::installation::Scope;

/// The scopes of every token.
pub(super) const SCOPE: &str =
    "contacts.readonly contacts.write locations.readonly oauth.readonly oauth.write";

/// Answers a token request.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    let fields = Fields { content: &call.content, api: call.api };
    match fields.get("grantType") {
        Some("authorization_code") => exchange(state, call, &fields),
        Some("refresh_token") => refresh::answer(state, call, &fields),
        Some(_) => malformed(state, call, complaint("Invalid", "grantType")),
        None => malformed(state, call, complaint("Missing", "grantType")),
    }
}

/// The fields of the body. v2 takes a form in `snake_case`; v3 a form or JSON in camelCase, and
/// `snake_case` too, since its documentation shows both.
pub(super) struct Fields<'a> {
    content: &'a Content,
    api: Api,
}

impl<'a> Fields<'a> {
    /// A field by its camelCase name.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let plain = self.content.field(&spoil::snake(name));
        match (self.api, self.content) {
            (Api::V2 | Api::Unnamed, Content::Form(_)) => plain,
            (Api::V2 | Api::Unnamed, _) => None,
            (Api::V3, _) => self.content.field(name).or(plain),
        }
    }

    /// The client id and secret, or the answer to what is missing.
    pub(super) fn client(&self) -> Result<(&'a str, &'a str), Answer> {
        let client = self.get("clientId").ok_or_else(|| complaint("Missing", "clientId"))?;
        let secret =
            self.get("clientSecret").ok_or_else(|| complaint("Missing", "clientSecret"))?;
        Ok((client, secret))
    }

    /// What a fault gets to know.
    pub(super) fn asked(&self, state: &State, step: Step, tenant: Symbol, scope: Scope) -> Asked {
        let text = |name| self.get(name).unwrap_or_default().to_owned();
        let id = state.log.texts.text(tenant).to_owned();
        Asked { step, client: text("clientId"), secret: text("clientSecret"), scope, id }
    }
}

/// The answer to a field that is bad or missing.
pub(super) fn complaint(complaint: &str, field: &str) -> Answer {
    answers::PARAMETER.fill(&[("complaint", complaint), ("field", field)])
}

fn malformed(state: &mut State, call: &Call, answer: Answer) -> Reply {
    state.note_step(call, Step::Exchange);
    Reply::whole(answer)
}

fn exchange(state: &mut State, call: &Call, fields: &Fields<'_>) -> Reply {
    state.note_step(call, Step::Exchange);
    let Some(text) = fields.get("code") else {
        return Reply::whole(complaint("Missing", "code"));
    };
    let Some((serial, code)) = state.ledger.find(text) else {
        let code = Presentee::Text(state.log.texts.number(text));
        state.log.present(Presented { code, request: call.ordinal, outcome: Outcome::Unknown });
        return Reply::whole(answers::CODE_NOT_FOUND.fill(&[]));
    };
    let (code_text, request) = (Presentee::Issued(serial), call.ordinal);
    // A fault that stands in the way leaves it at that; the work overwrites it.
    state.log.present(Presented { code: code_text, request, outcome: Outcome::Fault });
    let asked = fields.asked(state, Step::Exchange, code.tenant, code.scope);
    state.serve(call, &asked, |state, fault| {
        let (outcome, answer) = redeem(state, call, fields, (serial, code), fault);
        if let Some(presented) = state.log.presented.last_mut() {
            presented.outcome = outcome;
        }
        answer
    })
}

fn redeem(
    state: &mut State,
    call: &Call,
    fields: &Fields<'_>,
    (serial, code): (u32, Code),
    fault: Option<&Fault>,
) -> (Outcome, Answer) {
    let client = match fields.client() {
        Ok((client, secret)) => state.clients.acts_as(Some(code.client), client, secret),
        Err(answer) if code.gave.is_none() => return (Outcome::Malformed, answer),
        Err(_) => None,
    };
    let now = state.clock.now();
    match state.ledger.redeem(serial, client, made_out(fault), now) {
        Ok(pair) => (Outcome::Granted, granted(state, call, pair)),
        Err(Refused::Unknown) => (Outcome::Used, answers::CODE_NOT_FOUND.fill(&[])),
        Err(Refused::Client) => (Outcome::ClientRefused, answers::CLIENT_REFUSED.fill(&[])),
        Err(Refused::Expired) => (Outcome::Expired, answers::CODE_EXPIRED.fill(&[])),
    }
}

/// To whom a fault has tokens made out.
pub(super) fn made_out(fault: Option<&Fault>) -> MadeOut {
    match fault.map(|fault| fault.kind) {
        Some(Kind::WrongTenant) => MadeOut::ToAnotherTenant,
        Some(Kind::WrongKind) => MadeOut::ToTheOtherKind,
        _ => MadeOut::AsAsked,
    }
}

/// The answer that hands a pair out.
pub(super) fn granted(state: &State, call: &Call, serial: u32) -> Answer {
    let tokens = state.tokens(serial);
    let recorded = match tokens.holder.scope {
        Scope::Location => answers::TOKEN_LOCATION,
        Scope::Company => answers::TOKEN_COMPANY,
    };
    let mut answer = recorded.fill(&[
        ("access", &tokens.access),
        ("refresh", &tokens.refresh),
        ("life", &state.access_life.as_secs().to_string()),
        ("refreshId", &state.mint.refresh_id(serial.into())),
        ("scope", SCOPE),
        ("company", &tokens.holder.company),
        ("location", tokens.holder.location.as_deref().unwrap_or_default()),
        ("user", &state.mint.user(tokens.holder.id())),
        ("traceId", &state.mint.trace(call.ordinal)),
    ]);
    if call.api == Api::V3 {
        spoil::recase(&mut answer, Casing::Camel);
    }
    answer
}
