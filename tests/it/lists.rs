//! Lists of every kind: what is read from them, what is refused, what is carried along.

use std::{collections::BTreeSet, fs, io::Write, path::Path, process::Command, thread};

use serde_json::{Value, json};

use crate::support::{
    Launch, MockServer, OwnTokens, Ran, Work, company, entries, fixture, location, locations,
    program,
};

/// List, sub-accounts, agencies, duplicates, rejected rows.
#[rustfmt::skip]
const FIXTURES: &[(&str, usize, usize, usize, usize)] = &[
    ("array-of-ids.json", 6, 0, 0, 0),
    ("array.json", 6, 1, 0, 0),
    ("bare-ids.txt", 9, 0, 0, 0),
    ("excel-semicolons-utf8-bom.csv", 6, 0, 0, 0),
    ("excel-unicode-text-utf16le-tabs.txt", 7, 0, 0, 0),
    ("failures-of-an-earlier-run.csv", 6, 0, 0, 0),
    ("failures-saved-by-excel.csv", 6, 0, 0, 0),
    ("firestore-collections.json", 5, 0, 0, 0),
    ("firestore-documents-by-id.json", 6, 0, 0, 0),
    ("install-webhooks.jsonl", 5, 1, 0, 0),
    ("installations.csv", 21, 4, 0, 0),
    ("installed-locations-v2.json", 7, 0, 0, 0),
    ("installed-locations-v3.json", 6, 0, 0, 0),
    ("lines.jsonl", 6, 1, 0, 0),
    ("mixed.csv", 7, 1, 2, 15),
    ("mixed.jsonl", 4, 0, 0, 4),
    ("objects-as-jq-prints-them.json", 6, 1, 0, 0),
    ("old-mac-line-ends.csv", 5, 0, 0, 0),
    ("one-column.csv", 8, 0, 0, 0),
    ("own-kinds-user-type.csv", 4, 3, 0, 0),
    ("sdk-sessions-node.json", 5, 1, 0, 0),
    ("sdk-sessions-python.jsonl", 5, 1, 0, 0),
    ("tokens-are-left-out.csv", 5, 0, 0, 0),
    ("utf16be-commas.csv", 5, 0, 0, 0),
    ("vertical-bars.csv", 5, 0, 0, 0),
    ("windows-1252-semicolons.csv", 6, 0, 0, 0),
];

/// List, and what the message about it says to do.
#[rustfmt::skip]
const UNUSABLE: &[(&str, &[&str])] = &[
    ("binary.csv", &["binary", "CSV or JSON"]),
    ("compressed.csv.gz", &["compressed", "unpack"]),
    ("cut-off.json", &["line 3", "export or copy the list again"]),
    ("document.pdf", &["PDF", "CSV or JSON"]),
    ("empty-array.json", &["no record", "export the list again"]),
    ("empty.csv", &["empty", "export the list again"]),
    ("header-only.csv", &["no record", "export the list again"]),
    ("missing-colon.json", &["line 3", "correct it"]),
    ("no-header.csv", &["line 1", "add a first line", "--no-header --id-column 1"]),
    ("no-id-column.csv", &["name, phone", "location_id"]),
    ("no-id-key.json", &["name", "location_id"]),
    ("unclosed-quote.csv", &["line 2", "quote"]),
    ("web-page.html", &["web page", "CSV or JSON"]),
    ("workbook.xlsx", &["Excel", "CSV UTF-8"]),
];

#[test]
fn the_tables_have_every_fixture() {
    let files = |folder: &str| -> BTreeSet<String> {
        let names = entries(&fixture(folder)).into_iter();
        names.filter(|name| fixture(folder).join(name).is_file()).collect()
    };
    let table: BTreeSet<_> = FIXTURES.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(table, files("."));
    let table: BTreeSet<_> = UNUSABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(table, files("unusable"));
}

