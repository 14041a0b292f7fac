//! What is left to do after a run: what to run now, what to wait for and until when, what to fix first.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    due::RetryCells,
    event::{Halted, Listed, NotDue},
    failure::{Advice, Class, Failure},
    journal::state::{Outcome, RunState},
    settings::Settings,
};

/// Installations by what has to happen before another try.
pub type ByAdvice = BTreeMap<Advice, u32>;

/// The installations that are not recovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenRows {
    /// Without an outcome, or none but the end of the run.
    pub unfinished: ByAdvice,
    /// Failed, or left for another run since they were not due.
    pub failed: ByAdvice,
    /// How many of those were left for another run: this one never takes them.
    pub not_due: u32,
    /// When the last of the failed ones is due that time alone helps.
    pub all_due_from: Option<Timestamp>,
}

/// The command that goes on with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoOn {
    /// `resume`.
    Resume,
    /// `resume --retry-failed`, since the tokens that it needs are in the list alone.
    RetryFailed,
    /// `run` over `failures.csv`.
    RunFailures,
}

/// What is left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextSteps {
    /// By which command.
    pub by: GoOn,
    /// Installations for which it can be run at once.
    pub now: u32,
    /// Installations that wait, and until when at the latest.
    pub later: Option<(u32, Timestamp)>,
    /// Installations for which something else has to be done first.
    pub first: ByAdvice,
}

/// Where the tokens are that the routes need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensOfList {
    /// The list has them, and `failures.csv` has none.
    Used,
    /// None are needed.
    NotUsed,
}

impl TokensOfList {
    /// By what a run is to do.
    pub fn of(settings: &Settings) -> Self {
        if settings.use_tokens_of_list() { Self::Used } else { Self::NotUsed }
    }
}

/// What is left to do; `None` where everything is recovered.
pub fn next_steps(open: &OpenRows, tokens: TokensOfList, now: Timestamp) -> Option<NextSteps> {
    let (by, rows) = match tokens {
        _ if !open.unfinished.is_empty() => (GoOn::Resume, &open.unfinished),
        TokensOfList::Used if open.not_due == 0 => (GoOn::RetryFailed, &open.failed),
        TokensOfList::Used | TokensOfList::NotUsed => (GoOn::RunFailures, &open.failed),
    };
    if rows.is_empty() {
        return None;
    }
    let count = |advice: Advice| rows.get(&advice).copied().unwrap_or(0);
    let waits_until = match by {
        GoOn::Resume => None,
        GoOn::RetryFailed | GoOn::RunFailures => open.all_due_from.filter(|time| *time > now),
    };
    let waiting = waits_until.filter(|_| count(Advice::Later) > 0);
    let later = waiting.map(|time| (count(Advice::Later), time));
    let waited = if later.is_none() { count(Advice::Later) } else { 0 };
    let is_first = |advice: &Advice| !matches!(advice, Advice::Now | Advice::Later);
    let first = rows.iter().filter(|(advice, _)| is_first(advice));
    let first = first.map(|(advice, count)| (*advice, *count)).collect();
    Some(NextSteps { by, now: count(Advice::Now) + waited, later, first })
}

impl OpenRows {
    /// Takes an installation into account.
    pub fn installation(&mut self, run_state: &RunState, listed: &Listed, outcome: &Outcome) {
        match outcome {
            Outcome::Recovered(_) | Outcome::Reclaimed(_) | Outcome::Skipped(_) => {}
            Outcome::Failed(failed) if !failed.failure.class.is_left_off() => {
                let (failure, failed_at) = (&failed.failure, Some(failed.at));
                let not_before = not_before(failure, failed.at);
                let advice = Some(failure.advice());
                self.failed(failure.advice(), RetryCells { advice, failed_at, not_before });
            }
            Outcome::Failed(_) | Outcome::NotAttempted(_) => {
                let advice = NotAttempted::of(run_state, listed).advice;
                *self.unfinished.entry(advice).or_default() += 1;
            }
        }
    }

    /// Takes a row into account that is left for another run.
    pub fn not_due(&mut self, row: &NotDue) {
        *self.failed.entry(row.retry).or_default() += 1;
        self.not_due += 1;
        self.all_due_from = self.all_due_from.max(row.due_from);
    }

    fn failed(&mut self, advice: Advice, cells: RetryCells) {
        *self.failed.entry(advice).or_default() += 1;
        if advice == Advice::Later {
            self.all_due_from = self.all_due_from.max(cells.waits_until());
        }
    }
}

