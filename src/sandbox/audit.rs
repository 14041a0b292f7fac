//! What the sandbox saw and gave, for those who want to check a client against it.
//!
//! The report holds codes and tokens in clear. The sandbox's own open nothing; what a client
//! presented is there as it was presented.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use super::call::Step;
use super::clock::{Micros, micros};
use super::records::{Outcome, Pair, Presented, Refresh, RequestRow, Source, Text, Via, serial};
use super::state::State;
use super::tokens::{self, Purpose};
use crate::installation::Scope;

/// A snapshot of everything since the start or the last reset.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// Every request, in order of arrival.
    pub requests: Vec<RequestSeen>,
    /// Every code that was handed out.
    pub codes: Vec<CodeIssued>,
    /// Every presentation of a code, in order.
    pub presentations: Vec<CodePresented>,
    /// Every presentation of a refresh token, in order.
    pub refreshes: Vec<RefreshPresented>,
    /// Every token pair that was handed out or would have been, had the answer come through.
    pub grants: Vec<PairGranted>,
    /// The most requests that were being answered at a time.
    pub max_in_flight: usize,
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct RequestSeen {
    /// Position in order of arrival, from 0.
    pub ordinal: u64,
    /// Arrival, in microseconds since the sandbox started, on a clock that never jumps.
    pub at_us: u64,
    /// Arrival by the server's clock: RFC 3339, UTC, milliseconds.
    pub at: String,
    /// When the answer was ready, or the client gave up; in microseconds since the start.
    pub ended_us: Option<u64>,
    /// GET, POST, ...
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// What it was for.
    pub step: Step,
    /// The installation asked for, or to whom the code or refresh token belongs; the company whose
    /// locations are listed.
    pub id: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The `Version` header.
    pub version: Option<String>,
    /// Whether there was an `Authorization` header.
    pub authorization: bool,
    /// The access token in it.
    pub bearer: Option<String>,
    /// The fault that was applied, as the plan wrote it.
    pub fault: Option<String>,
    /// The status answered; none where no head of an answer went out.
    pub status: Option<u16>,
}

/// One code that was handed out.
#[derive(Clone, Debug, Serialize)]
pub struct CodeIssued {
    /// The code.
    pub code: String,
    /// For which installation.
    pub id: String,
    /// Sub-account or agency.
    pub scope: Scope,
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// Until when it works, in microseconds since the start.
    pub expires_us: u64,
    /// How often it was presented.
    pub presented: u64,
}

/// One presentation of a code.
#[derive(Clone, Debug, Serialize)]
pub struct CodePresented {
    /// The code as presented.
    pub code: String,
    /// The installation that it was handed out for, if it was.
    pub id: Option<String>,
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// The ordinal of the request.
    pub request: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// One presentation of a refresh token.
#[derive(Clone, Debug, Serialize)]
pub struct RefreshPresented {
    /// The refresh token as presented.
    pub refresh_token: String,
    /// The installation that it belongs to, if it is known.
    pub id: Option<String>,
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// The ordinal of the request.
    pub request: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// The position among the grants of the pair that it gave, this time or before.
    pub gave: Option<usize>,
}

/// What a token pair is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PairState {
    /// It works.
    Live,
    /// Its refresh token was used; a newer pair took its place.
    Rotated,
    /// The code that gave it was presented again (RFC 6749, section 10.5).
    Revoked,
}

/// One token pair.
#[derive(Clone, Debug, Serialize)]
pub struct PairGranted {
    /// The installation asked for; with `wrong_tenant` or `wrong_kind` the tokens name another.
    pub id: String,
    /// Sub-account or agency, as asked for.
    pub scope: Scope,
    /// The route by which it was got.
    pub via: Via,
    /// The code that gave it; none for a pair that was got by another route.
    pub code: Option<String>,
    /// The access token.
    pub access_token: String,
    /// The refresh token, which `no_refresh_token` keeps from the client.
    pub refresh_token: String,
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// What it is worth.
    pub state: PairState,
}

