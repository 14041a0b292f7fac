//! The options that turn one execution's settings into another's, for a command that is printed.

use std::{collections::BTreeSet, ffi::OsString, fmt, path::PathBuf};

use clap::ValueEnum;
use serde_json::Value;

use super::{
    args::DiscoverArgs,
    duration,
    execution::{Page, Place, Selected, Settings},
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

/// What only a command over the same list says.
const OF_LIST: [Row; 6] = [
    ("--shard", |s| s.shard.map(|shard| shard.to_string()).into()),
    ("--only", |s| Word::Each(only(s))),
    ("--limit", |s| s.selection.limit.map(|limit| limit.to_string()).into()),
    ("--again", |s| s.again.into()),
    ("--no-header", |s| (s.selection.columns.first_line == FirstLine::Record).into()),
    ("--id-column", |s| s.selection.columns.id.clone().into()),
];

fn only(settings: &Settings) -> Vec<String> {
    let Selected { only, only_ids, .. } = &settings.selection;
    let files = only.iter().map(|file| file.display().to_string());
    files.chain(only_ids.iter().map(ToString::to_string)).collect()
}

/// Where secrets are is no property of a run.
const PLACES_OF_SECRETS: [&str; 3] = ["--client-secret-file", "--env-file", "--agency-tokens"];

/// An option that has another value in one run than in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The option, or what else differs.
    pub what: String,
    /// What it is in the run that has begun.
    pub there: String,
    /// What it is in the command.
    pub here: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} there, {} here", self.what, self.there, self.here)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("not given"),
            Self::Switch => f.write_str("given"),
            Self::Value(value) => write!(f, "{}", value.to_string_lossy()),
            Self::Each(values) if values.is_empty() => f.write_str("not given"),
            Self::Each(values) => f.write_str(&values.join(",")),
        }
    }
}

/// All in which a command's settings differ from those of a run, by the names of the options; what no
/// option says alone has the name that the journal has for it.
pub fn differences(there: &Settings, here: &Settings) -> Vec<Difference> {
    let rows = TABLE.iter().chain(&OF_FILES).chain(&OF_LIST);
    let rows = rows.filter(|(option, _)| !PLACES_OF_SECRETS.contains(option));
    let mut found: Vec<Difference> = Vec::new();
    for (option, word_of) in rows {
        let words = (word_of(there), word_of(here));
        if words.0 != words.1 && !found.iter().any(|known| known.what == *option) {
            let (there, here) = (words.0.to_string(), words.1.to_string());
            found.push(Difference { what: (*option).to_owned(), there, here });
        }
    }
    if found.is_empty() { other_differences(there, here) } else { found }
}

/// What is recorded and is the same whatever the command says: places of secrets, and whether the client
/// id was typed; the sandbox of a rehearsal has another address each time.
const NO_DIFFERENCE: [&str; 3] = ["secrets", "client_id_typed", "base_url"];

fn other_differences(there: &Settings, here: &Settings) -> Vec<Difference> {
    let fields = |settings: &Settings| match settings.written() {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (there, here) = (fields(there), fields(here));
    let names: BTreeSet<_> = there.keys().chain(here.keys()).collect();
    let differ = names.into_iter().filter(|name| {
        there.get(*name) != here.get(*name) && !NO_DIFFERENCE.contains(&name.as_str())
    });
    let difference = |name: &String| Difference {
        what: name.replace('_', " "),
        there: "as the journal has it".into(),
        here: "another".into(),
    };
    differ.map(difference).collect()
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

    #[test]
    fn settings_of_two_commands_differ_by_name_and_both_values() {
        let of = |change: &dyn Fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            let told = differences(&Settings::default(), &settings);
            told.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        for (expected, change) in [
            ("", &(|_: &mut Settings| {}) as &dyn Fn(&mut Settings)),
            ("--rate: 10/s there, 100/10s here", &|s| s.rate = "100/10s".parse().unwrap()),
            ("--shard: not given there, 3/8 here", &|s| s.shard = "3/8".parse().ok()),
            ("--again: not given there, given here", &|s| s.again = true),
            ("--limit: not given there, 5 here", &|s| s.selection.limit = Some(5)),
            ("--only: not given there, ids.txt here", &|s| s.selection.only.push("ids.txt".into())),
            ("--verify: not given there, given here", &|s| s.verify = Some(TokenCheckPath::Usual)),
            ("--no-header: not given there, given here", &|s| {
                s.selection.columns.first_line = FirstLine::Record;
            }),
            (
                "--base-url: https://services.leadconnectorhq.com there, http://127.0.0.1:1 here",
                &|s| {
                    s.base_url = "http://127.0.0.1:1".into();
                },
            ),
            ("", &|s| s.secrets.env_file = Some("/elsewhere/env".into())),
            ("", &|s| s.client_id_typed = true),
        ] {
            assert_eq!(of(change), expected);
        }
        let mut by_number = Settings::default();
        by_number.selection.columns.first_line = FirstLine::Record;
        let mut other = by_number.clone();
        other.selection.columns.kind = Some("2".into());
        let told = differences(&by_number, &other);
        assert_eq!(told[0].to_string(), "selection: as the journal has it there, another here");
    }
}
