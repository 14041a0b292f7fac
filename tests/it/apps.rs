//! Several apps in one list: an app each with its own credentials, canary, books and halt.

use std::{collections::BTreeSet, fs};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    schemas,
    support::{
        CLIENT_ID, CLIENT_SECRET, MockServer, Ran, Reply, Run, ScriptedServer, Seen, Work, location,
    },
};

const CRM: &str = "0123456789abcdef01234567-m1zzzzzz";
const CRM_SECRET: &str = "11111111-6f5e-4a8e-9f3e-1c2b3a4d5e6f";
const SHOP: &str = "fedcba9876543210fedcba98-m1yyyyyy";
const SHOP_SECRET: &str = "22222222-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

/// Two apps; the secret of one is in a variable, that of the other in a file beside.
fn apps(work: &Work) -> std::path::PathBuf {
    work.file("shop.secret", SHOP_SECRET.to_owned() + "\n");
    work.file(
        "apps.toml",
        format!(
            "[crm]\nclient_id = '{CRM}'\nclient_secret_env = 'CRM_SECRET'\n\
             redirect_uri = 'https://crm.example/callback'\n\
             [shop]\nclient_id = '{SHOP}'\nclient_secret_file = 'shop.secret'\n"
        ),
    )
}

fn with_apps(run: Run, work: &Work) -> Run {
    run.arg("--apps").arg(apps(work)).env("CRM_SECRET", CRM_SECRET)
}

/// Rows as pairs of a location's number and an app.
fn list(work: &Work, rows: &[(usize, &str)]) -> std::path::PathBuf {
    let lines: Vec<_> = rows.iter().map(|(n, app)| format!("{},{app}\n", location(*n))).collect();
    work.file("list.csv", format!("location_id,app\n{}", lines.concat()))
}

/// A mock server that knows the pairs of all three apps, and refuses those of the one that is named
/// until the test sets its mark.
fn refusing(refused: &'static str) -> ScriptedServer {
    ScriptedServer::answering(move |issuer, _, seen| {
        let (client, secret) = pair_of(seen);
        let known = [(CRM, CRM_SECRET), (SHOP, SHOP_SECRET), (CLIENT_ID, CLIENT_SECRET)];
        let is_good = known.contains(&(client.as_str(), secret.as_str()));
        if !is_good || (client == refused && !issuer.is_marked()) {
            let body = json!({
                "error": "UnAuthorized!", "error_description": "Invalid client credentials!",
            });
            return Reply::Json(401, body);
        }
        issuer.answer(seen)
    })
}

fn pair_of(seen: &Seen) -> (String, String) {
    if seen.is_reconnect() {
        let body = seen.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        return (text("clientKey"), text("clientSecret"));
    }
    (seen.field("client_id").unwrap(), seen.field("client_secret").unwrap())
}

/// Reconnects and exchanges that came in the name of a client.
fn calls_of(server: &ScriptedServer, client: &str) -> usize {
    server.seen().iter().filter(|seen| pair_of(seen).0 == client).count()
}

/// Application and location of every token pair on disk.
fn on_disk(ran: &Ran) -> BTreeSet<(String, String)> {
    let text = |document: &Value, name: &str| document[name].as_str().unwrap().to_owned();
    let pairs = ran.tokens();
    pairs.iter().map(|pair| (text(pair, "applicationId"), text(pair, "resourceId"))).collect()
}

fn pairs(expected: &[(&str, usize)]) -> BTreeSet<(String, String)> {
    let pair = |(client, n): &(&str, usize)| (client[..24].to_owned(), location(*n));
    expected.iter().map(pair).collect()
}

#[track_caller]
fn assert_no_secret_anywhere(ran: &Ran) {
    schemas::assert_follows(ran);
    for secret in [CRM_SECRET, SHOP_SECRET, CLIENT_SECRET] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
        for entry in fs::read_dir(&ran.folder).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!is_there, "{}", path.display());
        }
    }
}

