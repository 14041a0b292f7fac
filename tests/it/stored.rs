//! What a list still has of its tokens: planned with, judged, and kept out of every file.

use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, MockServer, Ran, Work, company, entries, location};

const OTHER_APP: &str = "76c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

/// A token that says what it is for and to whom it was given.
fn token(class: &str, id: &str, client: &str) -> String {
    let claims = json!({ "authClass": class, "authClassId": id, "sourceId": client, "exp": 1 });
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn opaque(n: usize) -> String {
    format!("opaque-{n}-0123456789abcdef")
}

/// Encrypted as one table in ten has it.
fn encrypted(n: usize) -> String {
    format!("gAAAAABlZm9vYmFyYmF6cXV4Zm9v{n:08}")
}

fn assert_nothing_of(ran: &Ran, secrets: &[String]) {
    for name in entries(&ran.folder) {
        for secret in secrets {
            assert!(!ran.text(&name).contains(secret.as_str()), "{name} holds {secret}");
        }
    }
    for secret in secrets {
        assert!(!ran.stderr.contains(secret.as_str()) && !ran.stdout.contains(secret.as_str()));
    }
}

#[test]
fn no_token_of_a_list_stands_in_any_file() {
    let jwt = |n: usize| token("Location", &location(n), CLIENT_ID);
    let secrets: Vec<_> = (0..3)
        .flat_map(|n| [jwt(n), opaque(n), encrypted(n)])
        .chain(["hunter2-iv".into()])
        .collect();
    let csv = format!(
        "location_id,Access Token,refresh_token,refresh_token_encrypted,name\n\
         {},{},{},,Shop\n{},,{},{},Shop\n{},{},{},{},Shop\n?,{},{},,Shop\n",
        location(0),
        jwt(0),
        opaque(0),
        location(1),
        opaque(1),
        encrypted(1),
        location(2),
        encrypted(2),
        jwt(2),
        encrypted(0),
        jwt(1),
        opaque(2),
    );
    let json = json!([
        { "locationId": location(0), "access_token": jwt(0), "refresh_token": opaque(0) },
        { "locationId": location(1), "tokens": { "access_token": jwt(1), "refreshToken": opaque(1) } },
        { "name": "x", "data": { "access_token": jwt(2), "refresh_token": opaque(2) } },
        { "locationId": location(3), "refresh_token": { "iv": "hunter2-iv", "content": encrypted(0) } },
        { "locationId": "?", "token": jwt(1), "x": encrypted(1) },
    ]);
    let lists = [("list.csv", csv), ("list.json", json.to_string())];
    for secret in &secrets {
        assert!(lists.iter().any(|(_, list)| list.contains(secret)), "no list holds {secret}");
    }
    for (name, list) in lists {
        let work = Work::new();
        let server = MockServer::faulty(&json!({ location(0): ["reconnect:not_installed*"] }));
        let list = work.file(name, list);
        let args = ["--via", "refresh,reconnect", "-v"];
        let ran = work.run(&list, &server.url()).args(args).go().expect(1);
        assert!(ran.count("recovered") >= 2, "{name}: {}", ran.stderr);
        assert_nothing_of(&ran, &secrets);
        let again = work.resume(&server.url()).args(["--retry-failed", "-v"]).go();
        assert_nothing_of(&again, &secrets);
    }
}

/// Five sub-accounts of three agencies, two agencies, and what else a list may have.
fn mixed() -> String {
    let of = |n: usize| token("Location", &location(n), CLIENT_ID);
    [
        "location_id,company_id,access_token,refresh_token".to_owned(),
        format!("{},{},,{}", location(1), company(1), of(1)),
        format!("{},{},,{}", location(2), company(1), encrypted(2)),
        format!("{},{},,{}", location(3), company(2), encrypted(3)),
        format!("{},{},,****", location(4), company(3)),
        format!("{},{},,", location(5), company(3)),
        format!("{},,,{}", location(6), token("Location", &location(60), CLIENT_ID)),
        format!("{},,,{}", location(7), token("Location", &location(7), OTHER_APP)),
        format!(",{},,", company(1)),
        format!(",,{},", token("Company", &company(4), CLIENT_ID)),
        format!(",,,{}", of(10)),
    ]
    .join("\n")
}

#[test]
fn check_shows_each_route_with_what_it_serves_takes_and_lacks() {
    let work = Work::new();
    let list = work.file("list.csv", mixed());
    let check = |args: &[&str]| {
        let check = work.program(["check".as_ref(), list.as_os_str()]).credentials();
        check.args(args).go().expect(0).stdout
    };
    let told = check(&["--via", "refresh,agency,reconnect"]);
    for line in [
        "Other client   1 row",
        &format!("row 7 (line 8), {}: of {OTHER_APP} (another app)", location(7)),
        "Other id       1 row",
        &format!("row 6 (line 7), {}: the token is of {}", location(6), location(60)),
        "Id from token  2 rows",
        &format!("row 9 (line 10): company {}", company(4)),
        &format!("row 10 (line 11): location {}", location(10)),
        "Tokens         2 rows have encrypted tokens: not used",
        "Tokens         1 row has masks or placeholders instead of tokens: not used",
        "Via refresh    open to 2 installations, first for 2: 2 calls, 1s at least",
        "no refresh token: 8 rows",
        "Via agency     open to 2 installations, first for 1: 1 call, 0s at least",
        "no company id: 3 rows",
        &format!("no agency token for company {}: 2 rows", company(3)),
        &format!("no agency token for company {}: 1 row", company(2)),
        "tokens of an agency may come without a refresh token",
        "Via reconnect  open to 10 installations, first for 7: 14 calls, 2s at least",
        "Calls          17 at 10/s",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    assert_eq!(told.matches("encrypted").count(), 1, "{told}");
    let plan: Value = serde_json::from_str(&check(&["--via", "refresh,agency", "--json"])).unwrap();
    assert_eq!(plan["via"], "refresh,agency");
    assert_eq!(plan["without_way"], 7);
    assert_eq!(plan["calls"], 3);
    assert_eq!(plan["ways"][0]["missing"]["refresh_token"], 8);
    let missing = &plan["ways"][1]["missing"];
    assert_eq!((&missing["company_id"], &missing["agency_token"]), (&json!(3), &json!(3)));
    assert_eq!(missing["agencies"][0], json!({ "company_id": company(3), "rows": 2 }));
    assert_eq!(plan["encrypted_tokens"], 2);
    let told = check(&[]);
    for word in ["Via ", "encrypted", "No route"] {
        assert!(!told.contains(word), "{word}\n{told}");
    }
    assert!(check(&["--via", "agency"]).contains("No route       8 rows"));
    let wrong = work.program(["check".as_ref(), list.as_os_str()]).args(["--via", "refresh,hope"]);
    assert!(wrong.go().expect(2).stderr.contains("refresh, reconnect and agency"));
}

#[test]
fn agencies_come_first_where_their_tokens_serve() {
    let list = format!(
        "location_id,company_id\n{0},{2}\n{1},{2}\n,{2}\n",
        location(0),
        location(1),
        company(1)
    );
    for (via, first) in [("reconnect", location(0)), ("reconnect,agency", company(1))] {
        let (work, server) = (Work::new(), MockServer::good());
        let list = work.file("list.csv", &list);
        let ran = work.run(list, &server.url()).args(["--via", via, "--concurrency", "1"]).go();
        ran.expect(0).assert_sound(&server);
        assert_eq!(server.audit().requests[0].id, Some(first), "{via}");
    }
}

#[test]
fn a_resumed_run_keeps_its_routes_and_says_when_the_list_cannot_give_tokens() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["not_installed*"] })));
    let text = format!("location_id,refresh_token\n{},{}\n", location(1), opaque(1));
    let list = work.file("list.csv", &text);
    let via = ["--via", "refresh,reconnect"];
    let ran = work.run(&list, &server.url()).args(via).go().expect(1);
    assert_eq!(ran.events("started")[0]["settings"]["via"], "refresh,reconnect");
    let resume = || work.resume(&server.url()).args(["--retry-failed"]);
    let note = "its tokens are not at hand";
    for (change, noted) in [("", 0), ("changed", 1), ("gone", 1)] {
        match change {
            "changed" => fs::write(&list, format!("{text}\n{},x\n", location(2))).unwrap(),
            "gone" => fs::remove_file(&list).unwrap(),
            _ => {}
        }
        let ran = resume().go().expect(1);
        assert_eq!(ran.stderr.matches(note).count(), noted, "{change}: {}", ran.stderr);
        assert_eq!(ran.events("resumed").last().unwrap()["settings"]["via"], "refresh,reconnect");
        assert!(ran.stderr.contains("Via            refresh,reconnect"), "{}", ran.stderr);
    }
    let ran = resume().args(["--via", "reconnect"]).go().expect(1);
    assert!(!ran.stderr.contains(note), "{}", ran.stderr);
    assert_eq!(ran.events("resumed").last().unwrap()["settings"]["via"], "reconnect");
    ran.assert_sound(&server);
}
