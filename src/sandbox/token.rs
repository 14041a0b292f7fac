//! `POST /oauth/token`: a code or a refresh token in, a token pair out. Both are single use.

use super::answers::{self, Answer, Casing, Reply};
use super::call::{Api, Call, Content, Step};
use super::clock::micros;
use super::faults::Fault;
use super::records::{Outcome, Owner, Presented, Refresh, Via};
use super::state::{Requested, State};
use super::tokens::{self, Purpose};
use crate::installation::Scope;

/// The scopes of every token.
pub(super) const SCOPE: &str =
    "contacts.readonly contacts.write locations.readonly oauth.readonly oauth.write";

/// The pair that is given, or why there is none; both with what the audit says of it.
type Given = Result<(Outcome, u32), (Outcome, Answer)>;

/// Answers a token request.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    let fields = Fields { content: &call.content, api: call.api };
    let (step, field) = match fields.get("grantType") {
        Some("authorization_code") => (Step::Exchange, "code"),
        Some("refresh_token") => (Step::Refresh, "refreshToken"),
        _ => (Step::Exchange, "grantType"),
    };
    state.note_step(call, step);
    match fields.get(field) {
        Some(_) if field == "grantType" => complaint("Invalid", field).into(),
        None => complaint("Missing", field).into(),
        Some(text) => present(state, call, &fields, step, text),
    }
}

/// The fields of the body. v2 takes a form in `snake_case`; v3 a form or JSON in camelCase, and
/// `snake_case` too, since its documentation shows both.
struct Fields<'a> {
    content: &'a Content,
    api: Api,
}

impl<'a> Fields<'a> {
    /// A field by its camelCase name.
    fn get(&self, name: &str) -> Option<&'a str> {
        let plain = self.content.field(&answers::snake(name));
        match (self.api, self.content) {
            (Api::V2 | Api::Unnamed, Content::Form(_)) => plain,
            (Api::V2 | Api::Unnamed, _) => None,
            (Api::V3, _) => self.content.field(name).or(plain),
        }
    }

    /// The client id and secret, or the answer to what is missing.
    fn client(&self) -> Result<(&'a str, &'a str), (Outcome, Answer)> {
        let needed =
            |name| self.get(name).ok_or_else(|| (Outcome::Malformed, complaint("Missing", name)));
        Ok((needed("clientId")?, needed("clientSecret")?))
    }
}

/// The answer to a field that is bad or missing.
fn complaint(complaint: &str, field: &str) -> Answer {
    answers::PARAMETER.fill(&[("complaint", complaint), ("field", field)])
}

/// Answers the presentation of a code or a refresh token.
fn present(state: &mut State, call: &Call, fields: &Fields<'_>, step: Step, text: &str) -> Reply {
    let purpose = if step == Step::Refresh { Purpose::Refresh } else { Purpose::Code };
    let known = state.find(purpose, text);
    let owner = known.map(|position| match purpose {
        Purpose::Refresh => state.pairs[position as usize].owner,
        _ => state.codes[position as usize].owner,
    });
    // A fault in place of the work leaves it at that; the work overwrites it.
    let outcome = if known.is_some() { Outcome::Fault } else { Outcome::Unknown };
    let (text, tenant) = (state.texts.add(text), owner.map(|owner| owner.tenant));
    let request = call.ordinal;
    state.presented.push(Presented { purpose, text, tenant, request, outcome, gave: None });
    let (Some(position), Some(owner)) = (known, owner) else { return refused(step).into() };
    let asked = requested(state, fields, step, owner);
    state.serve(call, &asked, |state, fault| {
        let given = match step {
            Step::Refresh => rotate(state, fields, position, fault),
            _ => redeem(state, fields, position, fault),
        };
        if let Some(presented) = state.presented.last_mut() {
            (presented.outcome, presented.gave) = match &given {
                Ok((outcome, pair)) => (*outcome, Some(*pair)),
                Err((outcome, _)) => (*outcome, None),
            };
        }
        given.map_or_else(|(_, answer)| answer, |(_, pair)| granted(state, call, pair))
    })
}

/// The answer to a code or a refresh token that is not good.
fn refused(step: Step) -> Answer {
    match step {
        Step::Refresh => answers::GRANT_REFUSED.fill(&[("grant", "refresh token")]),
        _ => answers::CODE_NOT_FOUND.plain(),
    }
}

/// What a fault gets to know.
fn requested(state: &State, fields: &Fields<'_>, step: Step, owner: Owner) -> Requested {
    let text = |name| fields.get(name).unwrap_or_default().to_owned();
    let (client, secret) = (text("clientId"), text("clientSecret"));
    let id = state.texts.get(owner.tenant).to_owned();
    Requested { step, client, secret, scope: owner.scope, id }
}

/// Gives a pair for a code: looks at the code first, then at the client, then at the time, as
/// observed. A used code revokes what it gave.
fn redeem(state: &mut State, fields: &Fields<'_>, position: u32, fault: Option<&Fault>) -> Given {
    let code = state.codes[position as usize];
    if let Some(pair) = code.gave {
        state.revoke(pair);
        return Err((Outcome::Used, refused(Step::Exchange)));
    }
    own_client(state, fields, code.owner)?;
    if state.clock.now() > code.expires {
        return Err((Outcome::Expired, answers::CODE_EXPIRED.plain()));
    }
    let pair = state.issue(code.owner, (Via::Reconnect, Some(position)), fault);
    state.codes[position as usize].gave = Some(pair);
    Ok((Outcome::Granted, pair))
}

/// Gives a pair for a refresh token: a new one, and for a while the same again.
fn rotate(state: &mut State, fields: &Fields<'_>, position: u32, fault: Option<&Fault>) -> Given {
    let pair = state.pairs[position as usize];
    let client = Some(own_client(state, fields, pair.owner)?);
    let (now, grace) = (state.clock.now(), micros(state.options.same_again));
    match pair.refresh {
        Refresh::New => {
            let new = state.issue(Owner { client, ..pair.owner }, (Via::Refresh, None), fault);
            state.pairs[position as usize].refresh = Refresh::Same(new, now);
            Ok((Outcome::Granted, new))
        }
        Refresh::Same(new, when) if now - when <= grace => Ok((Outcome::Repeated, new)),
        _ => Err((Outcome::Used, refused(Step::Refresh))),
    }
}

/// The number of the client that asks, which must own what it presents.
fn own_client(
    state: &mut State,
    fields: &Fields<'_>,
    owner: Owner,
) -> Result<u32, (Outcome, Answer)> {
    let (client, secret) = fields.client()?;
    let number = state.act_as(owner.client, client, secret);
    number.ok_or_else(|| (Outcome::ClientRefused, answers::CLIENT_REFUSED.plain()))
}

/// The answer that hands a pair out.
fn granted(state: &mut State, call: &Call, position: u32) -> Answer {
    let tokens = state.hand_out(position);
    let recorded = match tokens.holder.scope() {
        Scope::Location => answers::TOKEN_LOCATION,
        Scope::Company => answers::TOKEN_COMPANY,
    };
    let seed = state.options.seed;
    let answer = recorded.fill(&[
        ("access", &tokens.access),
        ("refresh", &tokens.refresh),
        ("life", &tokens::ACCESS_LIFE.as_secs().to_string()),
        ("refreshId", &tokens::refresh_id(seed, position)),
        ("scope", SCOPE),
        ("company", &tokens.holder.company),
        ("location", tokens.holder.location.as_deref().unwrap_or_default()),
        ("user", &tokens::user(seed, tokens.holder.id())),
    ]);
    if call.api == Api::V3 { answer.spelled(Casing::Camel) } else { answer }
}
