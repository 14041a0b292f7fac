//! What the sandbox saw and gave, for those who want to check a client against it.
//!
//! The report holds codes and tokens in clear. The stand-in's own open nothing; what a client showed
//! is there as it was shown.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use super::clock::micros;
use super::ledger::{PairState, Via};
use super::log::Outcome;
use super::step::Step;
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

/// One token pair.
#[derive(Clone, Debug, Serialize)]
pub struct PairGranted {
    /// The installation asked for; with `wrong_tenant` or `wrong_kind` the tokens name another.
    pub id: String,
    /// Sub-account or agency, as asked for.
    pub scope: Scope,
    /// The way by which it was got.
    pub via: Via,
    /// The code that gave it; none for a pair that was got by another way.
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
    /// Trials of access tokens.
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

    /// The refresh tokens that had given a pair and were presented again when the time in which they
    /// give the same once more was over. A careful client has none.
    pub fn refresh_tokens_spent_twice_outside_grace(&self) -> Vec<&str> {
        let (mut gave, mut twice) = (HashSet::new(), HashSet::new());
        let again = self.refreshes.iter().filter(|seen| {
            if seen.outcome == Outcome::Granted {
                gave.insert(seen.refresh_token.as_str());
            }
            seen.outcome == Outcome::Used && gave.contains(seen.refresh_token.as_str())
        });
        let again: Vec<_> = again.map(|seen| seen.refresh_token.as_str()).collect();
        again.into_iter().filter(|token| twice.insert(*token)).collect()
    }

    /// The presentations of a refresh token, in order.
    pub fn refreshes_of(&self, refresh_token: &str) -> Vec<&RefreshPresented> {
        self.refreshes.iter().filter(|seen| seen.refresh_token == refresh_token).collect()
    }

    /// The pairs that were got by a way, in order.
    pub fn granted_via(&self, via: Via) -> Vec<&PairGranted> {
        self.grants.iter().filter(|pair| pair.via == via).collect()
    }

    /// The requests of a step, in order.
    pub fn requests_at(&self, step: Step) -> Vec<&RequestSeen> {
        self.requests.iter().filter(|request| request.step == step).collect()
    }

    /// The last pair of an installation that still works.
    pub fn granted(&self, id: &str) -> Option<&PairGranted> {
        self.grants.iter().rev().find(|pair| pair.id == id && pair.state == PairState::Live)
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

    /// The most requests that were being answered at a time.
    pub fn max_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// How many requests of a step there were.
    pub fn calls(&self, step: Step) -> usize {
        self.requests.iter().filter(|request| request.step == step).count()
    }

    /// How often each installation met a fault, by the fault's text.
    pub fn faults_met(&self) -> HashMap<&str, usize> {
        let mut met = HashMap::new();
        for fault in self.requests.iter().filter_map(|request| request.fault.as_deref()) {
            *met.entry(fault).or_default() += 1;
        }
        met
    }
}
