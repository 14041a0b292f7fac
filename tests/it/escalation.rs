//! What goes to HighLevel's support.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::{
    CLIENT_ID, MockServer, NoServer, Ran, Reply, ScriptedServer, Work, location, locations, rows,
    whole,
};

/// The sections of escalation.md, without what stands before the first.
fn sections(ran: &Ran) -> Vec<String> {
    let text = ran.text("escalation.md");
    let starts: Vec<_> =
        text.match_indices("\n## ").map(|(at, _)| at + 1).chain([text.len()]).collect();
    starts.windows(2).map(|pair| text[pair[0]..pair[1]].to_owned()).collect()
}

/// A run of a thousand and one, all but the first of which fail: in three ways that HighLevel can mend,
/// which differ in their ids besides, and one of which has a text that would like to be more than text;
/// the last in a way that it cannot.
fn a_thousand_failures(work: &Work) -> (Ran, ScriptedServer) {
    let highlevel = ScriptedServer::answering(|issuer, number, seen| {
        let Some(id) = seen.json_id() else { return issuer.answer(seen) };
        let n: usize = id.trim_start_matches("Loc").parse().unwrap();
        let trace_id = format!("trace-{number}");
        let (status, message) = match n {
            0 => return issuer.answer(seen),
            1..=600 => (400, format!("Location {id} has failed")),
            601..=900 => (400, "Quite another answer".to_owned()),
            901..=999 => {
                (400, "=cmd() `` ``` <script>alert(1)</script> | [x](http://evil)".to_owned())
            }
            _ => (400, "App is not installed".to_owned()),
        };
        Reply::Json(status, json!({"message": message, "traceId": trace_id}))
    });
    let lines = (0..=1000).map(|n| format!("{},=Customer {n},secret{n}\n", location(n)));
    let list = "location_id,Name,access_token\n".to_owned() + &lines.collect::<String>();
    let list = work.file("list.csv", list);
    let ran = work.run(list, &highlevel.url()).args(["--concurrency", "8"]).go().expect(1);
    ran.assert_sound(&highlevel);
    (ran, highlevel)
}

#[test]
fn a_thousand_failures_of_three_kinds_are_three_sections() {
    let work = Work::new();
    let (ran, _) = a_thousand_failures(&work);
    let sections = sections(&ran);
    let titles: Vec<_> = sections.iter().map(|text| text.lines().next().unwrap()).collect();
    assert_eq!(
        titles,
        [
            "## 1. 600 of 1001 installations: unrecognised at reconnect, HTTP 400: \
             `Location Loc00000000000000001 has failed`",
            "## 2. 300 of 1001 installations: unrecognised at reconnect, HTTP 400: `Quite another answer`",
            "## 3. 99 of 1001 installations: unrecognised at reconnect, HTTP 400: \
             ````=cmd() `` ``` <script>alert(1)</script> | [x](http://evil)````",
            "## Yours or your customer's to fix",
        ]
    );
    for section in &sections[..3] {
        assert!(section.chars().count() <= 4000, "{section}");
        assert_eq!(section.matches("trace id `trace-").count(), 10, "{section}");
        let app = CLIENT_ID.split('-').next().unwrap();
        for part in [
            &format!("- App: app id `{app}`, client id `{CLIENT_ID}`"),
            "- User-Agent: `ghl-reconnect/",
            "POST `http://",
            "/oauth/reconnect",
            "<CLIENT_SECRET>",
            "UTC",
            "unlimited",
        ] {
            assert!(section.contains(part), "{part}: {section}");
        }
    }
    assert!(sections[0].contains("- Installations: 600 of 1001 (600 locations, 0 companies)"));
    assert!(sections[2].contains("- Error text: ````=cmd() `` ``` <script>"), "{}", sections[2]);
    assert_eq!(sections[3].matches("\n- ").count(), 1, "{}", sections[3]);
    let not_installed = "- 1 of 1001 installations: not_installed at reconnect, HTTP 400: \
        `App is not installed`. Your customer's: ";
    assert!(sections[3].contains(not_installed), "{}", sections[3]);
    let table = rows(&ran.file("escalation.csv"));
    assert_eq!(table.len(), 1000);
    assert_eq!(
        ran.header("escalation.csv"),
        "scope,id,company_id,client_id,stage,error_class,http_status,message,failed_calls,attempts_total,\
         first_failed_at,failed_at,trace_ids"
    );
    assert!(table[998]["message"].starts_with("'=cmd"));
    assert!(!ran.text("escalation.md").contains("Customer"));
}

