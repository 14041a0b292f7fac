//! What is said at the end of a run: the books, the causes, the files, the next command.

use std::{fmt::Write as _, path::Path};

use super::{
    console::{Console, print_data, print_text},
    next::Next,
    stored,
    verbosity::Verbosity,
};
use crate::{
    failure::Class,
    journal::{folder::RunFolder, state::Chain},
    plan::grouped,
    route::{Route, RouteList},
    settings::{Settings, args::JsonOutput},
    views::{
        bound::Exceeded,
        stats::Proofs,
        summary::{AppInFigures, RunEnd, Summary},
    },
};

/// How a summary is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// As JSON, for a program.
    Json,
    /// As the last of its events, for a program, which somebody else writes; in words on standard error.
    Events,
    /// In words.
    Words,
}

impl As {
    /// As `--json` asks for.
    pub fn asked(json: Option<JsonOutput>) -> Self {
        match json {
            None => Self::Words,
            Some(JsonOutput::Summary) => Self::Json,
            Some(JsonOutput::Events) => Self::Events,
        }
    }
}

/// Shows a summary: as JSON, in words, or, where nothing else is said, what halted the run. `settings`
/// are those of the last execution, with what was typed for it.
pub fn show(
    summary: &Summary,
    folder: &RunFolder,
    settings: &Settings,
    form: As,
    console: Console,
) {
    let quiet = console.verbosity == Verbosity::Quiet;
    match form {
        As::Json => print_data(&summary.clean(as_json(summary))),
        As::Words if quiet => print_data(&summary.clean(in_a_line(summary, folder))),
        As::Words => print_text(&summary.clean(in_words(summary, folder, settings))),
        As::Events if quiet => {}
        As::Events => {
            console.print(summary.clean(in_words(summary, folder, settings)).trim_end());
        }
    }
    for halted in summary.halts.iter().filter(|_| quiet || form == As::Json) {
        let (title, path) = (halted.title(), folder.path().display());
        let next_steps = &halted.next_steps;
        let text = format!("halted: {title}; run folder: {path}\n{next_steps}");
        console.error(&summary.clean(text));
    }
    if let Some(exceeded) = &summary.exceeded {
        let Exceeded { starts, allowed, window } = exceeded;
        console.error(&format!(
            "{starts} requests started within {} ms, where the rate allows {allowed}: a bug, please report it",
            window.as_millis()
        ));
    }
    if !summary.leaks.is_empty() {
        console.error(&leaked(summary.leaks.iter().map(Path::new)));
    }
}

/// What to do about files in which a secret was found.
fn leaked<'a>(files: impl Iterator<Item = &'a Path>) -> String {
    let names: Vec<_> = files.map(|file| file.display().to_string()).collect();
    format!(
        "a secret was found in {}; set aside as *.leaked. Do not attach it, and please report this bug",
        names.join(", ")
    )
}

/// The summary as JSON, as `summary.json` has it.
fn as_json(summary: &Summary) -> String {
    serde_json::to_string_pretty(summary).map(|text| text + "\n").unwrap_or_default()
}

/// The summary for a person.
fn in_words(summary: &Summary, folder: &RunFolder, settings: &Settings) -> String {
    let mut text = String::new();
    if summary.settings.is_rehearsal() {
        text.push_str("SANDBOX: a rehearsal; its tokens and trace ids are made up.\n");
    }
    add_books(&mut text, summary);
    add_apps(&mut text, summary);
    add_proofs(&mut text, summary);
    add_pace(&mut text, summary);
    if summary.parent_run.is_some() {
        let Chain { runs, input, outstanding, .. } = &summary.chain;
        let _ = writeln!(
            text,
            "\nRun {runs} of a chain; still outstanding since the first run: {outstanding} of {input}"
        );
    }
    add_causes(&mut text, summary);
    add_next_steps(&mut text, summary);
    stored::add(&mut text, summary, folder);
    add_files(&mut text, summary, folder);
    let next = Next { folder: folder.path(), settings, recorded: &summary.settings };
    let lines = next.lines(summary);
    if !lines.is_empty() {
        let _ = writeln!(text, "Next        {}", lines.join("\n            "));
    }
    if let Some(store) = next.store(summary) {
        let what = if summary.store.is_some() { "the pairs that are left" } else { "the pairs" };
        let _ = writeln!(
            text,
            "Next        {store}\n            (writes {what} into your database; explain store)"
        );
    }
    add_other_routes(&mut text, summary, &next);
    text
}

/// The result and where the files are, in one line.
fn in_a_line(summary: &Summary, folder: &RunFolder) -> String {
    let rehearsal = if summary.settings.is_rehearsal() { "SANDBOX: " } else { "" };
    let mut line = format!("{rehearsal}{}", verdict(summary));
    for (count, what) in not_recovered(summary) {
        if count > 0 {
            let _ = write!(line, ", {} {what}", grouped(count));
        }
    }
    format!("{line}; run folder {}\n", folder.path().display())
}

/// How many installations are recovered.
fn verdict(summary: &Summary) -> String {
    let books = &summary.books;
    let installations = books.installations();
    let noun = if installations == 1 { "installation" } else { "installations" };
    format!("{} of {} {noun} recovered", grouped(books.recovered), grouped(installations))
}

