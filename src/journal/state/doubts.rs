//! Calls whose result is unknown: open doubts, and grants that are lost.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    event::{Call, Event, Exchanging, Refreshing, Requesting},
    failure::{Class, Failure, Stage},
    installation::Id,
    route::Route,
    text::SafeText,
};

/// An exchange whose answer never came whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LostGrant {
    /// The installation.
    pub id: Id,
    /// The route on which it was lost: by refresh, the refresh token may be spent.
    pub via: Route,
    /// When its code was asked for; by refresh and by agency, when their token was presented.
    pub reconnected_at: Timestamp,
    /// Trace id of the reconnect.
    pub reconnect_trace_id: Option<SafeText>,
    /// When the code was presented.
    pub exchanged_at: Timestamp,
}

impl LostGrant {
    /// A grant by a token that was presented at this time.
    fn by_token(id: Id, via: Route, at: Timestamp) -> Self {
        Self { id, via, reconnected_at: at, reconnect_trace_id: None, exchanged_at: at }
    }
}

/// See the module. At most one doubt is open for a row.
#[derive(Debug, Default)]
pub struct Doubts {
    open: HashMap<u32, LostGrant>,
    lost: Vec<LostGrant>,
    /// When refresh tokens were presented whose result is unknown. It outlasts the
    /// installation's work in an execution: the token stays in doubt.
    refresh_presented: HashMap<u32, Timestamp>,
}

impl Doubts {
    /// Takes an event into account.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Exchanging(e) => self.exchanging(e),
            Event::Refreshing(e) => self.refreshing(e),
            Event::Requesting(e) => self.requesting(e),
            Event::Unsent(e) => self.withdraw_request(e.row),
            Event::Retrying(e) => self.answered(e.row, &e.failure, e.call.as_ref()),
            // The tokens came: there is no doubt about the call.
            Event::Untried(e) => self.clear(e.row),
            Event::Skipped(e) => self.clear(e.row),
            Event::Missed(e) => self.clear(e.row),
            Event::Recovered(e) => {
                if e.via != Route::Refresh {
                    self.give_refresh_up(e.row);
                }
                self.come(e.row);
            }
            Event::Reclaimed(e) => self.come(e.row),
            Event::Failed(e) => {
                self.answered(e.row, &e.failure, e.call.as_ref());
                self.give_refresh_up(e.row);
                self.clear(e.row);
            }
            Event::Resumed(_) => self.execution_ended(),
            _ => {}
        }
    }

    /// The tokens are on disk.
    fn come(&mut self, row: u32) {
        self.clear(row);
        self.forget_refresh_token(row);
    }

    /// The calls in doubt by row, in the order of the list: an execution that ends now never learns what
    /// became of them.
    pub fn open_rows(&self) -> Vec<(u32, &LostGrant)> {
        let mut open: Vec<_> = self.open.iter().map(|(row, grant)| (*row, grant)).collect();
        open.sort_unstable_by_key(|(row, _)| *row);
        open
    }

    fn exchanging(&mut self, exchanging: &Exchanging) {
        let Exchanging { row, id, at, reconnect, .. } = exchanging;
        self.give_refresh_up(*row);
        let grant = LostGrant {
            id: id.clone(),
            via: Route::Reconnect,
            reconnected_at: reconnect.at,
            reconnect_trace_id: reconnect.trace_id.clone(),
            exchanged_at: *at,
        };
        self.open.insert(*row, grant);
    }

    fn refreshing(&mut self, refreshing: &Refreshing) {
        let Refreshing { row, id, at, .. } = refreshing;
        let grant = || LostGrant::by_token(id.clone(), Route::Refresh, *at);
        self.open.entry(*row).or_insert_with(grant);
        self.refresh_presented.insert(*row, *at);
    }

    fn requesting(&mut self, requesting: &Requesting) {
        let Requesting { row, id, at, .. } = requesting;
        self.give_refresh_up(*row);
        self.open.insert(*row, LostGrant::by_token(id.clone(), Route::Agency, *at));
    }

    /// A request that never left. The other routes do not record that nothing was sent.
    fn withdraw_request(&mut self, row: u32) {
        if self.is_open_by(row, Route::Agency) {
            self.open.remove(&row);
        }
    }

    /// A refresh in doubt that no repetition has cleared up is a lost grant.
    fn give_refresh_up(&mut self, row: u32) {
        if self.is_open_by(row, Route::Refresh) {
            self.lost.extend(self.open.remove(&row));
        }
    }

    fn is_open_by(&self, row: u32, route: Route) -> bool {
        self.open.get(&row).is_some_and(|grant| grant.via == route)
    }

    /// The tokens came, or the row has its outcome: nothing is in doubt any more.
    fn clear(&mut self, row: u32) {
        self.open.remove(&row);
    }

    /// The refresh token is known to be spent, since its tokens are on disk.
    fn forget_refresh_token(&mut self, row: u32) {
        self.refresh_presented.remove(&row);
    }

    /// An answer, or the certainty that nothing was sent, ends the doubt about an exchange.
    fn answered(&mut self, row: u32, failure: &Failure, call: Option<&Call>) {
        let Some(grant) = self.open.remove(&row) else { return };
        if grant.via == Route::Refresh {
            return self.refresh_answered(row, failure, grant);
        }
        let is_refused = failure.http_status.is_some_and(|status| !(200..300).contains(&status));
        match failure.class {
            // An answer of success that could not be read is no better than none.
            Class::OutcomeUnknown | Class::BadAnswer => self.lost.push(grant),
            // The end of the execution replaces the event with the result of the call.
            Class::Interrupted | Class::Halted if call.is_some() && !is_refused => {
                self.lost.push(grant);
            }
            // The code never left and is about to be presented again.
            Class::Network if grant.via == Route::Reconnect => {
                self.open.insert(row, grant);
            }
            _ => {}
        }
    }

    /// The same presentation again may bring the answer, so that such a doubt lasts longer.
    fn refresh_answered(&mut self, row: u32, failure: &Failure, grant: LostGrant) {
        let is_of_the_refresh = failure.stage == Stage::Refresh;
        match failure.class {
            Class::OutcomeUnknown
            | Class::BadAnswer
            | Class::ServerError
            | Class::Interrupted
            | Class::Halted => drop(self.open.insert(row, grant)),
            _ if is_of_the_refresh => self.forget_refresh_token(row),
            _ => self.lost.push(grant),
        }
    }

    /// What is in doubt when an execution ends stays in doubt for ever.
    fn execution_ended(&mut self) {
        self.lost = self.all_lost();
        self.open.clear();
    }

    /// The lost grants in the order of the journal, then the open doubts in the order of the list.
    pub(super) fn all_lost(&self) -> Vec<LostGrant> {
        let open = self.open_rows().into_iter().map(|(_, grant)| grant);
        self.lost.iter().chain(open).cloned().collect()
    }

    pub(super) fn open_for(&self, row: u32) -> Option<&LostGrant> {
        self.open.get(&row)
    }

    pub(super) fn refresh_presented(&self, row: u32) -> Option<Timestamp> {
        self.refresh_presented.get(&row).copied()
    }
}
