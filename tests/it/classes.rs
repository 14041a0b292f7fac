//! The table of classes: the user's own rows, the row to paste, what is explained, and the docs.

use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::ValueEnum;
use ghl_reconnect::failure::Class;
use serde_json::json;

use crate::support::{
    CLIENT_ID, MockServer, NoServer, Reply, ScriptedServer, Work, location, locations,
};

#[test]
fn an_answer_that_nothing_knows_is_shown_once_with_the_row_that_teaches_it() {
    let odd = |who: &str| format!("http(409,Sorry: \"{who}\" is on hold)*");
    let faults = json!({
        location(1): [odd("ve9EPM428h8vShlRW1KT")],
        location(2): [odd("tDtDnQdgmRLXpyiqYvZo")],
        location(3): [format!("exchange:{}", odd("ve9EPM428h8vShlRW1KT"))],
    });
    let (work, mut server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(5));
    let ran = work.run(&list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    assert_eq!(server.calls_for(&location(3)), [1, 1], "never tried again at the exchange");
    let said = &ran.stderr;
    assert_eq!(said.matches("UNRECOGNISED").count(), 2, "one for each step: {said}");
    assert!(said.contains("message = \"sorry is on hold\""), "{said}");
    let rows = said.split("[[answer]]").skip(1).map(|after| {
        let row = after.split("\n\n").next().unwrap();
        format!("[[answer]]{}\n", row.replace("\"unrecognised\"", "\"location_inactive\""))
    });
    let known = work.file("known.toml", rows.collect::<String>());
    server.next_run();
    let run = work.run_into("again", &list, &server.url()).arg("--known-messages").arg(&known);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    assert!(!ran.stderr.contains("UNRECOGNISED"), "{}", ran.stderr);
    for n in 1..=3 {
        assert_eq!(ran.result(&location(n))["error_class"], "location_inactive");
    }
    assert!(ran.failures().iter().all(|row| row["retry"] == "later"));
    assert!(ran.stdout.contains("--known-messages"), "the next command: {}", ran.stdout);
}

#[test]
fn a_mistake_in_known_messages_is_named_with_file_and_line_and_nothing_is_sent() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    let text = "# mine\n[[answer]]\nstatus = 400\nclass = \"no_such\"\n";
    let known = work.file("known.toml", text);
    for command in ["run", "check"] {
        let run = work.program([command.as_ref(), list.as_os_str()]).credentials();
        let run = run.args(["--base-url", &server.url()]).arg("--known-messages").arg(&known);
        let ran = run.go().expect(2);
        for part in ["--known-messages", "known.toml", "line 4", "no_such", "location_inactive"] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
    }
    let run = work.run(&list, &server.url()).args(["--known-messages", "nowhere.toml"]);
    assert!(run.go().expect(2).stderr.contains("nowhere.toml"));
    assert_eq!(server.requests(), 0);
}

#[test]
fn every_class_is_explained_as_the_docs_have_it() {
    let work = Work::new();
    let read =
        |name: &str| fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let listed = work.program(["explain"]).go().expect(0).stdout;
    let table = work.program(["classes"]).go().expect(0).stdout;
    let write = "write it with: ghl-reconnect classes > src/highlevel/classes.txt";
    assert_eq!(read("src/highlevel/classes.txt").replace('\r', ""), table, "{write}");
    for class in Class::value_variants() {
        let about = class.about();
        assert!(listed.contains(class.name()), "{class}: {listed}");
        let said = work.program(["explain", class.name()]).go().expect(0).stdout;
        for part in [about.retry.name(), about.reach.name(), "What to do", "How recognised"] {
            assert!(said.contains(part), "{class}: {said}");
        }
    }
    let wrong = work.program(["explain", "nonsense"]).go().expect(2);
    assert!(wrong.stderr.contains("endpoint_removed"), "{}", wrong.stderr);
}

/// A list of which some rows have a stored token of a client.
fn list_with_tokens(of: &[(usize, &str)]) -> String {
    let mut csv = "location_id,access_token\n".to_owned();
    let mut n = 0;
    for (count, client) in of {
        for _ in 0..*count {
            let claims = json!({ "authClass": "Location", "sourceId": client });
            let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
            csv.extend([&location(n), ",eyJhbGciOiJSUzI1NiJ9.", &claims, ".c2lnbmF0dXJl\n"]);
            n += 1;
        }
    }
    csv
}