#[test]
fn every_usable_list_is_read_to_its_last_row() {
    for (name, subs, agencies, duplicate, rejected) in FIXTURES {
        let work = Work::new();
        let code = i32::from(*rejected > 0);
        let check = work.program(["check".as_ref(), fixture(name).as_os_str()]);
        let check = check.args(["--json", "--all"]);
        let plan: Value = serde_json::from_str(&check.go().expect(code).stdout).unwrap();
        for (field, count) in [
            ("locations", subs),
            ("companies", agencies),
            ("duplicate", duplicate),
            ("rejected", rejected),
            ("left_out", &0),
        ] {
            assert_eq!(plan[field], *count, "{name}: {field}");
        }
        assert_eq!(plan["input"], subs + agencies + duplicate + rejected, "{name}");
        let ran = work.rehearse(fixture(name)).arg("--all").go().expect(code);
        ran.assert_sound(&OwnTokens(&ran));
        let scopes = |scope: &str| ran.results().iter().filter(|r| r["scope"] == scope).count();
        assert_eq!((scopes("location"), scopes("company")), (*subs, *agencies));
        assert_eq!(ran.count("recovered"), subs + agencies, "{name}");
        assert_eq!(ran.rejected().len(), *rejected, "{name}");
        let books = &ran.summary()["books"];
        assert_eq!(books["duplicate"], *duplicate, "{name}");
    }
}

#[test]
fn an_unusable_list_is_refused_with_advice_and_nothing_happens() {
    for (name, says) in UNUSABLE {
        let (work, server) = (Work::new(), MockServer::good());
        let list = fixture("unusable").join(name);
        for ran in [
            work.run(&list, &server.url()).go(),
            work.program(["check".as_ref(), list.as_os_str()]).go(),
        ] {
            let ran = ran.expect(2);
            for part in *says {
                assert!(ran.stderr.contains(part), "{name}: {part}: {}", ran.stderr);
            }
            assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
            assert_eq!(ran.stdout, "");
        }
        assert_eq!(server.requests(), 0, "{name}");
        assert_eq!(work.entries().len(), 0, "{name}: {:?}", work.entries());
    }
}

#[test]
fn a_list_that_is_not_there_is_refused() {
    let (work, server) = (Work::new(), MockServer::good());
    fs::create_dir(work.path("folder")).unwrap();
    for (list, says) in [("nowhere.csv", "no such file"), ("folder", "a folder")] {
        let ran = work.run(work.path(list), &server.url()).go().expect(2);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!ran.folder.exists());
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn rejected_rows_are_named_by_line_column_and_reason_and_tokens_are_not_shown() {
    let (work, server) = (Work::new(), MockServer::good());
    let ran = work.run(fixture("mixed.csv"), &server.url()).args(["-v"]).go().expect(1);
    ran.assert_sound(&server);
    let rejected = ran.rejected();
    let expected: &[(u64, &str)] = &[
        (6, "a relationship number"),
        (7, "the app's client id"),
        (8, "a token"),
        (9, "a token"),
        (10, "an e-mail address"),
        (12, "a UUID"),
        (13, "a phone number"),
        (14, "a plain number"),
        (15, "Excel"),
        (16, "a placeholder"),
        (17, "the header is repeated"),
        (18, "not an id"),
        (19, "no id"),
        (20, "no id"),
        (25, "4 cells"),
    ];
    assert_eq!(rejected.len(), expected.len());
    for (row, (line, reason)) in rejected.iter().zip(expected) {
        assert_eq!(row["line"], line.to_string());
        assert_eq!(row["column"], "location_id");
        assert!(row["reason"].contains(reason), "line {line}: {}", row["reason"]);
    }
    let secrets = [
        "eyJub3QiOiJhIHRva2VuIn0",
        "bm90LWEtdG9rZW4",
        "pit-00000000",
        "00000000-0000-4000-8000",
        "jane.doe@",
    ];
    for name in entries(&ran.folder) {
        let text = ran.text(&name);
        for secret in secrets {
            assert!(!text.contains(secret), "{name}: {secret}");
        }
    }
    for secret in secrets {
        assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "{secret}");
    }
}

