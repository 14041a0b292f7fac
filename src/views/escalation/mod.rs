//! `escalation.md` and `escalation.csv`: what goes to HighLevel's support.
//!
//! A section a cause that HighLevel can mend, each within the characters of a ticket form and complete in
//! itself; a short list of the other causes; the full list of failures is in the CSV.

pub mod answers;
pub mod cause;
pub mod facts;
pub mod markdown;
pub mod remedy;
pub mod repro;
pub mod samples;
pub mod section;
pub mod table;
#[cfg(test)]
mod tests;
mod ticket;

use std::io::{self, Write};

use self::{
    cause::{TicketCause, TicketCauses},
    markdown::span,
    ticket::{Ticket, heading},
};
use super::{
    summary::Summary,
    view::{Run, View},
};
use crate::{
    event::{Halted, Listed},
    journal::state::Outcome,
    plan::counted,
    settings::execution::Escalation,
};

/// Where HighLevel takes tickets.
const SUPPORT: &str = "https://developers.gohighlevel.com/";

/// Sections for causes, and lines in the list of the others. Of further causes the installations are
/// counted.
const MOST_SECTIONS: usize = 20;

/// `escalation.md`, which is written when all failures are known.
struct Tickets<'a> {
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
    causes: TicketCauses<'a>,
}

/// Begins with nothing: the causes come first.
#[expect(clippy::unnecessary_wraps, reason = "as every view begins")]
pub(super) fn begin<'a>(
    out: &'a mut dyn Write,
    run: &'a Run<'a>,
) -> anyhow::Result<Box<dyn View + 'a>> {
    Ok(Box::new(Tickets { out, run, causes: TicketCauses::of(run.state, run.answers) }))
}

impl View for Tickets<'_> {
    fn installation(&mut self, listed: &Listed, outcome: &Outcome) -> csv::Result<()> {
        self.causes.installation(listed, outcome);
        Ok(())
    }

    fn end(self: Box<Self>, summary: &Summary) -> anyhow::Result<()> {
        let Self { out, run, causes } = *self;
        let ticket = Ticket::of(run.state, summary);
        Ok(write(out, &ticket, &causes, run.escalation)?)
    }
}

/// Causes and halts by who can mend them.
struct Sorted<'a> {
    /// With what was halted for them, those first.
    highlevels: Vec<(&'a TicketCause, Vec<&'a Halted>)>,
    /// Halts by HighLevel's fault without a failure of their own.
    halts: Vec<(&'a Halted, Option<&'a TicketCause>)>,
    /// Lines on what others can mend.
    others: Vec<String>,
    /// Installations of causes that have no place.
    beyond: u32,
}

fn sorted<'a>(ticket: &'a Ticket<'a>, causes: &'a TicketCauses<'a>) -> Sorted<'a> {
    let (mut highlevels, mut others, mut beyond) = (Vec::new(), Vec::new(), causes.beyond);
    for cause in causes.by_frequency() {
        let line = cause.remedy().in_words();
        let has_place =
            if line.is_none() { highlevels.len() } else { others.len() } < MOST_SECTIONS;
        match line {
            _ if !has_place => beyond += cause.installations(),
            None => highlevels.push((cause, Vec::new())),
            Some(todo) => others.push(format!("- {}. {todo}", heading(cause, ticket.total(cause)))),
        }
    }
    let mut halts = Vec::new();
    for halted in ticket.halts() {
        let in_work = causes.halted.get(&halted.app);
        let is_of = |cause: &TicketCause| cause.class == halted.class && cause.app == halted.app;
        if let Some((_, halts)) = highlevels.iter_mut().find(|(cause, _)| is_of(cause)) {
            halts.push(halted);
            continue;
        }
        match ticket::remedy_of(halted, in_work).in_words() {
            None => halts.push((halted, in_work)),
            // The line of the cause says the same.
            Some(_) if causes.by_frequency().into_iter().any(is_of) => {}
            Some(todo) => {
                let message = span(halted.message.as_str());
                others.insert(0, format!("- The run was halted: {message}. {todo}"));
            }
        }
    }
    highlevels.sort_by_key(|(_, halts)| halts.is_empty());
    Sorted { highlevels, halts, others, beyond }
}

fn write(
    out: &mut dyn Write,
    ticket: &Ticket<'_>,
    causes: &TicketCauses<'_>,
    escalation: &Escalation,
) -> io::Result<()> {
    let Sorted { highlevels, halts, others, beyond } = sorted(ticket, causes);
    let mut sections: Vec<_> =
        halts.into_iter().map(|(halted, in_work)| ticket.halt(halted, in_work)).collect();
    sections.extend(highlevels.into_iter().map(|(cause, halts)| ticket.cause(cause, &halts)));
    sections.extend(ticket.lost_grants());
    for (section, number) in sections.iter_mut().zip(1..) {
        section.title = format!("{number}. {}", section.title);
    }
    out.write_all(head(ticket, sections.len(), escalation).as_bytes())?;
    let limit = usize::try_from(escalation.ticket_limit).unwrap_or(usize::MAX);
    for section in sections {
        write!(out, "\n{}", section.within(limit))?;
    }
    if !others.is_empty() {
        writeln!(
            out,
            "\n## Yours or your customer's to fix\n\nNo ticket helps with these; escalation.csv has them all.\n\n{}",
            others.join("\n")
        )?;
    }
    if beyond > 0 {
        let beyond = counted(beyond, "installation");
        writeln!(out, "\nFurther causes, {beyond} in all, are in escalation.csv only.")?;
    }
    Ok(())
}

fn head(ticket: &Ticket<'_>, sections: usize, escalation: &Escalation) -> String {
    let run = span(ticket.run_id());
    let sandbox = if ticket.is_rehearsal() {
        "SANDBOX: a rehearsal, nothing of this happened at HighLevel. Do not file it.\n\n"
    } else {
        ""
    };
    if sections == 0 {
        return format!("# Escalation of run {run}\n\n{sandbox}Nothing to escalate.\n");
    }
    format!(
        "# Escalation of run {run}\n\n{sandbox}\
         Text for HighLevel's support: a section for each cause that HighLevel can mend, what halted the \
         run and the most frequent first. File it at <{SUPPORT}>, one ticket a section: each has at most \
         {} characters and is complete in itself. Attach escalation.csv (every failure with all trace \
         ids) and summary.json; never tokens.jsonl, quarantine.jsonl or replaced.jsonl.\n",
        escalation.ticket_limit
    )
}
