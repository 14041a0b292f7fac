//! Lists as databases, webhooks and people write them, and what is said of their columns.

use std::fs;

use serde_json::{Value, json};

use crate::support::{MockServer, Work, company, location};

/// A list by a name, what was said of its columns, sub-accounts, agencies.
type Case = (&'static str, String, &'static [&'static str], usize, usize);

fn url(n: usize) -> String {
    format!("https://app.gohighlevel.com/v2/location/{}/dashboard", location(n))
}

fn cases() -> Vec<Case> {
    let [a, b, c] = [location(1), location(2), company(1)];
    let (s, text) = (|id: &str| json!({ "S": id }), |id: &str| json!({ "stringValue": id }));
    let item = |id: &str| json!({ "Item": { "locationId": s(id), "n": { "N": "7" } } });
    let fields = |id: &str| json!({ "locationId": text(id), "on": { "booleanValue": true } });
    let document = |id: &str| json!({ "name": "projects/p/x", "fields": fields(id) });
    let lines = |of: &dyn Fn(&str) -> Value| format!("{}\n{}\n", of(&a), of(&b));
    let numbered: &[&str] = &["--no-header", "--id-column", "3", "--company-column", "2"];
    vec![
        ("urls", format!("{}\n{}\n", url(1), url(2)), &[], 2, 0),
        ("urls with a header", format!("Sub-account\n{}\n{}\n", url(1), url(2)), &[], 2, 0),
        ("urls in a column", format!("name,url\nx,{}\ny,{}\n", url(1), url(2)), &[], 2, 0),
        ("DynamoDB export", lines(&item), &[], 2, 0),
        (
            "DynamoDB scan",
            json!({ "Items": [{ "locationId": s(&a) }, { "locationId": s(&b) }], "Count": 2 })
                .to_string(),
            &[],
            2,
            0,
        ),
        (
            "Firestore REST",
            json!({ "documents": [document(&a), document(&b)] }).to_string(),
            &[],
            2,
            0,
        ),
        (
            "Firestore query",
            json!([{ "document": document(&a), "readTime": "x" }, { "document": document(&b) }])
                .to_string(),
            &[],
            2,
            0,
        ),
        (
            "ids one level down",
            lines(&|id| json!({ "location": { "id": id, "name": "x" }, "company": { "id": c } })),
            &[],
            2,
            0,
        ),
        (
            "ids two levels down",
            lines(&|id| json!({ "data": { "installation": { "locationId": id } }, "n": 1 })),
            &[],
            2,
            0,
        ),
        (
            "psql",
            format!(
                "     location_id      |  name  \n----------------------+--------\n {a} | Shop\n {b} | \n(2 rows)\n\n"
            ),
            &[],
            2,
            0,
        ),
        (
            "psql, one column",
            format!("     location_id      \n----------------------\n {a}\n {b}\n(2 rows)\n"),
            &[],
            2,
            0,
        ),
        (
            "mysql",
            format!(
                "+------+------+\n| location_id | company_id |\n+------+------+\n| {a} | {c} |\n| {b} | NULL |\n| NULL | {c} |\n+------+------+\n3 rows in set (0.00 sec)\n"
            ),
            &[],
            2,
            1,
        ),
        (
            "Markdown",
            format!("| Location ID | Name |\n|:---|---:|\n| {a} | x |\n| {b} | y |\n"),
            &[],
            2,
            0,
        ),
        ("COPY", format!("7\t{c}\t{a}\tShop\n8\t\\N\t{b}\tShop\n\\.\n"), numbered, 2, 0),
        ("no header, commas", format!("Shop,{a}\nCafé,{b}\n"), &["--no-header"], 2, 0),
        (
            "named columns",
            format!(
                "Standort-ID;Agentur;Art\n{a};{c};Location\n{b};{c};sub-account\n;{c};Agency\n"
            ),
            &["--id-column", "standort id", "--company-column", "Agentur", "--kind-column", "Art"],
            2,
            1,
        ),
        (
            "a path",
            lines(&|id| json!({ "ort": { "nummer": id } })),
            &["--id-column", "ort.nummer"],
            2,
            0,
        ),
    ]
}

#[test]
fn lists_as_databases_and_people_write_them_are_read() {
    let work = Work::new();
    for (name, text, args, subs, agencies) in cases() {
        let list = work.file("list", &text);
        let check = work.program(["check".as_ref(), list.as_os_str()]).arg("--json").args(args);
        let ran = check.go();
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
        let counts = ["locations", "companies", "rejected", "unusual_ids"].map(|f| &plan[f]);
        assert_eq!(counts, [subs, agencies, 0, 0], "{name}: {plan}");
    }
}

#[test]
fn the_failures_of_every_list_are_a_list_as_they_stand() {
    for (name, text, args, subs, agencies) in cases() {
        let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["not_installed*"] })));
        let list = work.file("list", &text);
        let ran = work.run(&list, &server.url()).args(args).go().expect(1);
        ran.assert_sound(&server);
        let failures = ran.file("failures.csv");
        let check =
            work.program(["check".as_ref(), failures.as_os_str()]).args(["--json", "--all"]);
        let is_named = name == "named columns" || name == "a path";
        let check = if is_named { check.args(args) } else { check };
        let again = check.go();
        assert_eq!(again.code, 0, "{name}: {}", again.stderr);
        let plan: Value = serde_json::from_str(&again.stdout).unwrap();
        let counts = ["locations", "companies"].map(|f| &plan[f]);
        assert_eq!(counts, [subs, agencies], "{name}: {}", ran.text("failures.csv"));
    }
}