#[test]
fn standard_input_is_a_list() {
    let work = Work::new();
    for name in ["installations.csv", "array.json", "excel-unicode-text-utf16le-tabs.txt"] {
        let bytes = fs::read(fixture(name)).unwrap();
        let (out, server) = (format!("run of {name}"), MockServer::good());
        let ran = work.run_into(&out, "-", &server.url()).input(bytes).go().expect(0);
        ran.assert_sound(&server);
        assert_eq!(ran.summary()["list"]["name"], "standard input");
    }
    let server = MockServer::good();
    let ran = work.run_into("none", "-", &server.url()).go().expect(2);
    assert!(ran.stderr.contains("standard input: empty"), "{}", ran.stderr);
}

#[cfg(unix)]
#[test]
fn a_pipe_with_a_name_is_a_list() {
    let (work, server) = (Work::new(), MockServer::good());
    let pipe = work.path("pipe.csv");
    assert!(Command::new("mkfifo").arg(&pipe).capture().unwrap().status.success());
    let run = work.run(&pipe, &server.url());
    let ran = thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, locations(20)).unwrap());
        run.go()
    });
    let ran = ran.expect(0);
    ran.assert_sound(&server);
    assert_eq!(ran.count("recovered"), 20);
}

#[cfg(unix)]
#[test]
fn a_substituted_process_is_a_list() {
    if Command::new("bash").arg("--version").capture().is_err() {
        return;
    }
    let work = Work::new();
    let list = work.file("list.csv", locations(20));
    let script = "\"$0\" check --json <(cat \"$1\")";
    let output = Command::new("bash").args(["-c", script, program()]).arg(list).capture().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["locations"], 20);
}

/// `check --json` of a list.
fn plan_of(work: &Work, name: &str, text: &str, args: &[&str]) -> Value {
    let list = work.file(name, text);
    let check = work.program(["check".as_ref(), list.as_os_str()]).args(["--json"]).args(args);
    serde_json::from_str(&check.go().expect(0).stdout).unwrap()
}

#[test]
fn the_format_is_told_from_the_content() {
    let work = Work::new();
    let json = json!([{ "locationId": location(1) }, { "locationId": location(2) }]).to_string();
    let line = |n| json!({ "locationId": location(n) }).to_string();
    for (name, text, shape) in [
        ("list.csv", json, "JSON array"),
        ("list.txt", format!("{}\n{}\n", line(1), line(2)), "JSON lines"),
        ("list.json", locations(2), "CSV"),
        ("list.xlsx", locations(2), "CSV"),
        ("list", locations(2).replace('\n', "\r\n"), "CSV"),
    ] {
        let plan = plan_of(&work, name, &text, &[]);
        assert!(plan["shape"].as_str().unwrap().starts_with(shape), "{name}: {plan}");
        assert_eq!(plan["locations"], 2, "{name}");
    }
}

#[test]
fn scope_limit_and_only_pick_rows() {
    let work = Work::new();
    let both = |n: usize| format!("{},{}\n", location(n), company(n / 2));
    let list = (0..6).map(both).fold("location_id,company_id\n".to_owned(), |csv, row| csv + &row);
    let only = work.file("only.txt", format!("{}\n{}\n", location(4), location(1)));
    let only = only.to_str().unwrap();
    for (args, subs, agencies, duplicate, left_out) in [
        (&[][..], 6, 0, 0, 0),
        (&["--scope", "auto"], 6, 0, 0, 0),
        (&["--scope", "location"], 6, 0, 0, 0),
        (&["--scope", "company"], 0, 3, 3, 0),
        (&["--limit", "2"], 2, 0, 0, 4),
        (&["--limit", "100"], 6, 0, 0, 0),
        (&["--only", only], 2, 0, 0, 4),
        (&["--only", only, "--limit", "1"], 1, 0, 0, 5),
    ] {
        let plan = plan_of(&work, "list.csv", &list, args);
        let counts = ["locations", "companies", "duplicate", "left_out"].map(|f| &plan[f]);
        assert_eq!(counts, [subs, agencies, duplicate, left_out], "{args:?}");
    }
    let server = MockServer::good();
    let ran = work.run(work.path("list.csv"), &server.url()).args(["--only", only]).go();
    let ran = ran.expect(0);
    ran.assert_sound(&server);
    let ids: Vec<_> = ran.results().into_iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [location(1), location(4)]);
    assert_eq!(server.requests(), 4);
}

