//! Alone until proven: the first installation of a run goes alone, and so does the first one on each
//! route. A fault that concerns all is found at the cost of one call. A pure decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::route::Route;

/// What answers have proven so far, and who goes alone.
#[derive(Debug, Default)]
pub struct Canary {
    /// Whether installations may begin while others are in flight.
    is_open: bool,
    proven: BTreeSet<Route>,
    /// The row that goes alone on each route that is not proven.
    alone: BTreeMap<Route, u32>,
}

impl Canary {
    /// An earlier execution has proven the run and all of its routes.
    pub fn proven() -> Self {
        Self { is_open: true, proven: Route::ALL.into(), ..Self::default() }
    }

    /// Whether installations may begin while others are in flight.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// An answer about one installation has shown that the others need not wait for it.
    pub fn open(&mut self) {
        self.is_open = true;
    }

    /// Whether another installation may begin while so many are in flight.
    pub fn may_begin(&self, in_flight: usize) -> bool {
        self.is_open || in_flight == 0
    }

    /// Whether a row may make an attempt on a route now. On a route that is not proven, it then goes
    /// alone until [`Canary::leave`].
    pub fn enter(&mut self, route: Route, row: u32) -> bool {
        self.is_proven(route) || *self.alone.entry(route).or_insert(row) == row
    }

    /// An attempt on a route has ended. Returns whether another row can enter now.
    pub fn leave(&mut self, route: Route, row: u32) -> bool {
        let was_alone = self.alone.get(&route) == Some(&row);
        if was_alone {
            self.alone.remove(&route);
        }
        was_alone
    }

    /// Whether an answer has shown that a route exists.
    pub fn is_proven(&self, route: Route) -> bool {
        self.proven.contains(&route)
    }

    /// An answer has shown that a route exists.
    pub fn prove(&mut self, route: Route) {
        self.proven.insert(route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_installation_begins_alone_until_an_answer_opens_the_run() {
        let mut canary = Canary::default();
        assert!(canary.may_begin(0) && !canary.may_begin(1));
        canary.open();
        assert!(canary.may_begin(1) && !canary.is_proven(Route::Reconnect));
        assert!(Canary::proven().may_begin(1));
    }

    #[test]
    fn one_row_is_alone_on_a_route_until_it_is_proven() {
        let mut canary = Canary::default();
        assert!(canary.enter(Route::Refresh, 1) && canary.enter(Route::Refresh, 1));
        assert!(!canary.enter(Route::Refresh, 2) && canary.enter(Route::Agency, 2));
        assert!(!canary.leave(Route::Refresh, 2) && canary.leave(Route::Refresh, 1));
        assert!(canary.enter(Route::Refresh, 2));
        canary.prove(Route::Refresh);
        assert!(canary.enter(Route::Refresh, 3) && !canary.enter(Route::Agency, 3));
        assert!(Route::ALL.into_iter().all(|route| Canary::proven().is_proven(route)));
    }
}
