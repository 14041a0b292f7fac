//! What is said of an installation to which no route led, and what concerns one row alone.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    NoServer, Reply, ScriptedServer, Seen, Work, company, location, locations, side_by_side, whole,
};

fn refresh_token(n: usize) -> String {
    format!("the-refresh-token-of-{n:06}")
}

/// Sub-accounts of one agency, each with a refresh token.
fn with_refresh_tokens(count: usize) -> String {
    (0..count).fold("location_id,company_id,refresh_token\n".to_owned(), |csv, n| {
        csv + &format!("{},{},{}\n", location(n), company(1), refresh_token(n))
    })
}

fn refusal(message: &str) -> Reply {
    Reply::Json(400, json!({ "statusCode": 400, "message": message }))
}

fn is_refresh(seen: &Seen) -> bool {
    seen.field("grant_type").as_deref() == Some("refresh_token")
}

#[test]
fn a_dead_refresh_token_is_not_the_cause_where_the_next_route_is_gone() {
    let gone = ScriptedServer::answering(|_, _, seen| {
        if seen.is_reconnect() {
            refusal("API endpoint has been removed")
        } else {
            refusal("Invalid grant: refresh token is invalid")
        }
    });
    let work = Work::new();
    let list = work.file("list.csv", with_refresh_tokens(12));
    let ran = work.run(list, &gone.url()).args(["--via", "refresh,reconnect"]).go();
    ran.assert_sound(&NoServer);
    for row in ran.failures().iter().filter(|row| !row["error_class"].is_empty()) {
        let told = ["error_class", "stage", "retry"].map(|column| &*row[column]);
        assert_eq!(told, ["endpoint_removed", "reconnect", "needs-support"], "{row:?}");
        assert!(row["message"].contains("endpoint has been removed"), "{row:?}");
        assert!(row["message"].contains("refresh token is invalid"), "beside it: {row:?}");
    }
    assert_eq!(ran.count("failed"), 12);
    let refreshes = gone.seen().iter().filter(|seen| is_refresh(seen)).count();
    assert_eq!(ran.summary()["calls"]["refresh"], refreshes, "each refusal is in the journal");
    assert_eq!(ran.summary()["lost_grants"]["count"], 0, "a refused token granted nothing");
}

#[test]
fn a_dead_refresh_token_counts_less_than_an_agency_token_that_is_missing() {
    let dead =
        ScriptedServer::answering(|_, _, _| refusal("Invalid grant: refresh token is invalid"));
    let work = Work::new();
    let list = work.file("list.csv", with_refresh_tokens(3));
    let ran = work.run(list, &dead.url()).args(["--via", "refresh,agency"]).go().expect(1);
    ran.assert_sound(&NoServer);
    for row in ran.failures() {
        assert_eq!(row["retry"], "fix-input", "an agency's token mends it: {row:?}");
        assert!(row["message"].contains("no agency token"), "{row:?}");
        assert!(row["message"].contains("refresh token is invalid"), "{row:?}");
    }
}

#[test]
fn a_revoked_refresh_token_is_the_rows_own() {
    let revoked = |n: usize| n == 0;
    let highlevel = ScriptedServer::answering(move |issuer, _, seen| {
        let number = (0..8).find(|n| seen.field("refresh_token") == Some(refresh_token(*n)));
        match number {
            Some(n) if revoked(n) => Reply::Json(
                401,
                json!({ "error": "UnAuthorized!", "error_description": "Refresh token has been revoked" }),
            ),
            Some(_) => refusal("Invalid grant: refresh token is invalid"),
            None => issuer.answer(seen),
        }
    });
    let work = Work::new();
    let list = work.file("list.csv", with_refresh_tokens(8));
    let alone = work.run_into("alone", &list, &highlevel.url()).args(["--limit", "1"]);
    let alone = alone.args(["--via", "refresh"]).go().expect(1);
    let row = &alone.failures()[0];
    assert_eq!((&*row["error_class"], &*row["stage"]), ("grant_refused", "refresh"), "{row:?}");
    let run = work.run(&list, &highlevel.url()).args(["--via", "refresh,reconnect"]);
    let ran = run.go().expect(0);
    ran.assert_sound(&highlevel);
}

#[test]
fn one_bad_line_of_agency_tokens_costs_one_agency_and_is_named() {
    let highlevel = ScriptedServer::answering(|_, _, seen| {
        let id = seen.field("locationId").expect("nothing but location tokens is asked for");
        let company = seen.field("companyId").unwrap();
        Reply::Json(
            201,
            json!({ "access_token": format!("access-of-{id}"), "locationId": id, "companyId": company }),
        )
    });
    let work = Work::new();
    let csv = format!(
        "location_id,company_id\n{},{}\n{},{}\n",
        location(1),
        company(1),
        location(2),
        company(2)
    );
    let list = work.file("list.csv", csv);
    let good = json!({ "companyId": company(1), "access_token": "agency-token-of-the-first" });
    let bad = format!("{{\"companyId\": \"{}\", \"access_token\": \"hunter2-", company(2));
    let tokens = work.file("agencies.jsonl", format!("{bad}\n{good}\n"));
    let run = work.run(list, &highlevel.url()).args(["--via", "agency", "--agency-tokens"]);
    let ran = run.arg(tokens).go().expect(1);
    assert_eq!(ran.result(&location(1))["status"], "recovered");
    assert_eq!(ran.result(&location(2))["status"], "failed");
    assert!(ran.stderr.contains("agencies.jsonl, line 1"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

/// A mock whose token checks are refused with this `Retry-After` until the test has set its mark.
/// Keeps when each of them came.
fn strict(retry_after: &'static str, checks: Arc<Mutex<Vec<Instant>>>) -> ScriptedServer {
    ScriptedServer::answering(move |issuer, _, seen| {
        if seen.method != "GET" {
            return issuer.answer(seen);
        }
        checks.lock().unwrap().push(Instant::now());
        if issuer.is_marked() {
            return Reply::Json(200, json!({ "location": {} }));
        }
        let body = json!({ "message": "Too Many Requests" }).to_string();
        Reply::Whole(whole(429, &[("Retry-After", retry_after)], &body))
    })
}

#[cfg(unix)]
#[test]
fn a_drain_obeys_the_wait_that_a_token_check_is_asked_for() {
    use crate::support::{signal, start, wait_until};
    side_by_side(&[("1", 1, "alive"), ("40", 0, "unclear")], |(retry_after, least, verdict)| {
        let checks = Arc::new(Mutex::new(Vec::new()));
        let (work, highlevel) = (Work::new(), strict(retry_after, checks.clone()));
        let list = work.file("list.csv", locations(1));
        let child = start(work.run(list, &highlevel.url()).arg("--verify").command());
        wait_until("a token check", || !checks.lock().unwrap().is_empty());
        signal(&child, "-INT");
        highlevel.mark();
        let ran = work.end(child);
        ran.assert_sound(&highlevel);
        assert_eq!(ran.count("recovered"), 1);
        let came = checks.lock().unwrap().clone();
        let gaps = came.windows(2).map(|two| two[1] - two[0]);
        let asked = Duration::from_millis(least * 1000 + 900 - 900 * least);
        assert!(gaps.clone().all(|gap| gap >= asked), "{:?}", gaps.collect::<Vec<_>>());
        assert_eq!(ran.summary()["tokens"][verdict], 1, "{}", ran.text("journal.jsonl"));
        assert_eq!(ran.summary()["calls"]["verify"], came.len(), "each check is booked once");
    });
}