/// When a failure may be tried again, where the server gave a time.
pub(super) fn not_before(failure: &Failure, at: Timestamp) -> Option<Timestamp> {
    let wait = failure.retry_after_ms.filter(|_| failure.advice() == Advice::Later)?;
    at.checked_add(Duration::from_millis(wait.into())).ok()
}

/// What is written of an installation that was never asked for.
pub(super) struct NotAttempted {
    pub(super) class: Class,
    pub(super) message: String,
    pub(super) advice: Advice,
}

impl NotAttempted {
    /// By what ended the run, or its part for the app.
    pub(super) fn of(run_state: &RunState, listed: &Listed) -> Self {
        if let Some(halted) = run_state.halt_of(listed.app.as_ref()) {
            return Self::of_halt(halted);
        }
        let interrupted = run_state.finished.and_then(|end| end.interrupted_by);
        let message = match interrupted {
            Some(_) => "the run was interrupted",
            None => "the run ended before its turn",
        };
        Self { class: Class::Interrupted, message: message.into(), advice: Advice::Now }
    }

    fn of_halt(halted: &Halted) -> Self {
        let whole = match &halted.app {
            Some(app) => format!("the run was halted for app {app}"),
            None => "the run was halted".to_owned(),
        };
        Self {
            class: Class::Halted,
            message: format!("{whole}: {}", halted.message),
            advice: halted.class.advice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn what_is_left_to_do_follows_the_advice() {
        use Advice::{FixCredentials, FixInput, Later, NeedsReinstall, Never, Now};
        use GoOn::{Resume, RetryFailed, RunFailures};
        use TokensOfList::{NotUsed, Used};
        type Rows = &'static [(Advice, u32)];
        type Case = (Rows, Rows, Option<i64>, TokensOfList, Option<(GoOn, u32, Option<u32>, Rows)>);
        let cases: [Case; 13] = [
            (&[], &[], None, NotUsed, None),
            (&[], &[(Now, 3)], None, NotUsed, Some((RunFailures, 3, None, &[]))),
            (&[], &[(Now, 3)], None, Used, Some((RetryFailed, 3, None, &[]))),
            // What waits is due from the latest time on.
            (&[], &[(Later, 2)], Some(15), NotUsed, Some((RunFailures, 0, Some(2), &[]))),
            (&[], &[(Later, 2)], Some(10), NotUsed, Some((RunFailures, 2, None, &[]))),
            (&[], &[(Later, 2)], None, NotUsed, Some((RunFailures, 2, None, &[]))),
            (&[], &[(Now, 1), (Later, 2)], Some(15), Used, Some((RetryFailed, 1, Some(2), &[]))),
            // What needs something else first is never among those to run.
            (
                &[],
                &[(NeedsReinstall, 4)],
                None,
                NotUsed,
                Some((RunFailures, 0, None, &[(NeedsReinstall, 4)])),
            ),
            (
                &[],
                &[(Now, 1), (FixInput, 2), (Never, 1)],
                None,
                NotUsed,
                Some((RunFailures, 1, None, &[(FixInput, 2), (Never, 1)])),
            ),
            // A run that was stopped is resumed, whatever failed in it.
            (&[(Now, 9)], &[(NeedsReinstall, 4)], None, NotUsed, Some((Resume, 9, None, &[]))),
            (&[(Later, 9)], &[(Later, 4)], Some(15), Used, Some((Resume, 9, None, &[]))),
            (
                &[(FixCredentials, 9)],
                &[],
                None,
                NotUsed,
                Some((Resume, 0, None, &[(FixCredentials, 9)])),
            ),
            (
                &[(Now, 1), (FixCredentials, 9)],
                &[],
                None,
                NotUsed,
                Some((Resume, 1, None, &[(FixCredentials, 9)])),
            ),
        ];
        for (unfinished, failed, due, tokens, expected) in cases {
            let by_advice = |rows: Rows| rows.iter().copied().collect::<ByAdvice>();
            let open = OpenRows {
                unfinished: by_advice(unfinished),
                failed: by_advice(failed),
                not_due: 0,
                all_due_from: due.map(at),
            };
            let expected = expected.map(|(by, now, later, first)| NextSteps {
                by,
                now,
                later: later.zip(due.map(at)),
                first: by_advice(first),
            });
            assert_eq!(next_steps(&open, tokens, at(10)), expected, "{open:?}, {tokens:?}");
            // A run over failures has no tokens, and resuming it takes none that it has left.
            let open = OpenRows { not_due: 1, ..open };
            let by = next_steps(&open, tokens, at(10)).map(|steps| steps.by);
            assert_ne!(by, Some(RetryFailed), "{open:?}");
        }
    }
}
