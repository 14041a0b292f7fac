//! How the run ended that several shards are together.

use jiff::Timestamp;

use crate::event::{Event, Finished, Halted, Interrupt, StoreBegan};

/// How a shard ended.
#[derive(Clone, Debug, Default)]
pub struct ShardEnd {
    /// How its last execution ended, if it ended in order.
    pub finished: Option<Finished>,
    /// Whether it was halted as a whole.
    pub is_halted: bool,
    /// What halted it or its part for an app.
    pub halts: Vec<Halted>,
    /// The store that its pairs went to.
    pub store: Option<Box<StoreBegan>>,
}

/// The last events of the run. One that was halted anywhere is halted; one that did not go through
/// everywhere has not ended.
pub fn ending(ends: &[&ShardEnd], absent: usize) -> Vec<Event> {
    let mut halts: Vec<&Halted> = ends.iter().flat_map(|end| &end.halts).collect();
    halts.sort_by_key(|halted| halted.at);
    let mut first: Vec<&Halted> = Vec::new();
    for halted in halts {
        if first.iter().all(|known| known.app != halted.app) {
            first.push(halted);
        }
    }
    let is_halted = ends.iter().any(|end| end.is_halted);
    let has_ended = absent == 0 && ends.iter().all(|end| end.finished.is_some());
    let finished = (is_halted || has_ended).then(|| finished(ends));
    first.into_iter().cloned().map(Event::Halted).chain(finished).collect()
}

fn finished(ends: &[&ShardEnd]) -> Event {
    let finished = || ends.iter().filter_map(|end| end.finished);
    let halted = ends.iter().flat_map(|end| &end.halts).map(|halted| halted.at);
    let at = finished().map(|end| end.at).chain(halted).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let by = |signal: Interrupt| finished().any(|end| end.interrupted_by == Some(signal));
    let signals = [Interrupt::Terminate, Interrupt::Interrupt];
    let interrupted_by = signals.into_iter().find(|signal| by(*signal));
    Event::Finished(Finished { at, interrupted_by })
}

/// Whether all pairs that went to a store went to the same one. If not, no outcome counts: a run has
/// one store.
pub fn have_one_store(ends: &[&ShardEnd]) -> bool {
    let mut stores = ends.iter().filter_map(|end| end.store.as_deref());
    let first = stores.next();
    stores.all(|store| first.is_none_or(|first| first.is_in_same_store(store)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(second: i64) -> Value {
        json!(Timestamp::from_second(second).unwrap())
    }

    fn halted(second: i64, app: Option<&str>) -> Halted {
        let halted = json!({ "at": at(second), "class": "blocked", "message": "x", "app": app });
        serde_json::from_value(halted).unwrap()
    }

    fn end(second: i64, by: Option<&str>) -> ShardEnd {
        let finished = json!({ "at": at(second), "interrupted_by": by });
        ShardEnd { finished: serde_json::from_value(finished).unwrap(), ..ShardEnd::default() }
    }

    fn crashed() -> ShardEnd {
        ShardEnd::default()
    }

    fn stopped(second: i64, app: Option<&str>) -> ShardEnd {
        let halts = vec![halted(second, app)];
        ShardEnd { is_halted: app.is_none(), halts, ..end(second, None) }
    }

    /// `halted 3 app`, `finished 9 terminate`, one after the other.
    fn events(ends: &[ShardEnd], absent: usize) -> String {
        let ends: Vec<&ShardEnd> = ends.iter().collect();
        let events = ending(&ends, absent).into_iter().map(|event| match event {
            Event::Halted(e) => {
                let app = e.app.map(|app| format!(" {app}")).unwrap_or_default();
                format!("halted {}{app}", e.at.as_second())
            }
            Event::Finished(e) => match e.interrupted_by {
                Some(by) => format!("finished {} by {by:?}", e.at.as_second()),
                None => format!("finished {}", e.at.as_second()),
            },
            other => panic!("{other:?}"),
        });
        events.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_run_ends_as_its_shards_did() {
        let (done, late) = (|| end(5, None), || end(9, None));
        for (ends, absent, expected) in [
            (vec![done()], 0, "finished 5"),
            (vec![late(), done()], 0, "finished 9"),
            (vec![done(), late()], 1, ""),
            (vec![done(), crashed()], 0, ""),
            (vec![end(5, Some("interrupt")), late()], 0, "finished 9 by Interrupt"),
            (
                vec![end(5, Some("interrupt")), end(9, Some("terminate"))],
                0,
                "finished 9 by Terminate",
            ),
            (vec![end(5, Some("terminate")), crashed()], 0, ""),
            (vec![done(), stopped(7, None)], 0, "halted 7, finished 7"),
            (vec![stopped(9, None), stopped(7, None)], 0, "halted 7, finished 9"),
            (vec![stopped(7, None), crashed()], 0, "halted 7, finished 7"),
            (vec![stopped(7, None), done()], 3, "halted 7, finished 7"),
            (
                vec![stopped(7, Some("crm")), stopped(6, Some("shop")), done()],
                0,
                "halted 6 shop, halted 7 crm, finished 7",
            ),
            (vec![stopped(7, Some("crm")), crashed()], 0, "halted 7 crm"),
        ] {
            assert_eq!(events(&ends, absent), expected, "{ends:?}, {absent} missing");
        }
    }

    #[test]
    fn outcomes_of_several_stores_are_no_outcomes_of_a_run() {
        let into = |store: Option<&str>| {
            let began =
                json!({ "at": at(0), "kind": "postgres", "database": store, "table": store });
            let store = store.map(|_| serde_json::from_value(began).unwrap());
            ShardEnd { store, ..ShardEnd::default() }
        };
        for (stores, expected) in [
            (vec![], true),
            (vec![None, None], true),
            (vec![Some("a"), None, Some("a")], true),
            (vec![None, Some("a"), Some("b")], false),
        ] {
            let ends: Vec<_> = stores.iter().map(|store| into(*store)).collect();
            assert_eq!(have_one_store(&ends.iter().collect::<Vec<_>>()), expected, "{stores:?}");
        }
    }
}
