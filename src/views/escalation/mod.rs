//! `escalation.md` and `escalation.csv`: what goes to HighLevel's support.
//!
//! A section a cause, each within the characters of a ticket form and complete in itself; the full
//! list is in the CSV.

pub mod cause;
pub mod facts;
pub mod markdown;
pub mod repro;
pub mod samples;
pub mod section;
pub mod table;

use std::io::{self, Write};

use self::{
    cause::{TicketCause, TicketCauses},
    markdown::span,
    samples::{MOST, thinned},
    section::Section,
};
use super::{
    summary::Summary,
    view::{Run, View},
};
use crate::{
    app::AppName,
    clock::stamp,
    event::{Halted, Listed},
    failure::Stage,
    highlevel::endpoint::TOKEN_PATH,
    journal::state::{LostGrant, Outcome, RunState},
    plan::counted,
    settings::{Settings, execution::Escalation},
};

/// Where HighLevel takes tickets.
const SUPPORT: &str = "https://developers.gohighlevel.com/";

/// Sections for causes. Of further causes the installations are counted.
const MOST_SECTIONS: usize = 20;

/// `escalation.md`, which is written when all failures are known.
struct Tickets<'a> {
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
    causes: TicketCauses,
}

/// Begins with nothing: the causes come first.
#[expect(clippy::unnecessary_wraps, reason = "as every view begins")]
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(Tickets { out, run, causes: TicketCauses::of(run.state) }))
}

impl View for Tickets<'_> {
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        self.causes.installation(listed, outcome);
        Ok(())
    }

    fn end(self: Box<Self>, summary: &Summary) -> anyhow::Result<()> {
        let Self { out, run, causes } = *self;
        let ticket = Ticket { run_state: run.state, summary };
        Ok(write(out, &ticket, &causes, run.escalation)?)
    }
}

fn write(
    out: &mut dyn Write,
    ticket: &Ticket<'_>,
    causes: &TicketCauses,
    escalation: &Escalation,
) -> io::Result<()> {
    let sections = ticket.sections(causes);
    out.write_all(ticket.head(sections.len(), escalation).as_bytes())?;
    let limit = usize::try_from(escalation.ticket_limit).unwrap_or(usize::MAX);
    for section in sections {
        write!(out, "\n{}", section.within(limit))?;
    }
    let left = causes.by_frequency().into_iter().skip(MOST_SECTIONS);
    let left = left.map(TicketCause::installations).sum::<u32>() + causes.beyond;
    if left > 0 {
        let left = counted(left, "installation");
        writeln!(out, "\nFurther causes, {left} in all, are in escalation.csv only.")?;
    }
    Ok(())
}

struct Ticket<'a> {
    run_state: &'a RunState,
    summary: &'a Summary,
}

/// Which apps a section is about.
#[derive(Clone, Copy)]
enum Concerns<'a> {
    /// This one; without a name, the only one.
    One(Option<&'a AppName>),
    /// All of the run.
    All,
}