#[test]
fn a_list_without_ids_where_they_are_looked_for_is_refused_with_the_columns_that_would_do() {
    let work = Work::new();
    let [a, b] = [location(1), location(2)];
    let stripe = |n: usize| format!("sub_1MowQVLkdIwHu7ixeraGi{n:03}");
    let rows = |of: &dyn Fn(usize) -> String| (1..=40).fold(String::new(), |all, n| all + &of(n));
    for (name, text, args, says) in [
        (
            "a Stripe export",
            "id,Customer,metadata_ghl\n".to_owned()
                + &rows(&|n| format!("{},x,{}\n", stripe(n), location(n))),
            &[][..],
            &["id would be taken", "metadata_ghl (40 of 40", "--id-column metadata_ghl"][..],
        ),
        (
            "a Stripe export as JSON",
            json!([{ "id": stripe(1), "metadata": { "ghl": a } }]).to_string(),
            &[],
            &["metadata.ghl (1 of 1", "--id-column metadata.ghl"],
        ),
        (
            "a name that no table foresees",
            format!("Standort-ID,Name\n{a},x\n{b},y\n"),
            &[],
            &["no column holds ids", "--id-column Standort-ID"],
        ),
        (
            "a column that is not there",
            format!("location_id,Name\n{a},x\n"),
            &["--id-column", "Nr"],
            &["--id-column Nr: no such column", "location_id, Name"],
        ),
        (
            "a number that is not there",
            format!("{a},x\n"),
            &["--no-header", "--id-column", "3"],
            &["--id-column 3: no such column"],
        ),
        (
            "two columns of ids and no header",
            format!("{a},{}\n{b},{}\n", company(1), company(2)),
            &["--no-header"],
            &["1 (2 of 2", "2 (2 of 2", "--id-column 1"],
        ),
        ("an id in the header", format!("x,{a}\ny,{b}\n"), &[], &["--no-header --id-column 2"]),
    ] {
        let list = work.file("list", text);
        let ran = work.program(["check".as_ref(), list.as_os_str()]).args(args).go();
        assert_eq!(ran.code, 2, "{name}: {}", ran.stdout);
        for part in says {
            assert!(ran.stderr.contains(part), "{name}: {part}: {}", ran.stderr);
        }
    }
}

#[test]
fn of_a_webhook_log_the_last_event_decides_and_no_row_of_it_fails_the_run() {
    let event = |kind: &str, n: usize| json!({ "type": kind, "appId": "a", "locationId": location(n), "companyId": company(1) });
    let log = [
        event("INSTALL", 1),
        event("INSTALL", 2),
        event("UNINSTALL", 1),
        event("UNINSTALL", 3),
        event("INSTALL", 3),
        json!({ "type": "UNINSTALL", "appId": "a", "companyId": company(9) }),
        event("INSTALL", 4),
    ];
    let lines = |wrap: &dyn Fn(&Value) -> Value| -> String {
        log.iter().map(|event| wrap(event).to_string() + "\n").collect()
    };
    let wrapped = lines(&|event| json!({ "receivedAt": "2026-01-01T00:00:00Z", "body": event }));
    for (name, log) in [("plain", lines(&Value::clone)), ("wrapped", wrapped)] {
        let (work, server) = (Work::new(), MockServer::good());
        let list = work.file("log.jsonl", &log);
        let ran = work.run(list, &server.url()).go();
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
        ran.assert_sound(&server);
        let mut ids: Vec<_> = ran.results().into_iter().map(|row| row["id"].clone()).collect();
        ids.sort();
        assert_eq!(ids, [location(2), location(3), location(4)], "{name}");
        let line = "Uninstalled    4 rows left out: the last event of 2 installations is UNINSTALL, 1 is installed again";
        assert!(ran.stderr.contains(line), "{name}: {}", ran.stderr);
        assert_eq!(ran.summary()["list"]["uninstalled"], 4, "{name}");
        assert_eq!(ran.rejected().len(), 0, "{name}");
    }
}

#[test]
fn the_events_of_a_log_count_by_their_times_where_it_has_any() {
    let work = Work::new();
    let list = work.file(
        "log.csv",
        format!(
            "event,locationId,timestamp\ninstalled,{0},2026-02-01T00:00:00Z\nuninstalled,{0},2026-01-01T00:00:00Z\nuninstalled,{1},2026-03-01T00:00:00Z\ninstalled,{1},2026-01-01T00:00:00Z\n",
            location(1),
            location(2)
        ),
    );
    let check = work.program(["check".as_ref(), list.as_os_str()]).arg("--json");
    let plan: Value = serde_json::from_str(&check.go().expect(0).stdout).unwrap();
    let counts = ["locations", "uninstalled", "uninstalled_installations", "installed_again"];
    assert_eq!(counts.map(|field| &plan[field]), [1, 3, 1, 1], "{plan}");
}

#[test]
fn a_resumed_run_reads_its_list_as_it_was_read_first() {
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["not_installed*"] })));
    let token = "old-refresh-token-0001";
    let list =
        work.file("list.csv", format!("Standort-ID;refresh_token\n{};{token}\n", location(1)));
    let run = work.run(&list, &server.url()).args(["--id-column", "Standort-ID"]);
    let ran = run.args(["--via", "refresh,reconnect"]).go().expect(1);
    let recorded = json!({ "id": "Standort-ID" });
    assert_eq!(ran.events("started")[0]["settings"]["selection"]["columns"], recorded);
    assert_eq!(ran.events("refreshing").len(), 1);
    let again = work.resume(&server.url()).args(["--retry-failed"]).go().expect(1);
    assert_eq!(again.events("refreshing").len(), 2, "{}", again.stderr);
    assert!(fs::read_to_string(list).unwrap().contains(token));
    again.assert_sound(&server);
}
