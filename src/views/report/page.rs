//! The page: what the template shows, and the hashes by which it allows its own style and script.

use std::io::Write;

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{
    charts::{BooksBar, Figure, bar_of_books, failures_by_cause, over_time, shades},
    facts::{self, ExecutionRow, Fact, UsedOption, safe},
    next::{NextCommand, next_command, store_command},
    rows::{FailureGroup, MOST, MOST_GROUPS},
    verdict::{left_to_do, verdict},
    words::{self, counted},
};
use crate::{
    journal::state::LostGrant,
    views::{
        causes::FailureCause,
        summary::{HaltInWords, Summary},
        view::Run,
    },
};

const STYLE: &str = include_str!("report.css");

/// Tablesort with its licence, and the page's own lines.
const SCRIPT: &str = concat!(include_str!("tablesort.min.js"), include_str!("report.js"));

/// Lost grants that the page lists.
const LOST_GRANTS: usize = 50;

/// Trace ids of a cause that the page shows.
const SAMPLES: usize = 3;

/// What the template shows.
#[derive(Template)]
#[template(path = "report.html", config = "src/views/report/askama.toml")]
pub(super) struct Page<'a> {
    /// The policy of the page's content.
    policy: String,
    summary: &'a Summary,
    verdict: String,
    byline: String,
    facts: Vec<Fact>,
    remarks: Vec<String>,
    bugs: Vec<String>,
    books: BooksBar,
    left: Vec<String>,
    halts: Vec<HaltRow>,
    next: Option<NextCommand>,
    store_next: Option<String>,
    shades: String,
    figures: Vec<Figure>,
    causes_chart: Option<(Figure, u32)>,
    causes: Vec<CauseRow>,
    options: Vec<UsedOption>,
    executions: Vec<ExecutionRow>,
    groups: &'a [FailureGroup],
    /// Failures that the page lists at most.
    most: u64,
    lost_grants: &'a [LostGrant],
}

/// What stopped the run.
struct HaltRow {
    title: String,
    next_steps: String,
}

impl HaltRow {
    fn of(halted: &HaltInWords) -> Self {
        Self { title: halted.title(), next_steps: unwrapped(&halted.next_steps) }
    }
}

/// A cause in words.
struct CauseRow {
    name: String,
    class: String,
    installations: u32,
    message: String,
    /// What is likely wrong.
    reason: &'static str,
    /// What to do about it.
    todo: &'static str,
    retry: &'static str,
    trace_ids: Vec<String>,
}

impl CauseRow {
    fn of(cause: &FailureCause) -> Self {
        let about = cause.class.about();
        let trace_ids = cause.sample_trace_ids.iter().take(SAMPLES).map(ToString::to_string);
        Self {
            name: cause.kind(),
            class: cause.class.to_string(),
            installations: cause.installations,
            message: words::cut(cause.message.as_str()),
            reason: &about.means,
            todo: &about.todo,
            retry: cause.retry,
            trace_ids: trace_ids.collect(),
        }
    }
}

impl<'a> Page<'a> {
    /// The page of a run with these failures.
    pub(super) fn of(
        run: &'a Run<'a>,
        summary: &'a Summary,
        groups: &'a [FailureGroup],
    ) -> anyhow::Result<Self> {
        Ok(Self {
            policy: policy(),
            verdict: verdict(summary),
            byline: facts::byline(run.state),
            facts: facts::of_run(run.state, run.course, summary),
            remarks: facts::of_tokens(summary.tokens),
            bugs: bugs(summary),
            books: bar_of_books(&summary.books)?,
            left: left_to_do(summary),
            halts: summary.halts.iter().map(HaltRow::of).collect(),
            next: next_command(summary),
            store_next: store_command(summary),
            shades: shades(run.course)?,
            figures: over_time(run.course, summary)?,
            causes_chart: failures_by_cause(&summary.causes)?,
            causes: summary.causes.iter().take(MOST_GROUPS).map(CauseRow::of).collect(),
            options: facts::options_of(&summary.settings),
            executions: facts::executions(run.course),
            lost_grants: summary
                .lost_grants
                .first
                .get(..LOST_GRANTS)
                .unwrap_or(&summary.lost_grants.first),
            most: MOST as u64,
            summary,
            groups,
        })
    }

    /// Writes it.
    pub(super) fn write(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        Ok(self.write_into(&mut { out })?)
    }

    fn is_rehearsal(&self) -> bool {
        self.summary.settings.is_rehearsal()
    }

    fn failed(&self) -> u64 {
        self.summary.books.failed.into()
    }

    fn shown(&self) -> u64 {
        self.groups.iter().map(FailureGroup::shown).sum()
    }

    fn further_causes(&self) -> u64 {
        self.summary.causes.len().saturating_sub(MOST_GROUPS) as u64
    }

    fn lost(&self) -> u64 {
        self.summary.lost_grants.count as u64
    }
}

/// Allows the page its own style and script, and nothing else.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// A text whose lines were broken for a terminal, with the breaks that mean something.
fn unwrapped(text: &str) -> String {
    let mut whole = String::new();
    for line in text.lines() {
        let is_of_its_own = line.starts_with(' ') || whole.ends_with(['.', ':', ';', ')']);
        if !whole.is_empty() {
            whole.push(if is_of_its_own { '\n' } else { ' ' });
        }
        whole.push_str(line.trim());
    }
    whole
}

/// What must not be, and is a bug of the program.
fn bugs(summary: &Summary) -> Vec<String> {
    let mut bugs = Vec::new();
    if !summary.leaks.is_empty() {
        bugs.push(format!(
            "A secret was found in {}; set aside as *.leaked. Do not attach it.",
            summary.leaks.iter().map(|file| safe(file)).collect::<Vec<_>>().join(", ")
        ));
    }
    if let Some(exceeded) = &summary.exceeded {
        bugs.push(format!(
            "{} started within {} ms, where the rate allows {}.",
            counted(exceeded.starts, "request"),
            exceeded.window.as_millis(),
            exceeded.allowed
        ));
    }
    if !summary.books.balance() {
        bugs.push("The books do not balance: the rows below do not add up to the list.".into());
    }
    bugs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_breaks_that_mean_something_are_left_of_a_text_for_a_terminal() {
        let text = "One text has four\ncauses:\n  1. the secret is\n  2. another.\nLikely 1: ask\nsupport.";
        let whole =
            "One text has four causes:\n1. the secret is\n2. another.\nLikely 1: ask support.";
        assert_eq!(unwrapped(text), whole);
    }
}
