//! Many faults at once among many good installations: none disturbs another.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Book, Recording, Reply, Row, Seen, StandIn, Work, location, rows, whole};

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

/// What a stand-in does wrong: at which step, what it answers, and how it must end.
type Wrong = (&'static str, u16, &'static str, &'static str);

/// `status` and body of a refusal (0: the connection is closed; 1: the answer is cut), and the
/// class in which an installation ends that always meets it.
#[rustfmt::skip]
const WRONG: &[Wrong] = &[
    ("reconnect", 400, r#"{"message":"Location is not active"}"#, "location_inactive"),
    ("reconnect", 400, r#"{"message":["Location","not found"]}"#, "unknown_id"),
    ("reconnect", 400, r#"{"message":"App is not installed","traceId":"t"}"#, "not_installed"),
    ("reconnect", 422, r#"{"message":["locationId must be a string"]}"#, "invalid_request"),
    ("reconnect", 401, r#"{"error":"UnAuthorized!","error_description":"Invalid client credentials!"}"#, "client_refused"),
    ("reconnect", 403, "error code: 1010", "blocked"),
    ("reconnect", 302, "", "redirected"),
    ("reconnect", 503, "upstream", "server_error"),
    ("reconnect", 200, "<html>hello</html>", "bad_answer"),
    ("reconnect", 200, r#"{"traceId":"t"}"#, "bad_answer"),
    ("reconnect", 418, r#"{"status":418,"message":"=cmd|' /C calc'!A0"}"#, "unrecognised"),
    ("reconnect", 409, r#"{"error":{"message":"@SUM(1)","code":"X"}}"#, "unrecognised"),
    ("reconnect", 0, "", "network"),
    ("reconnect", 1, "", "network"),
    ("exchange", 400, r#"{"message":"Location is not active"}"#, "location_inactive"),
    ("exchange", 401, r#"{"error":"UnAuthorized!","error_description":"Authorization code not found"}"#, "grant_refused"),
    ("exchange", 400, r#"{"message":"Invalid grant: authorization code has expired"}"#, "code_expired"),
    ("exchange", 401, r#"{"error_description":"Invalid client credentials!"}"#, "client_refused"),
    ("exchange", 400, r#"{"message":"Missing parameter: clientId"}"#, "invalid_request"),
    ("exchange", 403, "<html>Forbidden</html>", "blocked"),
    ("exchange", 307, "", "redirected"),
    ("exchange", 502, "<html>Bad Gateway</html>", "server_error"),
    ("exchange", 200, "", "bad_answer"),
    ("exchange", 200, r#"{"refresh_token":"only"}"#, "bad_answer"),
    ("exchange", 400, r#"{"statusCode":400,"message":"-1+1"}"#, "unrecognised"),
    ("exchange", 0, "", "outcome_unknown"),
    ("exchange", 1, "", "outcome_unknown"),
];

/// Every fifth installation has a fault, until there are no more; the first are good.
fn wrong_of(n: usize) -> Option<&'static Wrong> {
    (n % 5 == 4).then(|| WRONG.get(n / 5)).flatten()
}

fn answer(book: &Book, codes: &BTreeMap<String, usize>, seen: &Seen) -> Reply {
    let good = || if seen.is_reconnect() { book.code(seen) } else { book.tokens(seen) };
    let step = if seen.is_reconnect() { "reconnect" } else { "exchange" };
    let number = if seen.is_reconnect() {
        codes[seen.json()["locationId"].as_str().unwrap()]
    } else {
        book.owner(&seen.field("code").unwrap()).and_then(|id| codes.get(&id).copied()).unwrap()
    };
    match wrong_of(number).filter(|wrong| wrong.0 == step) {
        None => Reply::Json(200, good()),
        Some((_, 0, ..)) => {
            good();
            Reply::Close
        }
        Some((_, 1, ..)) => {
            let bytes = whole(200, &[], &good().to_string());
            Reply::Bytes(bytes[..bytes.len() - 9].to_vec())
        }
        Some((_, status, body, _)) => {
            if step == "exchange" {
                // The code is used up all the same.
                book.present(seen);
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
    let stand_in = Recording::answering(move |book, _, seen| answer(book, &ids, seen));
    let work = Work::new();
    let list = (0..count).fold("location_id,=name\n".to_owned(), |csv, n| {
        csv + &format!("{},\"=HYPERLINK(\"\"http://x/{n}\"\")\"\n", location(n))
    });
    let list = work.file("list.csv", list);
    let ran = work.run(list, &stand_in.url()).args(["--attempts", "2"]).go().expect(1);
    ran.assert_sound(&stand_in);
    for n in 0..count {
        let row = ran.result(&location(n));
        match wrong_of(n) {
            None => assert_eq!(row["status"], "recovered", "{row:?}"),
            Some((step, _, body, class)) => {
                assert_eq!((&*row["status"], &*row["stage"]), ("failed", *step), "{body}");
                assert_eq!(row["error_class"], *class, "{body}");
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
    let (work, mut stand_in) = (Work::new(), StandIn::faulty(&json!({ "*": ["unknown_id*"] })));
    let mut list = work.file("list.csv", csv);
    let mut first = None;
    for leg in ["one", "two", "three"] {
        let ran = work.run_into(leg, &list, &stand_in.url()).go().expect(1);
        ran.assert_sound(&stand_in);
        stand_in.next_run();
        assert_no_cell_runs(&ran.failures());
        assert_no_cell_runs(&ran.rejected());
        let listed: Vec<_> = ran.events("listed").iter().map(|e| e["values"].clone()).collect();
        let started = ran.events("started")[0]["list"]["columns"].clone();
        let own = (started, listed);
        for (row, cell) in own.1.iter().zip(cells) {
            assert_eq!((&row[1], &row[2]), (&json!(cell), &json!(cell)), "{leg}");
        }
        assert_eq!(*first.get_or_insert(own.clone()), own, "{leg}");
        list = ran.file("failures.csv");
    }
}
