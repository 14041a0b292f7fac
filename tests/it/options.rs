//! Options as people type them at night, and what is refused before a folder is made.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, MockServer, Ran, Run, Work, company, location, locations,
};

#[test]
fn a_rate_without_a_unit_and_one_with_a_fraction_are_exact_bounds() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    for (folder, typed, recorded, window_ms, allowed) in
        [("a", "600", "600/s", 1000, 600), ("b", "1.5/s", "3/2s", 2000, 3)]
    {
        let run = work.run_into(folder, &list, &server.url()).rate(typed);
        let ran = run.arg("--again").go().expect(0);
        assert!(ran.stderr.contains(&format!("2 at {recorded}")), "{}", ran.stderr);
        assert_eq!(ran.events("started")[0]["settings"]["rate"], recorded);
        let summary = ran.summary();
        assert_eq!(summary["rate"]["asked"], recorded);
        assert_eq!(summary["rate"]["busiest_window"]["window_ms"], window_ms);
        assert_eq!(summary["rate"]["busiest_window"]["allowed"], allowed);
    }
}

/// What `run` recovers of a list of five when `--only` is given so.
#[track_caller]
fn taken(work: &Work, args: &[&str]) -> Vec<String> {
    let server = MockServer::good();
    let list = work.file("list.csv", locations(5));
    let ran = work.run(&list, &server.url()).args(args).go().expect(0);
    let ids = ran.results().into_iter().map(|row| row["id"].clone()).collect();
    fs::remove_dir_all(&ran.folder).unwrap();
    ids
}

#[test]
fn only_takes_ids_as_well_as_a_file_and_a_file_goes_before() {
    let work = Work::new();
    let two = format!("{},{}", location(1), location(3));
    assert_eq!(taken(&work, &["--only", &two]), [location(1), location(3)]);
    let (one, other) = (location(2), format!(" {} ", location(4)));
    assert_eq!(taken(&work, &["--only", &one, "--only", &other]), [location(2), location(4)]);
    work.file("more.txt", location(0) + "\n");
    let mixed = ["--only", "more.txt", "--only", &one];
    assert_eq!(taken(&work, &mixed), [location(0), location(2)]);
    // What flows in is named in the journal, since it cannot be read again.
    let server = MockServer::good();
    let run = work.run(work.path("list.csv"), &server.url()).args(["--only", "-"]);
    let ran = run.input(location(3) + "\n").go().expect(0);
    assert_eq!(ran.events("started")[0]["settings"]["selection"]["only_ids"], json!([location(3)]));
    assert_eq!(ran.count("recovered"), 1);
    fs::remove_dir_all(&ran.folder).unwrap();
    drop(server);
    let both = work.run("-", "http://127.0.0.1:1").args(["--only", "-"]).input("x").go().expect(2);
    assert!(both.stderr.contains("cannot both come from standard input"), "{}", both.stderr);
    // A file that has the name of an id is a file.
    work.file(&location(3), location(4) + "\n");
    assert_eq!(taken(&work, &["--only", &location(3)]), [location(4)]);
}

/// A command that is refused before a folder is made and a request is sent.
#[track_caller]
fn refused(work: &Work, list: &Path, change: impl FnOnce(Run) -> Run) -> Ran {
    let server = MockServer::good();
    let ran = change(work.run(list, &server.url())).go().expect(2);
    assert_eq!(server.requests(), 0);
    assert!(!ran.folder.exists());
    ran
}

#[test]
fn what_is_neither_a_file_nor_an_id_is_no_selection() {
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
    let two = format!("{},failurs.csv", location(0));
    for typed in ["failurs.csv", "./ids", two.as_str(), ",", "someone@example.com"] {
        let said = refused(&work, &list, |run| run.args(["--only", typed])).stderr;
        assert!(said.contains("--only") && said.contains("neither a file nor an id"), "{said}");
        assert!(typed != two || said.contains("failurs.csv"), "{said}");
    }
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLXRoYXQtaXMtc2VjcmV0";
    let said = refused(&work, &list, |run| run.args(["--only", token])).stderr;
    assert!(!said.contains("c2lnbmF0dXJl") && said.contains("--only"), "{said}");
    let nothing = work.file("nothing.csv", "location_id\nx\n");
    let said = refused(&work, &list, |run| run.arg("--only").arg(&nothing)).stderr;
    assert!(said.contains("nothing.csv") && said.contains("no id"), "{said}");
}

