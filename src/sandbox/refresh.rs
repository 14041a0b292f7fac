//! `POST /oauth/token` with a refresh token: single use, with a new one in the answer.

use super::answers::{self, Answer};
use super::call::Call;
use super::clock::micros;
use super::faults::Fault;
use super::ledger::{Source, Standing};
use super::log::{Outcome, Refreshing};
use super::mint::Purpose;
use super::spoil::Reply;
use super::state::State;
use super::step::Step;
use super::symbols::Symbol;
use super::token::{self, Fields};
use crate::installation::Scope;

/// Where a refresh token comes from.
#[derive(Clone, Copy)]
enum Origin {
    /// The pair with this serial number.
    Granted(u32),
    /// The stored pair at this position.
    Stored(usize),
}

/// Whose a refresh token is.
#[derive(Clone, Copy)]
struct Owner {
    tenant: Symbol,
    scope: Scope,
    client: Option<u32>,
}

/// Answers a refresh.
pub(super) fn answer(state: &mut State, call: &Call, fields: &Fields<'_>) -> Reply {
    state.note_step(call, Step::Refresh);
    let Some(text) = fields.get("refreshToken") else {
        return Reply::whole(token::complaint("Missing", "refreshToken"));
    };
    let known = state.find_refresh(text);
    // A fault that stands in the way leaves it at that; the work overwrites it.
    let outcome = if known.is_some() { Outcome::Fault } else { Outcome::Unknown };
    let token = state.log.texts.number(text);
    let (request, tenant) = (call.ordinal, known.map(|(_, owner)| owner.tenant));
    state.log.refreshes.push(Refreshing { token, tenant, request, outcome, gave: None });
    let Some((origin, owner)) = known else {
        return Reply::whole(answers::REFRESH_REFUSED.fill(&[]));
    };
    let asked = fields.asked(state, Step::Refresh, owner.tenant, owner.scope);
    state.serve(call, &asked, |state, fault| {
        let (outcome, gave, answer) = match rotate(state, fields, (origin, owner), fault) {
            Ok((outcome, pair)) => (outcome, Some(pair), token::granted(state, call, pair)),
            Err((outcome, answer)) => (outcome, None, answer),
        };
        if let Some(seen) = state.log.refreshes.last_mut() {
            (seen.outcome, seen.gave) = (outcome, gave);
        }
        answer
    })
}

fn rotate(
    state: &mut State,
    fields: &Fields<'_>,
    (origin, owner): (Origin, Owner),
    fault: Option<&Fault>,
) -> Result<(Outcome, u32), (Outcome, Answer)> {
    let (client, secret) = fields.client().map_err(|answer| (Outcome::Malformed, answer))?;
    let client = state.clients.acts_as(owner.client, client, secret);
    let client =
        client.ok_or_else(|| (Outcome::ClientRefused, answers::CLIENT_REFUSED.fill(&[])))?;
    let now = state.clock.now();
    match state.standing(origin) {
        Standing::Fresh => {
            let made = (owner.tenant, owner.scope, Some(client), Source::Refresh);
            let new = state.grant_anew(made, fault);
            state.succeed(origin, new);
            Ok((Outcome::Granted, new))
        }
        Standing::Gave(new, when) if now - when <= micros(state.same_again) => {
            Ok((Outcome::Repeated, new))
        }
        _ => Err((Outcome::Used, answers::REFRESH_REFUSED.fill(&[]))),
    }
}

impl State {
    fn find_refresh(&mut self, text: &str) -> Option<(Origin, Owner)> {
        if let Some(position) = self.vault.find_refresh(text) {
            let kept = self.vault.get(position)?;
            let tenant = self.log.texts.number(&kept.pair.id);
            let owner = Owner { tenant, scope: kept.pair.scope, client: kept.client };
            return Some((Origin::Stored(position), owner));
        }
        let serial = self.mint.serial(text, Purpose::Refresh)?;
        let pair = self.ledger.pairs.get(serial as usize)?;
        let owner = Owner { tenant: pair.tenant, scope: pair.scope, client: pair.client };
        (self.tokens(serial).refresh == text).then_some((Origin::Granted(serial), owner))
    }

    fn standing(&self, origin: Origin) -> Standing {
        match origin {
            Origin::Granted(serial) => self.ledger.standing(serial),
            Origin::Stored(position) => self.vault.standing(position),
        }
    }

    fn succeed(&mut self, old: Origin, new: u32) {
        let now = self.clock.now();
        match old {
            Origin::Granted(serial) => self.ledger.succeed(serial, new, now),
            Origin::Stored(position) => self.vault.succeed(position, new, now),
        }
    }
}
