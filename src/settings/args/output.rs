//! What is printed for programs.

use std::ffi::OsString;

use clap::ValueEnum;

/// What `--json` prints on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JsonOutput {
    /// The summary at the end; with check, the plan
    Summary,
    /// Every event as it happens, a line each; the last line is the summary (see explain events)
    Events,
}

/// In which form messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// A JSON object a line, with time, level and message
    Json,
}

/// What a command line that cannot be read asks for all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// `--json`.
    pub json: Option<JsonOutput>,
    /// `--log-format`.
    pub log_format: LogFormat,
}

impl Recognised {
    /// Looks through the words of a command line.
    pub fn in_words(words: &[OsString]) -> Self {
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        let words = &words[..end];
        let follow = |two: &[OsString]| two[0] == "--log-format" && two[1] == "json";
        let is_json =
            words.iter().any(|word| word == "--log-format=json") || words.windows(2).any(follow);
        let has_events = words.iter().any(|word| word == "--json=events");
        Self {
            json: has_events.then_some(JsonOutput::Events),
            log_format: if is_json { LogFormat::Json } else { LogFormat::Text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_command_line_is_understood_as_far_as_possible() {
        let (events, json, text) = (Some(JsonOutput::Events), LogFormat::Json, LogFormat::Text);
        for (line, expected) in [
            ("run list.csv --json=events --nonsense", (events, text)),
            ("run list.csv --json=summary", (None, text)),
            ("run list.csv --json", (None, text)),
            ("run -- --json=events --log-format=json", (None, text)),
            ("--log-format json run --json=events", (events, json)),
            ("--log-format=json", (None, json)),
            ("run --log-format", (None, text)),
            ("run --log-format text json", (None, text)),
            ("", (None, text)),
        ] {
            let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
            let Recognised { json, log_format } = Recognised::in_words(&words);
            assert_eq!((json, log_format), expected, "{line}");
        }
    }
}
