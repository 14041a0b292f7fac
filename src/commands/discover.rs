//! `discover`: the installed locations of agencies as a list that `run` takes.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, anyhow, ensure};
use tokio::{runtime::Runtime, time::timeout};

use super::Console;
use crate::terminal::summary;
use crate::{
    clock,
    engine::{
        discover::{
            cursor::{AgencyCursor, Question},
            list_writer::ListWriter,
            pager::{Pager, Trouble},
        },
        signals::Signals,
    },
    exit::{Exit, Fault, OrExit},
    failure::{Class, Failure},
    highlevel::client::{Client, Listing},
    installation::Id,
    journal::disk::Disk,
    pace::{Pacer, memory::Memory},
    settings::{
        agency_tokens::Held,
        args::{DiscoverArgs, discover_again},
        config::{App, AppBefore, Limits, Stdin},
    },
};

/// Lists the locations of every agency whose token is at hand.
pub fn discover(args: &DiscoverArgs, console: Console) -> Result<Exit, Fault> {
    let limits = Limits::of(&args.pace.typed(), Limits::default()).or_exit(Exit::Usage)?;
    let app = App::of(&args.app, AppBefore::default(), Stdin::Free).or_exit(Exit::Usage)?;
    app.warnings.iter().for_each(|warning| console.print(&format!("warning: {warning}")));
    let companies = companies(args, &app).or_exit(Exit::Usage)?;
    let listing = if args.installed_only { Listing::Installed } else { Listing::All };
    let credentials = app.credentials_to_read().or_exit(Exit::Usage)?;
    let question = Question {
        base_url: app.endpoint.base().to_owned(),
        app: credentials.client_id.split('-').next().unwrap_or_default().to_owned(),
        api_version: app.endpoint.version(),
        listing,
    };
    let list = match &args.out {
        None => ListWriter::on_stdout(question.clone()).or_exit(Exit::Local)?,
        Some(out) => ListWriter::in_file(out, question.clone(), Disk::default())?,
    };
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let ended = runtime.block_on(async {
        let memory = Memory::of(app.endpoint.base(), &credentials.client_id);
        let (pacer, pacing) = Pacer::start(limits.pacing, memory)
            .context("cannot start a thread")
            .or_exit(Exit::Local)?;
        let client = Client::new(app.endpoint, credentials, limits.timeout, app.answers)
            .or_exit(Exit::Local)?;
        let (tokens, app, attempts) = (app.agency_tokens, question.app, limits.attempts);
        // Whoever names the agencies does not miss those of other lines.
        let nameless = if args.company.is_empty() { tokens.unusable_lines() } else { 0 };
        let pages = Pager { client, pacer, tokens, app, listing, attempts };
        let ended =
            under_signals(Tour { pager: pages, companies, nameless, list, args, console }).await;
        // The tour is over and with it the pacer, which remembers its starts for the run that follows.
        let _ = timeout(Duration::from_secs(1), pacing).await;
        ended
    });
    runtime.shutdown_background();
    ended
}

/// The agencies that are asked, in a steady order. None that could be asked is an error, since
/// nothing would be sent.
fn companies(args: &DiscoverArgs, app: &App) -> anyhow::Result<Vec<Id>> {
    let tokens = &app.agency_tokens;
    let mut companies = args.company.clone();
    if companies.is_empty() {
        companies.extend(tokens.known());
    }
    companies.sort();
    companies.dedup();
    ensure!(
        !companies.is_empty() || !tokens.has_one_for_all(),
        "the agency token does not say of which agency it is: give --company ID"
    );
    ensure!(
        !companies.is_empty(),
        "no agency token: give --agency-tokens FILE (lines as in tokens.jsonl, userType Company), or set GHL_AGENCY_TOKEN in the environment or in an --env-file"
    );
    let held: Vec<_> = companies.iter().map(|company| tokens.get(company)).collect();
    if held.iter().any(|held| matches!(held, Held::Usable(_))) {
        return Ok(companies);
    }
    let why = companies.iter().zip(&held).map(|(company, held)| match held {
        Held::Expired(at) => {
            format!("the token of agency {company} is past its life since {}", clock::stamp(*at))
        }
        _ => format!("there is no token of agency {company}"),
    });
    let why: Vec<_> = why.collect();
    Err(anyhow!("{}. {NEW_TOKEN}", why.join("; ")))
}

