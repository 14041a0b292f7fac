//! What `run` and `check` have in common: settings, app and list, and the plan made of them.

use std::{io::IsTerminal, path::Path, sync::Arc};

use anyhow::anyhow;

use crate::{
    engine::list::InputList,
    event::Parent,
    exit::{Exit, Fault, OrExit},
    journal::parent::{self, Before},
    pace::memory::Memory,
    plan::{Known, ListSummary, Plan, Split, StartedBy, counted, recoveries::Earlier},
    settings::{
        Settings, Stdin,
        app::App,
        args::RunArgs,
        asked_shard::EngineError,
        typed::{Columns, escalation},
        variables::Variables,
    },
};

/// What was asked for: settings, app and list, each checked by itself.
pub struct Request {
    /// What is to be done.
    pub settings: Settings,
    /// Who calls.
    pub app: App,
    /// For whom.
    pub list: InputList,
    known: Known,
    split: Option<Split>,
}

/// Whether the shards of a list may be looked at as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Where no engine says which shard is meant, all are looked at.
    Allowed,
    /// There is work to do for one of them.
    Refused,
}

impl Request {
    /// Puts together what was typed. The calls of a rehearsal go to the sandbox at this URL.
    pub fn of(args: &RunArgs, whole: Whole, sandbox: Option<String>) -> Result<Self, Fault> {
        let variables = Variables::of_run(args).or_exit(Exit::Usage)?;
        let split = split_of(args, whole).or_exit(Exit::Usage)?;
        let mut settings = Settings::of_run(args, &variables, split).or_exit(Exit::Usage)?;
        settings.base_url = sandbox.unwrap_or(settings.base_url);
        let app = App::of(&settings, &variables, stdin_of(args)).or_exit(Exit::Usage)?;
        let known = known(&settings, &app);
        let list = open_list(args, &settings)?.of_apps(app.directory()).knowing(known.clone());
        let list = list.split(split);
        settings.selection = list.selected().clone();
        Ok(Self { settings, app, list, known, split })
    }

    /// Reads the list once, and plans for it.
    pub fn plan(mut self, args: &RunArgs, out: Option<&Path>) -> Result<Planned, Fault> {
        let summary = self.list.summary(&self.app.own())?;
        let columns = Columns { carried: &summary.list.columns, left_out: &summary.token_columns };
        let before = parent::find(&summary, args.list.parent.as_deref(), self.settings.place);
        let before = before.or_exit(Exit::Usage)?;
        self.settings.escalation =
            escalation(&args.escalation, self.settings.escalation, columns).or_exit(Exit::Usage)?;
        let is_of_an_engine = self.split.is_some() || args.or_resume;
        let started_by = if is_of_an_engine { StartedBy::Engine } else { StartedBy::Person };
        let plan = plan_of(summary, &self, started_by, out);
        let Self { settings, app, list, known, .. } = self;
        Ok(Planned { settings, app, list, known, plan, before })
    }
}

/// A plan and what it was made of.
pub struct Planned {
    /// What is to be done.
    pub settings: Settings,
    /// Who calls.
    pub app: App,
    /// For whom.
    pub list: InputList,
    /// What other runs have recovered.
    pub known: Known,
    /// What will happen.
    pub plan: Plan,
    before: Before,
}

impl Planned {
    /// The run whose failures the list is, where that is known.
    pub fn parent(&self) -> Option<Box<Parent>> {
        match &self.before {
            Before::Run(parent) => Some(parent.clone()),
            Before::Nothing | Before::Unknown(_) => None,
        }
    }

    /// What is to be known of the run before; nothing where there is none.
    pub fn before_in_words(&self) -> Option<String> {
        match &self.before {
            Before::Nothing => None,
            Before::Run(parent) => Some(format!(
                "Continues      run {} ({} of {} outstanding since the first run)",
                parent.run_id, parent.outstanding, parent.input
            )),
            Before::Unknown(why) => Some(format!(
                "note: the list is the failures of an earlier run, and the two are not linked: {why}. \
                 Attempts, times and trace ids are carried on all the same; --parent RUN_DIR links them"
            )),
        }
    }

    /// What looks odd and is used all the same.
    pub fn warnings(&self) -> Vec<String> {
        let absent = &self.plan.summary.not_met;
        let only = (absent.count > 0).then(|| {
            let are = if absent.count == 1 { "is" } else { "are" };
            format!(
                "--only: {} {are} not in the list: {}",
                counted(absent.count, "id"),
                absent.in_a_row()
            )
        });
        self.app.warnings.iter().cloned().chain(only).collect()
    }