#[test]
fn a_selection_that_leaves_nothing_is_refused() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let only = work.file("only.txt", location(99) + "\n");
    let ran = work.run(list, &server.url()).arg("--only").arg(only).go().expect(2);
    assert!(ran.stderr.contains("--only"), "{}", ran.stderr);
    assert!(!ran.folder.exists());
}

#[test]
fn duplicates_are_counted_named_and_called_once() {
    let (work, server) = (Work::new(), MockServer::good());
    let text = format!("{}{}\n {} \n{}\n", locations(3), location(1), location(1), location(0));
    let list = work.file("list.csv", text);
    let ran = work.run(list, &server.url()).go().expect(0);
    ran.assert_sound(&server);
    assert_eq!(server.requests(), 6);
    assert!(ran.stderr.contains("Duplicates     3 rows"), "{}", ran.stderr);
    let named = format!("row 4 (line 5) repeats row 2: {}", location(1));
    assert!(ran.stderr.contains(&named), "{}", ran.stderr);
    assert_eq!(ran.summary()["books"]["duplicate"], 3);
    assert!(ran.stdout.contains("3 duplicate rows"), "{}", ran.stdout);
}

/// The failures of a run in which everything fails.
fn failures_of(work: &Work, list: &str) -> (Ran, Vec<u8>) {
    let server = MockServer::faulty(&json!({ "*": ["not_installed*"] }));
    let ran = work.run(work.file("list", list), &server.url()).go().expect(1);
    ran.assert_sound(&server);
    let bytes = fs::read(ran.file("failures.csv")).unwrap();
    (ran, bytes)
}

#[test]
fn the_columns_of_a_list_come_first_and_unchanged_in_the_failures() {
    let work = Work::new();
    let id = location(1);
    let cells =
        ["Name, \"quoted\"", "a,b", "two\nlines", " padded ", "=1+1", "naïve 名前 🙂", "007", ""];
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = ["My Id Column Is", "b", "c", "d", "e", "f", "g", "h"];
    writer.write_record(names.iter().copied().chain(["Location ID"])).unwrap();
    writer.write_record(cells.iter().copied().chain([&*id])).unwrap();
    let list = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    let (_, bytes) = failures_of(&work, &list);
    let mut reader = csv::Reader::from_reader(&*bytes);
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let expected_header: Vec<_> = names.into_iter().chain(["Location ID", "status"]).collect();
    assert_eq!(header.iter().take(10).collect::<Vec<_>>(), expected_header);
    // Only what a spreadsheet would run is kept from it.
    let cells = cells.map(|cell| if cell == "=1+1" { "'=1+1" } else { cell });
    let expected: Vec<_> = cells.into_iter().chain([&*id, "failed"]).collect();
    assert_eq!(row.iter().take(10).collect::<Vec<_>>(), expected);
}

#[test]
fn columns_with_tokens_are_named_in_the_plan_and_carried_nowhere() {
    let work = Work::new();
    let secret = "ac7-this-is-the-old-refresh-token";
    let list = format!("location_id,refresh_token,name\n{},{secret},Shop\n", location(1));
    let (ran, _) = failures_of(&work, &list);
    assert!(ran.stderr.contains("Not carried    refresh_token"), "{}", ran.stderr);
    assert!(ran.header("failures.csv").starts_with("location_id,name,status"));
    for name in entries(&ran.folder) {
        assert!(!ran.text(&name).contains(secret), "{name}");
    }
    assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret));
}