const NEW_TOKEN: &str = "A new agency token: put the company id into a list, recover it with run, and give the tokens.jsonl of that run as --agency-tokens";

/// All agencies, one after the other.
struct Tour<'a> {
    pager: Pager,
    companies: Vec<Id>,
    /// Lines of the agency tokens that cannot be used: each may be an agency that is missing.
    nameless: usize,
    list: ListWriter,
    args: &'a DiscoverArgs,
    console: Console,
}

async fn under_signals(mut tour: Tour<'_>) -> Result<Exit, Fault> {
    let mut signals = Signals::listen().context("cannot listen to signals").or_exit(Exit::Local)?;
    let halted = tokio::select! {
        halted = tour.go() => halted?,
        exit = signals.any() => {
            tour.console.print(&format!("Interrupted. {}", tour.next_step()));
            return Ok(exit);
        }
    };
    match halted {
        Ok(totals) => tour.end(&totals),
        Err(failure) => {
            let error = anyhow!("{}. {}", told(&failure), tour.next_step());
            Err(Fault { exit: Exit::Halted, error })
        }
    }
}

/// What the agencies came to.
#[derive(Default)]
struct Totals {
    listed: usize,
    failed: usize,
    given: u64,
    short: usize,
}

impl Tour<'_> {
    /// Asks one agency after the other. The inner error concerns all of them.
    async fn go(&mut self) -> Result<Result<Totals, Failure>, Fault> {
        let mut totals = Totals::default();
        for company in &self.companies {
            match self.pager.list(company, &mut self.list).await {
                Ok(place) => {
                    totals.listed += 1;
                    totals.given += place.given;
                    let (words, is_short) = in_words(company, &place, self.pager.listing);
                    totals.short += usize::from(is_short == Tally::Short);
                    self.console.print(&words);
                }
                Err(Trouble::Agency(failure)) => {
                    totals.failed += 1;
                    self.console.print(&format!("Agency {company}: {}", told(&failure)));
                }
                Err(Trouble::Everybody(failure)) => return Ok(Err(failure)),
                Err(Trouble::Local(error)) => return Err(Fault { exit: Exit::Local, error }),
            }
        }
        Ok(Ok(totals))
    }

    fn end(self, totals: &Totals) -> Result<Exit, Fault> {
        if totals.failed > 0 {
            let (failed, listed) = (totals.failed, totals.listed);
            let words = format!("{failed} of {} agencies could not be listed", failed + listed);
            let error = anyhow!("{words}. {}", self.next_step());
            let exit = if listed == 0 { Exit::Halted } else { Exit::NotAllRecovered };
            return Err(Fault { exit, error });
        }
        if self.nameless > 0 {
            let lines = self.nameless;
            let words = format!("{lines} lines of --agency-tokens cannot be used (see above)");
            let error = anyhow!("{words}. {}", self.next_step());
            return Err(Fault { exit: Exit::NotAllRecovered, error });
        }
        self.list.complete().or_exit(Exit::Local)?;
        let (given, agencies) = (totals.given, totals.listed);
        let place = self.args.out.as_ref().map(|out| format!(" in {}", out.display()));
        self.console.print(&format!(
            "{given} locations of {agencies} agencies{}.",
            place.unwrap_or_default()
        ));
        Ok(if totals.short > 0 { Exit::NotAllRecovered } else { Exit::Recovered })
    }

    /// How to go on after a fault.
    fn next_step(&self) -> String {
        match self.list.partial() {
            Some(partial) => format!(
                "What there is stands in {}; the same command goes on where it stopped:  {}",
                partial.display(),
                again(self.args)
            ),
            None => "The list above is not complete. With --out FILE, the same command goes on where it stopped.".into(),
        }
    }
}

