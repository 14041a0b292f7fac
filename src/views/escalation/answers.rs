//! How the calls of each installation were answered on the way to its failure.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{
    event::{Call, Event},
    failure::{Failure, Stage},
};

/// An answer that was a failure: at which step, with which status; no status is no answer.
pub type Answer = (Stage, Option<u16>);

/// Calls of an installation that were answered alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlikeCalls {
    /// How they were answered.
    pub answer: Answer,
    /// How many.
    pub calls: u32,
    /// When the last of them went out.
    pub last_at: Timestamp,
}

/// The calls that failed, by the number of the row, for rows that no call has recovered so far.
#[derive(Debug, Default)]
pub struct AnswerLog(HashMap<u32, Vec<AlikeCalls>>);

impl AnswerLog {
    /// Takes an event into account.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Retrying(e) => self.add(e.row, &e.failure, e.call.as_ref()),
            Event::Failed(e) => self.add(e.row, &e.failure, e.call.as_ref()),
            Event::Recovered(e) => drop(self.0.remove(&e.row)),
            Event::Reclaimed(e) => drop(self.0.remove(&e.row)),
            Event::Skipped(e) => drop(self.0.remove(&e.row)),
            _ => {}
        }
    }

    fn add(&mut self, row: u32, failure: &Failure, call: Option<&Call>) {
        let Some(call) = call else { return };
        let (answer, calls) = ((failure.stage, call.http_status), self.0.entry(row).or_default());
        match calls.iter_mut().find(|alike| alike.answer == answer) {
            Some(alike) => {
                alike.calls += 1;
                alike.last_at = alike.last_at.max(call.at);
            }
            None => calls.push(AlikeCalls { answer, calls: 1, last_at: call.at }),
        }
    }

    /// The calls of a row that failed.
    pub fn of(&self, row: u32) -> &[AlikeCalls] {
        self.0.get(&row).map_or(&[], Vec::as_slice)
    }

    /// When the last call of a row failed at a step.
    pub fn last_at(&self, row: u32, stage: Stage) -> Option<Timestamp> {
        let calls = self.of(row).iter().filter(|alike| alike.answer.0 == stage);
        calls.map(|alike| alike.last_at).max()
    }
}

/// An answer and how often it came: `HTTP 500 at reconnect (4)`.
pub fn in_words(answer: Answer, calls: u64) -> String {
    let (stage, status) = answer;
    match status {
        Some(status) => format!("HTTP {status} at {stage} ({calls})"),
        None => format!("no whole answer at {stage} ({calls})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::test_journal::{TestJournal, id};
    use serde_json::json;

    #[test]
    fn each_answer_of_a_failed_row_is_counted_with_its_own_status() {
        let mut journal = TestJournal::of(2);
        let call = |second: i64, status: u16| {
            let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
            json!({ "at": at, "ms": 5, "http_status": status })
        };
        let failure = |stage: &str, status: u16| json!({ "stage": stage, "class": "server_error", "http_status": status, "message": "" });
        for (row, second, stage, status) in [
            (1, 1, "reconnect", 500),
            (1, 2, "reconnect", 500),
            (2, 3, "exchange", 502),
            (1, 4, "exchange", 503),
        ] {
            journal.add(
                "retrying",
                json!({
                    "row": row, "id": id(row), "attempt": 1, "failure": failure(stage, status),
                    "call": call(second, status),
                }),
            );
        }
        journal.recover(2, "x");
        journal.add("failed", json!({
            "row": 1, "id": id(1), "attempts": 3, "started_at": "2027-01-15T08:00:00Z", "trace_ids": [],
            "failure": failure("exchange", 503),
        }));
        let mut log = AnswerLog::default();
        crate::journal::state::RunState::read(&journal.write().journal(), |event| {
            log.observe(event);
        })
        .unwrap();
        let words: Vec<_> =
            log.of(1).iter().map(|alike| in_words(alike.answer, alike.calls.into())).collect();
        assert_eq!(words, ["HTTP 500 at reconnect (2)", "HTTP 503 at exchange (1)"]);
        assert_eq!(
            log.last_at(1, Stage::Exchange),
            Some(Timestamp::from_second(1_800_000_004).unwrap())
        );
        assert_eq!(log.last_at(1, Stage::Verify), None);
        assert_eq!(log.of(2), [], "it is recovered");
    }
}
