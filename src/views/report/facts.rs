//! What is to be known of a run: names and values.

use super::words::{count, counted, elapsed, or_dash, utc};
use crate::{
    clock,
    journal::state::{Chain, RunState},
    settings::{Settings, options},
    text::SafeText,
    views::{course::Course, stats::Proofs, summary::Summary},
};

/// A name and its value.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl Fact {
    fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }
}

/// A text of the list or of an option, with what a reader would not see made visible.
pub(super) fn safe(text: &str) -> String {
    SafeText::new(text).to_string()
}

/// Which list, when and for how long, in a line.
pub(super) fn byline(run_state: &RunState) -> String {
    let RunState { started, finished, .. } = run_state;
    let name = started.list.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let began = format!("{} · began {} UTC", safe(name), utc(started.at));
    match finished {
        Some(end) => {
            format!("{began} · ended after {}", elapsed(clock::millis_between(started.at, end.at)))
        }
        None => began,
    }
}

/// What names the run.
pub(super) fn of_run(run_state: &RunState, course: &Course, summary: &Summary) -> Vec<Fact> {
    let started = &run_state.started;
    let mut facts = vec![
        Fact::new("Run", &*started.run_id),
        Fact::new("Began", format!("{} UTC", utc(started.at))),
    ];
    if let Some(finished) = run_state.finished {
        let took = elapsed(clock::millis_between(started.at, finished.at));
        facts.push(Fact::new("Ended", format!("{} UTC, {took} later", utc(finished.at))));
    }
    let executions = course.timeline.executions.len();
    if executions > 1 {
        facts.push(Fact::new("Executions", count(executions as u64)));
    }
    let list = &started.list;
    let rows = counted(summary.books.input.into(), "row");
    facts.push(Fact::new("List", format!("{}: {rows}, {}", safe(&list.name), safe(&list.shape))));
    if started.apps.is_empty() {
        facts.push(Fact::new("App", safe(&started.client_id)));
    }
    let place = if summary.settings.is_rehearsal() {
        "the embedded sandbox".to_owned()
    } else {
        safe(&format!("{}{}", summary.settings.base_url, summary.settings.reconnect_path))
    };
    facts.push(Fact::new("Called", place));
    facts.push(Fact::new("Rate", summary.rate_in_words()));
    if let Some(Chain { runs, input, outstanding, .. }) =
        started.parent.as_ref().map(|_| run_state.chain())
    {
        let of = format!("{} of {}", count(outstanding), count(input));
        facts.push(Fact::new(
            "Chain",
            format!("run {runs}; {of} still outstanding since the first"),
        ));
    }
    facts.extend(run_state.clock_offset_ms.map(|ms| Fact::new("Server's clock", offset(ms))));
    facts.push(Fact::new("Program", format!("ghl-reconnect {}", safe(&started.version))));
    facts
}

fn offset(offset_ms: i64) -> String {
    match offset_ms {
        0 => "agrees with this machine's".to_owned(),
        1.. => format!("{} ahead of this machine's", elapsed(offset_ms)),
        _ => format!("{} behind this machine's", elapsed(-offset_ms)),
    }
}

/// What is to be known of tokens that count as recovered all the same.
pub(super) fn of_tokens(proofs: Proofs) -> Vec<String> {
    let Proofs { unclear, without_scope, without_refresh_token, .. } = proofs;
    [
        (unclear, "recovered, but --verify got no clear answer about their tokens"),
        (without_scope, "recovered with tokens that are alive and lack the scope for --verify"),
        (
            without_refresh_token,
            "recovered without a refresh token: they die with the access token",
        ),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{} {what} (see message in results.csv).", count(number)))
    .collect()
}

/// An option as it was used.
pub(super) struct UsedOption {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Whether it differs from the default.
    pub(super) is_chosen: bool,
}

/// The options of the last execution.
pub(super) fn options_of(settings: &Settings) -> Vec<UsedOption> {
    let usual = options::in_words(&Settings::default());
    let used = options::in_words(settings).into_iter().map(|(name, value)| UsedOption {
        is_chosen: !usual.iter().any(|other| *other == (name, value.clone())),
        value: safe(&value),
        name,
    });
    used.collect()
}

/// An execution of the run.
pub(super) struct ExecutionRow {
    pub(super) number: usize,
    pub(super) began: String,
    /// Options that are not as in the execution before.
    pub(super) options: String,
}

/// The executions of which the settings are known, where there are several.
pub(super) fn executions(course: &Course) -> Vec<ExecutionRow> {
    let spans = &course.timeline.executions;
    if spans.len() < 2 {
        return Vec::new();
    }
    let row = |(index, settings): (usize, &Settings)| {
        let before = index.checked_sub(1).and_then(|before| course.settings.get(before));
        let usual = Settings::default();
        let options = options::that_differ(settings, before.unwrap_or(&usual));
        let options: Vec<_> = options.iter().map(|word| safe(&word.to_string_lossy())).collect();
        ExecutionRow {
            number: index + 1,
            began: or_dash(spans.get(index).map(|span| utc(span.began))),
            options: match (options.is_empty(), index) {
                (true, 0) => "defaults".into(),
                (true, _) => "as before".into(),
                (false, _) => options.join(" "),
            },
        }
    };
    course.settings.iter().enumerate().map(row).collect()
}