#[test]
fn ids_of_only_that_the_list_lacks_are_named_and_none_in_the_list_is_refused() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let absent: Vec<String> = (70..79).map(location).collect();
    let typed = format!("{},{},{}", absent.join(","), location(1), location(2));
    // What --limit leaves out is in the list all the same.
    let args = ["--only", &typed, "--limit", "1"];
    let ran = work.run(&list, &server.url()).args(args).go().expect(0);
    let warning = ran.stderr.lines().find(|line| line.starts_with("warning: --only")).unwrap();
    let expected = format!("9 ids are not in the list: {} and 4 more", absent[..5].join(", "));
    assert!(warning.contains(&expected), "{warning}");
    assert!(!ran.stderr.contains(&absent[5]) && !ran.stderr.contains(&location(2)));
    let check = work.program(["check".as_ref(), list.as_os_str()]).args(args).go().expect(0);
    assert!(check.stderr.contains(&expected), "{}", check.stderr);
    fs::remove_dir_all(&ran.folder).unwrap();
    let said = refused(&work, &list, |run| run.args(["--only", &absent.join(",")])).stderr;
    assert!(said.contains("none of the 9 ids") && said.contains(&absent[0]), "{said}");
    // It may have been meant for a file.
    let said = refused(&work, &list, |run| run.args(["--only", "failures"])).stderr;
    assert!(said.contains("failures") && said.contains("no file"), "{said}");
}

#[test]
fn a_secret_file_of_variables_is_refused_by_its_name() {
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    for content in [
        format!("GHL_CLIENT_SECRET={CLIENT_SECRET}\n"),
        format!("export GHL_CLIENT_SECRET=\"{CLIENT_SECRET}\"\n"),
        format!("# the app\nGHL_CLIENT_ID={CLIENT_ID}\nGHL_CLIENT_SECRET = {CLIENT_SECRET}\n"),
        format!("\u{feff}secret={CLIENT_SECRET}"),
    ] {
        let file = work.file("app.env", &content);
        let said = refused(&work, &list, |run| run.arg("--client-secret-file").arg(&file)).stderr;
        for part in ["--client-secret-file", "app.env", "NAME=value", "--env-file"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains(&CLIENT_SECRET[..8]), "{said}");
        let apps =
            format!("[crm]\nclient_id = \"{CLIENT_ID}\"\nclient_secret_file = \"app.env\"\n");
        let apps = work.file("apps.toml", apps);
        let rows = work.file("rows.csv", format!("location_id,app\n{},crm\n", location(0)));
        let said = refused(&work, &rows, |run| run.arg("--apps").arg(&apps)).stderr;
        assert!(said.contains("NAME=value") && said.contains("crm"), "{said}");
        assert!(!said.contains(&CLIENT_SECRET[..8]), "{said}");
    }
}

#[test]
fn a_secret_that_is_no_uuid_is_warned_about_and_not_shown() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(1));
    for (out, secret, is_warned) in
        [("a", "s3cret-of-another-shape==", true), ("b", CLIENT_SECRET, false)]
    {
        let run = work.run_into(out, &list, &server.url());
        let ran = run.env("GHL_CLIENT_SECRET", secret).go().expect(0);
        let is_said = ran.stderr.contains("warning: the client secret does not look like one");
        assert_eq!(is_said, is_warned, "{}", ran.stderr);
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret));
    }
}

#[test]
fn a_rehearsal_is_for_the_client_id_that_was_given() {
    let work = Work::new();
    let list = work.file("list.csv", locations(2));
    let own = "0123456789abcdef01234567-m1zzzzzz";
    let faults = ["--sandbox-faults", "unknown_id=100%"];
    let none = work.rehearse(&list).args(["--client-id", own]).args(faults).go().expect(1);
    let resume = |id: &str| {
        let resume = work.program(["resume".as_ref(), none.folder.as_os_str()]);
        resume.args(["--retry-failed", "--client-id", id]).go()
    };
    let other = resume(CLIENT_ID).expect(2);
    assert!(other.stderr.contains("its tokens belong to the first"), "{}", other.stderr);
    resume(own).expect(0);
    fs::remove_dir_all(&none.folder).unwrap();
    let ran = work.rehearse(&list).args(["--client-id", own]).go().expect(0);
    assert!(ran.stderr.contains(&format!("Client id      {own}")), "{}", ran.stderr);
    assert_eq!(ran.events("started")[0]["client_id"], own);
    assert!(ran.tokens().iter().all(|pair| pair["applicationId"] == own[..24]));
    let odd = ["--client-id", "my-app", "--out", "odd"];
    let odd = work.rehearse(&list).without_out().args(odd).go().expect(0);
    assert!(odd.stderr.contains("my-app does not look like one"), "{}", odd.stderr);
}

