//! The routes besides the Reconnect API, and tokens that prove themselves.

use std::time::Duration;

use ghl_reconnect::{
    installation::Scope,
    sandbox::{AccessLife, FaultPlan, Options, RefreshLife, Step, StoredPair, Via},
};
use serde_json::{Value, json};

use crate::support::{MockServer, Ran, Row, Work, company, location};

fn refresh_token(n: usize) -> String {
    format!("the-refresh-token-of-{n:06}")
}

fn access_token(n: usize) -> String {
    format!("the-access-token-of-{n:06}")
}

/// What a list has of a sub-account: its tokens, and how they live.
fn stored(n: usize, access: AccessLife, refresh: RefreshLife) -> StoredPair {
    let pair = StoredPair::new(Scope::Location, location(n));
    pair.access(access_token(n), access).refresh(refresh_token(n), refresh).company(company(1))
}

fn agency(n: usize) -> StoredPair {
    StoredPair::new(Scope::Company, company(n)).access(access_token(9000 + n), AccessLife::Alive)
}

fn server(stored: Vec<StoredPair>, faults: &Value) -> MockServer {
    let faults = FaultPlan::from_json(faults.to_string().as_bytes()).unwrap();
    MockServer::with(Options { stored, faults, ..Options::default() })
}

/// A list of sub-accounts with all that it may have of them.
fn list(rows: impl IntoIterator<Item = usize>) -> String {
    let header = "location_id,company_id,access_token,refresh_token\n".to_owned();
    rows.into_iter().fold(header, |csv, n| {
        let (access, refresh) = (access_token(n), refresh_token(n));
        csv + &format!("{},{},{access},{refresh}\n", location(n), company(1))
    })
}

fn row(ran: &Ran, n: usize) -> Row {
    ran.results().into_iter().find(|row| row["id"] == location(n)).unwrap()
}

fn agency_tokens(agencies: impl IntoIterator<Item = usize>) -> String {
    let line = |n| {
        let token = access_token(9000 + n);
        json!({ "userType": "Company", "companyId": company(n), "access_token": token }).to_string()
    };
    agencies.into_iter().map(|n| line(n) + "\n").collect()
}

#[track_caller]
fn assert_nothing_of_the_list(ran: &Ran) {
    for name in crate::support::entries(&ran.folder) {
        let text = ran.text(&name);
        for start in ["the-refresh-token-of-", "the-access-token-of-"] {
            assert!(!text.contains(start), "{name} has a token of the list");
        }
    }
}