/// The command that was typed, for a shell.
fn again(args: &DiscoverArgs) -> String {
    let words = discover_again(args);
    let words = words.iter().map(|word| summary::quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// Whether as many locations came as the API counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tally {
    Right,
    Short,
}

fn in_words(company: &Id, place: &AgencyCursor, listing: Listing) -> (String, Tally) {
    let AgencyCursor { given, odd, count, .. } = *place;
    // Writing to a String cannot fail.
    let mut words = format!("Agency {company}: {given} locations");
    if odd > 0 {
        let _ = write!(words, ", and {odd} entries without a usable id, which are left out");
    }
    let mut tally = Tally::Right;
    if let Some(count) = count.filter(|count| *count != given + odd) {
        let _ = write!(
            words,
            ". HighLevel counts {count}: locations may have come or gone while they were listed; list them again to be sure"
        );
        // Which locations the count counts where only some are asked for is not documented.
        if count > given + odd && listing == Listing::All {
            tally = Tally::Short;
        }
    }
    (words, tally)
}

/// A failure and what to do about it.
fn told(failure: &Failure) -> String {
    let mut words = failure.class.to_string();
    if let Some(status) = failure.http_status {
        let _ = write!(words, ", HTTP {status}");
    }
    if !failure.message.is_empty() {
        let _ = write!(words, ": {}", failure.message);
    }
    if let Some(id) = &failure.trace_id {
        let _ = write!(words, " (trace id {id})");
    }
    let hint = hint(failure);
    if hint.is_empty() { words } else { format!("{words}. {hint}") }
}

fn hint(failure: &Failure) -> &'static str {
    let said = failure.message.as_str().to_lowercase();
    let says = |words: &str| said.contains(words);
    if says("authorized for this scope") {
        return "The token lacks the scope oauth.readonly: add it to the app, and have the agency install it again";
    }
    if says("version header") || says("not available in api version") {
        return "Give the other --api-version (v2 or v3)";
    }
    if says("do not have access to this feature") {
        return "The agency's plan has no API access";
    }
    if says("app") && says("not found") {
        return "HighLevel does not know the app: compare --client-id with the app's settings";
    }
    if says("does not have access to this location") {
        return "The token is of another agency: compare the company id with the token's";
    }
    match failure.class {
        Class::WrongKind => {
            "This is the token of a sub-account: give that of the agency (userType Company)"
        }
        Class::GrantRefused => NEW_TOKEN,
        Class::EndpointRemoved => {
            "The list of locations is not where it is looked for: check --base-url and --api-version"
        }
        class => class.about().todo.trim_end_matches('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_differs_is_told() {
        let company = Id::new("Com00000000000000001").unwrap();
        let place =
            |given, odd, count| AgencyCursor { given, odd, count, ..AgencyCursor::default() };
        for (place, listing, tally, says) in [
            (place(3, 0, Some(3)), Listing::All, Tally::Right, "3 locations"),
            (place(3, 0, None), Listing::All, Tally::Right, "3 locations"),
            (place(2, 1, Some(3)), Listing::All, Tally::Right, "1 entries without a usable id"),
            (place(2, 0, Some(3)), Listing::All, Tally::Short, "HighLevel counts 3"),
            (place(2, 0, Some(3)), Listing::Installed, Tally::Right, "HighLevel counts 3"),
            (place(4, 0, Some(3)), Listing::All, Tally::Right, "HighLevel counts 3"),
        ] {
            let (words, told) = in_words(&company, &place, listing);
            assert!(words.contains(says), "{words}");
            assert_eq!(told, tally, "{words}");
            assert_eq!(
                words.contains("counts"),
                place.count.is_some_and(|c| c != place.given + place.odd)
            );
        }
    }
}
