//! The locations of agencies become a list that `run` takes.

use std::{collections::BTreeSet, fs, path::Path};

use ghl_reconnect::{
    installation::Scope,
    sandbox::{
        AccessLife, FaultPlan, InstalledLocation, Options, Presence, RequestSeen, Step, StoredPair,
    },
};
use serde_json::json;

use crate::support::{
    CLIENT_ID, MockServer, Ran, Row, Run, Work, company, location, rows, side_by_side,
};

/// The access token of the n-th agency.
fn token(n: usize) -> String {
    format!("the-access-token-of-agency-{n:04}")
}

/// The first agency has 230 locations, every tenth without the app; the second has 5, one of which
/// has a name that a spreadsheet would run.
fn world(faults: FaultPlan) -> MockServer {
    let presence = |n| if n % 10 == 9 { Presence::Absent } else { Presence::Installed };
    let first =
        (0..230).map(|n| InstalledLocation::new(location(n), company(1)).presence(presence(n)));
    let second = (1000..1005).map(|n| InstalledLocation::new(location(n), company(2)));
    let mut installed: Vec<_> = first.chain(second).collect();
    let last = installed.pop().unwrap();
    installed.push(last.named("=cmd|'/c calc'!A1\nnext"));
    let agency =
        |n| StoredPair::new(Scope::Company, company(n)).access(token(n), AccessLife::Alive);
    let shop = StoredPair::new(Scope::Location, location(1)).company(company(3));
    let stored = vec![
        agency(1),
        agency(2),
        shop.access(token(3), AccessLife::Alive),
        StoredPair::new(Scope::Company, company(4)).access(token(4), AccessLife::NoScope),
        StoredPair::new(Scope::Company, company(5)).access(token(5), AccessLife::Dead),
    ];
    MockServer::with(Options { faults, installed, stored, ..Options::default() })
}

/// Faults at single agencies.
fn faults(json: &serde_json::Value) -> FaultPlan {
    FaultPlan::from_json(json.to_string().as_bytes()).unwrap()
}

/// A file of the tokens of these agencies, and one of a sub-account among them.
fn tokens_of(work: &Work, agencies: &[usize]) -> String {
    let lines = agencies.iter().map(|n| {
        json!({"userType": "Company", "companyId": company(*n), "access_token": token(*n)})
            .to_string()
    });
    let other = json!({"userType": "Location", "locationId": "x", "access_token": "l"});
    let text = lines.chain([other.to_string()]).collect::<Vec<_>>().join("\n");
    work.file("agencies.jsonl", text).into_os_string().into_string().unwrap()
}

fn discover(work: &Work, server: &MockServer, agencies: &[usize]) -> Run {
    let file = tokens_of(work, agencies);
    work.program(["discover", "--agency-tokens", &file, "--base-url", &server.url()])
        .args(["--rate", "unlimited"])
        .env("GHL_CLIENT_ID", CLIENT_ID)
}

fn assert_says(ran: &Ran, says: &str) {
    assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
}

/// No token is shown, nor kept anywhere but in the file that it came from.
fn assert_discreet(work: &Work, ran: &Ran) {
    let mut texts = vec![ran.stdout.clone(), ran.stderr.clone()];
    for name in work.entries().iter().filter(|name| *name != "agencies.jsonl") {
        texts.extend(fs::read_to_string(work.path(name)));
    }
    for text in texts {
        assert!(!text.contains("the-access-token"), "{text}");
    }
}

fn ids(rows: &[Row], column: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[column].clone()).collect()
}

fn pages(server: &MockServer) -> Vec<RequestSeen> {
    server.audit().requests_at(Step::Discover).into_iter().cloned().collect()
}

fn assert_list(list: &Path, count: usize) -> Vec<Row> {
    let rows = rows(list);
    assert_eq!(rows.len(), count);
    assert_eq!(ids(&rows, "location_id").len(), count, "none comes twice");
    rows
}

