//! What becomes of an installation that meets a fault: a row for each fault and step.

use std::{collections::BTreeSet, fs, thread, time::Duration};

use ghl_reconnect::sandbox::{CATALOGUE, Options, Outcome, Step};
use serde_json::json;

use crate::support::{
    MockServer, Reply, ScriptedServer, Work, location, locations, side_by_side, wait_until, whole,
};

/// What a fault means for the installation that meets it.
#[derive(Clone, Copy, Debug)]
enum Means {
    /// Nothing: it recovers at the first attempt, though the fault stays.
    Nothing,
    /// It recovers at the second attempt; where the fault stays, it fails with this class.
    Passes(&'static str),
    /// It fails with this class, at the first attempt.
    Final(&'static str),
}

use Means::{Final, Nothing, Passes};
use Step::{Exchange, Reconnect};

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    (Reconnect, "rate_limited(1)", Passes("rate_limited")),
    (Reconnect, "rate_limited_date(1)", Passes("rate_limited")),
    (Reconnect, "rate_limited_bare", Passes("rate_limited")),
    (Reconnect, "rate_limited_absurd", Passes("rate_limited")),
    (Reconnect, "rate_limited_headers(1)", Passes("rate_limited")),
    (Reconnect, "server_error", Passes("server_error")),
    (Reconnect, "bad_gateway", Passes("server_error")),
    (Reconnect, "unavailable", Passes("server_error")),
    (Reconnect, "blocked", Final("blocked")),
    (Reconnect, "reset", Passes("network")),
    (Reconnect, "cut", Passes("network")),
    (Reconnect, "silence", Passes("network")),
    (Reconnect, "slow(100ms)", Nothing),
    (Reconnect, "empty", Passes("bad_answer")),
    (Reconnect, "not_json", Passes("bad_answer")),
    (Reconnect, "huge(2)", Passes("bad_answer")),
    (Reconnect, "missing_code", Passes("bad_answer")),
    (Reconnect, "bad_expiry", Nothing),
    (Reconnect, "past_expiry", Nothing),
    (Reconnect, "no_expiry", Nothing),
    (Reconnect, "short_code(2s)", Nothing),
    (Reconnect, "client_refused", Final("client_refused")),
    (Reconnect, "endpoint_removed", Final("endpoint_removed")),
    (Reconnect, "path_gone", Final("endpoint_removed")),
    (Reconnect, "location_inactive", Final("location_inactive")),
    (Reconnect, "not_installed", Final("not_installed")),
    (Reconnect, "unknown_id", Final("unknown_id")),
    (Reconnect, "validation", Final("invalid_request")),
    (Reconnect, "redirect", Final("redirected")),
    (Reconnect, "snake", Nothing),
    (Reconnect, "camel", Nothing),
    (Reconnect, "created", Nothing),
    (Reconnect, "no_trace", Nothing),
    (Reconnect, "message_array", Final("unrecognised")),
    (Reconnect, "error_object", Final("unrecognised")),
    (Reconnect, "unauthorised_html", Final("blocked")),
    (Reconnect, "garbage_message", Final("unrecognised")),
    (Reconnect, "echo_secret", Final("unrecognised")),
    (Reconnect, "http(418,teapot)", Final("unrecognised")),
    (Exchange, "rate_limited(1)", Passes("rate_limited")),
    (Exchange, "rate_limited_date(1)", Passes("rate_limited")),
    (Exchange, "rate_limited_bare", Passes("rate_limited")),
    (Exchange, "rate_limited_absurd", Passes("rate_limited")),
    (Exchange, "rate_limited_headers(1)", Passes("rate_limited")),
    (Exchange, "server_error", Passes("server_error")),
    (Exchange, "bad_gateway", Passes("server_error")),
    (Exchange, "unavailable", Passes("server_error")),
    (Exchange, "blocked", Final("blocked")),
    (Exchange, "reset", Passes("outcome_unknown")),
    (Exchange, "cut", Passes("outcome_unknown")),
    (Exchange, "silence", Passes("outcome_unknown")),
    (Exchange, "slow(100ms)", Nothing),
    (Exchange, "empty", Passes("bad_answer")),
    (Exchange, "not_json", Passes("bad_answer")),
    (Exchange, "huge(2)", Passes("bad_answer")),
    (Exchange, "missing_token", Passes("bad_answer")),
    (Exchange, "code_not_found", Passes("grant_refused")),
    (Exchange, "code_expired", Passes("code_expired")),
    (Exchange, "grant_refused", Passes("grant_refused")),
    (Exchange, "client_refused", Final("client_refused")),
    (Exchange, "endpoint_removed", Final("endpoint_removed")),
    (Exchange, "path_gone", Final("endpoint_removed")),
    (Exchange, "location_inactive", Final("location_inactive")),
    (Exchange, "not_installed", Final("not_installed")),
    (Exchange, "unknown_id", Final("unknown_id")),
    (Exchange, "validation", Final("invalid_request")),
    (Exchange, "wrong_tenant", Final("wrong_tenant")),
    (Exchange, "wrong_kind", Final("wrong_kind")),
    (Exchange, "redirect", Final("redirected")),
    (Exchange, "snake", Nothing),
    (Exchange, "camel", Nothing),
    (Exchange, "created", Nothing),
    (Exchange, "no_trace", Nothing),
    (Exchange, "message_array", Final("unrecognised")),
    (Exchange, "error_object", Final("unrecognised")),
    (Exchange, "unauthorised_html", Final("blocked")),
    (Exchange, "garbage_message", Final("unrecognised")),
    (Exchange, "echo_secret", Final("unrecognised")),
    (Exchange, "http(418,teapot)", Final("unrecognised")),
];

/// Faults that each have a run of their own: some hold all others up, and who never answers is waited
/// for.
fn stands_alone(fault: &str) -> bool {
    fault.starts_with("rate_limited") || fault == "silence"
}

type Fault = (Step, &'static str, Means);

/// The rows of the table in the runs in which their installations meet them.
fn runs(is_taken: impl Fn(&Means) -> bool) -> Vec<Vec<Fault>> {
    let taken = || FAULTS.iter().copied().filter(|(.., means)| is_taken(means));
    let alone = taken().filter(|(_, fault, _)| stands_alone(fault)).map(|fault| vec![fault]);
    let together = [Reconnect, Exchange]
        .map(|step| taken().filter(|(at, fault, _)| *at == step && !stands_alone(fault)).collect());
    alone.chain(together).collect()
}

/// What came of an installation that met a fault.
#[derive(Debug, PartialEq)]
struct Came {
    status: String,
    class: String,
    stage: String,
    reconnects: usize,
    exchanges: usize,
    /// Reasons in quarantine.jsonl.
    quarantined: Vec<String>,
}

/// How many installations recover before each one that meets a fault.
const BETWEEN: usize = 2;

/// One installation after the other, some of which meet a fault. What came of those, in their order.
fn meet(faults: &[Fault], stays: bool) -> Vec<Came> {
    let repeat = if stays { "*" } else { "" };
    let place = |n: usize| location(n * (BETWEEN + 1) + BETWEEN);
    let met: serde_json::Map<_, _> = faults
        .iter()
        .enumerate()
        .map(|(n, (step, fault, _))| (place(n), json!([format!("{step}:{fault}{repeat}")])))
        .collect();
    let (work, server) = (Work::new(), MockServer::faulty(&met.into()));
    let count = (faults.len() + 1) * (BETWEEN + 1);
    let list = work.file("list.csv", locations(count));
    let run = work.run(list, &server.url()).args(["--attempts", "2", "--concurrency", "1"]);
    // Only who never answers is waited for that long.
    let timeout = if faults[0].1 == "silence" { "500ms" } else { "20s" };
    let ran = run.args(["--timeout", timeout]).go();
    ran.assert_sound(&server);
    let (results, quarantine) = (ran.results(), ran.quarantine());
    let came: Vec<_> = (0..faults.len())
        .map(|n| {
            let row = results.iter().find(|row| row["id"] == place(n)).unwrap();
            let [reconnects, exchanges] = server.calls_for(&place(n));
            let kept = quarantine.iter().filter(|line| line["resourceId"] == place(n));
            Came {
                status: row["status"].clone(),
                class: row["error_class"].clone(),
                stage: row["stage"].clone(),
                reconnects,
                exchanges,
                quarantined: kept
                    .map(|line| line["quarantined_for"].as_str().unwrap().to_owned())
                    .collect(),
            }
        })
        .collect();
    let failed = came.iter().filter(|came| came.status != "recovered").count();
    assert_eq!(ran.count("recovered"), count - failed, "the others all recover");
    assert_eq!(ran.code, i32::from(failed > 0));
    came
}

/// What the table says should come of it.
fn expected(step: Step, means: Means, stays: bool) -> Came {
    let attempts = if matches!(means, Passes(_)) { 2 } else { 1 };
    let recovered = Came {
        status: "recovered".into(),
        class: String::new(),
        stage: String::new(),
        reconnects: attempts,
        exchanges: if step == Reconnect { 1 } else { attempts },
        quarantined: Vec::new(),
    };
    let failed = |class: &str| Came {
        status: "failed".into(),
        class: class.into(),
        stage: step.to_string(),
        reconnects: attempts,
        exchanges: if step == Reconnect { 0 } else { attempts },
        quarantined: if class.starts_with("wrong") { vec![class.into()] } else { Vec::new() },
    };
    match means {
        Nothing => recovered,
        Passes(_) if !stays => recovered,
        Passes(class) | Final(class) => failed(class),
    }
}

fn assert_as_in_the_table(faults: &[Fault], stays: bool) {
    for ((step, fault, means), came) in faults.iter().zip(meet(faults, stays)) {
        assert_eq!(came, expected(*step, *means, stays), "{step}:{fault}, stays: {stays}");
    }
}

#[test]
fn the_table_has_every_fault_at_every_step_that_a_recovery_takes() {
    let name = |fault: &'static str| fault.split('(').next().unwrap();
    let table: BTreeSet<_> =
        FAULTS.iter().map(|(step, fault, _)| (step.to_string(), name(fault))).collect();
    for known in CATALOGUE {
        for step in [Reconnect, Exchange].into_iter().filter(|step| known.steps.contains(step)) {
            assert!(table.contains(&(step.to_string(), known.name)), "{step}:{}", known.name);
        }
    }
}

#[test]
fn a_fault_that_strikes_once_has_the_outcome_of_its_row() {
    side_by_side(&runs(|_| true), |faults| assert_as_in_the_table(faults, false));
}

#[test]
fn a_fault_that_stays_has_the_outcome_of_its_row() {
    // Where the first call settles it there is no second one to meet the fault.
    let runs = runs(|means| !matches!(means, Final(_)));
    side_by_side(&runs, |faults| assert_as_in_the_table(faults, true));
}

#[test]
fn tokens_of_another_tenant_or_kind_are_quarantined_with_the_reason() {
    for (fault, reason) in
        [("wrong_tenant", "the tokens are for location"), ("wrong_kind", "got one for a company")]
    {
        let (work, server) = (Work::new(), MockServer::faulty(&json!({ location(1): [fault] })));
        let list = work.file("list.csv", locations(3));
        let ran = work.run(list, &server.url()).go().expect(1);
        ran.assert_sound(&server);
        let [line] = &ran.quarantine()[..] else { panic!("one line: {:?}", ran.quarantine()) };
        assert_eq!(line["quarantined_for"], fault);
        assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
        assert_eq!(line["resourceId"], location(1));
        let granted = server.audit();
        let granted = granted.granted(&location(1)).unwrap();
        assert_eq!(line["access_token"], granted.access_token, "the tokens are not lost");
        assert!(!ran.text("tokens.jsonl").contains(&granted.access_token));
        let row = &ran.failures()[0];
        assert_eq!((&*row["error_class"], &*row["retry"]), (fault, "needs-support"));
        assert!(ran.stdout.contains("quarantine.jsonl"), "{}", ran.stdout);
    }
}

#[test]
fn three_misdirected_answers_stop_the_run() {
    let faults = json!({ "*": ["wrong_tenant*"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(10));
    let ran = work.run(list, &server.url()).args(["--concurrency", "1"]).go().expect(3);
    ran.assert_sound(&server);
    assert_eq!((ran.count("failed"), ran.count("not_attempted")), (3, 7));
    assert_eq!(ran.quarantine().len(), 3);
}

#[test]
fn advice_for_the_next_run_follows_from_the_class() {
    let faults = json!({
        location(1): ["server_error*"],
        location(2): ["client_refused"],
        location(3): ["unknown_id"],
        location(4): ["not_installed"],
        location(5): ["http(418,teapot)"],
        location(6): ["exchange:grant_refused*"],
        location(7): ["location_inactive"],
    });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(8));
    let ran = work.run(list, &server.url()).args(["--attempts", "1"]).go().expect(1);
    ran.assert_sound(&server);
    let advice: Vec<_> = ran.failures().into_iter().map(|row| row["retry"].clone()).collect();
    let expected = [
        "later",
        "fix-credentials",
        "fix-input",
        "needs-reinstall",
        "needs-support",
        "now",
        "later",
    ];
    assert_eq!(advice, expected);
}

#[test]
fn a_code_past_its_life_is_never_presented() {
    // At one start in 400 ms a code that lives for 200 ms is dead before its turn comes.
    let options = Options { code_life: Duration::from_millis(200), ..Options::default() };
    let (work, server) = (Work::new(), MockServer::with(options));
    let list = work.file("list.csv", locations(1));
    let run = work.run(list, &server.url()).rate("5/2s").args(["--attempts", "2"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    let audit = server.audit();
    assert_eq!((audit.codes.len(), audit.presentations.len()), (2, 0));
    let row = ran.result(&location(0));
    assert_eq!((&*row["error_class"], &*row["stage"]), ("code_expired", "exchange"));
    assert_eq!(row["http_status"], "", "nobody was asked");
}

#[test]
fn the_life_of_a_code_is_judged_by_the_clock_of_the_server() {
    for hours in [-5, 5] {
        let clock_offset = jiff::SignedDuration::from_hours(hours);
        let options =
            Options { code_life: Duration::from_secs(20), clock_offset, ..Options::default() };
        let (work, server) = (Work::new(), MockServer::with(options));
        let list = work.file("list.csv", locations(2));
        let ran = work.run(list, &server.url()).go().expect(0);
        ran.assert_sound(&server);
        let margin: u64 = ran.result(&location(1))["code_margin_ms"].parse().unwrap();
        assert!((15_000..=21_000).contains(&margin), "offset {hours} h: {margin} ms");
    }
}

#[test]
fn an_exchange_of_unknown_outcome_is_followed_by_a_new_code() {
    side_by_side(&["reset", "cut", "silence"], |fault| {
        let faults = json!({ location(0): [format!("exchange:{fault}")] });
        let (work, server) = (Work::new(), MockServer::faulty(&faults));
        let list = work.file("list.csv", locations(1));
        let ran = work.run(list, &server.url()).args(["--timeout", "500ms"]).go().expect(0);
        ran.assert_sound(&server);
        let audit = server.audit();
        let outcomes: Vec<_> = audit.presentations.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [Outcome::Granted; 2], "{fault}");
        assert_ne!(audit.presentations[0].code, audit.presentations[1].code);
        assert_eq!(ran.events("retrying")[0]["failure"]["class"], "outcome_unknown");
    });
}

#[test]
fn an_exchange_that_never_left_uses_its_code_again() {
    // The first answer says that the connection ends; then nobody listens for a while.
    let mut server = ScriptedServer::answering(|issuer, number, seen| {
        if number == 0 {
            let answer = whole(200, &[("Connection", "close")], &issuer.code(seen).to_string());
            // The test closes the door before this goes out.
            wait_until("the door is closed", || issuer.is_marked());
            return Reply::Bytes(answer);
        }
        issuer.answer(seen)
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    let run = work.run(list, &server.url());
    let journal = work.path("run/journal.jsonl");
    let ran = thread::scope(|scope| {
        let ran = scope.spawn(|| run.go());
        wait_until("the reconnect", || !server.seen().is_empty());
        server.close();
        server.mark();
        wait_until("the refused exchange", || {
            fs::read_to_string(&journal).is_ok_and(|text| text.contains("retrying"))
        });
        server.reopen();
        ran.join().unwrap()
    });
    let ran = ran.expect(0);
    ran.assert_sound(&server);
    let seen = server.seen();
    assert_eq!(seen.len(), 2, "one reconnect, one exchange: {seen:?}");
    assert_eq!(ran.result(&location(0))["attempts"], "1");
    let retrying = ran.events("retrying");
    assert!(!retrying.is_empty());
    for event in retrying {
        assert_eq!(
            (&event["failure"]["class"], &event["failure"]["stage"]),
            (&json!("network"), &json!("exchange"))
        );
    }
}

#[test]
fn what_a_server_says_is_safe_to_show() {
    let faults = json!({ location(1): ["garbage_message"], location(2): ["echo_secret"] });
    let (work, server) = (Work::new(), MockServer::faulty(&faults));
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).args(["-v"]).go().expect(1);
    ran.assert_sound(&server);
    let files = ["results.csv", "failures.csv", "summary.json", "journal.jsonl", "run.log"];
    let texts = files.map(|name| (name, ran.text(name)));
    let talk = [("stdout", ran.stdout.clone()), ("stderr", ran.stderr.clone())];
    for (name, text) in texts.into_iter().chain(talk) {
        let odd = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!text.contains(odd), "{name}: {text:?}");
    }
    for row in ran.failures() {
        assert!(!row["message"].starts_with(['=', '+', '-', '@']), "{}", row["message"]);
    }
    assert!(ran.result(&location(2))["message"].contains("[secret]"));
}

#[test]
fn a_code_that_the_server_repeats_is_written_nowhere() {
    let server = ScriptedServer::answering(|issuer, _, seen| {
        if seen.is_reconnect() {
            return issuer.answer(seen);
        }
        let code = seen.field("code").unwrap();
        let message = format!("Invalid grant: authorization code {code} is invalid");
        Reply::Json(400, json!({ "statusCode": 400, "message": message }))
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    let ran = work.run(list, &server.url()).args(["--attempts", "2", "-v"]).go().expect(1);
    ran.assert_sound(&server);
    let message = &ran.result(&location(0))["message"];
    assert!(message.contains("Invalid grant: authorization code [secret] is"), "{message}");
}
