//! From the rows of the log to the report.

use std::collections::HashMap;

use super::audit::{
    AuditReport, CodeIssued, CodePresented, PairGranted, RefreshPresented, RequestSeen,
};
use super::clock::Micros;
use super::ledger::{Code, Pair};
use super::log::{Presented, Presentee, Refreshing, Row};
use super::mint;
use super::state::State;

impl State {
    /// The audit as it stands.
    pub(super) fn report(&self) -> AuditReport {
        AuditReport {
            requests: (0..).zip(&self.log.rows).map(|(n, row)| self.request(n, row)).collect(),
            codes: self.codes(),
            presentations: self.log.presented.iter().map(|one| self.presentation(one)).collect(),
            refreshes: self.log.refreshes.iter().map(|one| self.refreshing(one)).collect(),
            grants: (0..).zip(&self.ledger.pairs).map(|(n, pair)| self.grant(n, pair)).collect(),
            max_in_flight: self.max_in_flight,
        }
    }

    fn request(&self, ordinal: u64, row: &Row) -> RequestSeen {
        let texts = &self.log.texts;
        RequestSeen {
            ordinal,
            at_us: row.at,
            at: self.clock.rfc3339(row.at),
            ended_us: row.ended,
            method: texts.text(row.method).to_owned(),
            path: texts.text(row.path).to_owned(),
            query: texts.owned(row.query),
            step: row.step,
            id: texts.owned(row.tenant),
            content_type: texts.owned(row.content_type),
            user_agent: texts.owned(row.user_agent),
            version: texts.owned(row.version),
            authorization: row.authorization,
            bearer: texts.owned(row.bearer),
            fault: texts.owned(row.fault),
            status: row.status,
        }
    }

    fn codes(&self) -> Vec<CodeIssued> {
        let mut presented: HashMap<u32, u64> = HashMap::new();
        for one in &self.log.presented {
            if let Presentee::Issued(serial) = one.code {
                *presented.entry(serial).or_default() += 1;
            }
        }
        let times = |serial| presented.get(&serial).copied().unwrap_or(0);
        (0..).zip(&self.ledger.codes).map(|(n, code)| self.code(n, code, times(n))).collect()
    }

    fn code(&self, serial: u32, code: &Code, presented: u64) -> CodeIssued {
        CodeIssued {
            code: self.code_text(serial),
            id: self.log.texts.text(code.tenant).to_owned(),
            scope: code.scope,
            at_us: code.issued,
            expires_us: code.expires,
            presented,
        }
    }

    fn code_text(&self, serial: u32) -> String {
        mint::hex(&self.mint.code(serial.into()))
    }

    fn presentation(&self, one: &Presented) -> CodePresented {
        let (code, id) = match one.code {
            Presentee::Text(text) => (self.log.texts.text(text).to_owned(), None),
            Presentee::Issued(n) => {
                let tenant = self.ledger.codes.get(n as usize).map(|code| code.tenant);
                (self.code_text(n), self.log.texts.owned(tenant))
            }
        };
        let (request, outcome) = (one.request, one.outcome);
        CodePresented { code, id, at_us: self.arrival(request), request, outcome }
    }

    fn refreshing(&self, one: &Refreshing) -> RefreshPresented {
        let texts = &self.log.texts;
        RefreshPresented {
            refresh_token: texts.text(one.token).to_owned(),
            id: texts.owned(one.tenant),
            at_us: self.arrival(one.request),
            request: one.request,
            outcome: one.outcome,
            gave: one.gave.map(|serial| serial as usize),
        }
    }

    fn arrival(&self, request: u64) -> Micros {
        let row = usize::try_from(request).ok().and_then(|n| self.log.rows.get(n));
        row.map_or(0, |row| row.at)
    }

    fn grant(&self, serial: u32, pair: &Pair) -> PairGranted {
        let tokens = self.tokens(serial);
        PairGranted {
            id: self.log.texts.text(pair.tenant).to_owned(),
            scope: pair.scope,
            via: pair.source.via(),
            code: pair.source.code().map(|code| self.code_text(code)),
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            at_us: pair.at,
            state: pair.state,
        }
    }
}