/// The audit in numbers: cheap however many requests there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests of every kind.
    pub requests: usize,
    /// Reconnects.
    pub reconnects: usize,
    /// Exchanges.
    pub exchanges: usize,
    /// Refreshes.
    pub refreshes: usize,
    /// Requests for a sub-account's tokens with an agency's.
    pub agency_calls: usize,
    /// Checks of access tokens.
    pub verifications: usize,
    /// Requests for a page of an agency's locations.
    pub discoveries: usize,
    /// Codes handed out.
    pub codes: usize,
    /// Token pairs handed out.
    pub pairs: usize,
    /// Token pairs that still work.
    pub live_pairs: usize,
    /// Codes that were presented more than once.
    pub codes_presented_twice: usize,
    /// The most requests that were being answered at a time.
    pub max_in_flight: usize,
}

impl AuditReport {
    /// The codes, known or not, that were presented more than once. A careful client has none.
    pub fn codes_presented_twice(&self) -> Vec<&str> {
        let (mut once, mut twice) = (HashSet::new(), HashSet::new());
        let texts = self.presentations.iter().map(|presented| presented.code.as_str());
        texts.filter(|code| !once.insert(*code) && twice.insert(*code)).collect()
    }

    /// The refresh tokens that had given a pair and were presented again when the time in which
    /// they give the same once more was over. A careful client has none.
    pub fn refresh_tokens_spent_twice_outside_grace(&self) -> Vec<&str> {
        let (mut gave, mut twice) = (HashSet::new(), BTreeSet::new());
        for RefreshPresented { refresh_token, outcome, .. } in &self.refreshes {
            match outcome {
                Outcome::Granted => _ = gave.insert(refresh_token),
                Outcome::Used if gave.contains(refresh_token) => _ = twice.insert(&**refresh_token),
                _ => {}
            }
        }
        twice.into_iter().collect()
    }

    /// The presentations of a refresh token, in order.
    pub fn refreshes_of(&self, refresh_token: &str) -> Vec<&RefreshPresented> {
        self.refreshes.iter().filter(|seen| seen.refresh_token == refresh_token).collect()
    }

    /// The pairs that were got by a route, in order.
    pub fn granted_via(&self, via: Via) -> Vec<&PairGranted> {
        self.grants.iter().filter(|pair| pair.via == via).collect()
    }

    /// The last pair of an installation that still works.
    pub fn granted(&self, id: &str) -> Option<&PairGranted> {
        self.grants.iter().rev().find(|pair| pair.id == id && pair.state == PairState::Live)
    }

    /// The requests of a step, in order.
    pub fn requests_at(&self, step: Step) -> Vec<&RequestSeen> {
        self.requests.iter().filter(|request| request.step == step).collect()
    }

    /// How many requests of a step there were.
    pub fn calls(&self, step: Step) -> usize {
        self.requests_at(step).len()
    }

    /// The requests that concerned an installation, in order.
    pub fn requests_for(&self, id: &str) -> Vec<&RequestSeen> {
        self.requests.iter().filter(|request| request.id.as_deref() == Some(id)).collect()
    }

    /// The most requests that arrived within any window of this length, its end left out.
    pub fn max_in_window(&self, window: Duration) -> usize {
        let length = micros(window);
        let times: Vec<u64> = self.requests.iter().map(|request| request.at_us).collect();
        let mut first = 0;
        let counts = times.iter().enumerate().map(|(last, at)| {
            while times[first].saturating_add(length) <= *at && first < last {
                first += 1;
            }
            last - first + 1
        });
        counts.max().unwrap_or(0)
    }
}

impl State {
    /// The audit as it stands.
    pub(super) fn report(&self) -> AuditReport {
        let issued = self.issued().map(|(position, ..)| position);
        let ordinals: HashMap<u32, usize> = issued.zip(0..).collect();
        let refreshes = self.presented_as(Purpose::Refresh);
        let grants = self.issued().map(|(position, pair, via, code)| {
            let code = code.map(|code| tokens::code(self.options.seed, code));
            self.grant(position, pair, via, code)
        });
        AuditReport {
            requests: (0..).zip(&self.requests).map(|(n, row)| self.request(n, row)).collect(),
            codes: self.codes(),
            presentations: self.presented_as(Purpose::Code).map(|one| self.code(one)).collect(),
            refreshes: refreshes.map(|one| self.refresh(one, &ordinals)).collect(),
            grants: grants.collect(),
            max_in_flight: self.max_in_flight,
        }
    }

