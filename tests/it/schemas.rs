//! The published schemas: every run of the suite is held against them (see `Ran::assert_sound`),
//! and they know the names that the program knows.

use std::{collections::BTreeSet, sync::LazyLock};

use ghl_reconnect::{
    event::Event,
    failure::{Class, Stage},
};
use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{MockServer, NoServer, Ran, Work, location, locations};

const JOURNAL: &str = include_str!("../../src/schemas/journal.schema.json");
const SUMMARY: &str = include_str!("../../src/schemas/summary.schema.json");

static JOURNAL_LINE: LazyLock<Validator> = LazyLock::new(|| validator(JOURNAL));
static WHOLE_SUMMARY: LazyLock<Validator> = LazyLock::new(|| validator(SUMMARY));

fn validator(schema: &str) -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Holds a run's journal and summary against the schemas.
#[track_caller]
pub(crate) fn assert_follows(ran: &Ran) {
    for line in ran.journal() {
        assert_valid(&JOURNAL_LINE, &line);
    }
    assert_valid(&WHOLE_SUMMARY, &ran.summary());
}

#[track_caller]
fn assert_valid(schema: &Validator, document: &Value) {
    if let Err(error) = schema.validate(document) {
        panic!("{error} at {}\n{document:#}", error.instance_path());
    }
}

/// A run with every kind of end in it.
fn eventful(work: &Work) -> Ran {
    let faults = json!({
        location(1): ["unknown_id*"],
        location(2): ["exchange:reset"],
        location(3): ["rate_limited"],
        location(5): ["endpoint_removed*"],
    });
    let list = work.file("list.csv", locations(8) + &location(0) + "\nnonsense!\n");
    let run = work.run(list, &MockServer::faulty(&faults).url());
    run.args(["--concurrency", "1", "--max-failures", "1"]).go().expect(3)
}

/// Changes a document at a place.
fn changed(document: &Value, place: &str, value: &Value) -> Value {
    let mut changed = document.clone();
    *changed.pointer_mut(place).unwrap_or_else(|| panic!("{place} in {document:#}")) =
        value.clone();
    changed
}

#[test]
fn a_document_that_is_not_as_published_is_refused() {
    let work = Work::new();
    let ran = eventful(&work);
    assert_follows(&ran);
    let summary = ran.summary();
    for (place, value) in [
        ("/format", json!(2)),
        ("/state", json!("done")),
        ("/exit_code", json!(7)),
        ("/started_at", json!("yesterday")),
        ("/books/failed", json!(-1)),
        ("/causes/0/class", json!("bad_luck")),
        ("/causes/0/retry", json!("soon")),
        ("/chain/first_run", json!(null)),
        ("/clock_offset_ms", json!("0")),
    ] {
        assert!(!WHOLE_SUMMARY.is_valid(&changed(&summary, place, &value)), "{place}");
    }
    let mut journal = ran.journal();
    for event in &mut journal {
        let (kind, body) = event.as_object().unwrap().iter().next().unwrap();
        let checksum = &event["checksum"];
        let more = |body: &Value, name: &str| {
            let mut body = body.clone();
            body[name] = json!("x");
            body
        };
        let refused = [
            json!({ kind: more(body, "more"), "checksum": checksum }),
            json!({ kind: body, "more": {}, "checksum": checksum }),
            json!({ format!("{kind}_more"): body, "checksum": checksum }),
            json!({ kind: {}, "checksum": checksum }),
            json!({ kind: body }),
            json!({ kind: body, "checksum": "0" }),
        ];
        for document in refused {
            assert!(!JOURNAL_LINE.is_valid(&document), "{document:#}");
        }
    }
    assert!(!JOURNAL_LINE.is_valid(&json!({})));
}

#[test]
fn every_field_is_required_or_known_to_be_absent_at_times() {
    let work = Work::new();
    let summary = eventful(&work).summary();
    for name in summary.as_object().unwrap().keys() {
        let mut without = summary.clone();
        without.as_object_mut().unwrap().shift_remove(name);
        assert!(!WHOLE_SUMMARY.is_valid(&without), "{name}");
    }
}

/// The names that a type is read from, as its reader tells them.
fn names_of<T: DeserializeOwned>(wrong: &Value) -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(wrong.clone()).err().unwrap().to_string();
    let names: BTreeSet<_> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(names.len() > 1, "{error}");
    names
}

fn texts(names: &Value) -> BTreeSet<String> {
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_schemas_have_the_names_that_the_program_has() {
    let [journal, summary] = [JOURNAL, SUMMARY].map(|s| serde_json::from_str::<Value>(s).unwrap());
    for schema in [&journal, &summary] {
        let names = |kind: &str| texts(&schema["$defs"][kind]["enum"]);
        assert_eq!(names("class"), names_of::<Class>(&json!("?")));
        assert_eq!(names("stage"), names_of::<Stage>(&json!("?")));
    }
    let members = journal["properties"].as_object().unwrap().keys().cloned();
    let kinds: BTreeSet<_> = members.filter(|name| name != "checksum").collect();
    assert_eq!(kinds, names_of::<Event>(&json!({ "?": {} })));
}

#[test]
fn a_run_that_never_reached_anybody_follows_the_schemas_too() {
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let ran = work.run(list, &url).args(["--attempts", "1"]).go().expect(3);
    ran.assert_sound(&NoServer);
}
