//! What will be done, how long it takes at least, what is left out and why.

mod digest;
pub mod fingerprint;
mod grace;
pub mod list_stats;
pub mod list_summary;
pub mod max_failures;
mod named;
mod not_due;
mod only;
pub mod recoveries;
pub mod routes;
mod rows;
mod split;
mod words;

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
    path::Path,
    time::Duration,
};

use serde_json::json;

pub use self::grace::StartedBy;
pub use self::list_summary::{AppRows, ListSummary, OwnApp, summary};
pub use self::named::Named;
pub use self::only::{Only, OnlyError};
pub use self::routes::Forecast;
pub use self::rows::{Known, Row, Rows, Selection, Timing, ids_in};
pub use self::split::Split;
pub use self::words::{calls_line, checks_line, countdown, counted, grouped, in_words};

use self::routes::forecast;

use crate::{
    clock,
    event::DayTooShort,
    highlevel::token_checks::{OldTokens, TokenChecks},
    installation::Id,
    pace::{Pacing, day::KeptDay},
    route::{Route, RouteList},
};

/// The list summary with the settings of the run: what the person on call sees before the first call.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The list.
    pub summary: ListSummary,
    /// Whose rows are read, where several machines share the list.
    pub split: Option<Split>,
    /// Request starts allowed.
    pub pacing: Pacing,
    /// Those of all machines together.
    pub total: Pacing,
    /// Installations in flight at most.
    pub concurrency: u32,
    /// The routes.
    pub routes: RouteList,
    /// How tokens prove themselves.
    pub token_checks: TokenChecks,
    /// The agencies whose tokens are at hand; `None` when there are none.
    pub known_agencies: Option<HashSet<Id>>,
    /// Whether a token is at hand that does not say of which agency it is, and may serve any.
    pub agency_token_for_all: bool,
    /// Where the calls go.
    pub endpoint: String,
    /// The app; `None` when it was not given.
    pub client_id: Option<String>,
    /// The last known state of the daily limit; `None` when nothing is known.
    pub day: Option<KeptDay>,
    /// Bound of one request.
    pub timeout: Duration,
    /// Who starts and ends it.
    pub started_by: StartedBy,
    /// The folder that will be made; `None` when nothing will be written.
    pub out: Option<String>,
}

impl Plan {
    /// Calls when all goes well.
    pub fn calls(&self) -> u64 {
        self.forecast().calls() + self.checks_of_new_tokens()
    }

    /// Calls by which new tokens prove themselves.
    fn checks_of_new_tokens(&self) -> u64 {
        if self.token_checks.new.is_some() { u64::from(self.summary.installations()) } else { 0 }
    }

    /// What each route comes to.
    pub fn forecast(&self) -> Forecast {
        forecast(&self.routes, &self.summary.stats, self.known_agencies.as_ref())
    }

    /// Whether there is nothing that could be done for any of the installations: no route can serve
    /// one of them, and none has an old token that may be good.
    fn is_without_route(&self) -> bool {
        let rows = self.summary.installations();
        let may_be_healthy =
            self.token_checks.old == OldTokens::Tried && self.summary.with_access_token > 0;
        rows > 0 && self.forecast().without_route == rows && !may_be_healthy
    }

    /// What is missing when no installation can be recovered; `None` where one can.
    pub fn no_route(&self) -> Option<String> {
        if !self.is_without_route() || self.agency_token_for_all {
            return None;
        }
        let forecast = self.forecast();
        let rows = counted(self.summary.installations(), "installation");
        let mut text =
            format!("--via {}: none of the {rows} can be served; nothing was sent", self.routes);
        let stored = &self.summary.stored;
        let of_others = stored.of_other_clients.count;
        let unusable = stored.encrypted + stored.no_tokens;
        for forecast in &forecast.routes {
            let missing = forecast.missing.in_words();
            text.extend(missing.iter().map(|line| format!("\n  {}: {line}", forecast.route)));
            text.extend(forecast.route.needs().map(|needs| format!("\n  {needs}")));
        }
        for (count, what) in [
            (of_others, "tokens of another client id, which this one may not use"),
            (unusable, "encrypted tokens, masks or placeholders in the place of tokens"),
        ] {
            if count > 0 {
                let _ = write!(text, "\n  {} of the list: {what}", counted(count, "row"));
            }
        }
        text.push_str(
            "\n  Or ask for new codes with --via reconnect, where the Reconnect API is open",
        );
        Some(text)
    }

