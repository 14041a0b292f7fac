//! All agencies, one after the other, into one list.

use std::path::Path;

use anyhow::{Context, anyhow};

use super::{
    list_writer::ListWriter,
    pager::{Pager, Trouble},
    words::{Tally, in_full, in_words},
};
use crate::{
    engine::signals::Signals,
    exit::{Exit, Fault, OrExit},
    failure::Failure,
    installation::Id,
};

/// All agencies, one after the other.
pub struct AgencyWalk<'a> {
    /// Asks for pages.
    pub pager: Pager,
    /// The agencies, in the order in which they are asked.
    pub companies: Vec<Id>,
    /// Lines of the agency tokens that cannot be used: each may be an agency that is missing.
    pub nameless: usize,
    /// Where the locations go.
    pub list: ListWriter,
    /// Prints a line for the person.
    pub print: &'a (dyn Fn(&str) + Sync),
    /// The command that continues, for a shell.
    pub again: String,
}

/// Asks every agency, until the end or a signal.
pub async fn under_signals(mut tour: AgencyWalk<'_>) -> Result<Exit, Fault> {
    let mut signals = Signals::listen().context("cannot listen to signals").or_exit(Exit::Local)?;
    let halted = tokio::select! {
        halted = tour.go() => halted?,
        exit = signals.any() => {
            (tour.print)(&format!("Interrupted. {}", tour.next_step()));
            return Ok(exit);
        }
    };
    match halted {
        Ok(totals) => tour.end(&totals),
        Err(failure) => {
            let error = anyhow!("{}. {}", in_full(&failure), tour.next_step());
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

impl AgencyWalk<'_> {
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
                    (self.print)(&words);
                }
                Err(Trouble::Agency(failure)) => {
                    totals.failed += 1;
                    (self.print)(&format!("Agency {company}: {}", in_full(&failure)));
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
        let out = self.list.out().map(Path::to_owned);
        self.list.complete().or_exit(Exit::Local)?;
        let (given, agencies) = (totals.given, totals.listed);
        let place = out.map(|out| format!(" in {}", out.display()));
        (self.print)(&format!(
            "{given} locations of {agencies} agencies{}.",
            place.unwrap_or_default()
        ));
        Ok(if totals.short > 0 { Exit::NotAllRecovered } else { Exit::Recovered })
    }

    /// How to continue after a fault.
    fn next_step(&self) -> String {
        match self.list.partial() {
            Some(partial) => format!(
                "The rows read so far are in {}; the same command continues there:  {}",
                partial.display(),
                self.again
            ),
            None => "The list above is not complete. With --out FILE, the same command continues where it stopped.".into(),
        }
    }
}