#[test]
fn the_locations_of_several_agencies_become_a_list_that_run_takes() {
    let (work, server) = (Work::new(), world(FaultPlan::default()));
    let list = work.path("list.csv");
    let ran = discover(&work, &server, &[1, 2]).arg("--out").arg(&list).go().expect(0);
    assert_discreet(&work, &ran);
    assert_says(&ran, "235 locations of 2 agencies");
    assert_says(&ran, "1 tokens of sub-accounts are not used");
    assert_eq!(ran.stdout, "");
    let found = assert_list(&list, 235);
    assert_eq!(ids(&found, "company_id"), BTreeSet::from([company(1), company(2)]));
    assert_eq!(found.iter().filter(|row| row["is_installed"] == "false").count(), 23);
    assert_eq!(found[234]["location_name"], "'=cmd|'/c calc'!A1 next");
    assert_eq!(found[0]["installed_at"], "2026-01-10T00:15:00.000Z");
    let left: Vec<_> = work.entries().into_iter().filter(|name| name.starts_with("list")).collect();
    assert_eq!(left, ["list.csv"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&list).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for page in pages(&server) {
        assert_eq!(page.version.as_deref(), Some("2021-07-28"));
        let app = CLIENT_ID.split('-').next().unwrap();
        assert!(page.query.unwrap().contains(&format!("appId={app}&")));
    }
    let again = discover(&work, &server, &[1]).arg("--out").arg(&list).go().expect(2);
    assert_says(&again, "not overwritten");

    let third = discover(&work, &server, &[1, 2]).args(["--api-version", "v3"]).go().expect(0);
    assert_eq!(third.stdout, fs::read_to_string(&list).unwrap());
    let some = discover(&work, &server, &[1]).arg("--installed-only").go().expect(0);
    assert_eq!(some.stdout.lines().count(), 1 + 207);

    let other = MockServer::good();
    let ran = work.run(&list, &other.url()).args(["--limit", "20"]).go().expect(0);
    ran.assert_sound(&other);
    assert_eq!(ran.count("recovered"), 20);
}

/// As a power cut leaves it between a page and its position.
fn append_half_a_page(work: &Work) {
    let path = work.path("list.csv.partial");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text + &location(200) + ",half a li").unwrap();
}

/// As a server does that keeps no page for long.
fn forget_the_page(work: &Work) {
    let path = work.path("list.csv.position");
    let mut position: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let cursor = &mut position["places"][company(1)]["cursor"]["token"];
    assert!(cursor.is_string());
    *cursor = json!("forgotten");
    fs::write(path, position.to_string()).unwrap();
}

#[test]
fn a_discovery_goes_on_where_a_fault_stopped_it() {
    let cases = [
        ("v2", append_half_a_page as fn(&Work)),
        ("v3", append_half_a_page),
        ("v3", forget_the_page),
    ];
    side_by_side(&cases, |(version, before_it_goes_on)| {
        let work = Work::new();
        let server = world(faults(&json!({
            company(1): ["discover:reset", "discover:ok", "discover:bad_gateway", "discover:ok", "discover:server_error*"],
        })));
        let list = work.path("list.csv");
        let go = |attempts: &str| {
            discover(&work, &server, &[1, 2])
                .args(["--api-version", version, "--attempts", attempts, "--out"])
                .arg(&list)
                .go()
        };
        let ran = go("2").expect(3);
        assert_discreet(&work, &ran);
        assert_says(&ran, "server_error, HTTP 500");
        assert_says(&ran, "discover --out ");
        assert!(!list.exists());
        assert_eq!(assert_list(&work.path("list.csv.partial"), 200).len(), 200);
        let before = pages(&server).len();
        server.set_faults(&json!({}));
        let other = discover(&work, &server, &[1]).args(["--installed-only", "--out"]).arg(&list);
        assert_says(&other.go().expect(2), "give the options of then");
        before_it_goes_on(&work);
        go("1").expect(0);
        assert_list(&list, 235);
        let after = pages(&server);
        let first = after[before].query.as_ref().unwrap();
        assert!(first.contains("skip=200") || first.contains("pageToken="), "{first}");
        assert!(
            !work.path("list.csv.position").exists() && !work.path("list.csv.partial").exists()
        );
    });
}

#[test]
fn a_count_that_differs_is_said_and_pages_that_shift_bring_no_location_twice() {
    let work = Work::new();
    let server = world(faults(&json!({ company(2): ["discover:wrong_count*"] })));
    let ran = discover(&work, &server, &[2]).go().expect(1);
    assert_says(&ran, "5 locations. HighLevel counts 6");
    for version in ["v2", "v3"] {
        server.set_faults(&json!({ company(1): ["discover:ok", "discover:first_page"] }));
        let list = work.path(version);
        let run = discover(&work, &server, &[1]).args(["--api-version", version, "--out"]);
        run.arg(&list).go().expect(0);
        assert_list(&list, 230);
        server.set_faults(&json!({}));
    }
}

