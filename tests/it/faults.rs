//! Many faults at once among many good installations: none disturbs another.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{
    Issuer, MockServer, Reply, Row, ScriptedServer, Seen, Work, location, rows, whole,
};

/// A cell that a spreadsheet would run.
fn is_formula(cell: &str) -> bool {
    let text = cell.trim_start_matches([' ', '"', '\u{a0}']);
    text.starts_with(['=', '+', '@', '\t', '\r', '＝', '＋', '－', '＠'])
        || text.starts_with('-') && text.parse::<f64>().is_err()
}

#[track_caller]
fn assert_no_cell_runs(rows: &[Row]) {
    for (name, cell) in rows.iter().flatten() {
        assert!(!is_formula(name) && !is_formula(cell), "{name}: {cell}");
    }
}

/// What a mock server does wrong: at which step, and what it answers.
type Wrong = (&'static str, u16, &'static str);

/// Status and body of a refusal; 0: the connection is closed, 1: the answer is cut. Its class is in
/// the table of answers.
#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    ("reconnect", 400, r#"{"message":"Location is not active"}"#),
    ("reconnect", 400, r#"{"message":["Location","not found"]}"#),
    ("reconnect", 400, r#"{"message":"App is not installed","traceId":"t"}"#),
    ("reconnect", 422, r#"{"message":["locationId must be a string"]}"#),
    ("reconnect", 401, r#"{"error":"UnAuthorized!","error_description":"Invalid client credentials!"}"#),
    ("reconnect", 403, "error code: 1010"),
    ("reconnect", 302, ""),
    ("reconnect", 503, "upstream"),
    ("reconnect", 200, "<html>hello</html>"),
    ("reconnect", 200, r#"{"traceId":"t"}"#),
    ("reconnect", 418, r#"{"status":418,"message":"=cmd|' /C calc'!A0"}"#),
    ("reconnect", 409, r#"{"error":{"message":"@SUM(1)","code":"X"}}"#),
    ("reconnect", 0, ""),
    ("reconnect", 1, ""),
    ("exchange", 400, r#"{"message":"Location is not active"}"#),
    ("exchange", 401, r#"{"error":"UnAuthorized!","error_description":"Authorization code not found"}"#),
    ("exchange", 400, r#"{"message":"Invalid grant: authorization code has expired"}"#),
    ("exchange", 401, r#"{"error_description":"Invalid client credentials!"}"#),
    ("exchange", 400, r#"{"message":"Missing parameter: clientId"}"#),
    ("exchange", 403, "<html>Forbidden</html>"),
    ("exchange", 307, ""),
    ("exchange", 502, "<html>Bad Gateway</html>"),
    ("exchange", 200, ""),
    ("exchange", 200, r#"{"refresh_token":"only"}"#),
    ("exchange", 400, r#"{"statusCode":400,"message":"-1+1"}"#),
    ("exchange", 0, ""),
    ("exchange", 1, ""),
];

/// Every fifth installation has a fault, until there are no more; the first are good.
fn wrong_of(n: usize) -> Option<&'static Wrong> {
    (n % 5 == 4).then(|| WRONG.get(n / 5)).flatten()
}

fn answer(issuer: &Issuer, codes: &BTreeMap<String, usize>, seen: &Seen) -> Reply {
    let good = || if seen.is_reconnect() { issuer.code(seen) } else { issuer.tokens(seen) };
    let step = if seen.is_reconnect() { "reconnect" } else { "exchange" };
    let number = if seen.is_reconnect() {
        codes[seen.json()["locationId"].as_str().unwrap()]
    } else {
        issuer.owner(&seen.field("code").unwrap()).and_then(|id| codes.get(&id).copied()).unwrap()
    };
    match wrong_of(number).filter(|wrong| wrong.0 == step) {
        None => Reply::Json(200, good()),
        Some((_, 0, _)) => {
            good();
            Reply::Close
        }
        Some((_, 1, _)) => {
            let bytes = whole(200, &[], &good().to_string());
            Reply::Bytes(bytes[..bytes.len() - 9].to_vec())
        }
        Some((_, status, body)) => {
            if step == "exchange" {
                // The code is used up all the same.
                issuer.present(seen);
            }
            let headers = [("Location", "https://elsewhere.invalid/x")];
            Reply::Whole(whole(*status, &headers[..usize::from(*status / 100 == 3)], body))
        }
    }
}

#[test]
fn faults_of_every_kind_at_both_steps_disturb_no_other_installation() {
    let count = WRONG.len() * 5 + 12;
    let ids: BTreeMap<_, _> = (0..count).map(|n| (location(n), n)).collect();
    let server = ScriptedServer::answering(move |issuer, _, seen| answer(issuer, &ids, seen));
    let work = Work::new();
    let list = (0..count).fold("location_id,=name\n".to_owned(), |csv, n| {
        csv + &format!("{},\"=HYPERLINK(\"\"http://x/{n}\"\")\"\n", location(n))
    });
    let list = work.file("list.csv", list);
    let ran = work.run(list, &server.url()).args(["--attempts", "2"]).go().expect(1);
    ran.assert_sound(&server);
    for n in 0..count {
        let row = ran.result(&location(n));
        match wrong_of(n) {
            None => assert_eq!(row["status"], "recovered", "{row:?}"),
            Some((step, _, body)) => {
                assert_eq!((&*row["status"], &*row["stage"]), ("failed", *step), "{body}");
            }
        }
    }
    assert_eq!((ran.count("recovered"), ran.count("failed")), (count - WRONG.len(), WRONG.len()));
    for name in ["results.csv", "failures.csv", "rejected.csv"] {
        assert_no_cell_runs(&rows(&ran.file(name)));
    }
    assert!(ran.quarantine().is_empty());
}

#[test]
fn cells_of_the_list_stay_as_they_are_through_a_chain_of_runs() {
    let cells = ["=1+1", "+49 30 123", "-5", "'=x", "@you", " =1", "plain", "＝1", "-a"];
    let mut csv = "location_id,'@note,=note\n".to_owned();
    for (n, cell) in cells.iter().enumerate() {
        csv.extend([&location(n), ",\"", cell, "\",\"", cell, "\"\n"]);
    }
    csv += "=bad,\"=1+1\",x\n";
    let (work, mut server) = (Work::new(), MockServer::faulty(&json!({ "*": ["unknown_id*"] })));
    let mut list = work.file("list.csv", csv);
    let mut first = None;
    for folder in ["one", "two", "three"] {
        let ran = work.run_into(folder, &list, &server.url()).arg("--all").go().expect(1);
        ran.assert_sound(&server);
        server.next_run();
        assert_no_cell_runs(&ran.failures());
        assert_no_cell_runs(&ran.rejected());
        let listed: Vec<_> = ran.events("listed").iter().map(|e| e["values"].clone()).collect();
        let started = ran.events("started")[0]["list"]["columns"].clone();
        let own = (started, listed);
        for (row, cell) in own.1.iter().zip(cells) {
            assert_eq!((&row[1], &row[2]), (&json!(cell), &json!(cell)), "{folder}");
        }
        assert_eq!(*first.get_or_insert(own.clone()), own, "{folder}");
        list = ran.file("failures.csv");
    }
}