/// How many have not been, and why.
fn not_recovered(summary: &Summary) -> [(u32, &'static str); 3] {
    let books = &summary.books;
    [
        (books.failed, "failed"),
        (summary.left_off, "not finished"),
        (books.not_attempted.saturating_sub(summary.left_off), "not attempted"),
    ]
}

/// Adds how many rows stand where.
fn add_books(text: &mut String, summary: &Summary) {
    let books = &summary.books;
    let _ = writeln!(text, "{}", verdict(summary));
    let [failed, not_finished, not_attempted] = not_recovered(summary);
    for (count, what) in [
        (
            books.skipped,
            "skipped (their tokens are good, or they were recovered before: see results.csv)",
        ),
        failed,
        not_finished,
        not_attempted,
        (books.duplicate, "duplicate rows"),
        (books.rejected, "rejected rows (see rejected.csv)"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{:>7} {what}", grouped(count));
        }
    }
}

/// Adds where the files are.
fn add_files(text: &mut String, summary: &Summary, folder: &RunFolder) {
    let books = &summary.books;
    let path = |name: &str| folder.file(name).display().to_string();
    let _ = writeln!(text, "\nRun folder  {}", folder.path().display());
    if let Some(shard) = summary.shard {
        let _ = writeln!(text, "Shard       {shard}");
    }
    if books.recovered > 0 {
        let _ = writeln!(text, "Tokens      {}  (secret: do not attach)", path("tokens.jsonl"));
    }
    if books.skipped > 0 {
        for before in &summary.recovered_in {
            let what = if Path::new(before).join("tokens.jsonl").exists() {
                "has the pairs of skipped rows: give its folder to `store` and `tokens` too"
            } else {
                "has no tokens.jsonl any more: if its pairs are in no store, pass --again"
            };
            let _ = writeln!(text, "Before      {before}  {what}");
        }
    }
    if folder.quarantine().exists() {
        let _ = writeln!(
            text,
            "Quarantine  {}  (secret: do not use, do not attach)",
            path("quarantine.jsonl")
        );
    }
    if folder.replaced().exists() {
        let _ = writeln!(
            text,
            "Old rows    {}  (secret: as your store had them before; do not attach)",
            path("replaced.jsonl")
        );
    }
    let page = folder.file("report.html");
    if page.exists() {
        let _ = writeln!(text, "Page        {}  (safe to attach)", page.display());
    }
    if books.failed > 0 || !summary.halts.is_empty() || summary.lost_grants.count > 0 {
        let _ =
            writeln!(text, "Ticket      {}  (text for HighLevel's support)", path("escalation.md"));
    }
}

/// When the Reconnect API is gone: the commands that would recover these installations all the same.
fn add_other_routes(text: &mut String, summary: &Summary, next: &Next<'_>) {
    if summary.halted.as_ref().is_none_or(|halted| halted.class != Class::EndpointRemoved) {
        return;
    }
    let _ = writeln!(text, "\nWithout the Reconnect API, the same installations by another route:");
    for (what, route) in [
        ("with refresh tokens, if the list has some that still work", Route::Refresh),
        ("with the tokens of their agencies", Route::Agency),
    ] {
        let mut settings = next.settings.clone();
        settings.via = RouteList::only(route);
        if route == Route::Agency {
            let tokens = &mut settings.secrets.agency_tokens;
            tokens.get_or_insert_with(|| "AGENCY_TOKENS.jsonl".into());
        }
        let next = Next { settings: &settings, ..*next };
        let _ = writeln!(text, "  {what}:\n    {}", next.resume(&["--retry-failed"]));
    }
}

/// Says what is wrong with tokens that count as recovered all the same.
fn add_proofs(text: &mut String, summary: &Summary) {
    let Proofs { without_scope, unclear, without_refresh_token, .. } = summary.tokens;
    for (count, what) in [
        (unclear, "recovered, but --verify got no clear answer about their tokens"),
        (without_scope, "recovered with tokens that are alive and lack the scope for --verify"),
        (
            without_refresh_token,
            "recovered without a refresh token: they die with the access token",
        ),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{count:>7} {what} (see message in results.csv)");
        }
    }
}

/// Says why it took longer than its rate asks for, if it did by more than a moment.
fn add_pace(text: &mut String, summary: &Summary) {
    let rate = &summary.rate;
    if let Some(gap) = &rate.gap {
        let reason = gap.reason.in_words();
        let reached = rate.reached_per_second;
        let _ = writeln!(text, "\nPace: {} asked for, {reached}/s reached: {reason}", rate.asked);
    }
}

/// Adds the causes to a text, each with its advice.
pub fn add_causes(text: &mut String, summary: &Summary) {
    for cause in &summary.causes {
        let status = cause.http_status.map(|s| format!(", HTTP {s}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "\n{:>7} {} at {}{status}: {}\n        retry: {}{}",
            cause.installations,
            cause.class,
            cause.stage,
            cause.message,
            cause.retry,
            cause
                .sample_trace_ids
                .first()
                .map(|id| format!("; trace id for support: {id}"))
                .unwrap_or_default(),
        );
    }
}

fn add_next_steps(text: &mut String, summary: &Summary) {
    if summary.state == RunEnd::Interrupted {
        let _ = writeln!(text, "\nThe run was interrupted; no code was left in hand.");
    }
    if summary.lost_grants.count > 0 {
        let count = summary.lost_grants.count;
        let _ = writeln!(
            text,
            "\n{count} exchanges had no whole answer: HighLevel may have granted tokens that nobody holds\n\
             (lost_grants in summary.json, for support)."
        );
    }
    for halted in &summary.halts {
        let _ = writeln!(text, "\nHALTED: {}\n{}", halted.title(), halted.next_steps);
    }
}

/// Adds the apps to a text, a line each, where there are several.
pub fn add_apps(text: &mut String, summary: &Summary) {
    for (name, AppInFigures { books, halted, .. }) in &summary.apps {
        let halted = if halted.is_some() { ", halted" } else { "" };
        let _ = writeln!(
            text,
            "App {name}: {} of {} recovered, {} failed, {} not attempted{halted}",
            books.recovered,
            books.installations(),
            books.failed,
            books.not_attempted
        );
    }
}
