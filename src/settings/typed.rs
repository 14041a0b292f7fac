//! From what was typed to what is meant: options over environment over what was there before.

use std::{num::NonZeroU32, path::Path};

use anyhow::{bail, ensure};

use super::{
    args::{
        AppArgs, DiscoverArgs, EscalationArgs, ExecutionArgs, ListArgs, PaceArgs, RehearsalArgs,
        ResumeArgs, RouteArgs, RunArgs,
    },
    execution::{Escalation, Page, Place, Selected, Settings},
    known_messages::KnownMessages,
    path::path_in_full,
    variables::{BASE_URL, CLIENT_ID, REDIRECT_URI, Variables},
};
use crate::{
    pace::{AskedRate, Rate},
    plan::{Only, OnlyError, Split},
};

impl Settings {
    /// The settings of a new run. Variables that stand for options count as typed; a rehearsal needs
    /// none.
    pub fn of_run(
        args: &RunArgs,
        variables: &Variables,
        split: Option<Split>,
    ) -> anyhow::Result<Self> {
        check_rehearsal(&args.execution.rehearsal, args.execution.rehearsal.sandbox)?;
        let place = if args.execution.rehearsal.sandbox { Place::Sandbox } else { Place::Real };
        let shard = match split {
            Some(Split::Own(shard)) => Some(shard),
            Some(Split::All(_)) | None => None,
        };
        let mut settings = Self { place, again: args.list.again, shard, ..Self::default() };
        settings.take_variables(variables);
        settings.take_execution(&args.execution)?;
        split.map_or(Ok(()), |split| settings.check_shared(split.of()))?;
        settings.selection = selected(&args.list)?;
        Ok(settings)
    }

    /// The settings of `discover`.
    pub fn of_discover(args: &DiscoverArgs, variables: &Variables) -> anyhow::Result<Self> {
        let mut settings = Self::default();
        settings.take_variables(variables);
        settings.take_app(&args.app, None)?;
        settings.take_pace(&args.pace.typed())?;
        Ok(settings)
    }

    /// The settings of an execution after this one, with what was typed for it. The environment says
    /// nothing: `resume` without options repeats the settings exactly.
    pub fn of_resume(&self, args: &ResumeArgs) -> anyhow::Result<Self> {
        ensure!(
            self.is_rehearsal() || !args.execution.rehearsal.sandbox,
            "this run called {}; it cannot be resumed in the sandbox",
            self.base_url
        );
        check_rehearsal(&args.execution.rehearsal, self.is_rehearsal())?;
        let mut settings = self.clone();
        if args.execution.app.env_file.is_some() {
            // A secret that was given just now goes before one of the run's.
            settings.secrets.client_secret_file = None;
        }
        settings.take_execution(&args.execution)?;
        settings.again |= args.again;
        settings.shard.map_or(Ok(()), |shard| settings.check_shared(shard.of()))?;
        Ok(settings)
    }

    fn take_execution(&mut self, args: &ExecutionArgs) -> anyhow::Result<()> {
        self.take_app(&args.app, args.apps.apps.as_deref())?;
        self.take_pace(&args.pace)?;
        self.take_routes(&args.routes);
        self.page = Page::asked(args.page.no_html, self.page);
        self.store = args.to.choice(self.store.take());
        let is_only_detail = args.to.table.is_some() || args.to.insert || args.to.keep_status;
        ensure!(
            self.store.is_some() || !is_only_detail,
            "--table, --insert and --keep-status are about the store: name it with --to"
        );
        Ok(())
    }

    fn take_variables(&mut self, variables: &Variables) {
        self.base_url = variables.get(BASE_URL).unwrap_or_else(|| self.base_url.clone());
        self.client_id = variables.get(CLIENT_ID);
        self.redirect_uri = variables.get(REDIRECT_URI);
    }

    fn take_app(&mut self, args: &AppArgs, apps: Option<&Path>) -> anyhow::Result<()> {
        let set = |setting: &mut String, typed: &Option<String>| {
            if let Some(typed) = typed {
                setting.clone_from(typed);
            }
        };
        set(&mut self.base_url, &args.base_url);
        set(&mut self.reconnect_path, &args.reconnect_path);
        self.api_version = args.api_version.unwrap_or(self.api_version);
        // As they are said from now on: checked, and without what means nothing.
        let endpoint = self.endpoint()?;
        endpoint.base().clone_into(&mut self.base_url);
        endpoint.reconnect_path().clone_into(&mut self.reconnect_path);
        if args.client_id.is_some() {
            (self.client_id, self.client_id_typed) = (args.client_id.clone(), true);
        }
        self.redirect_uri = args.redirect_uri.clone().or(self.redirect_uri.take());
        if let Some(file) = &args.known_messages {
            self.known_messages = Some(KnownMessages::read(file)?);
        }
        let secrets = &mut self.secrets;
        for (setting, typed) in [
            (&mut secrets.env_file, args.env_file.as_deref()),
            (&mut secrets.client_secret_file, args.client_secret_file.as_deref()),
            (&mut secrets.agency_tokens, args.agency_tokens.as_deref()),
            (&mut secrets.apps, apps),
        ] {
            *setting = typed.map(path_in_full).or(setting.take());
        }
        Ok(())
    }

