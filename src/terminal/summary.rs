//! What is said at the end of a run: the books, the causes, the files, the next command.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
};

use crate::{
    commands::{Console, print},
    engine::session::SessionEnd,
};

use super::progress::Verbosity;
use crate::{
    exit::Exit,
    failure::Class,
    highlevel::endpoint::{HIGHLEVEL, RECONNECT_PATH},
    journal::{folder::RunFolder, spill::Spilled, state::Chain},
    plan::counted,
    settings::args::escalation_again,
    views::{
        bound::Exceeded,
        stats::Proofs,
        summary::{AppInFigures, Endpoint, State, Summary},
    },
};

/// Tells how a leg ended; the exit code is the run's.
pub fn print_end(done: &SessionEnd, json: bool, console: Console) -> Exit {
    show(&done.summary, &done.folder, &done.options, json, console);
    done.summary.exit
}

/// Shows a summary: as JSON, in words, or, where nothing else is said, what halted the run.
pub fn show(
    summary: &Summary,
    folder: &RunFolder,
    options: &[OsString],
    json: bool,
    console: Console,
) {
    let options = &with_endpoint(options, summary.endpoint());
    let quiet = console.verbosity == Verbosity::Quiet;
    if json {
        print(&summary.clean(as_json(summary)));
    } else if !quiet {
        print(&summary.clean(in_words(summary, folder, options)));
    }
    for halted in summary.halts.iter().filter(|_| quiet || json) {
        let (title, path) = (halted.title(), folder.path().display());
        let next_steps = &halted.next_steps;
        let told = format!("error: halted: {title}; run folder: {path}\n{next_steps}");
        let _ = writeln!(io::stderr(), "{}", summary.clean(told));
    }
    if let Some(exceeded) = &summary.exceeded {
        let Exceeded { starts, allowed, window } = exceeded;
        let _ = writeln!(
            io::stderr(),
            "error: {starts} requests started within {} ms, where the rate allows {allowed}: a bug, please report it",
            window.as_millis()
        );
    }
    if !summary.leaks.is_empty() {
        let _ = writeln!(io::stderr(), "error: {}", leaked(summary.leaks.iter().map(Path::new)));
    }
}

/// The options, and where the run went: its rest must not go elsewhere, whatever was typed.
pub fn with_endpoint(options: &[OsString], endpoint: &Endpoint) -> Vec<OsString> {
    let mut all = options.to_vec();
    let mut add = |flag: &str, value: Option<&str>| {
        if !options.iter().any(|option| option == flag) {
            all.push(flag.into());
            all.extend(value.map(Into::into));
        }
    };
    if endpoint.sandbox {
        add("--sandbox", None);
    } else if endpoint.base_url != HIGHLEVEL {
        add("--base-url", Some(&endpoint.base_url));
    }
    if endpoint.reconnect_path != RECONNECT_PATH {
        add("--reconnect-path", Some(&endpoint.reconnect_path));
    }
    all
}

/// What to do when the disk failed, or a second signal ended the run at once.
pub fn after_a_fault(folder: &RunFolder, options: &[OsString]) -> String {
    if folder.path().exists() {
        return format!("Go on with:  {}", resume_command(folder.path(), options));
    }
    format!(
        "{} is gone, or has another name now. If it was moved, resume it where it is. If it was deleted, \
         the tokens are in the file named above (there is none where no token had come yet): use it in \
         the place of tokens.jsonl, and start a new run for the rest of the list.",
        folder.path().display()
    )
}

/// What to do about files in which a secret was found.
pub fn leaked<'a>(files: impl Iterator<Item = &'a Path>) -> String {
    let names: Vec<_> = files.map(|file| file.display().to_string()).collect();
    format!(
        "a secret was found in {}; set aside as *.leaked. Do not attach it, and please report this bug",
        names.join(", ")
    )
}

/// What became of tokens in hand when the disk failed.
pub fn spilled(spilled: &Spilled, folder: &RunFolder) -> String {
    let mut text = String::new();
    if let Some(place) = &spilled.place {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{} saved in {} (secret); resume takes them over.",
            counted(spilled.kept, "token pair"),
            place.display()
        );
    }
    if spilled.lost > 0 {
        let pairs = counted(spilled.lost, "token pair");
        let _ = write!(text, "\n{pairs} could be saved nowhere; resume asks for new ones.");
        if folder.path().exists() && !folder.tokens().exists() {
            let tokens = folder.tokens();
            let _ = write!(text, " Make an empty file {} before.", tokens.display());
        }
    }
    text
}

/// The summary as JSON, as `summary.json` has it.
pub fn as_json(summary: &Summary) -> String {
    serde_json::to_string_pretty(summary).map(|text| text + "\n").unwrap_or_default()
}

