//! An event in one line, for people.

use serde_json::Value;

use crate::{
    clock,
    event::{
        Event, Exchanging, Failed, Halted, Recovered, Rejected, Resumed, Retrying, Started, Stored,
    },
    settings::Settings,
    text::SafeText,
};

/// The line of an event; `None` for what would only repeat the list.
pub(super) fn of(event: &Event) -> Option<String> {
    Some(match event {
        Event::Listed(_) | Event::Saving(_) | Event::Unsent(_) => return None,
        Event::Started(e) => started(e),
        Event::Duplicate(e) => {
            format!("row {} (line {}) repeats row {}: {}", e.row, e.line, e.first_row, e.id)
        }
        Event::Rejected(e) => rejected(e),
        Event::NotDue(e) => {
            format!("row {} {}: left out, not due: {}", e.row, e.installation.id, e.retry)
        }
        Event::Ready(e) => format!("{} rows read; calls begin", e.input),
        Event::Exchanging(e) => exchanging(e),
        Event::Refreshing(e) => {
            format!("row {} {}: presenting its refresh token in attempt {}", e.row, e.id, e.attempt)
        }
        Event::Requesting(e) => format!(
            "row {} {}: asking for its tokens with its agency's in attempt {}",
            e.row, e.id, e.attempt
        ),
        Event::Retrying(e) => retrying(e),
        Event::Untried(e) => {
            format!("row {} {}: tokens granted by {}; checking them", e.row, e.id, e.via)
        }
        Event::Skipped(e) => format!("row {} {} skipped: {}", e.row, e.id, e.in_words()),
        Event::Recovered(e) => recovered(e),
        Event::Failed(e) => failed(e),
        Event::Held(e) => {
            format!("held: nothing starts for {} ms, then every {} ms", e.hold_ms, e.interval_ms)
        }
        Event::DayTooShort(e) => {
            format!("{} requests are left today, {} are needed", e.left, e.needed)
        }
        Event::Paused(e) => {
            format!("paused: {}; gives up at {}", e.failure, clock::stamp(e.gives_up_at))
        }
        Event::Probed(e) => {
            format!("probe failed: row {}: {}; next probe in {} ms", e.row, e.failure, e.next_ms)
        }
        Event::ServerClock(e) => server_clock(e.offset_ms),
        Event::Continued(e) => format!("continues after {} ms of pause", e.paused_ms),
        Event::Halted(e) => halted(e),
        Event::Finished(_) => "finished".to_owned(),
        Event::Resumed(e) => resumed(e),
        Event::Reclaimed(e) => format!("row {} {}: tokens found on disk, recovered", e.row, e.id),
        Event::Missed(e) => format!("row {} {}: no tokens on disk, asked for anew", e.row, e.id),
        Event::Exceeded(e) => format!(
            "shard {}: {} requests within {} ms, where its share allows {}",
            e.shard, e.starts, e.window_ms, e.allowed
        ),
        Event::HandedOn(e) => format!(
            "the tokens of {} installations are where they belong, as stated; they need not be in \
             tokens.jsonl",
            e.installations
        ),
        Event::Leaked(e) => format!("a secret was found in {}, which was set aside", e.file),
        Event::StoreBegan(e) => format!("storing the pairs in {}", e.place()),
        Event::Stored(e) => stored(e),
    })
}

fn stored(e: &Stored) -> String {
    let why = if e.message.is_empty() { e.outcome.in_words() } else { e.message.as_str() };
    format!("row {} {}: store: {}: {why}", e.row, e.id, e.outcome)
}

fn started(e: &Started) -> String {
    format!(
        "run {} of ghl-reconnect {} begins: list {} ({}), {}{}",
        e.run_id,
        e.version,
        e.list.name,
        e.list.shape,
        clients(e),
        settings(&e.settings)
    )
}

fn settings(recorded: &Value) -> String {
    let Ok(settings) = Settings::read(recorded) else { return String::new() };
    let Settings { base_url, reconnect_path, rate, concurrency, .. } = settings;
    format!(", endpoint {base_url}{reconnect_path}, rate {rate}, {concurrency} in flight")
}

fn clients(started: &Started) -> String {
    if started.apps.is_empty() {
        return format!("client id {}", started.client_id);
    }
    let apps =
        started.apps.iter().map(|app| format!("app {} (client id {})", app.name, app.client_id));
    apps.collect::<Vec<_>>().join(", ")
}

fn resumed(e: &Resumed) -> String {
    format!("resumed by ghl-reconnect {}{}", e.version, settings(&e.settings))
}

fn rejected(e: &Rejected) -> String {
    format!("row {} (line {}) rejected: {}: {} ({})", e.row, e.line, e.column, e.reason, e.raw)
}

fn exchanging(e: &Exchanging) -> String {
    format!(
        "row {} {}: code received in attempt {}{}; exchanging",
        e.row,
        e.id,
        e.attempt,
        trace(e.reconnect.trace_id.as_ref())
    )
}

fn retrying(e: &Retrying) -> String {
    format!(
        "row {} {}: attempt {}: {}{}; {}",
        e.row,
        e.id,
        e.attempt,
        e.failure,
        trace(e.failure.trace_id.as_ref()),
        e.wait_ms.map_or("again after the outage".to_owned(), |ms| format!("again in {ms} ms"))
    )
}

fn recovered(e: &Recovered) -> String {
    format!(
        "row {} {}: recovered by {} in attempt {}{}{}",
        e.row,
        e.id,
        e.via,
        e.attempts,
        trace(e.exchange.trace_id.as_ref()),
        e.remark().map(|remark| format!("; {remark}")).unwrap_or_default()
    )
}

fn failed(e: &Failed) -> String {
    let end = if e.failure.class.is_left_off() { "not finished" } else { "failed" };
    format!(
        "row {} {}: {end} after {} attempts: {}{}",
        e.row,
        e.id,
        e.attempts,
        e.failure,
        trace(e.failure.trace_id.as_ref())
    )
}

fn halted(e: &Halted) -> String {
    let app = e.app.as_ref().map(|app| format!(" for app {app}")).unwrap_or_default();
    format!("halted{app}: {}", e.message)
}

fn server_clock(offset_ms: i64) -> String {
    match offset_ms {
        0 => "the server's clock agrees with ours".to_owned(),
        ms if ms > 0 => format!("the server's clock is {ms} ms ahead of ours"),
        ms => format!("the server's clock is {} ms behind ours", ms.unsigned_abs()),
    }
}

fn trace(id: Option<&SafeText>) -> String {
    id.map(|id| format!(", trace {id}")).unwrap_or_default()
}