    /// The audit in numbers.
    pub(super) fn counts(&self) -> Counts {
        let calls = |step| self.requests.iter().filter(|row| row.step == step).count();
        let live = |pair: &Pair| matches!(pair.refresh, Refresh::New);
        Counts {
            requests: self.requests.len(),
            reconnects: calls(Step::Reconnect),
            exchanges: calls(Step::Exchange),
            refreshes: calls(Step::Refresh),
            agency_calls: calls(Step::Agency),
            verifications: calls(Step::Verify),
            discoveries: calls(Step::Discover),
            codes: self.codes.len(),
            pairs: self.issued().count(),
            live_pairs: self.issued().filter(|(_, pair, ..)| live(pair)).count(),
            codes_presented_twice: self.times_presented().values().filter(|n| **n > 1).count(),
            max_in_flight: self.max_in_flight,
        }
    }

    /// The pairs that were issued: position, pair, route and code.
    fn issued(&self) -> impl Iterator<Item = (u32, &Pair, Via, Option<u32>)> {
        (0..).zip(&self.pairs).filter_map(|(position, pair)| match pair.source {
            Source::Issued(via, code) => Some((position, pair, via, code)),
            Source::Stored => None,
        })
    }

    fn presented_as(&self, purpose: Purpose) -> impl Iterator<Item = &Presented> {
        self.presented.iter().filter(move |one| one.purpose == purpose)
    }

    fn times_presented(&self) -> HashMap<&str, u64> {
        let mut times = HashMap::new();
        for one in self.presented_as(Purpose::Code) {
            *times.entry(self.texts.get(one.text)).or_default() += 1;
        }
        times
    }

    fn request(&self, ordinal: u64, row: &RequestRow) -> RequestSeen {
        let text = |text| self.text(text);
        RequestSeen {
            ordinal,
            at_us: row.at,
            at: self.clock.rfc3339(row.at),
            ended_us: row.ended,
            method: text(row.method),
            path: text(row.path),
            query: row.query.map(text),
            step: row.step,
            id: row.tenant.map(text),
            content_type: row.content_type.map(text),
            user_agent: row.user_agent.map(text),
            version: row.version.map(text),
            authorization: row.authorization,
            bearer: row.bearer.map(text),
            fault: row.fault.map(text),
            status: row.status,
        }
    }

    fn codes(&self) -> Vec<CodeIssued> {
        let presented = self.times_presented();
        let codes = self.codes.iter().enumerate().map(|(position, code)| {
            let text = tokens::code(self.options.seed, serial(position));
            CodeIssued {
                presented: presented.get(&*text).copied().unwrap_or(0),
                code: text,
                id: self.text(code.owner.tenant),
                scope: code.owner.scope,
                at_us: code.issued,
                expires_us: code.expires,
            }
        });
        codes.collect()
    }

    fn code(&self, one: &Presented) -> CodePresented {
        CodePresented {
            code: self.text(one.text),
            id: one.tenant.map(|id| self.text(id)),
            at_us: self.arrival(one.request),
            request: one.request,
            outcome: one.outcome,
        }
    }

    fn refresh(&self, one: &Presented, ordinals: &HashMap<u32, usize>) -> RefreshPresented {
        RefreshPresented {
            refresh_token: self.text(one.text),
            id: one.tenant.map(|id| self.text(id)),
            at_us: self.arrival(one.request),
            request: one.request,
            outcome: one.outcome,
            gave: one.gave.and_then(|position| ordinals.get(&position).copied()),
        }
    }

    fn text(&self, text: Text) -> String {
        self.texts.get(text).to_owned()
    }

    fn arrival(&self, request: u64) -> Micros {
        let row = usize::try_from(request).ok().and_then(|n| self.requests.get(n));
        row.map_or(0, |row| row.at)
    }

    fn grant(&self, position: u32, pair: &Pair, via: Via, code: Option<String>) -> PairGranted {
        let tokens = self.tokens(position);
        PairGranted {
            id: self.text(pair.owner.tenant),
            scope: pair.owner.scope,
            via,
            code,
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            at_us: pair.at,
            state: match pair.refresh {
                Refresh::New => PairState::Live,
                Refresh::Same(..) => PairState::Rotated,
                Refresh::Nothing => PairState::Revoked,
            },
        }
    }
}
