//! `report.html`: when it is written, what it may hold, and that it is the same each time.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{
    CLIENT_SECRET, MockServer, Ran, Reply, ScriptedServer, Work, location, locations,
};

/// A run with recoveries and failures of two causes.
fn run(work: &Work) -> (Ran, MockServer) {
    let faults = json!({
        location(1): ["not_installed*"],
        location(2): ["unknown_id*"],
        location(3): ["exchange:cut"],
    });
    let server = MockServer::faulty(&faults);
    let list = work.file("list.csv", locations(6) + &location(0) + "\nnonsense!\n");
    let ran = work.run(list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    (ran, server)
}

/// What stands between two texts, the first time.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("{to}")).0
}

#[test]
fn the_page_begins_with_the_verdict_and_has_the_sums_of_the_summary() {
    let work = Work::new();
    let (ran, _) = run(&work);
    let page = ran.text("report.html");
    assert_eq!(between(&page, "<h1>", "</h1>"), "4 of 6 installations recovered; 2 failed.");
    let books = ran.summary()["books"].clone();
    for (state, count) in books.as_object().unwrap() {
        let part = format!("id=\"book-{state}\" value=\"{count}\"");
        let is_left_out = count == 0 && !["recovered", "failed"].contains(&state.as_str());
        assert_eq!(page.contains(&part), !is_left_out, "{part}");
    }
    for part in ["Lost grants", "needs the app to be installed again there", "RUN_DIR/failures.csv"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<strong>REHEARSAL"));
}

#[test]
fn a_rehearsal_says_so() {
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
    let page = work.rehearse(list).go().expect(0).text("report.html");
    assert!(between(&page, "<body", "<main").contains("<strong>REHEARSAL</strong>"));
    assert!(page.contains("<title>Rehearsal: All 2 installations have fresh token pairs.</title>"));
}

#[test]
fn the_policy_of_the_page_allows_its_own_style_and_script_alone() {
    let work = Work::new();
    let (ran, _) = run(&work);
    let page = ran.text("report.html");
    let policy = between(&page, "<meta ", ">");
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let (style, script) =
        (between(&page, "<style>", "</style>"), between(&page, "<script>", "</script>"));
    for part in [
        "http-equiv=\"Content-Security-Policy\"".to_owned(),
        "default-src 'none'".to_owned(),
        format!("style-src 'sha256-{}'", hash(style)),
        format!("script-src 'sha256-{}'", hash(script)),
    ] {
        assert!(policy.contains(&part), "{part}: {policy}");
    }
    let markup = page.replace(style, "").replace(script, "");
    for part in [" style=", " onclick=", "javascript:", "src=", "http://", "https://"] {
        assert!(!markup.replace("http://127.0.0.1", "").contains(part), "{part}");
    }
    assert!(script.contains("Copyright (c) Tristen Brown"), "tablesort's licence");
    let own = include_str!("../../src/views/report/report.js");
    assert!(own.lines().count() <= 60, "lines of JavaScript");
    assert!(page.len() < 90_000, "{} bytes", page.len());
}

#[cfg(unix)]
#[test]
fn what_the_list_and_the_server_say_is_text() {
    const EVIL: &str = "</script><img src=x onerror=alert(1)>\u{202e}\u{0}&lt;";
    let highlevel = ScriptedServer::answering(|issuer, _, seen| match seen.json_id() {
        Some(id) if id != location(0) => {
            Reply::Json(418, json!({ "message": format!("{EVIL}{id}"), "traceId": EVIL }))
        }
        _ => issuer.answer(seen),
    });
    let work = Work::new();
    let list = format!("location_id,<b>\n{0},<i>\n{1},<i>\n", location(0), location(1));
    let list = work.file("<u>&.csv", list);
    let ran = work.run(list, &highlevel.url()).go().expect(1);
    let page = ran.text("report.html");
    for foreign in ["<img", "<b>", "<i>", "<u>", "\u{202e}", "\u{0}"] {
        let ours = usize::from(foreign == "<b>") * page.matches("<summary><b>").count();
        let bold = usize::from(foreign == "<b>") * page.matches("is <b>bold</b>").count();
        assert_eq!(page.matches(foreign).count(), ours + bold, "{foreign:?}");
    }
    for text in
        ["&#60;u&#62;&#38;.csv", "&#60;img src=x onerror=alert(1)&#62;\u{fffd}\u{fffd}&#38;lt;"]
    {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn the_page_is_left_out_where_it_is_not_wanted() {
    let work = Work::new();
    let mut server = MockServer::faulty(&json!({ location(1): ["not_installed*"] }));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).arg("--no-html").go().expect(1);
    assert!(!ran.file("report.html").exists());
    assert!(
        ran.stdout.contains("failures.csv") && ran.stdout.contains("--no-html"),
        "{}",
        ran.stdout
    );
    server.next_run();
    let resumed = work.resume(&server.url()).arg("--retry-failed").go().expect(1);
    resumed.assert_sound_after_kills(&server);
    assert!(!ran.file("report.html").exists(), "resume repeats the settings");
    let report = |more: &[&str]| {
        let report = work.program(["report".as_ref(), ran.folder.as_os_str()]);
        report.args(more.iter().copied()).go().expect(0);
    };
    report(&[]);
    assert!(ran.file("report.html").exists(), "who asks for the files has it");
    report(&["--no-html"]);
    assert!(!ran.file("report.html").exists(), "what would be out of date is removed");
}

#[test]
fn the_page_is_the_same_wherever_its_folder_is() {
    let work = Work::new();
    let (ran, _) = run(&work);
    let page = ran.text("report.html");
    let moved = work.path("another name");
    fs::rename(&ran.folder, &moved).unwrap();
    work.program(["report".as_ref(), moved.as_os_str()]).go().expect(0);
    assert!(fs::read_to_string(moved.join("report.html")).unwrap() == page);
}

#[cfg(unix)]
#[test]
fn a_page_with_a_secret_in_it_is_set_aside_even_where_html_escapes_it() {
    let escaped = "6d3c5a52&6f5e<4a8e>9f3e'1c2b3a4d5e6f";
    for secret in [CLIENT_SECRET, escaped] {
        let (work, server) = (Work::new(), MockServer::good());
        // Whoever names a file so has written the secret down; nobody else should.
        let list = work.file(&format!("{secret}.csv"), locations(2));
        let run = work.run(list, &server.url()).env("GHL_CLIENT_SECRET", secret);
        let ran = run.go();
        assert!(!ran.file("report.html").exists(), "{secret}: {}", ran.stderr);
        assert!(ran.file("report.html.leaked").exists(), "{secret}: {}", ran.stderr);
    }
}