#[test]
fn a_list_that_no_route_can_serve_is_refused_before_a_folder_is_made() {
    let work = Work::new();
    let ids = work.file("ids.csv", locations(2));
    let masked = format!("location_id,refresh_token\n{},\n{},****\n", location(0), location(1));
    let masked = work.file("masked.csv", masked);
    let agency = format!("location_id,company_id\n{},{}\n", location(0), company(1));
    let agency = work.file("agency.csv", agency);
    for (list, via, parts) in [
        (&ids, "refresh", &["refresh token", "--via reconnect", "2 installations"][..]),
        (&masked, "refresh", &["no refresh token: 2 rows", "--via reconnect"]),
        (&ids, "agency", &["company id", "--agency-tokens"]),
        (&agency, "refresh,agency", &["--agency-tokens", &company(1)]),
        (&agency, "agency", &["--agency-tokens", &company(1)]),
    ] {
        let said = refused(&work, list, |run| run.args(["--via", via])).stderr;
        for part in parts {
            assert!(said.contains(part), "{via}: {part}: {said}");
        }
        let check = work.program(["check".as_ref(), list.as_os_str()]).args(["--via", via]);
        assert!(check.go().expect(2).stderr.contains(parts[0]));
    }
    let sandbox = work.rehearse(&ids).args(["--via", "refresh"]).go().expect(2);
    assert!(!sandbox.folder.exists());
    let server = MockServer::good();
    let both = work.run_into("both", &ids, &server.url()).args(["--via", "refresh,reconnect"]);
    both.go().expect(0);
    // A token that does not say of which agency it is may serve them all.
    let run = work.run_into("for-all", &agency, &server.url());
    let run = run.args(["--via", "agency", "--again"]);
    let ran = run.env("GHL_AGENCY_TOKEN", "an-opaque-token-of-an-agency").go();
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn an_old_token_that_may_be_good_is_work_for_skip_healthy() {
    let (work, server) = (Work::new(), MockServer::good());
    let csv = format!("location_id,access_token\n{},the-access-token-of-000001\n", location(0));
    let list = work.file("list.csv", csv);
    let args = ["--via", "refresh", "--skip-healthy"];
    work.run(&list, &server.url()).args(args).go().expect(1);
    assert_eq!(server.requests(), 1, "the trial");
    let ids = work.file("ids.csv", locations(2));
    fs::remove_dir_all(work.path("run")).unwrap();
    refused(&work, &ids, |run| run.args(args));
}

#[test]
fn the_failures_of_a_perfect_run_are_nothing_to_do() {
    let (work, server) = (Work::new(), MockServer::good());
    for (out, list) in
        [("a", locations(2)), ("b", json!([{"locationId": location(1)}]).to_string())]
    {
        let list = work.file("list", list);
        let first = work.run_into(out, list, &server.url()).go().expect(0);
        let (failures, before) = (first.file("failures.csv"), server.requests());
        let again = work.run(&failures, &server.url()).go().expect(0);
        assert!(again.stderr.contains("nothing left to do"), "{}", again.stderr);
        assert!(!again.folder.exists());
        assert_eq!(server.requests(), before);
        let check = work.program(["check".as_ref(), failures.as_os_str()]).go().expect(0);
        assert!(check.stderr.contains("nothing left to do"), "{}", check.stderr);
        let plan = work.program(["check".as_ref(), failures.as_os_str()]).arg("--json").go();
        let plan: Value = serde_json::from_str(&plan.expect(0).stdout).unwrap();
        assert_eq!((&plan["installations"], &plan["calls"]), (&json!(0), &json!(0)));
    }
    // A list of anything else that has a header alone was exported badly.
    let empty = work.file("empty.csv", "location_id,name\n");
    let said = refused(&work, &empty, |run| run).stderr;
    assert!(said.contains("no record"), "{said}");
}

#[test]
fn a_halt_that_is_told_quietly_names_the_reason_and_the_folder_in_a_line() {
    let server = MockServer::faulty(&json!({ "*": ["endpoint_removed*"] }));
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let ran = work.run(&list, &server.url()).arg("-q").go().expect(3);
    let (counts, folder) = ("1 failed, 2 not attempted", ran.folder.display());
    let result = format!("0 of 3 installations recovered, {counts}; run folder {folder}\n");
    assert_eq!(ran.stdout, result);
    let line = ran.stderr.lines().next().unwrap();
    assert!(line.contains("error: halted: endpoint_removed"), "{line}");
    assert!(line.contains(&ran.folder.display().to_string()), "{line}");
}