#[test]
fn a_refresh_token_is_tried_first_and_a_dead_one_leads_to_the_reconnect() {
    use AccessLife::Dead as Gone;
    let pairs = vec![
        stored(1, Gone, RefreshLife::Good),
        stored(2, Gone, RefreshLife::Dead),
        stored(3, Gone, RefreshLife::Good),
        stored(4, Gone, RefreshLife::Good),
    ];
    let faults = json!({
        location(3): ["refresh:location_inactive*"],
        // Spent, and no answer: the same presentation again is safe.
        location(4): ["refresh:cut"],
    });
    let (work, server) = (Work::new(), server(pairs, &faults));
    let csv = list(1..=4) + &format!("{},{},,\n", location(5), company(1));
    let list = work.file("list.csv", csv);
    let run = work.run(&list, &server.url()).args(["--via", "refresh,reconnect"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    assert_nothing_of_the_list(&ran);
    for (n, status, via, reconnects) in [
        (1, "recovered", "refresh", 0),
        (2, "recovered", "reconnect", 1),
        (3, "failed", "refresh", 0),
        (4, "recovered", "refresh", 0),
        (5, "recovered", "reconnect", 1),
    ] {
        let row = row(&ran, n);
        assert_eq!((&*row["status"], &*row["via"]), (status, via), "{n}: {row:?}");
        assert_eq!(server.calls_for(&location(n))[0], reconnects, "reconnects of {n}");
    }
    let parked = &ran.failures()[0];
    let told = ["error_class", "stage", "retry"].map(|column| &*parked[column]);
    assert_eq!(told, ["location_inactive", "refresh", "later"]);
    let audit = server.audit();
    assert_eq!(audit.refreshes_of(&refresh_token(4)).len(), 2, "presented again");
    assert_eq!(audit.refresh_tokens_spent_twice_outside_grace(), [""; 0]);
    assert_eq!(ran.summary()["calls"]["refresh"], 5, "4 twice, 5 never");
}

#[test]
fn an_inactive_installation_keeps_its_token_for_the_next_execution() {
    let pairs = vec![stored(1, AccessLife::Dead, RefreshLife::Good)];
    let faults = json!({ location(1): ["refresh:location_inactive*"] });
    let (work, server) = (Work::new(), server(pairs, &faults));
    let list = work.file("list.csv", list(1..=1));
    work.run(&list, &server.url()).args(["--via", "refresh"]).go().expect(1);
    server.set_faults(&json!({}));
    let ran = work.resume(&server.url()).arg("--retry-failed").go().expect(0);
    ran.assert_sound(&server);
    assert_eq!(row(&ran, 1)["via"], "refresh");
}

#[test]
fn a_refresh_that_may_have_been_spent_is_repeated_only_while_that_is_safe() {
    // The fault lasts longer than the sandbox gives the same tokens again: what is repeated too late
    // would be a dead token, and what is not repeated leads to the reconnect.
    let pairs = vec![stored(1, AccessLife::Dead, RefreshLife::Good)];
    let faults = json!({ location(1): ["refresh:reset*"] });
    let (work, server) = (Work::new(), server(pairs, &faults));
    let list = work.file("list.csv", list(1..=1));
    let run = work.run(&list, &server.url());
    let ran = run.args(["--via", "refresh,reconnect", "--attempts", "3"]).go().expect(0);
    ran.assert_sound(&server);
    assert_eq!(row(&ran, 1)["via"], "reconnect");
    assert!(server.audit().requests_at(Step::Refresh).len() <= 3);
}

#[test]
fn an_agencys_token_gives_its_sub_accounts_theirs_while_the_endpoint_is_gone() {
    let faults = json!({
        "*": ["reconnect:endpoint_removed*"],
        location(3): ["agency:no_refresh_token"],
    });
    let (work, server) = (Work::new(), server(vec![agency(1)], &faults));
    let csv = (1..=20).fold("location_id,company_id\n".to_owned(), |csv, n| {
        let agency = if n > 15 { 2 } else { 1 };
        csv + &format!("{},{}\n", location(n), company(agency))
    });
    let csv = csv + &format!("{},\n", location(21));
    let (list, tokens) = (work.file("list.csv", csv), work.file("agencies", agency_tokens([1])));
    for n in 1..=15 {
        server.list_location(&location(n), &company(1));
    }
    let run = work.run(&list, &server.url()).args(["--via", "reconnect,agency"]);
    let ran = run.arg("--agency-tokens").arg(tokens).go().expect(1);
    ran.assert_sound(&server);
    assert!(server.audit().calls(Step::Reconnect) <= 2, "calls to an endpoint that is gone");
    assert_eq!(ran.count("recovered"), 15);
    assert!((1..=15).all(|n| row(&ran, n)["via"] == "agency"));
    assert_eq!(server.audit().granted_via(Via::Agency).len(), 15);
    let told = &row(&ran, 3)["message"];
    assert!(told.contains("without a refresh token"), "{told}");
    assert!(row(&ran, 4)["message"].is_empty());
    let stranger = &row(&ran, 16)["message"];
    assert!(
        stranger.contains(&format!("no agency token for company {}", company(2))),
        "{stranger}"
    );
    assert!(row(&ran, 21)["message"].contains("which agency"), "{:?}", row(&ran, 21));
    assert_nothing_of_the_list(&ran);
}

#[test]
fn agencies_of_the_list_open_the_agency_route_for_their_sub_accounts() {
    let options = Options { latency: Duration::from_millis(20), ..Options::default() };
    let (work, server) = (Work::new(), MockServer::with(options));
    let csv = (1..=12).fold("location_id,company_id\n".to_owned(), |csv, n| {
        server.list_location(&location(n), &company(1 + n % 3));
        csv + &format!("{},{}\n", location(n), company(1 + n % 3))
    });
    let csv = (1..=3).fold(csv, |csv, n| csv + &format!(",{}\n", company(n)));
    let list = work.file("list.csv", csv);
    let ran = work.run(&list, &server.url()).args(["--via", "agency,reconnect"]).go().expect(0);
    ran.assert_sound(&server);
    assert_eq!(server.audit().granted_via(Via::Agency).len(), 12);
    assert_eq!(server.audit().granted_via(Via::Reconnect).len(), 3);
}

#[test]
fn one_agencys_refused_token_stops_its_rows_once_and_no_other_agency() {
    for fault in ["user_type*", "token_dead*", "scope_missing*"] {
        let odd: serde_json::Map<_, _> =
            (1..=10).map(|n| (location(n), json!([format!("agency:{fault}")]))).collect();
        let (work, server) = (Work::new(), server(vec![agency(1), agency(2)], &odd.into()));
        let csv = (1..=20).fold("location_id,company_id\n".to_owned(), |csv, n| {
            let agency = if n > 10 { 2 } else { 1 };
            server.list_location(&location(n), &company(agency));
            csv + &format!("{},{}\n", location(n), company(agency))
        });
        let (list, tokens) = (work.file("list.csv", csv), work.file("ag", agency_tokens([1, 2])));
        let run = work.run(&list, &server.url()).args(["--via", "agency", "--concurrency", "1"]);
        let ran = run.arg("--agency-tokens").arg(tokens).go().expect(1);
        ran.assert_sound(&server);
        assert_eq!((ran.count("recovered"), ran.count("failed")), (10, 10), "{fault}");
        let asked = server.audit().requests_at(Step::Agency).len();
        assert_eq!(asked, 11, "{fault}: the bad token once");
        assert!(row(&ran, 5)["message"].contains(&company(1)), "{:?}", row(&ran, 5));
    }
}

#[test]
fn a_new_token_proves_itself_or_is_quarantined() {
    let faults = json!({
        location(1): ["verify:token_dead*"],
        location(2): ["verify:scope_missing*"],
        location(3): ["verify:unavailable*"],
    });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let csv = (1..=6).fold("location_id\n".to_owned(), |csv, n| csv + &location(n) + "\n");
    let list = work.file("list.csv", csv);
    let ran = work.run(&list, &server.url()).arg("--verify").go().expect(1);
    ran.assert_sound(&server);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (5, 1));
    let refused = row(&ran, 1);
    assert_eq!((&*refused["stage"], &*refused["status"]), ("verify", "failed"));
    let kept = ran.text("quarantine.jsonl");
    assert!(kept.contains(&location(1)) && kept.lines().count() == 1, "{kept}");
    assert!(row(&ran, 2)["message"].contains("lacks a scope"), "{:?}", row(&ran, 2));
    assert!(row(&ran, 3)["message"].contains("could not be tried"), "{:?}", row(&ran, 3));
    let tokens = &ran.summary()["tokens"];
    assert_eq!(["alive", "without_scope", "unclear"].map(|what| &tokens[what]), [3, 1, 1]);
    assert!(ran.stdout.contains("1 recovered, but --verify got no clear answer"), "{}", ran.stdout);
    let at: Vec<String> =
        server.audit().requests_at(Step::Verify).iter().map(|r| r.path.clone()).collect();
    assert!(at.contains(&format!("/locations/{}", location(5))), "{at:?}");
    server.set_faults(&json!({}));
    let again = work.resume(&server.url()).arg("--retry-failed").go().expect(0);
    again.assert_sound(&server);
    assert_eq!(again.tokens().len(), 6);
}

#[test]
fn installations_whose_old_token_is_good_are_left_alone() {
    let pairs = vec![
        stored(1, AccessLife::Alive, RefreshLife::Good),
        stored(2, AccessLife::Dead, RefreshLife::Good),
        stored(3, AccessLife::NoScope, RefreshLife::Good),
    ];
    let (work, server) = (Work::new(), server(pairs, &json!({})));
    let list = work.file("list.csv", list(1..=3));
    let ran = work.run(&list, &server.url()).arg("--skip-healthy").go().expect(0);
    ran.assert_sound(&server);
    assert_eq!((ran.count("skipped"), ran.count("recovered")), (2, 1));
    assert_eq!(server.audit().calls(Step::Reconnect), 1);
    assert_eq!(ran.summary()["calls"]["verify"], 3);
    assert!(ran.stdout.contains("2 skipped"), "{}", ran.stdout);
    assert_nothing_of_the_list(&ran);
}

#[test]
fn an_endpoint_that_is_gone_is_asked_once_however_many_are_in_flight() {
    let faults = json!({ "*": ["reconnect:endpoint_removed*"] });
    let faults = FaultPlan::from_json(faults.to_string().as_bytes()).unwrap();
    let stored = vec![stored(1, AccessLife::Dead, RefreshLife::Good)];
    let latency = Duration::from_millis(50);
    let server = MockServer::with(Options { stored, faults, latency, ..Options::default() });
    let work = Work::new();
    // The first is recovered by refresh, so that all others go at the same time.
    let csv = (2..=60).fold(list(1..=1), |csv, n| csv + &format!("{},,,\n", location(n)));
    let list = work.file("list.csv", csv);
    let run = work.run(list, &server.url()).args(["--via", "refresh,reconnect"]);
    let ran = run.args(["--concurrency", "50"]).go().expect(1);
    ran.assert_sound(&server);
    assert_eq!(server.audit().calls(Step::Reconnect), 1);
    assert_eq!((ran.count("recovered"), ran.count("failed")), (1, 59));
    assert!(ran.failures().iter().all(|row| row["error_class"] == "endpoint_removed"));
}

#[test]
fn a_refresh_token_of_two_rows_is_presented_for_one() {
    let pairs = vec![stored(1, AccessLife::Dead, RefreshLife::Good)];
    let (work, server) = (Work::new(), server(pairs, &json!({})));
    let csv = list(1..=1) + &format!("{},,,{}\n", location(2), refresh_token(1));
    let list = work.file("list.csv", csv);
    let run = work.run(list, &server.url()).args(["--via", "refresh"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    assert_eq!(server.audit().refreshes_of(&refresh_token(1)).len(), 1);
    let told = &row(&ran, 2)["message"];
    assert!(told.contains("row 1 of the list has the same refresh token"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_refresh_token_in_doubt_after_a_kill_is_not_presented_again() {
    use crate::support::{signal, start, wait_until};
    let pairs = vec![stored(1, AccessLife::Dead, RefreshLife::Good)];
    let (work, server) = (Work::new(), server(pairs, &json!({ "*": ["refresh:silence*"] })));
    let list = work.file("list.csv", list(1..=1));
    let run = work.run(list, &server.url()).args(["--via", "refresh,reconnect"]);
    let mut child = start(run.command());
    wait_until("the refresh", || server.requests() > 0);
    signal(&child, "-KILL");
    child.wait().unwrap();
    server.set_faults(&json!({}));
    let ran = work.resume(&server.url()).go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(row(&ran, 1)["via"], "reconnect");
    assert_eq!(server.audit().requests_at(Step::Refresh).len(), 1);
    let doubts = &ran.summary()["lost_grants"];
    assert_eq!((&doubts["count"], &doubts["first"][0]["via"]), (&json!(1), &json!("refresh")));
}

#[cfg(unix)]
#[test]
fn a_refresh_in_doubt_when_the_run_is_interrupted_is_a_lost_grant_and_not_presented_again() {
    use crate::support::{signal, start, wait_until};
    let pairs = vec![stored(1, AccessLife::Dead, RefreshLife::Good)];
    let (work, server) = (Work::new(), server(pairs, &json!({ "*": ["refresh:reset*"] })));
    let list = work.file("list.csv", list(1..=1));
    let run = work.run(list, &server.url()).args(["--via", "refresh,reconnect"]);
    let child = start(run.args(["--attempts", "100"]).command());
    wait_until("the refresh", || server.requests() > 0);
    signal(&child, "-INT");
    let ran = work.end(child).expect(130);
    assert_eq!(ran.summary()["lost_grants"]["count"], 1, "{}", ran.text("journal.jsonl"));
    let presented = server.audit().requests_at(Step::Refresh).len();
    server.set_faults(&json!({}));
    let ran = work.resume(&server.url()).go().expect(0);
    ran.assert_sound_after_kills(&server);
    assert_eq!(row(&ran, 1)["via"], "reconnect");
    assert_eq!(server.audit().requests_at(Step::Refresh).len(), presented);
}

#[test]
fn the_limits_of_one_location_hold_no_other() {
    let faults = json!({ location(3): ["verify:rate_limited(1)"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let csv = (1..=20).fold("location_id\n".to_owned(), |csv, n| csv + &location(n) + "\n");
    let list = work.file("list.csv", csv);
    let ran = work.run(&list, &server.url()).arg("--verify").go().expect(0);
    ran.assert_sound(&server);
    assert!(ran.events("held").is_empty(), "{}", ran.stderr);
    assert_eq!(ran.summary()["tokens"]["alive"], 20);
}