    /// The least time that they take at the rate.
    pub fn least_time(&self) -> Duration {
        self.pacing.bound().least_time_for(self.calls())
    }

    /// The day's allowance, when it is known and will not suffice.
    fn short_day(&self) -> Option<DayTooShort> {
        let KeptDay { day, at } = self.day?;
        let needed = self.calls();
        (day.left < needed).then_some(DayTooShort {
            at,
            left: day.left,
            needed,
            resets_at: day.resets_at,
        })
    }

    fn write_stored_tokens(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = &self.summary.stored_tokens;
        match &self.client_id {
            Some(client_id) if !stored.is_empty() && self.summary.apps.is_empty() => {
                writeln!(f, "Stored tokens  {}", stored.seen_from(client_id))
            }
            _ => Ok(()),
        }
    }

    /// What the tokens say of the rows; encrypted ones matter only where tokens are used.
    fn write_tokens(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = &self.summary.stored;
        named(f, "Other client", &stored.of_other_clients)?;
        named(f, "Other id", &stored.contradicting)?;
        named(f, "Id from token", &stored.known_by_token)?;
        let mut unused = |rows: u32, what: &str| match rows {
            0 => Ok(()),
            1 => writeln!(f, "Tokens         1 row has {what}: not used"),
            _ => writeln!(f, "Tokens         {rows} rows have {what}: not used"),
        };
        if self.routes.include(Route::Refresh) {
            unused(stored.encrypted, "encrypted tokens")?;
            unused(stored.no_tokens, "masks or placeholders instead of tokens")?;
        }
        Ok(())
    }

    /// The rows that are meant to be left out, in one line.
    fn write_events(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListSummary { uninstalled, events, .. } = &self.summary;
        if *uninstalled == 0 && events.reinstalled == 0 {
            return Ok(());
        }
        writeln!(
            f,
            "Uninstalled    {} left out: the last event of {} is UNINSTALL, {} installed again",
            counted(*uninstalled, "row"),
            counted(events.uninstalled, "installation"),
            match events.reinstalled {
                1 => "1 is".into(),
                n => format!("{n} are"),
            }
        )
    }

