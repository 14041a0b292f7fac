//! Which run folders can be joined: the shards of one list, each once.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde_json::json;
use thiserror::Error;

use crate::{
    event::Started,
    highlevel::client_id::application,
    settings::{Settings, execution::Place},
    shard::Shard,
};

/// Shards that a message names one by one.
const NAMED: usize = 10;

/// What is to be known of a run before it is joined with others.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its folder.
    pub folder: PathBuf,
    /// Which shard it is; `None` where it is none.
    pub shard: Option<Shard>,
    /// What all shards of a list have in common.
    common: [Common; COMMON],
}

/// Things that all shards of a list have in common.
const COMMON: usize = 7;

/// One of them.
#[derive(Clone, Debug)]
struct Common {
    what: &'static str,
    /// What has to be the same.
    value: String,
    /// What a person is told of it.
    shown: String,
}

impl Common {
    fn new(what: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        Self { what, shown: value.clone(), value }
    }

    fn shown_as(self, shown: String) -> Self {
        Self { shown, ..self }
    }
}

/// What to do about shards that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is joined.
    Refused,
    /// Their rows count as not attempted.
    NotAttempted,
}

/// Why runs cannot be joined.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A run is no shard.
    #[error("{} is no shard of a list: it was run without --shard, and is whole by itself; leave it out", .0.display())]
    NoShard(PathBuf),
    /// A run is of something else.
    #[error("{} and {} are not shards of one run: {what} is {one_has} in the first and {other_has} in the second; name the folders of one run", one.display(), other.display())]
    Other {
        /// A folder.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
        /// In what they differ.
        what: &'static str,
        /// What the first one has.
        one_has: String,
        /// What the second one has.
        other_has: String,
    },
    /// A shard is there twice.
    #[error("shard {shard} is there twice: {} and {}; name the one that counts", one.display(), other.display())]
    Twice {
        /// The shard.
        shard: Shard,
        /// A folder.
        one: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// Shards are not there.
    #[error("{}; name their folders too, or run them. With --partial their rows count as not attempted", missing_in_words(.0))]
    Missing(Vec<Shard>),
}

impl Head {
    /// That of a run that began so.
    pub fn of(folder: &Path, started: &Started) -> serde_json::Result<Self> {
        let settings = Settings::read(&started.settings)?;
        let digest = &started.list.digest;
        let list = format!("{} (SHA-256 {:.12}…)", started.list.name, digest);
        let of = settings.shard.map(|shard| shard.of().to_string());
        Ok(Self {
            folder: folder.to_owned(),
            shard: settings.shard,
            common: [
                Common::new("the number of shards", of.unwrap_or_default()),
                Common::new("the list", digest).shown_as(list),
                Common::new("the kind of run", settings.place.to_string()),
                Common::new("the app", apps_of(started)),
                Common::new("the version of ghl-reconnect", &started.version),
                Common::new("the API", address(&settings)),
                Common::new("the selection of rows", selection(&settings)),
            ],
        })
    }

    fn first_difference(&self, other: &Self) -> Option<Refusal> {
        let mut pairs = self.common.iter().zip(&other.common);
        let (one, another) = pairs.find(|(one, another)| one.value != another.value)?;
        Some(Refusal::Other {
            one: self.folder.clone(),
            other: other.folder.clone(),
            what: one.what,
            one_has: one.shown.clone(),
            other_has: another.shown.clone(),
        })
    }
}