    /// That nothing of the list is to be done, and the exit code for that: it is the failures of a run
    /// without any, or none of them is due.
    pub fn nothing_to_do(&self) -> Option<(String, Exit)> {
        let summary = &self.plan.summary;
        let name = &summary.list.name;
        // The folder of a shard is awaited, whatever is in it.
        if self.plan.split.is_some() {
            return None;
        }
        if summary.is_nothing_left() {
            let text = format!("{name}: nothing left to do, the run that wrote it has no failures");
            return Some((text, Exit::Recovered));
        }
        let text = || {
            let waiting = summary.not_due.in_words();
            format!(
                "{name}: nothing is due now: {waiting}. Nothing was sent. --all takes them all, --only \
                 those that it names"
            )
        };
        summary.is_nothing_due().then(|| (text(), Exit::NotAllRecovered))
    }

    /// A run that could recover nobody does not begin.
    pub fn check_routes(&self) -> Result<(), Fault> {
        match self.plan.no_route() {
            Some(why) => Err(Fault { exit: Exit::Usage, error: anyhow!(why) }),
            None => Ok(()),
        }
    }
}

/// Whether there is somebody to ask, who is not giving the list or the secret just now.
pub fn can_ask(args: &RunArgs) -> bool {
    let stdin = Some(Path::new("-"));
    let is_taken = stdin_of(args) == Stdin::IsTheList
        || args.execution.app.client_secret_file.as_deref() == stdin;
    !is_taken && is_somebody_there()
}

/// Whether there is somebody to ask.
pub fn is_somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn stdin_of(args: &RunArgs) -> Stdin {
    if args.installations == Path::new("-") { Stdin::IsTheList } else { Stdin::Free }
}

fn open_list(args: &RunArgs, settings: &Settings) -> Result<InputList, Fault> {
    let selected = settings.selection.clone();
    if stdin_of(args) == Stdin::IsTheList && selected.only.iter().any(|file| file == "-") {
        let error = anyhow!("the list and the ids of --only cannot both come from standard input");
        return Err(Fault { exit: Exit::Usage, error });
    }
    InputList::open(&args.installations, selected).or_exit(Exit::Usage)
}

/// What other runs have recovered. A rehearsal knows of nothing, and nobody of it.
fn known(settings: &Settings, app: &App) -> Known {
    if settings.again || settings.is_rehearsal() {
        return Known { client_id: app.client_id.clone(), ..Known::default() };
    }
    let clients = app.named.iter().map(|named| &named.app.client_id).chain(&app.client_id);
    let earlier = Earlier::load(app.endpoint.base(), clients.map(String::as_str));
    Known { earlier: Arc::new(earlier), client_id: app.client_id.clone() }
}

/// Whose rows are read, where `--shard` was typed.
fn split_of(args: &RunArgs, whole: Whole) -> Result<Option<Split>, EngineError> {
    let Some(asked) = args.list.shard else { return Ok(None) };
    match (asked.shard(Variables::of_engine), whole) {
        (Ok(shard), _) => Ok(Some(Split::Own(shard))),
        (Err(EngineError::None(of)), Whole::Allowed) => Ok(Some(Split::All(of))),
        (Err(error), _) => Err(error),
    }
}

fn plan_of(
    summary: ListSummary,
    request: &Request,
    started_by: StartedBy,
    out: Option<&Path>,
) -> Plan {
    let Request { settings, app, split, .. } = request;
    Plan {
        summary,
        split: *split,
        pacing: settings.pacing(),
        total: settings.total_pacing(),
        // Each app has a day of its own, and the calls of the plan are those of all.
        day: app
            .client_id
            .as_ref()
            .filter(|_| app.named.is_empty())
            .and_then(|id| Memory::of(app.endpoint.base(), id).day())
            .map(|kept| settings.shard.map_or(kept, |shard| kept.share(shard))),
        concurrency: settings.concurrency,
        routes: settings.via.clone(),
        token_checks: settings.token_checks(),
        known_agencies: Some(app.known_agencies()),
        agency_token_for_all: app.has_agency_token_for_all(),
        endpoint: app.endpoint.to_string(),
        client_id: app.client_id.clone(),
        timeout: settings.timeout,
        started_by,
        out: out.map(|path| path.display().to_string()),
    }
}
