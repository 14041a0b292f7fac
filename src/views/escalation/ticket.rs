//! The sections of a run: one for a cause, for a halt, for lost grants.

use super::{
    cause::TicketCause,
    facts,
    markdown::span,
    remedy::{Remedy, remedy},
    repro::{self, Caller},
    samples::{MOST, thinned},
    section::Section,
};
use crate::{
    app::AppName,
    clock::stamp,
    event::Halted,
    failure::Stage,
    highlevel::{client_id::application, endpoint::Endpoint, token_check::TokenCheckPath},
    journal::state::{LostGrant, RunState},
    plan::counted,
    text::beginning,
    views::summary::Summary,
};

/// The most characters of an error text in a title.
const TITLE_CHARS: usize = 80;

/// A run for its tickets.
pub(super) struct Ticket<'a> {
    run_state: &'a RunState,
    summary: &'a Summary,
    endpoint: Option<Endpoint>,
    token_check: TokenCheckPath,
    user_agent: String,
}

/// Which apps a section is about.
#[derive(Clone, Copy)]
enum Concerns<'a> {
    /// This one; without a name, the only one.
    One(Option<&'a AppName>),
    /// All of the run.
    All,
}

/// A cause in a line: how many of how many, where, and the error text.
pub(super) fn heading(cause: &TicketCause, total: u32) -> String {
    let TicketCause { app, stage, class, http_status, .. } = cause;
    let answer = http_status.map_or("no answer".to_owned(), |status| format!("HTTP {status}"));
    format!(
        "{}{} of {}: {class} at {stage}, {answer}{}",
        named(app.as_ref()),
        cause.installations(),
        counted(total, "installation"),
        in_title(cause.message.as_str())
    )
}

fn named(app: Option<&AppName>) -> String {
    app.map(|app| format!("app {app}, ")).unwrap_or_default()
}

/// The beginning of an error text for a title, which is told from others by it.
fn in_title(text: &str) -> String {
    let shown = beginning(text, TITLE_CHARS);
    if text.is_empty() { String::new() } else { format!(": {}", span(&shown)) }
}

/// Who can mend what halted a run; `in_work` are the installations that it cut short.
pub(super) fn remedy_of(halted: &Halted, in_work: Option<&TicketCause>) -> Remedy {
    remedy(in_work.map_or(Stage::Reconnect, |cause| cause.stage), halted.class)
}

impl<'a> Ticket<'a> {
    /// A run with its figures.
    pub(super) fn of(run_state: &'a RunState, summary: &'a Summary) -> Self {
        let settings = &run_state.settings;
        Self {
            run_state,
            summary,
            endpoint: settings.endpoint().ok(),
            token_check: settings.verify.clone().unwrap_or_default(),
            user_agent: format!("{}/{}", env!("CARGO_PKG_NAME"), run_state.started.version),
        }
    }

    /// The id of the run.
    pub(super) fn run_id(&self) -> &str {
        &self.run_state.started.run_id
    }

    /// Whether nothing of it happened at HighLevel.
    pub(super) fn is_rehearsal(&self) -> bool {
        self.run_state.settings.is_rehearsal()
    }

