//! Installations that always fail hold up no other one, wherever they stand and however they fail.

use std::{
    collections::BTreeSet,
    fmt::Write,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Issuer, Reply, ScriptedServer, Seen, Work, location, whole};

const COUNT: usize = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Spread,
    Start,
    Block,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Status500,
    Reset,
    Page502,
    Hang,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reconnect,
    Exchange,
    Refresh,
}

/// Some installations of a list that always fail.
#[derive(Clone, Copy, Debug)]
struct Case {
    percent: usize,
    place: Place,
    fault: Fault,
    stage: Stage,
}

impl Case {
    fn bad(self) -> BTreeSet<String> {
        let bad = COUNT * self.percent / 100;
        let is_bad = |n: usize| match self.place {
            // A permutation of the list that has no pattern.
            Place::Spread => n * 77 % COUNT < bad,
            Place::Start => n < bad,
            Place::Block => (COUNT / 3..COUNT / 3 + bad).contains(&n),
            Place::End => n >= COUNT - bad,
        };
        (0..COUNT).filter(|n| is_bad(*n)).map(location).collect()
    }

    /// Runs it, and gives its exit code, its pauses, and when the last healthy installation was
    /// recovered.
    fn last_recovery(self, attempts: &str) -> (i32, usize, Duration) {
        let work = Work::new();
        let bad = self.bad();
        let fails = bad.clone();
        let server = ScriptedServer::answering(move |issuer, _, seen| {
            let (stage, id) = stage_and_id(issuer, seen);
            if stage == self.stage && fails.contains(&id) {
                if stage == Stage::Exchange {
                    issuer.present(seen);
                }
                return self.fault.reply();
            }
            good(issuer, stage, seen, &id)
        });
        let rows = (0..COUNT).map(location).map(|id| match self.stage {
            Stage::Refresh => format!("{id},refresh-token-of-{id}\n"),
            _ => format!("{id},\n"),
        });
        let list = "location_id,refresh_token\n".to_owned() + &rows.collect::<String>();
        let via = if self.stage == Stage::Refresh { "refresh" } else { "reconnect" };
        let run = work.run(work.file("list.csv", list), &server.url()).rate("100/s");
        let run = run.args(["--via", via, "--timeout", "1s", "--max-outage", "30s"]);
        let ran = run.args(["--attempts", attempts]).go();
        let summary = ran.summary();
        let began: jiff::Timestamp = summary["started_at"].as_str().unwrap().parse().unwrap();
        let healthy: Vec<_> =
            ran.results().into_iter().filter(|row| !bad.contains(&row["id"])).collect();
        assert_eq!(healthy.len(), COUNT - bad.len());
        let pauses = ran.events("paused").len();
        if healthy.iter().any(|row| row["status"] != "recovered") {
            return (ran.code, pauses, Duration::MAX);
        }
        let ends = healthy.iter().map(|row| row["finished_at"].parse::<jiff::Timestamp>().unwrap());
        let latest = ends.max().unwrap().duration_since(began);
        (ran.code, pauses, Duration::try_from(latest).unwrap())
    }
}

impl Fault {
    fn reply(self) -> Reply {
        match self {
            Self::Status500 => Reply::Json(500, json!({ "message": "Internal server error" })),
            Self::Reset => Reply::Close,
            Self::Page502 => Reply::Whole(whole(502, &[], "<html>502 Bad Gateway</html>")),
            Self::Hang => {
                thread::sleep(Duration::from_mins(1));
                Reply::Close
            }
        }
    }
}

fn stage_and_id(issuer: &Issuer, seen: &Seen) -> (Stage, String) {
    if let Some(id) = seen.json_id() {
        return (Stage::Reconnect, id);
    }
    match seen.field("refresh_token") {
        Some(token) => (Stage::Refresh, token.trim_start_matches("refresh-token-of-").to_owned()),
        None => (Stage::Exchange, issuer.owner(&seen.field("code").unwrap()).unwrap()),
    }
}

fn good(issuer: &Issuer, stage: Stage, seen: &Seen, id: &str) -> Reply {
    match stage {
        Stage::Reconnect | Stage::Exchange => issuer.answer(seen),
        Stage::Refresh => Reply::Json(
            200,
            json!({
                "access_token": format!("access-{id}"), "refresh_token": format!("next-{id}"),
                "token_type": "Bearer", "expires_in": 86399, "userType": "Location",
                "locationId": id, "companyId": "Owner0000000000000000",
            }),
        ),
    }
}

/// Half as long again as a run without bad rows takes at 100 starts a second, and 15 seconds.
fn bound(stage: Stage) -> Duration {
    let calls = if stage == Stage::Refresh { COUNT } else { 2 * COUNT };
    Duration::from_millis(10).mul_f64(1.5 * calls as f64) + Duration::from_secs(15)
}

/// Takes cases side by side, and gives a line for each.
///
/// The lines of cases that take too long come by themselves.
fn table(cases: Vec<Case>, attempts: &str, side_by_side: usize) -> (String, String) {
    let late = Mutex::new(String::new());
    let (cases, lines) = (Mutex::new(cases.into_iter()), Mutex::new(String::new()));
    thread::scope(|scope| {
        for _ in 0..side_by_side {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().next() else { return };
                    let began = Instant::now();
                    let (exit, pauses, last) = case.last_recovery(attempts);
                    let lines = if last > bound(case.stage) { &late } else { &lines };
                    writeln!(
                        lines.lock().unwrap(),
                        "{case:?}: last healthy after {last:.1?}, exit {exit} after {:.1?}, {pauses} pauses",
                        began.elapsed()
                    )
                    .unwrap();
                }
            });
        }
    });
    (lines.into_inner().unwrap(), late.into_inner().unwrap())
}

#[test]
fn who_always_fails_holds_up_no_other() {
    use {Fault as F, Place as P, Stage as S};
    let cases = [
        (5, P::End, F::Status500, S::Reconnect),
        (20, P::Start, F::Reset, S::Reconnect),
        (33, P::Spread, F::Page502, S::Exchange),
        (33, P::Block, F::Status500, S::Refresh),
        (60, P::Spread, F::Status500, S::Reconnect),
        (20, P::Spread, F::Hang, S::Reconnect),
    ];
    let case = |(percent, place, fault, stage)| Case { percent, place, fault, stage };
    let (_, late) = table(cases.map(case).into(), "2", 6);
    assert_eq!(late, "");
}

/// `cargo test --test it -- --ignored --nocapture every_share`
#[test]
#[ignore = "takes minutes"]
#[allow(clippy::print_stdout)]
fn every_share_at_every_place_of_every_fault() {
    let mut cases = Vec::new();
    for percent in [0, 5, 20, 33, 60] {
        for place in [Place::Spread, Place::Start, Place::Block, Place::End] {
            for fault in [Fault::Status500, Fault::Reset, Fault::Page502, Fault::Hang] {
                for stage in [Stage::Reconnect, Stage::Exchange, Stage::Refresh] {
                    cases.push(Case { percent, place, fault, stage });
                }
            }
        }
    }
    let (lines, late) = table(cases, "5", 12);
    println!("{lines}");
    assert_eq!(late, "");
}