/// The summary for a person. `options` are those that the next command needs again.
pub fn in_words(summary: &Summary, folder: &RunFolder, options: &[OsString]) -> String {
    let books = &summary.books;
    let installations = books.recovered + books.failed + books.not_attempted + books.skipped;
    let mut text = String::new();
    if summary.endpoint().sandbox {
        text.push_str("SANDBOX: a rehearsal; its tokens and trace ids are made up.\n");
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} of {} recovered",
        books.recovered,
        counted(installations, "installation")
    );
    let not_attempted =
        if summary.left_off > 0 { "not attempted or not finished" } else { "not attempted" };
    for (count, what) in [
        (
            books.skipped,
            "skipped (their tokens are good, or they were recovered before: see results.csv)",
        ),
        (books.failed, "failed"),
        (books.not_attempted, not_attempted),
        (books.duplicate, "duplicate rows"),
        (books.rejected, "rejected rows (see rejected.csv)"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{count:>7} {what}");
        }
    }
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
    let path = |name: &str| folder.file(name).display().to_string();
    let _ = writeln!(text, "\nRun folder  {}", folder.path().display());
    if books.recovered > 0 {
        let _ = writeln!(text, "Tokens      {}  (secret: do not attach)", path("tokens.jsonl"));
    }
    if folder.quarantine().exists() {
        let _ = writeln!(
            text,
            "Quarantine  {}  (secret: do not use, do not attach)",
            path("quarantine.jsonl")
        );
    }
    if books.failed > 0 || !summary.halts.is_empty() || summary.lost_grants.count > 0 {
        let _ =
            writeln!(text, "Ticket      {}  (text for HighLevel's support)", path("escalation.md"));
    }
    if let Some(next) = next_command(summary, folder, options) {
        let _ = writeln!(text, "Next        {next}");
    }
    add_other_routes(&mut text, summary, folder, options);
    text
}

/// When the Reconnect API is gone: the commands that would recover these installations all the same.
fn add_other_routes(
    text: &mut String,
    summary: &Summary,
    folder: &RunFolder,
    options: &[OsString],
) {
    if summary.halted.as_ref().is_none_or(|halted| halted.class != Class::EndpointRemoved) {
        return;
    }
    let _ = writeln!(text, "\nWithout the Reconnect API, the same installations by another way:");
    let agency = ["--via", "agency", "--agency-tokens", "AGENCY_TOKENS.jsonl"];
    for (what, route) in [
        ("with the refresh tokens that the list has", &["--via", "refresh"][..]),
        ("with the tokens of their agencies", &agency[..]),
    ] {
        let again = without(options, &["--via", "--agency-tokens"]);
        let again = again.chain(["--retry-failed".into()]);
        let again: Vec<OsString> = again.chain(route.iter().map(Into::into)).collect();
        let _ = writeln!(text, "  {what}:\n    {}", resume_command(folder.path(), &again));
    }
}

/// The options but some, each with its value.
fn without(options: &[OsString], flags: &[&str]) -> impl Iterator<Item = OsString> {
    let is_out =
        |at: usize| options.get(at).is_some_and(|word| flags.iter().any(|flag| word == flag));
    let kept = (0..options.len()).filter(move |at| !(is_out(*at) || *at > 0 && is_out(at - 1)));
    kept.filter_map(|at| options.get(at).cloned())
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
    if summary.state == State::Interrupted {
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

/// The command that takes the rest up, ready to paste: the run itself when it was stopped, its
/// failures when it went through.
pub fn next_command(summary: &Summary, folder: &RunFolder, options: &[OsString]) -> Option<String> {
    let books = &summary.books;
    match summary.state {
        _ if books.failed + books.not_attempted == 0 => None,
        // failures.csv has no tokens; the list has.
        State::Complete if summary.halts.is_empty() && summary.takes_tokens_of_the_list => {
            let again = [options, &["--retry-failed".into()]].concat();
            Some(resume_command(folder.path(), &again))
        }
        State::Complete if summary.halts.is_empty() => {
            let options = [options, &escalation_again(&summary.escalation)].concat();
            Some(command("run", &folder.file("failures.csv"), &options))
        }
        // What was halted is taken up where it was; the others are failures of their own.
        State::Complete | State::Halted | State::Interrupted | State::Unfinished => {
            Some(resume_command(folder.path(), options))
        }
    }
}

/// The command that goes on with a run, ready to paste.
pub fn resume_command(folder: &Path, options: &[OsString]) -> String {
    command("resume", folder, options)
}

fn command(name: &str, path: &Path, options: &[OsString]) -> String {
    // A path that begins with a dash would be taken for an option.
    let is_like_an_option = path.as_os_str().as_encoded_bytes().starts_with(b"-");
    let path = if is_like_an_option { Path::new(".").join(path) } else { path.to_owned() };
    let words = ["ghl-reconnect".into(), name.into(), path.into_os_string()];
    let words = words.iter().chain(options).map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it.
#[cfg(not(windows))]
pub fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

/// A word as a shell takes it.
#[cfg(windows)]
pub fn quoted(word: &str) -> String {
    if word.contains([' ', '&', '(', ')', '^', ';', ',']) {
        format!("\"{word}\"")
    } else {
        word.to_owned()
    }
}