#[test]
fn a_refused_client_stops_the_rows_of_its_app_only_and_resume_takes_them_up() {
    let work = Work::new();
    let server = refusing(CRM);
    let rows = [(0, "crm"), (1, "shop"), (2, "crm"), (3, ""), (4, "shop"), (5, "crm")];
    let ran = with_apps(work.run(list(&work, &rows), &server.url()), &work).go().expect(1);
    assert_eq!(calls_of(&server, CRM), 1, "the canary of the refused app, and nothing else");
    assert_eq!(on_disk(&ran), pairs(&[(SHOP, 1), (SHOP, 4), (CLIENT_ID, 3)]));
    let summary = ran.summary();
    let (crm, shop) = (&summary["apps"]["crm"], &summary["apps"]["shop"]);
    let books = |recovered: u32, failed: u32, not_attempted: u32| {
        json!({
            "recovered": recovered, "skipped": 0, "failed": failed, "not_attempted": not_attempted,
        })
    };
    assert_eq!((&crm["client_id"], &crm["books"]), (&json!(CRM), &books(0, 1, 2)));
    assert_eq!((&shop["client_id"], &shop["books"]), (&json!(SHOP), &books(2, 0, 0)));
    assert_eq!(summary["apps"]["default"]["books"], books(1, 0, 0));
    assert_eq!(crm["halted"]["class"], "client_refused");
    assert_eq!(
        (&summary["state"], &summary["halted"], &shop["halted"]),
        (&json!("complete"), &Value::Null, &Value::Null)
    );
    assert!(ran.stdout.contains("HALTED: app crm: "), "{}", ran.stdout);
    let left: Vec<_> = ran.failures().into_iter().map(|row| (row["app"].clone(), row)).collect();
    assert!(left.iter().all(|(app, _)| app == "crm"), "{left:?}");
    assert_eq!(left[1].1["retry"], "fix-credentials");
    assert!(left[1].1["message"].contains("halted for app crm"), "{left:?}");
    let next = ran.stdout.lines().find(|line| line.starts_with("Next")).unwrap();
    assert!(next.ends_with(&format!(" resume {}", ran.folder.display())), "{next}");
    let redirects = |client: &str| {
        let exchanges = server.seen().into_iter().filter(|seen| !seen.is_reconnect());
        let own = exchanges.filter(|seen| pair_of(seen).0 == client);
        own.filter_map(|seen| seen.field("redirect_uri")).collect::<BTreeSet<_>>()
    };
    assert_eq!(redirects(SHOP), BTreeSet::new());

    let alone = work.resume(&server.url()).go().expect(2);
    assert!(alone.stderr.contains("[crm]: the variable"), "{}", alone.stderr);
    let other = fs::read_to_string(apps(&work)).unwrap().replace(CRM, &CRM.replace("m1", "m2"));
    let other = work.file("other.toml", other);
    let changed = work.resume(&server.url()).arg("--apps").arg(other);
    let changed = changed.env("CRM_SECRET", CRM_SECRET).go().expect(2);
    assert!(changed.stderr.contains("app crm of this run has client id"), "{}", changed.stderr);

    server.mark();
    let before = server.seen().len();
    let resume = with_apps(work.resume(&server.url()).without_credentials(), &work);
    let ran = resume.arg("--retry-failed").go().expect(0);
    let later = server.seen().split_off(before);
    assert!(later.iter().all(|seen| pair_of(seen).0 == CRM), "{later:?}");
    assert_eq!(later.len(), 6);
    assert_eq!(redirects(CRM).len(), 1);
    let all = [(CRM, 0), (SHOP, 1), (CRM, 2), (CLIENT_ID, 3), (SHOP, 4), (CRM, 5)];
    assert_eq!(on_disk(&ran), pairs(&all));
    assert_no_secret_anywhere(&ran);
}

#[test]
fn a_run_all_of_whose_apps_are_halted_is_halted() {
    let work = Work::new();
    let server = ScriptedServer::answering(|_, _, _| {
        Reply::Json(401, json!({ "error_description": "Invalid client credentials!" }))
    });
    let rows = [(0, "crm"), (1, "shop"), (2, "crm")];
    let ran = with_apps(work.run(list(&work, &rows), &server.url()), &work).go().expect(3);
    assert_eq!(server.seen().len(), 2, "a canary each");
    assert_eq!(ran.summary()["state"], "halted");
    assert_eq!(ran.events("halted").len(), 2);
    assert_no_secret_anywhere(&ran);
}

#[test]
fn a_location_under_two_apps_is_two_installations_and_each_is_told_apart_on_disk() {
    let work = Work::new();
    let server = refusing("nobody");
    let rows = [(0, "crm"), (0, "shop"), (1, "crm"), (0, "crm"), (1, "toys")];
    let list = list(&work, &rows);
    let ran = with_apps(work.run(&list, &server.url()), &work).go().expect(1);
    assert_eq!(on_disk(&ran), pairs(&[(CRM, 0), (SHOP, 0), (CRM, 1)]));
    assert_eq!(ran.events("duplicate").len(), 1);
    let rejected = ran.rejected();
    assert_eq!((rejected[0]["line"].as_str(), rejected[0]["column"].as_str()), ("6", "app"));
    assert!(rejected[0]["reason"].contains("crm, shop"), "{rejected:?}");

    // The tokens of one of the two are gone: it alone is asked for anew.
    let kept: Vec<_> = ran.text("tokens.jsonl").lines().map(str::to_owned).collect();
    let is_gone = |line: &&String| line.contains(&SHOP[..24]);
    let kept = kept.iter().filter(|line| !is_gone(line)).map(|line| line.clone() + "\n");
    fs::write(ran.file("tokens.jsonl"), kept.collect::<String>()).unwrap();
    let before = server.seen().len();
    let ran = with_apps(work.resume(&server.url()), &work).go().expect(1);
    let later = server.seen().split_off(before);
    assert!(later.iter().all(|seen| pair_of(seen).0 == SHOP), "{later:?}");
    assert_eq!(later.len(), 2);
    assert_eq!(on_disk(&ran), pairs(&[(CRM, 0), (SHOP, 0), (CRM, 1)]));
    assert_no_secret_anywhere(&ran);
}

