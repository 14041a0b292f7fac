//! `merge`: the run folders of the shards become one machine's run.

mod equal;
mod refused;
mod rest;
mod stored;

use std::{fs, path::PathBuf};

use super::shard;
use crate::support::{Ran, Row, Run, Work, entries};

/// The run folder of a shard.
fn folder(work: &Work, shard: &str) -> PathBuf {
    work.path(&format!("shard-{}", shard.replace('/', "-of-")))
}

/// The names of all shards of so many.
fn names(of: u32) -> Vec<String> {
    (1..=of).map(|number| format!("{number}/{of}")).collect()
}

/// `merge` of shards into the usual folder.
fn merge<S: AsRef<str>>(work: &Work, shards: &[S]) -> Run {
    let folders = shards.iter().map(|shard| folder(work, shard.as_ref()));
    work.program(["merge"]).args(folders).arg("--out").arg(work.path("run"))
}

/// Lines of a file without what is of a time, of a machine or of a server's counting.
fn timeless(rows: Vec<Row>) -> Vec<Row> {
    const LEFT_OUT: [&str; 10] = [
        "reconnect_trace_id",
        "token_trace_id",
        "code_age_ms",
        "code_margin_ms",
        "started_at",
        "finished_at",
        "token_expires_at",
        "first_failed_at",
        "failed_at",
        "trace_ids",
    ];
    let mut rows = rows;
    for row in &mut rows {
        row.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    }
    rows
}

/// `report` writes what stands there already.
#[track_caller]
fn assert_report_changes_nothing(work: &Work, merged: &Ran) {
    let bytes = || {
        let names = entries(&merged.folder).into_iter().filter(|name| name != ".lock");
        names.map(|name| (name.clone(), fs::read(merged.file(&name)).unwrap())).collect::<Vec<_>>()
    };
    let before = bytes();
    work.program(["report"]).arg(&merged.folder).go().expect(0);
    assert!(bytes() == before, "report wrote something else");
}