    fn take_pace(&mut self, args: &PaceArgs) -> anyhow::Result<()> {
        self.rate = args.rate.unwrap_or(self.rate);
        self.max_rate = args.max_rate.unwrap_or(self.max_rate);
        self.burst = args.burst.unwrap_or(self.burst);
        self.concurrency = args.concurrency.unwrap_or(self.concurrency);
        self.attempts = args.attempts.unwrap_or(self.attempts);
        self.timeout = args.timeout.unwrap_or(self.timeout);
        self.max_outage = args.max_outage.unwrap_or(self.max_outage);
        self.max_failures = args.max_failures.unwrap_or(self.max_failures);
        self.give_up_after = args.give_up_after.unwrap_or(self.give_up_after);
        ensure!(self.timeout.as_millis() >= 10, "--timeout: must be at least 10ms");
        ensure!(
            args.max_rate.is_none() || self.rate == AskedRate::Auto,
            "--max-rate: is the bound of --rate auto; without it, --rate itself is the bound"
        );
        self.check_burst()
    }

    /// A burst larger than what a window allows would be cut short without a word.
    fn check_burst(&self) -> anyhow::Result<()> {
        let (burst, bound) = (self.burst, self.total_pacing().bound());
        if let Rate::Limited { starts, .. } = bound {
            ensure!(
                burst <= starts,
                "--burst: {burst} at once are more than {bound} allows; give the rate over a longer \
                 time, such as 100/10s"
            );
        }
        Ok(())
    }

    /// Each shard needs a start of its own.
    fn check_shared(&self, shards: NonZeroU32) -> anyhow::Result<()> {
        Ok(self.total_pacing().bound().check_shared(shards)?)
    }

    fn take_routes(&mut self, args: &RouteArgs) {
        self.via = args.via.clone().unwrap_or_else(|| self.via.clone());
        if args.verify || args.verify_path.is_some() {
            let before = self.verify.take();
            self.verify = Some(args.verify_path.clone().or(before).unwrap_or_default());
        }
        self.skip_healthy |= args.skip_healthy;
    }
}

/// Faults are the sandbox's: without it they would be forgotten, and the run a real one.
fn check_rehearsal(args: &RehearsalArgs, is_rehearsal: bool) -> anyhow::Result<()> {
    let faults = args.sandbox_faults.is_some() || args.sandbox_fault_file.is_some();
    ensure!(is_rehearsal || !faults, "--sandbox-faults and --sandbox-fault-file need --sandbox");
    Ok(())
}

fn selected(args: &ListArgs) -> Result<Selected, OnlyError> {
    let Only { files, ids } = Only::of(&args.only)?;
    let (scope, columns, limit) = (args.scope, args.columns(), args.limit);
    Ok(Selected { scope, columns, only: files, only_ids: ids, limit, all: args.all })
}

/// The columns of a list by what may be done with them.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// They are carried along.
    pub carried: &'a [String],
    /// They hold tokens and go nowhere.
    pub left_out: &'a [String],
}

/// How the escalation is written; what the arguments leave open is as `before`.
pub fn escalation(
    args: &EscalationArgs,
    before: Escalation,
    columns: Columns<'_>,
) -> anyhow::Result<Escalation> {
    let named = args.escalate_columns.as_ref().map(|names| {
        let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        names
            .map(|name| column("--escalate-columns", name, columns))
            .collect::<anyhow::Result<Vec<_>>>()
    });
    Ok(Escalation {
        ticket_limit: args.ticket_limit.unwrap_or(before.ticket_limit),
        columns: named.transpose()?.unwrap_or(before.columns),
    })
}

/// A column in the list's own spelling; `option` is where it was named.
pub fn column(option: &str, name: &str, columns: Columns<'_>) -> anyhow::Result<String> {
    let is_it = |column: &&String| column.trim().eq_ignore_ascii_case(name);
    if let Some(column) = columns.carried.iter().find(is_it) {
        return Ok(column.clone());
    }
    ensure!(
        !columns.left_out.iter().any(|column| is_it(&column)),
        "{option}: {name} may hold secrets, so no output has it"
    );
    let known = columns.carried.join(", ");
    bail!("{option}: the list has no column {name}; it has {known}")
}
