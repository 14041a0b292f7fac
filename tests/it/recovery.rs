//! Every installation gets its token pair, and one call of each kind is all that it takes.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::support::{CLIENT_ID, MockServer, Ran, ScriptedServer, Work, company, location};

/// Every tenth installation is an agency's.
fn mixed_list(count: usize) -> String {
    (0..count).fold("location_id,company_id,name\n".to_owned(), |csv, n| {
        let cells = if n % 10 == 9 {
            format!(",{},Agency {n}\n", company(n))
        } else {
            format!("{},{},Shop {n}\n", location(n), company(0))
        };
        csv + &cells
    })
}

fn assert_all_recovered(ran: &Ran, count: usize) {
    let results = ran.results();
    assert_eq!(results.len(), count);
    let ids: BTreeSet<_> = results.iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids.len(), count);
    for row in &results {
        assert_eq!(row["status"], "recovered");
        assert_eq!(row["via"], "reconnect");
        assert_eq!(row["attempts"], "1");
        assert_eq!(row["http_status"], "200");
        for empty in ["stage", "error_class", "message"] {
            assert_eq!(row[empty], "", "{empty}");
        }
    }
    assert_eq!(ran.tokens().len(), count);
    assert_eq!(ran.failures().len(), 0);
}

#[test]
fn three_hundred_installations_of_both_kinds_recover_at_the_sandbox() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", mixed_list(300));
    let ran = work.run(list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    assert_all_recovered(&ran, 300);
    let audit = server.audit();
    assert_eq!(audit.requests.len(), 600);
    for row in ran.results() {
        let seen = audit.requests_for(&row["id"]);
        let paths: Vec<_> = seen.iter().map(|request| request.path.as_str()).collect();
        assert_eq!(paths, ["/oauth/reconnect", "/oauth/token"], "{}", row["id"]);
    }
}

#[test]
fn three_hundred_installations_of_both_kinds_recover_at_a_scripted_server() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let list = work.file("list.csv", mixed_list(300));
    let ran = work.run(list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    assert_all_recovered(&ran, 300);
    let seen = server.seen();
    assert_eq!(seen.iter().filter(|request| request.is_reconnect()).count(), 300);
    assert_eq!(seen.len(), 600);
    for row in ran.results() {
        assert!(row["reconnect_trace_id"].starts_with("trace-code-"), "{row:?}");
        assert!(row["token_trace_id"].starts_with("trace-token-"), "{row:?}");
    }
}

#[test]
fn a_line_of_tokens_is_a_session_document_of_the_official_sdk() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let list = work
        .file("list.csv", format!("location_id,company_id\n{},\n,{}\n", location(1), company(2)));
    let before = Timestamp::now().as_millisecond();
    let ran = work.run(list, &server.url()).go().expect(0);
    let after = Timestamp::now().as_millisecond();
    ran.assert_sound(&server);
    let documents = ran.tokens();
    let find = |kind: &str| documents.iter().find(|document| document["userType"] == kind).unwrap();
    for (kind, id) in [("Location", location(1)), ("Company", company(2))] {
        let document = find(kind);
        assert_eq!(document["applicationId"], CLIENT_ID.split_once('-').unwrap().0);
        assert_eq!(document["resourceId"], id);
        assert_eq!(document["token_type"], "Bearer");
        assert_eq!(document["expires_in"], 86399);
        assert_eq!(document["scope"], "contacts.readonly");
        assert_eq!(document["userId"], "u1");
        assert_eq!(document["planId"], "p1", "fields that nobody knows are kept");
        assert_eq!(document["refreshTokenId"], "r1");
        let expire_at = document["expire_at"].as_i64().unwrap() - 86_399_000;
        assert!((before..=after).contains(&expire_at), "{before} <= {expire_at} <= {after}");
    }
    assert_eq!(find("Location")["locationId"], location(1));
    assert!(find("Location")["companyId"].is_string());
    assert_eq!(find("Company")["companyId"], company(2));
    assert!(find("Company").get("locationId").is_none());
    for row in ran.results() {
        let at: Timestamp = row["token_expires_at"].parse().unwrap();
        let kind = if row["scope"] == "location" { "Location" } else { "Company" };
        assert_eq!(find(kind)["expire_at"], at.as_millisecond());
    }
}

#[test]
fn trace_ids_and_times_of_a_success_are_in_the_results() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", format!("location_id\n{}\n", location(1)));
    let ran = work.run(list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    let row = ran.result(&location(1));
    let [reconnect, token] = [&row["reconnect_trace_id"], &row["token_trace_id"]];
    assert_eq!((reconnect.len(), token.len()), (36, 36), "UUIDs: {reconnect} {token}");
    assert_ne!(reconnect, token);
    let [started, finished]: [Timestamp; 2] =
        ["started_at", "finished_at"].map(|column| row[column].parse().unwrap());
    assert!(started <= finished);
    let [age, margin]: [u64; 2] =
        ["code_age_ms", "code_margin_ms"].map(|column| row[column].parse().unwrap());
    assert!(age < 30_000, "{age}");
    assert!((1..=60_000).contains(&margin), "{margin}");
}