#[test]
fn columns_and_the_size_of_a_ticket_are_chosen_and_kept() {
    let work = Work::new();
    let (ran, _) = a_thousand_failures(&work);
    let texts = |ran: &Ran| [ran.text("escalation.md"), ran.text("escalation.csv")];
    let report =
        |args: &[&str]| work.program(["report".as_ref(), ran.folder.as_os_str()]).args(args).go();
    let before = texts(&ran);
    report(&["--escalate-columns", "name", "--ticket-limit", "1000"]).expect(0);
    assert!(ran.header("escalation.csv").ends_with(",trace_ids,Name"));
    assert_eq!(rows(&ran.file("escalation.csv"))[0]["Name"], "'=Customer 1");
    for section in sections(&ran) {
        assert!(section.chars().count() <= 1000, "{section}");
        assert!(section.contains("escalation.csv"), "{section}");
    }
    report(&[]).expect(0);
    assert_eq!(texts(&ran), before, "as the run has it");
    let refused = report(&["--escalate-columns", "Nome"]).expect(2);
    assert!(refused.stderr.contains("location_id, Name"), "{}", refused.stderr);
    report(&["--ticket-limit", "999"]).expect(2);
}

#[test]
fn a_run_keeps_its_choice_through_resume_and_report_and_names_it_for_the_next() {
    let work = Work::new();
    let mut server = MockServer::faulty(
        &json!({ location(1): ["not_installed*"], location(2): ["endpoint_removed"] }),
    );
    let lines = [0, 1, 2, 3].map(|n| format!("{},n{n},\n", location(n)));
    let list =
        work.file("list.csv", "location_id,name,refresh_token\n".to_owned() + &lines.concat());
    let run = |columns: &str| {
        work.run(&list, &server.url()).args([
            "--max-failures",
            "1",
            "--concurrency",
            "1",
            "--ticket-limit",
            "2000",
            "--escalate-columns",
            columns,
        ])
    };
    for (column, says) in [("refresh_token", "secrets"), ("nothing", "location_id, name")] {
        let refused = run(column).go().expect(2);
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
        assert!(!work.path("run").exists());
    }
    let halted = run("NAME, location_id").go().expect(3);
    halted.assert_sound(&server);
    let titles = |ran: &Ran| {
        sections(ran).iter().map(|s| s.lines().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        titles(&halted),
        [
            "## 1. 1 of 4 installations: endpoint_removed at reconnect, HTTP 400: \
             `API endpoint has been removed · Bad Request`",
            "## Yours or your customer's to fix",
        ]
    );
    let text = halted.text("escalation.md");
    let others =
        ["- The run was halted: `", "not_installed at reconnect, HTTP 400: `App is not installed"];
    for part in others {
        assert!(text.contains(part), "{part}: {text}");
    }
    server.set_faults(&json!({ location(1): ["not_installed*"] }));
    server.next_run();
    let resumed = work.resume(&server.url()).arg("--retry-failed").go().expect(1);
    resumed.assert_sound_after_kills(&server);
    assert!(resumed.header("escalation.csv").ends_with(",trace_ids,name,location_id"));
    assert!(
        resumed.stdout.contains("--ticket-limit 2000 --escalate-columns name"),
        "{}",
        resumed.stdout
    );
    let written = [resumed.text("escalation.md"), resumed.text("escalation.csv")];
    for name in ["escalation.md", "escalation.csv"] {
        fs::remove_file(resumed.file(name)).unwrap();
    }
    work.program(["report".as_ref(), resumed.folder.as_os_str()]).go().expect(0);
    assert_eq!([resumed.text("escalation.md"), resumed.text("escalation.csv")], written);
}

#[test]
fn where_nothing_failed_the_file_says_so_and_lost_grants_are_escalated() {
    let work = Work::new();
    let mut server = MockServer::good();
    let list = work.file("list.csv", locations(2));
    let good = work.run_into("good", &list, &server.url()).go().expect(0);
    good.assert_sound(&server);
    assert!(good.text("escalation.md").ends_with("\nNothing to escalate.\n"));
    server.set_faults(&json!({ location(1): ["exchange:cut"] }));
    server.next_run();
    let second = work.run_into("second", &list, &server.url()).arg("--again").go().expect(0);
    second.assert_sound(&server);
    let sections = sections(&second);
    assert_eq!(sections.len(), 1);
    assert!(sections[0].starts_with("## 1. 1 grant: the answer was lost\n"), "{}", sections[0]);
    assert!(sections[0].contains(&location(1)), "{}", sections[0]);
}

#[test]
fn the_servers_clock_is_told_once_and_stands_in_the_ticket() {
    let highlevel = ScriptedServer::answering(|_, _, _| {
        let ahead = Timestamp::now() + SignedDuration::from_mins(5);
        let date =
            jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).unwrap();
        let body = json!({"message": "Who knows"}).to_string();
        Reply::Whole(whole(400, &[("Date", &date)], &body))
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(8));
    let ran = work.run(list, &highlevel.url()).go().expect(1);
    ran.assert_sound(&NoServer);
    let told = ran.events("server_clock");
    assert_eq!(told.len(), 1, "{told:?}");
    let offset = told[0]["offset_ms"].as_i64().unwrap();
    assert!((299_000..=301_000).contains(&offset), "{offset}");
    assert_eq!(ran.summary()["clock_offset_ms"], offset);
    let section = &sections(&ran)[0];
    assert!(section.contains(" s ahead of ours"), "{section}");
    assert!(section.contains("no trace id came"), "{section}");
}

#[test]
fn what_nobody_at_highlevel_can_mend_is_no_ticket() {
    let faults = json!({ location(1): ["not_installed*"], location(2): ["unknown_id*"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let ran = work.run(work.file("list.csv", locations(4)), &server.url()).go().expect(1);
    let text = ran.text("escalation.md");
    assert!(
        text.contains("Nothing to escalate.\n\n## Yours or your customer's to fix\n"),
        "{text}"
    );
    for part in
        ["- 1 of 4 installations: not_installed at", "- 1 of 4 installations: unknown_id at"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(rows(&ran.file("escalation.csv")).len(), 2, "the table has them all");
}

#[test]
fn every_answer_has_its_own_count_and_a_ticket_calls_as_the_program_does() {
    let faults = json!({ location(1): ["server_error", "exchange:grant_refused*"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = "location_id,company_id\n".to_owned()
        + &[0, 1].map(|n| format!("{},tDtDnQdgm2LXpyiqYvZ6\n", location(n))).concat();
    let run = work.run(work.file("list.csv", list), &server.url());
    let ran = run.args(["--concurrency", "1", "--attempts", "3"]).go().expect(1);
    ran.assert_sound(&server);
    let agent = server.audit().requests[0].user_agent.clone().unwrap();
    let section = &sections(&ran)[0];
    for part in [
        "- Calls of this run that failed: 3: HTTP 400 at exchange (2), HTTP 500 at reconnect (1)",
        "- Company ids: `tDtDnQdgm2LXpyiqYvZ6`",
        "` of company `tDtDnQdgm2LXpyiqYvZ6`, trace id `",
        &format!("- User-Agent: `{agent}`"),
        &format!("  -A {agent} \\\n"),
    ] {
        assert!(section.contains(part), "{part}: {section}");
    }
    let row = &rows(&ran.file("escalation.csv"))[0];
    assert_eq!(row["company_id"], "tDtDnQdgm2LXpyiqYvZ6");
    assert_eq!(row["client_id"], CLIENT_ID);
    assert_eq!(row["failed_calls"], "HTTP 500 at reconnect (1), HTTP 400 at exchange (2)");
    let called = ran.events("failed")[0]["call"]["at"].as_str().unwrap().to_owned();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(time(&row["failed_at"]), time(&called));
}