impl Ticket<'_> {
    fn head(&self, sections: usize, escalation: &Escalation) -> String {
        let run = span(&self.run_state.started.run_id);
        let sandbox = if self.run_state.settings.is_rehearsal() {
            "SANDBOX: a rehearsal, nothing of this happened at HighLevel. Do not file it.\n\n"
        } else {
            ""
        };
        if sections == 0 {
            return format!("# Escalation of run {run}\n\n{sandbox}Nothing to escalate.\n");
        }
        format!(
            "# Escalation of run {run}\n\n{sandbox}\
             Text for HighLevel's support: a section for each cause, the most frequent first. File \
             it at <{SUPPORT}>, one ticket a section: each has at most {} characters and is complete \
             in itself. Attach escalation.csv (every installation with all trace ids) and \
             summary.json; never tokens.jsonl, quarantine.jsonl or replaced.jsonl.\n",
            escalation.ticket_limit
        )
    }

    fn sections(&self, causes: &TicketCauses) -> Vec<Section> {
        let mut sections = Vec::new();
        for halted in &self.run_state.halts {
            let in_work = causes.halted.as_ref().filter(|cause| cause.app == halted.app);
            sections.push(self.halt(halted, in_work));
        }
        let frequent = causes.by_frequency().into_iter().take(MOST_SECTIONS);
        sections.extend(frequent.map(|cause| self.cause(cause)));
        let lost = self.run_state.all_lost_grants();
        if !lost.is_empty() {
            sections.push(self.lost_grants(&lost));
        }
        for (section, number) in sections.iter_mut().zip(1..) {
            section.title = format!("{number}. {}", section.title);
        }
        sections
    }

    fn cause(&self, cause: &TicketCause) -> Section {
        let TicketCause { stage, class, http_status, .. } = cause;
        let answer = http_status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
        let status = http_status.map_or("empty".to_owned(), |status| status.to_string());
        let url = self.endpoint_of(*stage);
        let samples = cause.samples();
        let repro = url.as_ref().zip(samples.first()).and_then(|(url, sample)| {
            repro::call(*stage, url, self.run_state.client_id_of(cause.app.as_ref()), sample)
        });
        let mut facts = facts::of_cause(cause);
        facts.extend(url.map(|url| facts::endpoint(&url)));
        facts.extend(self.surroundings(Concerns::One(cause.app.as_ref())));
        Section {
            title: format!(
                "{}: {class} at {stage}, {answer}",
                counted(cause.installations(), "installation")
            ),
            facts,
            samples: samples.iter().map(facts::sample).collect(),
            repro,
            pointer: format!(
                "Full list: escalation.csv (stage {stage}, error_class {class}, http_status {status})."
            ),
        }
    }

    fn halt(&self, halted: &Halted, in_work: Option<&TicketCause>) -> Section {
        let books = self.run_state.books_of(halted.app.as_ref());
        let mut facts = vec![
            format!("- What stopped it: {}", span(halted.message.as_str())),
            format!("- When: {} UTC", stamp(halted.at)),
            format!(
                "- Recovered before: {}, failed: {}, not attempted: {}",
                books.recovered, books.failed, books.not_attempted
            ),
        ];
        facts.extend(self.endpoint_of(Stage::Reconnect).map(|url| facts::endpoint(&url)));
        facts.extend(self.surroundings(Concerns::One(halted.app.as_ref())));
        let in_work = in_work.map(TicketCause::samples).unwrap_or_default();
        Section {
            title: format!("The run was halted: {}", halted.class),
            facts,
            samples: in_work.iter().map(facts::sample).collect(),
            repro: None,
            pointer: "What failed is in escalation.csv, what was not attempted in failures.csv."
                .to_owned(),
        }
    }

    fn lost_grants(&self, grants: &[LostGrant]) -> Section {
        let count = u32::try_from(grants.len()).unwrap_or(u32::MAX);
        let times = grants.iter().map(|grant| grant.exchanged_at);
        let mut facts = vec![
            "- What happened: a code was presented, and no whole answer came back or none that can be \
             read. Tokens may have been granted that nobody holds; please revoke them"
                .to_owned(),
        ];
        if let Some((from, to)) = times.clone().min().zip(times.max()) {
            facts.push(format!("- First: {} UTC, last: {} UTC", stamp(from), stamp(to)));
        }
        facts.extend(self.endpoint_of(Stage::Exchange).map(|url| facts::endpoint(&url)));
        facts.extend(self.surroundings(Concerns::All));
        Section {
            title: format!("{}: the answer was lost", counted(count, "grant")),
            facts,
            samples: thinned(grants, MOST).iter().map(facts::lost_grant).collect(),
            repro: None,
            pointer: "Full list: lost_grants in summary.json (the first thousand), with times and \
                      trace ids."
                .to_owned(),
        }
    }

    /// What support needs to know in each ticket.
    fn surroundings(&self, concerns: Concerns<'_>) -> Vec<String> {
        let started = &self.run_state.started;
        let mut facts = vec![
            self.app(concerns),
            format!("- Rate in use: {}", self.summary.rate_in_words()),
            facts::clock(self.run_state.clock_offset_ms),
            format!(
                "- Run: {}, begun {} UTC, ghl-reconnect {}",
                span(&started.run_id),
                stamp(started.at),
                started.version
            ),
        ];
        if let Some(parent) = &started.parent {
            let chain = self.run_state.chain();
            facts.push(format!(
                "- Earlier runs: {}, the first {}; {} of {} installations outstanding since then",
                parent.runs,
                span(&chain.first_run),
                chain.outstanding,
                chain.input
            ));
        }
        facts
    }

    fn app(&self, concerns: Concerns<'_>) -> String {
        let apps = &self.run_state.started.apps;
        let one = |client_id| format!("- App: client id {}", span(client_id));
        match concerns {
            Concerns::One(app) => one(self.run_state.client_id_of(app)),
            Concerns::All if apps.is_empty() => one(&self.run_state.started.client_id),
            Concerns::All => {
                let ids: Vec<_> = apps.iter().map(|app| span(&app.client_id)).collect();
                format!("- Apps: client ids {}", ids.join(", "))
            }
        }
    }

    /// Where the calls of a stage went at last, if it has a call of its own.
    fn endpoint_of(&self, stage: Stage) -> Option<String> {
        let Settings { base_url: base, reconnect_path: path, .. } = &self.run_state.settings;
        match stage {
            Stage::Reconnect => Some(format!("{base}{path}")),
            Stage::Exchange | Stage::Refresh => Some(format!("{base}{TOKEN_PATH}")),
            Stage::Input | Stage::Agency | Stage::Verify | Stage::Store => None,
        }
    }
}