    /// What halted it, or its parts.
    pub(super) fn halts(&self) -> &'a [Halted] {
        &self.run_state.halts
    }

    /// The installations of the app of a cause.
    pub(super) fn total(&self, cause: &TicketCause) -> u32 {
        self.run_state.books_of(cause.app.as_ref()).installations()
    }

    /// The section of a cause, with what it has halted.
    pub(super) fn cause(&self, cause: &TicketCause, halts: &[&Halted]) -> Section {
        let TicketCause { stage, class, http_status, .. } = cause;
        let status = http_status.map_or("empty".to_owned(), |status| status.to_string());
        let (samples, total) = (cause.samples(), self.total(cause));
        let caller = self.caller(cause.app.as_ref());
        let caller = caller.as_ref();
        let address = caller.and_then(|c| repro::address(*stage, c, samples.first()));
        let repro = caller.zip(samples.first()).and_then(|(c, s)| repro::call(*stage, c, s));
        let mut facts = facts::of_cause(cause, total);
        facts.extend(halts.iter().flat_map(|halted| self.about_halt(halted)));
        facts.extend(address.map(|address| facts::endpoint(&address)));
        facts.extend(self.surroundings(Concerns::One(cause.app.as_ref())));
        Section {
            title: heading(cause, total),
            facts,
            samples: samples.iter().map(facts::sample).collect(),
            repro,
            pointer: format!(
                "Full list: escalation.csv (stage {stage}, error_class {class}, http_status {status})."
            ),
        }
    }

    /// The section of a halt; `in_work` are the installations that it cut short.
    pub(super) fn halt(&self, halted: &Halted, in_work: Option<&TicketCause>) -> Section {
        let app = halted.app.as_ref();
        let mut facts = self.about_halt(halted);
        facts.extend(in_work.iter().flat_map(|cause| facts::calls(cause)));
        let stage = in_work.map_or(Stage::Reconnect, |cause| cause.stage);
        let samples = in_work.map(TicketCause::samples).unwrap_or_default();
        let caller = self.caller(app);
        let caller = caller.as_ref();
        let address = caller.and_then(|c| repro::address(stage, c, samples.first()));
        facts.extend(address.map(|address| facts::endpoint(&address)));
        facts.extend(self.surroundings(Concerns::One(app)));
        let books = self.run_state.books_of(app);
        Section {
            title: format!(
                "{}halted with {} of {} not attempted: {}{}",
                named(app),
                books.not_attempted,
                counted(books.installations(), "installation"),
                halted.class,
                in_title(halted.message.as_str())
            ),
            facts,
            samples: samples.iter().map(facts::sample).collect(),
            repro: caller.zip(samples.first()).and_then(|(c, s)| repro::call(stage, c, s)),
            pointer: "What failed is in escalation.csv, what was not attempted in failures.csv."
                .to_owned(),
        }
    }

    fn about_halt(&self, halted: &Halted) -> Vec<String> {
        let books = self.run_state.books_of(halted.app.as_ref());
        vec![
            format!(
                "- The run was halted: {} UTC, {}",
                stamp(halted.at),
                span(halted.message.as_str())
            ),
            format!(
                "- Recovered before: {}, failed: {}, not attempted: {}",
                books.recovered, books.failed, books.not_attempted
            ),
        ]
    }

    /// The section of the grants that may have been lost.
    pub(super) fn lost_grants(&self) -> Option<Section> {
        let grants = self.run_state.all_lost_grants();
        let times = grants.iter().map(|grant: &LostGrant| grant.exchanged_at);
        let (from, to) = times.clone().min().zip(times.max())?;
        let count = u32::try_from(grants.len()).unwrap_or(u32::MAX);
        let mut facts = vec![
            "- What happened: a code was presented, and no whole answer came back or none that can be \
             read. Tokens may have been granted that nobody holds; please revoke them"
                .to_owned(),
            format!("- First: {} UTC, last: {} UTC", stamp(from), stamp(to)),
        ];
        let caller = self.caller(None);
        let address = caller.and_then(|c| repro::address(Stage::Exchange, &c, None));
        facts.extend(address.map(|address| facts::endpoint(&address)));
        facts.extend(self.surroundings(Concerns::All));
        Some(Section {
            title: format!("{}: the answer was lost", counted(count, "grant")),
            facts,
            samples: thinned(&grants, MOST).iter().map(facts::lost_grant).collect(),
            repro: None,
            pointer: "Full list: lost_grants in summary.json (the first thousand), with times and \
                      trace ids."
                .to_owned(),
        })
    }

    fn caller(&self, app: Option<&AppName>) -> Option<Caller<'_>> {
        Some(Caller {
            endpoint: self.endpoint.as_ref()?,
            client_id: self.run_state.client_id_of(app),
            redirect_uri: self.run_state.settings.redirect_uri.as_deref(),
            token_check: &self.token_check,
            user_agent: &self.user_agent,
        })
    }

    /// What support needs to know in each ticket.
    fn surroundings(&self, concerns: Concerns<'_>) -> Vec<String> {
        let started = &self.run_state.started;
        let mut facts = vec![
            self.app(concerns),
            format!("- User-Agent: {}", span(&self.user_agent)),
            format!("- Rate in use: {}", self.summary.rate_in_words()),
            facts::clock(self.run_state.clock_offset_ms),
            format!("- Run: {}, begun {} UTC", span(&started.run_id), stamp(started.at)),
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
        let one = |id: &str| format!("app id {}, client id {}", span(application(id)), span(id));
        match concerns {
            Concerns::One(app) => format!("- App: {}", one(self.run_state.client_id_of(app))),
            Concerns::All if apps.is_empty() => {
                format!("- App: {}", one(&self.run_state.started.client_id))
            }
            Concerns::All => {
                let ids: Vec<_> = apps.iter().map(|app| one(&app.client_id)).collect();
                format!("- Apps: {}", ids.join("; "))
            }
        }
    }
}