#[test]
fn one_agencys_trouble_does_not_stop_another_and_is_said_once() {
    let (work, server) = (Work::new(), world(FaultPlan::default()));
    let list = work.path("list.csv");
    let ran = discover(&work, &server, &[2, 3, 4, 5]).arg("--out").arg(&list).go().expect(1);
    assert_discreet(&work, &ran);
    for says in [
        &format!("Agency {}: wrong_kind, HTTP 401", company(3)),
        "give that of the agency (userType Company)",
        &format!("Agency {}: invalid_request, HTTP 401", company(4)),
        "lacks the scope oauth.readonly",
        &format!("Agency {}: grant_refused, HTTP 401", company(5)),
        "3 of 4 agencies could not be listed",
    ] {
        assert_says(&ran, says);
    }
    assert_list(&work.path("list.csv.partial"), 5);
    assert_eq!(pages(&server).len(), 5, "one call for each that is refused");
    let all = discover(&work, &server, &[3, 5]).go().expect(3);
    assert_eq!(all.stdout.lines().count(), 1);
}

#[test]
fn what_is_missing_is_said_before_anything_is_sent() {
    let (work, server) = (Work::new(), world(FaultPlan::default()));
    let bare = || work.program(["discover", "--base-url", &server.url()]);
    let ours = || bare().env("GHL_CLIENT_ID", CLIENT_ID);
    assert_says(&ours().go().expect(2), "no agency token");
    assert_says(&ours().env("GHL_AGENCY_TOKEN", token(1)).go().expect(2), "give --company ID");
    assert_says(
        &ours().env("GHL_AGENCY_TOKEN", "pit-1").go().expect(2),
        "GHL_AGENCY_TOKEN: a Private",
    );
    let other = discover(&work, &server, &[1]).args(["--company", &company(9)]);
    assert_says(&other.go().expect(2), &format!("there is no token of agency {}", company(9)));
    let dead = json!({"companyId": company(1), "access_token": "t", "expire_at": 1000}).to_string();
    let dead = ours().arg("--agency-tokens").arg(work.file("dead.jsonl", dead));
    assert_says(&dead.go().expect(2), "past its life since 1970-01-01T00:00:01.000Z");
    assert_says(
        &bare().env("GHL_AGENCY_TOKEN", token(1)).args(["--company", &company(1)]).go().expect(2),
        "no client id",
    );
    assert_eq!(server.requests(), 0);
    let named = ours().env("GHL_AGENCY_TOKEN", token(2)).args(["--company", &company(2)]);
    assert_eq!(named.go().expect(0).stdout.lines().count(), 6);
    let list = work.file("one.csv", format!("location_id\n{}\n", location(1)));
    let bad = work.file("bad.jsonl", "{\"companyId\": \"hunter2\"");
    let check = work.program(["check", list.to_str().unwrap(), "--agency-tokens"]).arg(&bad);
    assert_says(&check.go().expect(2), "bad.jsonl, line 1: not a JSON object");
}

#[test]
fn an_agencys_token_that_the_list_repeats_is_no_secret_kept() {
    let (work, server) = (Work::new(), MockServer::good());
    // Nothing in its shape tells that it is one.
    let token = "the-key-of-the-first-agency";
    let tokens = json!({ "companyId": company(1), "access_token": token }).to_string();
    let tokens = work.file("agencies.jsonl", tokens);
    let list = format!("location_id,note\n{},{token}\n", location(1));
    let list = work.file("list.csv", list);
    let run = work.run(&list, &server.url()).arg("--agency-tokens").arg(tokens);
    let ran = run.go().expect(5);
    assert_says(&ran, ".leaked");
}

#[test]
fn a_list_that_a_kill_left_without_its_position_is_begun_anew() {
    let header =
        "location_id,company_id,location_name,is_installed,installed_at,version_id\n".to_owned();
    let rows = format!("{header}{},{},x,true,,\n", location(7000), company(1));
    for (left, exit) in [("", 0), (&header[..20], 0), (&header, 0), (&rows, 0), ("precious\n", 2)] {
        let (work, server) = (Work::new(), world(FaultPlan::default()));
        let (list, partial) = (work.path("list.csv"), work.file("list.csv.partial", left));
        discover(&work, &server, &[2]).arg("--out").arg(&list).go().expect(exit);
        if exit == 0 {
            assert_list(&list, 5);
        } else {
            assert_eq!(fs::read_to_string(partial).unwrap(), left, "somebody else's");
            assert_eq!(server.requests(), 0);
        }
    }
}