    fn write_routes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.routes.are_default() { Ok(()) } else { self.forecast().write(f, &self.pacing) }
    }

    /// The client id, or the apps with their own.
    fn write_apps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.summary.apps.is_empty() {
            let client_id = self.client_id.as_deref().unwrap_or("not given");
            return writeln!(f, "Client id      {client_id}");
        }
        for AppRows { app, installations } in &self.summary.apps {
            let rows = counted(*installations, "installation");
            writeln!(f, "App            {}: {rows}, client id {}", app.name, app.client_id)?;
        }
        Ok(())
    }

    /// The plan for a program.
    pub fn as_json(&self) -> serde_json::Value {
        let mut plan = self.as_json_of_all();
        plan["shards"] = self.shards_as_json();
        plan["drain_ms"] = clock::millis(self.drain_time()).into();
        plan["grace_period_s"] = self.grace_period().as_secs().into();
        if !self.summary.apps.is_empty() {
            let apps = self.summary.apps.iter().map(|AppRows { app, installations }| {
                let told = json!({ "client_id": app.client_id, "installations": installations });
                (app.name.to_string(), told)
            });
            plan["apps"] = apps.collect::<serde_json::Map<_, _>>().into();
        }
        plan
    }

    fn as_json_of_all(&self) -> serde_json::Value {
        let (summary, forecast) = (&self.summary, self.forecast());
        json!({
            "list": summary.list.name,
            "shape": summary.list.shape,
            "columns": summary.columns_found,
            "columns_not_carried": summary.token_columns,
            "input": summary.input,
            "installations": summary.installations(),
            "locations": summary.locations,
            "companies": summary.companies,
            "duplicate": summary.duplicates.count,
            "rejected": summary.rejected.count,
            "unusual_ids": summary.unusual.count,
            "left_out": summary.left_out,
            "not_due": summary.not_due.by_advice,
            "all_due_from": summary.not_due.all_due_from,
            "uninstalled": summary.uninstalled,
            "uninstalled_installations": summary.events.uninstalled,
            "installed_again": summary.events.reinstalled,
            "only_not_in_list": summary.not_met.count,
            "recovered_before": summary.recovered_before(),
            "recovered_before_in": summary.before,
            "calls": self.calls(),
            "rate": self.pacing.asked.to_string(),
            "max_rate": self.pacing.bound().to_string(),
            "concurrency": self.concurrency,
            "least_time_ms": clock::millis(self.least_time()),
            "day_left": self.day.map(|kept| kept.day.left),
            "day_resets_at": self.day.and_then(|kept| kept.day.resets_at),
            "day_suffices": self.day.map(|_| self.short_day().is_none()),
            "endpoint": self.endpoint,
            "client_id": self.client_id,
            "stored_tokens": summary.stored_tokens,
            "tokens_of_other_clients": summary.stored.of_other_clients.count,
            "tokens_of_other_ids": summary.stored.contradicting.count,
            "ids_from_tokens": summary.stored.known_by_token.count,
            "encrypted_tokens": summary.stored.encrypted,
            "unusable_tokens": summary.stored.no_tokens,
            "via": self.routes,
            "ways": forecast.as_json(&self.pacing),
            "without_way": forecast.without_route,
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_rows(f)?;
        self.write_shards(f)?;
        self.write_stored_tokens(f)?;
        self.write_tokens(f)?;
        self.write_routes(f)?;
        self.write_calls(f)?;
        self.write_grace(f)?;
        writeln!(f, "Endpoint       {}", self.endpoint)?;
        self.write_apps(f)?;
        write!(f, "Run folder     {}", self.out.as_deref().unwrap_or("none: nothing is written"))
    }
}

impl Plan {
    /// What becomes of the rows of the list.
    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = &self.summary;
        writeln!(f, "List           {} ({})", summary.list.name, summary.list.shape)?;
        writeln!(
            f,
            "To recover     {}: {} and {}",
            counted(summary.installations(), "installation"),
            counted(summary.locations, "sub-account"),
            if summary.companies == 1 {
                "1 agency".into()
            } else {
                format!("{} agencies", summary.companies)
            },
        )?;
        for (folder, installations) in &summary.before {
            let is_gone = if Path::new(folder).exists() { "" } else { ", which is gone" };
            writeln!(
                f,
                "Skipped        {}, recovered in the last 24 hours by the run in {folder}{is_gone} \
                 (--again takes them)",
                counted(*installations, "installation")
            )?;
        }
        named(f, "Duplicates", &summary.duplicates)?;
        named(f, "Rejected", &summary.rejected)?;
        named(f, "Unusual ids", &summary.unusual)?;
        let (not_due, by_choice) = (summary.not_due.rows(), summary.left_out_by_choice());
        if by_choice > 0 {
            writeln!(f, "Left out       {} by --only or --limit", counted(by_choice, "row"))?;
        }
        if not_due > 0 {
            let rows = counted(not_due, "row");
            let why = summary.not_due.in_words();
            writeln!(f, "Not due        {rows}, left for another run: {why} (--all takes them)")?;
        }
        self.write_events(f)?;
        if !summary.token_columns.is_empty() {
            let columns = summary.token_columns.join(", ");
            writeln!(f, "Not carried    {columns}: may hold secrets, so no output has it")?;
        }
        Ok(())
    }

    /// How many requests there are, and how long they take at least.
    fn write_calls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&checks_line(self.checks_of_new_tokens()))?;
        if self.token_checks.old == OldTokens::Tried {
            writeln!(
                f,
                "Skip healthy   each old access token is tried first, one call more for each"
            )?;
        }
        f.write_str(&calls_line(self.calls(), &self.pacing, self.concurrency))?;
        if let Some(day) = self.short_day() {
            writeln!(f, "Day            as of {}: {}", clock::stamp(day.at), day.in_words())?;
        }
        Ok(())
    }
}

fn named(f: &mut fmt::Formatter<'_>, title: &str, rows: &Named) -> fmt::Result {
    if rows.count == 0 {
        return Ok(());
    }
    writeln!(f, "{title:<14} {}", counted(rows.count, "row"))?;
    for line in rows.lines() {
        writeln!(f, "                 {line}")?;
    }
    let more = rows.beyond();
    if more > 0 {
        writeln!(f, "                 and {more} more")?;
    }
    Ok(())
}