#[test]
fn rows_with_nothing_in_them_are_blank_however_they_are_written() {
    let work = Work::new();
    for separator in [",", ";", "\t", "|"] {
        let row = |cells: [&str; 3]| cells.join(separator) + "\n";
        let text = [
            row([r#""""#, "", r#""""#]),
            row(["location_id", "company_id", "name"]),
            row([r#""""#, r#""""#, r#""""#]),
            row([&location(1), "", "Shop"]),
            row([r#""  ""#, "", "\"\u{a0}\""]),
            row(["  ", "\"\t\"", "\" \" "]),
            row(["", "", ""]),
            separator.repeat(5) + "\n",
            format!("\" \"{separator}\"\n\"{separator}\"\"\r\n"),
            row([&location(2), "", r#""""#]),
            format!("\"\"{separator}\"\""),
        ];
        let plan = plan_of(&work, "list.csv", &text.concat(), &[]);
        let counts = ["locations", "rejected", "input"].map(|field| &plan[field]);
        assert_eq!(counts, [2, 0, 2], "{separator:?}: {plan}");
    }
    // A blank that does not break, in Excel's old Western code page.
    let windows = [b"location_id,name\n\"\xa0\",\"\"\n".to_vec(), location(1).into_bytes()];
    let list = work.file("windows.csv", windows.concat());
    let ran = work.program(["check".as_ref(), list.as_os_str()]).go().expect(0);
    assert!(ran.stdout.contains("1 installation:"), "{}", ran.stdout);
    // What has something in it is no blank row.
    let text = format!("location_id,name\n{},\n\"\",\"Shop\"\n", location(1));
    let list = work.file("odd.csv", text);
    let ran = work.program(["check".as_ref(), list.as_os_str()]).go().expect(1);
    assert!(ran.stdout.contains("Rejected       1 row"), "{}", ran.stdout);
}

/// Feeds the program a list without end, until it will not have more; what it says.
fn endless(work: &Work, first: &[u8], piece: &[u8]) -> String {
    let run = work.run("-", "http://127.0.0.1:1");
    let mut command = run.command();
    let mut child = command.stdin(std::process::Stdio::piped());
    child = child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = child.launch();
    let mut input = child.stdin.take().unwrap();
    let much = piece.repeat(1 + 65_536 / piece.len());
    input.write_all(first).unwrap();
    while input.write_all(&much).is_ok() {}
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!work.path("run").exists());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_list_without_end_is_refused_at_a_bound_that_is_named() {
    let work = Work::new();
    for (first, piece, parts) in [
        (&b""[..], &b"y\n"[..], &["standard input", "lines", "split"][..]),
        (b"location_id\n", b"\n", &["lines", "split"]),
        (b"location_id\n", b"0123456789", &["line 2", "1048576 bytes"]),
        (b"", b"0123456789", &["line 1", "1048576 bytes"]),
        (b"", b"\0\0\0", &["binary"]),
    ] {
        let said = endless(&work, first, piece);
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_device_or_a_pipe_without_end_is_no_list() {
    let work = Work::new();
    let run = work.run("/dev/zero", "http://127.0.0.1:1").go().expect(2);
    assert!(run.stderr.contains("/dev/zero") && run.stderr.contains("binary"), "{}", run.stderr);
    let pipe = work.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).capture().unwrap().status.success());
    let writer = {
        let pipe = pipe.clone();
        thread::spawn(move || {
            let mut pipe = fs::File::options().write(true).open(pipe).unwrap();
            let rows = (location(1) + "\n").repeat(4096);
            while pipe.write_all(rows.as_bytes()).is_ok() {}
        })
    };
    let ran = work.run(&pipe, "http://127.0.0.1:1").go().expect(2);
    assert!(ran.stderr.contains("lines") && ran.stderr.contains("split"), "{}", ran.stderr);
    writer.join().unwrap();
    let only = work.file("list.csv", locations(1));
    let secret = Path::new("/dev/zero");
    let run = work.run(&only, "http://127.0.0.1:1").arg("--client-secret-file").arg(secret);
    assert!(run.go().expect(2).stderr.contains("/dev/zero"));
}