#[test]
fn a_refused_client_is_told_with_the_likeliest_of_its_four_causes() {
    let sister = "66c1a6f5e4b0a1b2c3d4e5f6-kx3v9a1b";
    let stranger = "0123456789abcdef01234567-m1zzzzzz";
    for (tokens, plan, says) in [
        (vec![(4, CLIENT_ID)], "4 of this client id", "Likely 1:"),
        (
            vec![(1, CLIENT_ID), (3, sister)],
            "3 of 66c1a6f5e4b0a1b2c3d4e5f6-kx3v9a1b (another key pair of this app)",
            "Likely 3:",
        ),
        (vec![(3, stranger)], "3 of 0123456789abcdef01234567-m1zzzzzz (another app)", "Likely 2:"),
    ] {
        let (work, server) =
            (Work::new(), MockServer::faulty(&json!({ "*": ["client_refused*"] })));
        let list = work.file("list.csv", list_with_tokens(&tokens));
        let ran = work.run(list, &server.url()).go().expect(3);
        ran.assert_sound(&server);
        assert!(ran.stderr.contains(plan), "{}", ran.stderr);
        for part in [
            "four causes",
            "1. the client secret",
            "4. the authorization",
            "made on 2024-09-20",
            says,
        ] {
            assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
        }
        let told = work.program([std::ffi::OsStr::new("report"), ran.folder.as_os_str()]).go();
        assert!(told.expect(0).stdout.contains(says), "the journal has it too");
        for name in ["journal.jsonl", "failures.csv", "results.csv", "run.log", "summary.json"] {
            assert!(!ran.text(name).contains("eyJ"), "{name}");
        }
        assert!(!ran.stdout.contains("eyJ") && !ran.stderr.contains("eyJ"));
    }
}

#[test]
fn a_secret_that_the_server_repeats_in_another_writing_is_cut_out() {
    const SECRET: &str = "s3cr/t+\"w\\rd&=42%";
    let in_json = serde_json::to_string(SECRET).unwrap().trim_matches('"').to_owned();
    let in_url = "s3cr%2Ft%2B%22w%5Crd%26%3D42%25";
    let echoes = [
        SECRET.to_owned(),
        in_json.clone(),
        in_url.to_owned(),
        in_url.to_lowercase(),
        base64::engine::general_purpose::STANDARD.encode(SECRET),
    ];
    let answers = echoes.clone();
    let server = ScriptedServer::answering(move |_, number, _| {
        let message = format!("no {} there", answers[number % answers.len()]);
        Reply::Json(400, json!({ "statusCode": 400, "message": message }))
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(echoes.len()));
    let run = work.run(list, &server.url()).env("GHL_CLIENT_SECRET", SECRET).args(["-v"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&NoServer);
    let doubled = serde_json::to_string(&in_json).unwrap().trim_matches('"').to_owned();
    for form in echoes.iter().chain([&doubled]) {
        for name in ["journal.jsonl", "failures.csv", "results.csv", "run.log", "summary.json"] {
            assert!(!ran.text(name).contains(form.as_str()), "{name} has {form}");
        }
        assert!(!ran.stdout.contains(form.as_str()) && !ran.stderr.contains(form.as_str()));
    }
    for row in ran.failures() {
        assert_eq!(row["message"], "no [secret] there", "nothing of it is left");
    }
}

#[test]
fn two_texts_that_nothing_knows_are_two_causes_and_their_ids_make_no_more() {
    let says =
        |what: &str, who: usize| format!("http(409,Sorry: {what} of {} at {who})*", location(who));
    let faults: serde_json::Map<_, _> = (1..=6)
        .map(|n| (location(n), json!([says(if n <= 4 { "the plan" } else { "the wallet" }, n)])))
        .collect();
    let (work, server) = (Work::new(), MockServer::faulty(&faults.into()));
    let list = work.file("list.csv", locations(8));
    let ran = work.run(&list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    let causes = ran.summary()["causes"].as_array().unwrap().clone();
    let told: Vec<_> =
        causes.iter().map(|cause| cause["installations"].as_u64().unwrap()).collect();
    assert_eq!(told, [4, 2], "{causes:?}");
    for (cause, what) in causes.iter().zip(["the plan", "the wallet"]) {
        assert!(cause["message"].as_str().unwrap().contains(what), "{cause}");
        assert_eq!(ran.stdout.matches(what).count(), 1, "{}", ran.stdout);
        assert!(ran.stderr.contains(&format!("Sorry: {what}")), "{}", ran.stderr);
    }
    let status = work.program(["status".as_ref(), work.path("run").as_os_str()]).go().expect(0);
    assert!(status.stdout.contains("the plan") && status.stdout.contains("the wallet"));
}

#[test]
fn a_server_that_never_says_the_same_twice_does_not_fill_the_summary() {
    let text = |n: usize| "mu".repeat(n + 1);
    let faults: serde_json::Map<_, _> =
        (0..60).map(|n| (location(n), json!([format!("http(409,{})*", text(n))]))).collect();
    let (work, server) = (Work::new(), MockServer::faulty(&faults.into()));
    let list =
        work.file("list.csv", format!("location_id\n{}\n", location(99)) + &locations(60)[12..]);
    let ran = work.run(&list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    let causes = ran.summary()["causes"].as_array().unwrap().clone();
    assert_eq!(causes.len(), 21, "twenty texts, and the rest together");
    assert_eq!(causes[0]["installations"], 40);
    assert!(causes[0]["message"].as_str().unwrap().contains("other texts"), "{}", causes[0]);
}