#[test]
fn the_plan_tells_the_apps_and_what_cannot_be_used_is_told_before_anything_is_sent() {
    let work = Work::new();
    let list = list(&work, &[(0, "crm"), (1, "shop"), (2, ""), (3, "crm")]);
    let check = |args: Vec<std::ffi::OsString>| work.program(["check"]).arg(&list).args(args);
    let file = apps(&work);
    let plan = check(vec!["--apps".into(), file.clone().into()]).go().expect(1);
    let line = |text: &str| plan.stdout.lines().any(|line| line.contains(text));
    assert!(line("crm: 2 installations") && line("shop: 1 installation"), "{}", plan.stdout);
    assert!(line("row 3 (line 4), app: no app"), "{}", plan.stdout);
    let json = check(vec!["--apps".into(), file.into(), "--json".into()]).credentials().go();
    let json: Value = serde_json::from_str(&json.expect(0).stdout).unwrap();
    assert_eq!(json["apps"]["crm"], json!({ "client_id": CRM, "installations": 2 }));
    assert_eq!(json["apps"]["default"]["client_id"], CLIENT_ID);

    let run = work.run(&list, "http://127.0.0.1:1");
    let ran = run.arg("--apps").arg(apps(&work)).go().expect(2);
    assert!(ran.stderr.contains("[crm]: the variable that"), "{}", ran.stderr);
    let text = format!("[crm]\nclient_id = '{CRM}'\nclient_secret = '{CRM_SECRET}'\n");
    let inline = work.file("inline.toml", text);
    let ran = work.run(&list, "http://127.0.0.1:1").arg("--apps").arg(inline).go().expect(2);
    assert!(ran.stderr.contains("must not stand in this file"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(CRM_SECRET));
    assert!(!work.path("run").exists());
}

#[test]
fn without_apps_the_column_is_carried_like_any_other() {
    let work = Work::new();
    let list = list(&work, &[(0, "crm"), (0, "shop"), (1, "")]);
    let faults = json!({ location(0): ["unknown_id*"] });
    let server = MockServer::faulty(&faults);
    let ran = work.run(list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    assert_eq!(ran.failures()[0]["app"], "crm");
    assert_eq!(ran.events("duplicate").len(), 1);
    assert_eq!(ran.summary().get("apps"), None);
    assert_eq!(ran.events("listed")[0].get("app"), None);
}

#[test]
fn several_apps_can_be_rehearsed_and_the_pace_holds_over_all_of_them() {
    let work = Work::new();
    let list = list(&work, &[(0, "crm"), (0, "shop"), (1, ""), (2, "crm")]);
    let run = work.rehearse(&list).rate("5/s").arg("--apps").arg(apps(&work));
    let ran = run.go().expect(0);
    let summary = ran.summary();
    assert_eq!(summary["apps"].as_object().unwrap().len(), 3);
    assert_eq!(summary["books"]["recovered"], 4);
    assert!(summary["rate"]["busiest_window"]["starts"].as_u64().unwrap() <= 5, "{summary:#}");
}

#[test]
fn refresh_tokens_of_the_list_are_presented_by_the_app_that_they_were_given_to() {
    let work = Work::new();
    let server = ScriptedServer::answering(|_, number, seen| {
        let claims = claims_of(&seen.field("refresh_token").expect("a refresh token"));
        assert_eq!(claims["sourceId"], pair_of(seen).0);
        let pair = [format!("access-{number:024}"), format!("refresh-{number:024}")];
        Reply::Json(
            200,
            json!({
                "access_token": pair[0], "refresh_token": pair[1], "token_type": "Bearer",
                "expires_in": 86399, "userType": "Location", "locationId": claims["authClassId"],
            }),
        )
    });
    let token = |n: usize, client: &str| {
        let claims =
            json!({ "authClass": "Location", "authClassId": location(n), "sourceId": client });
        format!("eyJhbGciOiJIUzI1NiJ9.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let lines = [(0, "crm", CRM), (0, "shop", SHOP), (1, "", CLIENT_ID)];
    let lines =
        lines.map(|(n, app, client)| format!("{},{app},{}\n", location(n), token(n, client)));
    let list =
        work.file("list.csv", "location_id,app,refresh_token\n".to_owned() + &lines.concat());
    let run = work.run(list, &server.url()).args(["--via", "refresh"]);
    let ran = with_apps(run, &work).go().expect(0);
    assert_eq!(server.seen().len(), 3);
    assert!(!ran.stderr.contains("Other client"), "{}", ran.stderr);
    assert_eq!(on_disk(&ran), pairs(&[(CRM, 0), (SHOP, 0), (CLIENT_ID, 1)]));
    assert_no_secret_anywhere(&ran);
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}