/// Key pairs of an app are one app.
fn apps_of(started: &Started) -> String {
    let named = started.apps.iter();
    let named = named.map(|app| format!("{}={}", app.name, application(&app.client_id)));
    let all: Vec<String> = named.chain([application(&started.client_id).to_owned()]).collect();
    all.into_iter().filter(|app| !app.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The embedded sandbox has another port in each process.
fn address(settings: &Settings) -> String {
    match settings.place {
        Place::Sandbox => String::new(),
        Place::Real => format!("{}{}", settings.base_url, settings.reconnect_path),
    }
}

/// As options; a file has another path on each machine.
fn selection(settings: &Settings) -> String {
    let mut selected = settings.selection.clone();
    for file in &mut selected.only {
        *file = file.file_name().map(PathBuf::from).unwrap_or_default();
    }
    json!(selected).to_string()
}

/// Whether these are the shards of a list, each once; those that are missing, where that is allowed.
pub fn check(heads: &[Head], missing: Missing) -> Result<Vec<Shard>, Refusal> {
    let mut folders: BTreeMap<u32, &Path> = BTreeMap::new();
    let mut of = NonZeroU32::MIN;
    for head in heads {
        let shard = head.shard.ok_or_else(|| Refusal::NoShard(head.folder.clone()))?;
        if let Some(refusal) = heads.first().and_then(|first| first.first_difference(head)) {
            return Err(refusal);
        }
        of = shard.of();
        if let Some(one) = folders.insert(shard.number(), &head.folder) {
            return Err(Refusal::Twice { shard, one: one.into(), other: head.folder.clone() });
        }
    }
    let absent: Vec<Shard> =
        Shard::all(of).filter(|shard| !folders.contains_key(&shard.number())).collect();
    match missing {
        Missing::Refused if !absent.is_empty() => Err(Refusal::Missing(absent)),
        Missing::Refused | Missing::NotAttempted => Ok(absent),
    }
}

/// Which shards are missing.
pub fn missing_in_words(shards: &[Shard]) -> String {
    let mut names: Vec<String> = shards.iter().take(NAMED).map(Shard::to_string).collect();
    let more = shards.len().saturating_sub(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match (names.pop(), names.is_empty()) {
        (Some(last), false) => format!("shards {} and {last} are missing", names.join(", ")),
        (Some(only), true) => format!("shard {only} is missing"),
        (None, _) => "no shard is missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn started(change: impl FnOnce(&mut Value)) -> Started {
        let mut started = json!({
            "format": 1, "run_id": "0".repeat(32), "version": "0.1.0", "at": "2026-11-29T10:00:00Z",
            "client_id": "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef",
            "list": { "name": "list.csv", "digest": "a".repeat(64), "shape": "CSV", "columns": [] },
            "settings": Settings::default().written().unwrap(),
        });
        change(&mut started);
        serde_json::from_value(started).unwrap()
    }

    fn head(shard: &str, change: impl FnOnce(&mut Value)) -> Head {
        let started = started(|started| {
            started["settings"]["shard"] = json!(shard);
            change(started);
        });
        Head::of(Path::new(&shard.replace('/', "-of-")), &started).unwrap()
    }

    fn same(shard: &str) -> Head {
        head(shard, |_| {})
    }

    fn missing_of(heads: &[Head]) -> String {
        check(heads, Missing::Refused).unwrap_err().to_string()
    }

    #[test]
    fn the_shards_of_a_list_are_joined_in_any_order() {
        let heads = ["2/3", "3/3", "1/3"].map(same);
        assert_eq!(check(&heads, Missing::Refused), Ok(Vec::new()));
        assert_eq!(check(&[same("1/1")], Missing::Refused), Ok(Vec::new()));
    }

    #[test]
    fn a_missing_shard_is_named() {
        let six = ["1/8", "2/8", "4/8", "6/8", "7/8", "8/8"].map(same);
        let told = missing_of(&six);
        assert!(told.starts_with("shards 3/8 and 5/8 are missing; name their folders"), "{told}");
        let absent = check(&six, Missing::NotAttempted).unwrap();
        assert_eq!(absent.iter().map(Shard::to_string).collect::<Vec<_>>(), ["3/8", "5/8"]);
        assert!(missing_of(&[same("2/2")]).starts_with("shard 1/2 is missing; "));
        let told = missing_of(&[same("1/100")]);
        assert!(told.contains("10/100, 11/100 and 89 more are missing"), "{told}");
    }

    #[test]
    fn what_is_no_shard_of_the_same_run_is_refused_with_both_values() {
        let one = || head("1/2", |_| {});
        let cases: [(Head, &[&str]); 8] = [
            (same("2/3"), &["the number of shards is 2 in the first and 3 in the second"]),
            (
                head("2/2", |s| s["list"]["digest"] = json!("b".repeat(64))),
                &[
                    "the list is list.csv (SHA-256 aaaaaaaaaaaa…)",
                    "list.csv (SHA-256 bbbbbbbbbbbb…)",
                ],
            ),
            (
                head("2/2", |s| s["client_id"] = json!("7620deb4-x")),
                &["the app is 66c1", "7620deb4"],
            ),
            (head("2/2", |s| s["version"] = json!("0.2.0")), &["0.1.0 in the first and 0.2.0"]),
            (
                head("2/2", |s| s["settings"]["place"] = json!("sandbox")),
                &["the kind of run is a real run in the first and a rehearsal in the second"],
            ),
            (
                head("2/2", |s| s["settings"]["base_url"] = json!("https://other.example")),
                &["the API is https://services", "https://other.example/"],
            ),
            (
                head("2/2", |s| s["settings"]["selection"]["limit"] = json!(7)),
                &["the selection of rows", "\"limit\":7"],
            ),
            (
                head("2/2", |s| s["settings"]["shard"] = Value::Null),
                &["2-of-2 is no shard of a list"],
            ),
        ];
        for (other, says) in cases {
            let told = missing_of(&[one(), other]);
            for text in says {
                assert!(told.contains(text), "{text}: {told}");
            }
        }
        let told = missing_of(&["1/2", "2/2", "1/2"].map(same));
        assert!(told.starts_with("shard 1/2 is there twice: 1-of-2 and 1-of-2"), "{told}");
    }

    #[test]
    fn what_may_differ_between_machines_is_no_difference() {
        for other in [
            head("2/2", |s| s["client_id"] = json!("66c1a6f5e4b0a1b2c3d4e5f6-other123")),
            head("2/2", |s| s["list"]["name"] = json!("/data/list.csv")),
            head("2/2", |s| s["settings"]["concurrency"] = json!(3)),
            head("2/2", |s| s["settings"]["rate"] = json!("7/s")),
        ] {
            assert_eq!(check(&[same("1/2"), other], Missing::Refused), Ok(Vec::new()));
        }
    }
}
