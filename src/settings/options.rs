//! The options that turn one execution's settings into another's, for a command that is printed.

use std::{ffi::OsString, path::PathBuf};

use clap::ValueEnum;

use super::{
    args::DiscoverArgs,
    duration,
    execution::{Page, Place, Settings},
};
use crate::{highlevel::token_check::TokenCheckPath, input::FirstLine, pace::AskedRate};

/// What a setting says on a command line.
#[derive(PartialEq)]
enum Word {
    Nothing,
    Switch,
    Value(OsString),
    Each(Vec<String>),
}

impl<T: Into<OsString>> From<Option<T>> for Word {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, |value| Self::Value(value.into()))
    }
}

impl From<bool> for Word {
    fn from(is_on: bool) -> Self {
        if is_on { Self::Switch } else { Self::Nothing }
    }
}

fn value(value: &impl ToString) -> Word {
    Word::Value(value.to_string().into())
}

fn path(file: Option<&PathBuf>) -> Word {
    file.cloned().into()
}

/// An option and what the settings say with it.
type Row = (&'static str, fn(&Settings) -> Word);

/// Every option that another command for the same rows may need. `--only`, `--limit`, `--all`,
/// `--again` and `--no-header` are not among them: a run over failures takes what is due of its list, which
/// has a header, and nothing twice.
const TABLE: [Row; 33] = [
    ("--sandbox", |s| (s.place == Place::Sandbox).into()),
    ("--base-url", |s| match s.place {
        Place::Sandbox => Word::Nothing,
        Place::Real => value(&s.base_url),
    }),
    ("--reconnect-path", |s| value(&s.reconnect_path)),
    ("--api-version", |s| value(&s.api_version.name())),
    ("--client-id", |s| s.client_id.clone().into()),
    ("--client-secret-file", |s| path(s.secrets.client_secret_file.as_ref())),
    ("--env-file", |s| path(s.secrets.env_file.as_ref())),
    ("--apps", |s| path(s.secrets.apps.as_ref())),
    ("--agency-tokens", |s| path(s.secrets.agency_tokens.as_ref())),
    ("--redirect-uri", |s| s.redirect_uri.clone().into()),
    ("--known-messages", |s| s.known_messages.as_ref().map(|known| known.file.clone()).into()),
    ("--scope", |s| scope(s)),
    ("--id-column", |s| column(s, &s.selection.columns.id)),
    ("--company-column", |s| column(s, &s.selection.columns.company)),
    ("--kind-column", |s| column(s, &s.selection.columns.kind)),
    ("--via", |s| value(&s.via)),
    ("--verify", |s| (s.verify == Some(TokenCheckPath::Usual)).into()),
    ("--verify-path", |s| {
        let path = s.verify.as_ref().filter(|path| **path != TokenCheckPath::Usual);
        path.map(ToString::to_string).into()
    }),
    ("--skip-healthy", |s| s.skip_healthy.into()),
    ("--rate", |s| value(&s.rate)),
    ("--max-rate", |s| (s.rate == AskedRate::Auto).then(|| s.max_rate.to_string()).into()),
    ("--burst", |s| value(&s.burst)),
    ("--concurrency", |s| value(&s.concurrency)),
    ("--attempts", |s| value(&s.attempts)),
    ("--timeout", |s| value(&duration::text(s.timeout))),
    ("--max-outage", |s| value(&duration::text(s.max_outage))),
    ("--max-failures", |s| value(&s.max_failures)),
    ("--give-up-after", |s| value(&s.give_up_after)),
    ("--to", |s| s.store.as_ref().and_then(|store| store.to.clone()).into()),
    ("--table", |s| s.store.as_ref().and_then(|store| store.table.clone()).into()),
    ("--map", |s| path(s.store.as_ref().and_then(|store| store.map.as_ref()))),
    ("--insert", |s| s.store.as_ref().is_some_and(|store| store.insert).into()),
    ("--keep-status", |s| s.store.as_ref().is_some_and(|store| store.keep_status).into()),
];

/// How files of the run are written; only a new run needs to be told.
const OF_FILES: [Row; 3] = [
    ("--no-html", |s| (s.page == Page::LeftOut).into()),
    ("--ticket-limit", |s| value(&s.escalation.ticket_limit)),
    ("--escalate-columns", |s| Word::Each(s.escalation.columns.clone())),
];

/// A column of the list is one of its failures too; where the list has no header, `failures.csv` names
/// its columns in a way that is recognised.
#[expect(clippy::ref_option, reason = "a field of the settings")]
fn column(settings: &Settings, name: &Option<String>) -> Word {
    match settings.selection.columns.first_line {
        FirstLine::Header => name.clone().into(),
        FirstLine::Record => Word::Nothing,
    }
}

fn scope(settings: &Settings) -> Word {
    settings.selection.scope.to_possible_value().map(|scope| scope.get_name().to_owned()).into()
}

/// The options that say all in which the settings differ from others.
pub fn that_differ(settings: &Settings, from: &Settings) -> Vec<OsString> {
    let mut words = Vec::new();
    for (option, word_of) in TABLE.iter().chain(&OF_FILES) {
        let word = word_of(settings);
        if word == word_of(from) {
            continue;
        }
        match word {
            Word::Nothing => {}
            Word::Switch => words.push(option.into()),
            Word::Value(value) => words.extend([option.into(), value]),
            Word::Each(values) => {
                words.extend(values.into_iter().flat_map(|value| [option.into(), value.into()]));
            }
        }
    }
    words
}

/// Every option with what the settings say with it, for a person; those that say nothing are left out.
pub fn in_words(settings: &Settings) -> Vec<(&'static str, String)> {
    let text = |word: Word| match word {
        Word::Nothing => None,
        Word::Switch => Some("yes".to_owned()),
        Word::Value(value) => Some(value.to_string_lossy().into_owned()),
        Word::Each(values) => (!values.is_empty()).then(|| values.join(", ")),
    };
    let rows = TABLE.iter().chain(&OF_FILES);
    rows.filter_map(|(option, word_of)| Some((*option, text(word_of(settings))?))).collect()
}

/// The words of a `discover` command, as they were typed.
pub fn of_discover(args: &DiscoverArgs, settings: &Settings) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![env!("CARGO_PKG_NAME").into(), "discover".into()];
    for company in &args.company {
        words.extend(["--company".into(), company.as_str().into()]);
    }
    if args.installed_only {
        words.push("--installed-only".into());
    }
    if let Some(out) = &args.out {
        words.extend(["--out".into(), out.into()]);
    }
    words.extend(that_differ(settings, &Settings::default()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(settings: &Settings, from: &Settings) -> String {
        let words = that_differ(settings, from);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_say_what_differs_and_no_more() {
        let default = Settings::default();
        assert_eq!(words(&default, &default), "");
        let rehearsal = Settings {
            place: Place::Sandbox,
            base_url: "http://127.0.0.1:1".into(),
            rate: AskedRate::Auto,
            verify: Some(TokenCheckPath::Usual),
            ..Settings::default()
        };
        let expected = "--sandbox --verify --rate auto --max-rate 50/s";
        assert_eq!(words(&rehearsal, &default), expected);
        assert_eq!(words(&rehearsal, &rehearsal), "");
        let mut slow =
            Settings { timeout: std::time::Duration::from_millis(500), ..rehearsal.clone() };
        assert_eq!(words(&slow, &rehearsal), "--timeout 500ms");
        slow.escalation.columns = vec!["a b".into(), "c".into()];
        slow.verify = Some("/x/{id}".parse().unwrap());
        assert_eq!(
            words(&slow, &rehearsal),
            "--verify-path /x/{id} --timeout 500ms --escalate-columns a b --escalate-columns c"
        );
        let mut named = Settings::default();
        named.selection.columns.id = Some("Standort-ID".into());
        assert_eq!(words(&named, &default), "--id-column Standort-ID");
        named.selection.columns.first_line = FirstLine::Record;
        assert_eq!(words(&named, &default), "");
    }
}
