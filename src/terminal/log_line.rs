//! A message as a line of a log: words for people, a JSON object for programs.

use serde::Serialize;
use serde_json::Value;

use crate::{clock, event::Event, settings::args::LogFormat};

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Info,
    Warn,
    Error,
}

/// A message as JSON.
#[derive(Serialize)]
struct LogLine<'a> {
    time: String,
    level: Level,
    message: &'a str,
    /// What happened, as the journal names it, to which row.
    #[serde(flatten)]
    of: Option<Happened>,
}

#[derive(Serialize)]
struct Happened {
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
}

/// The line of a message that no event stands for.
pub(super) fn of_text(format: LogFormat, text: &str) -> String {
    match format {
        LogFormat::Text => text.to_owned(),
        LogFormat::Json => {
            let (level, message) = level_in_words(text);
            as_json(level, message, None)
        }
    }
}

/// The line of an error.
pub(super) fn of_error(format: LogFormat, text: &str) -> String {
    match format {
        LogFormat::Text => format!("error: {text}"),
        LogFormat::Json => as_json(Level::Error, text, None),
    }
}

/// The line of an event that is told in these words.
pub(super) fn of_event(format: LogFormat, event: &Event, text: &str) -> String {
    match format {
        LogFormat::Text => text.to_owned(),
        LogFormat::Json => as_json(level_of(event), text, happened(event)),
    }
}

fn as_json(level: Level, message: &str, of: Option<Happened>) -> String {
    let line = LogLine { time: clock::stamp(clock::now()), level, message, of };
    serde_json::to_string(&line).unwrap_or_default()
}

/// The level that a message for people begins with, and the rest of it.
fn level_in_words(text: &str) -> (Level, &str) {
    for (word, level) in
        [("warning: ", Level::Warn), ("error: ", Level::Error), ("note: ", Level::Info)]
    {
        if let Some(rest) = text.strip_prefix(word) {
            return (level, rest);
        }
    }
    (Level::Info, text)
}

fn level_of(event: &Event) -> Level {
    match event {
        Event::Failed(e) if e.failure.class.is_left_off() => Level::Info,
        Event::Failed(_) | Event::Halted(_) | Event::Leaked(_) => Level::Error,
        Event::Stored(e) if e.outcome.is_stored() => Level::Info,
        Event::Stored(_)
        | Event::Rejected(_)
        | Event::Retrying(_)
        | Event::Held(_)
        | Event::DayTooShort(_)
        | Event::Paused(_)
        | Event::Probed(_)
        | Event::Missed(_) => Level::Warn,
        _ => Level::Info,
    }
}

/// The name, the row and the installation of an event, as the journal has them.
fn happened(event: &Event) -> Option<Happened> {
    let Ok(Value::Object(event)) = serde_json::to_value(event) else { return None };
    let (event, mut body) = event.into_iter().next()?;
    let mut member = |name: &str| body.get_mut(name).map(Value::take);
    let (row, id) = (member("row"), member("id"));
    Some(Happened { event, row, id })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(line: &str) -> Value {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let time = line.as_object_mut().unwrap().remove("time").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        line
    }

    #[test]
    fn a_message_has_the_level_that_its_words_begin_with() {
        for (text, level, message) in [
            ("8 installations", "info", "8 installations"),
            ("warning: the client id is odd", "warn", "the client id is odd"),
            ("note: two\nlines", "info", "two\nlines"),
            ("error: halted: x", "error", "halted: x"),
        ] {
            assert_eq!(of_text(LogFormat::Text, text), text);
            let line = of_text(LogFormat::Json, text);
            assert_eq!(read(&line), json!({ "level": level, "message": message }));
            assert_eq!(line.lines().count(), 1);
        }
        assert_eq!(of_error(LogFormat::Text, "no"), "error: no");
        let line = of_error(LogFormat::Json, "no");
        assert_eq!(read(&line), json!({ "level": "error", "message": "no" }));
    }

    #[test]
    fn an_event_says_what_happened_to_which_row() {
        let at = "2026-11-22T10:00:00Z";
        let failure = json!({
            "stage": "reconnect", "class": "server_error", "http_status": 503, "message": "x",
        });
        let mut interrupted = failure.clone();
        interrupted["class"] = json!("interrupted");
        let failed = |failure: &Value| {
            json!({ "failed": {
                "row": 7, "id": "Loc00007", "attempts": 1, "started_at": at, "at": at,
                "failure": failure, "trace_ids": [],
            }})
        };
        let of_row = |level: &str, event: &str| json!({ "level": level, "message": "words", "event": event, "row": 7, "id": "Loc00007" });
        for (event, expected) in [
            (failed(&failure), of_row("error", "failed")),
            (failed(&interrupted), of_row("info", "failed")),
            (
                json!({ "held": { "at": at, "hold_ms": 1, "interval_ms": 1 } }),
                json!({ "level": "warn", "message": "words", "event": "held" }),
            ),
            (
                json!({ "finished": { "at": at } }),
                json!({ "level": "info", "message": "words", "event": "finished" }),
            ),
        ] {
            let event: Event = serde_json::from_value(event).unwrap();
            assert_eq!(read(&of_event(LogFormat::Json, &event, "words")), expected);
            assert_eq!(of_event(LogFormat::Text, &event, "words"), "words");
        }
    }
}
