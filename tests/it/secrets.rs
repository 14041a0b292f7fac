//! What may not get out, and what may not come in: secrets in what a server says, tokens of a list
//! under odd names, tokens whose claims name somebody else.

use std::{fs, io::Write, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ghl_reconnect::{exit::Exit, sandbox::Options};
use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, MockServer, Observer, Ran, Reply, ScriptedServer, Work, company,
    entries, in_process::left, location, locations, side_by_side, start, wait_until, whole,
};

const OTHER_APP: &str = "76c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

fn jwt(claims: &Value) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn a_pair_whose_own_claims_name_somebody_else_is_quarantined_on_every_route() {
    let claims = json!([
        { "authClass": "Location", "authClassId": location(99) },
        { "authClass": "Company", "authClassId": location(1) },
        { "authClass": "Location", "authClassId": location(2), "sourceId": OTHER_APP },
        { "authClass": "Location", "authClassId": location(3), "sourceId": CLIENT_ID },
        {},
    ]);
    let expected = ["wrong_tenant", "wrong_kind", "wrong_tenant", "", ""];
    for via in ["reconnect", "refresh", "agency"] {
        let claims = claims.clone();
        let highlevel = ScriptedServer::answering(move |issuer, _, seen| {
            if seen.is_reconnect() {
                return issuer.answer(seen);
            }
            let presented = ["refresh_token", "locationId"].map(|name| seen.field(name));
            let id = match (presented, seen.field("code")) {
                ([Some(token), _], _) => location(token[token.len() - 1..].parse().unwrap()),
                ([_, Some(id)], _) => id,
                (_, code) => {
                    issuer.present(seen);
                    issuer.owner(&code.unwrap()).unwrap()
                }
            };
            let n: usize = id.trim_start_matches("Loc").parse().unwrap();
            let body = json!({
                "access_token": jwt(&claims[n]), "refresh_token": format!("refresh-{n:024}"),
                "userType": "Location", "locationId": id, "companyId": company(1),
            });
            Reply::Json(200, body)
        });
        let work = Work::new();
        let list = (0..5).fold("location_id,company_id,refresh_token\n".to_owned(), |csv, n| {
            csv + &format!("{},{},old-refresh-token-of-row-{n}\n", location(n), company(1))
        });
        let agency = json!({ "companyId": company(1), "access_token": "agency-token-0123456789" });
        let agency = work.file("agencies.jsonl", format!("{agency}\n"));
        let list = work.file("list.csv", list);
        let run = work.run(list, &highlevel.url()).args(["--via", via, "--concurrency", "8"]);
        let ran = run.arg("--agency-tokens").arg(agency).go();
        for (n, class) in expected.into_iter().enumerate() {
            let row = ran.result(&location(n));
            let status = if class.is_empty() { "recovered" } else { "failed" };
            assert_eq!(
                (&*row["status"], &*row["error_class"]),
                (status, class),
                "{via} {n} {row:?}"
            );
        }
        assert_eq!((ran.tokens().len(), ran.quarantine().len()), (2, 3), "{via}");
    }
}

/// Everything that a run wrote and said, but for the files of tokens.
fn everything(ran: &Ran) -> String {
    let files = entries(&ran.folder).into_iter();
    let files = files
        .filter(|name| !matches!(&**name, "tokens.jsonl" | "quarantine.jsonl" | "replaced.jsonl"));
    let texts = files.map(|name| ran.text(&name)).collect::<Vec<_>>().join("\n");
    format!("{texts}\n{}\n{}", ran.stdout, ran.stderr).to_lowercase()
}

#[test]
fn what_a_server_says_holds_no_secret_in_any_case_or_place() {
    let list_token = |n: usize| format!("Old-Refresh-Token-Of-Row-{n:04}");
    let echo = move |secret: &str, n: usize| match n % 6 {
        0 => Reply::Json(400, json!({ "message": format!("no {} here", secret.to_uppercase()) })),
        1 => {
            let to = format!("https://{}.evil.example/x", secret.to_lowercase());
            Reply::Whole(whole(302, &[("Location", &to)], ""))
        }
        2 => {
            let escaped = secret
                .chars()
                .fold(String::new(), |text, c| text + &format!("\\u{:04x}", u32::from(c)));
            Reply::Whole(whole(418, &[], &format!(r#"{{"message":"no {escaped} here"}}"#)))
        }
        3 => {
            let encoded =
                secret.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
            Reply::Json(422, json!({ "message": [encoded], "traceId": secret.to_uppercase() }))
        }
        4 => Reply::Whole(whole(409, &[("x-trace-id", secret)], r#"{"message":"odd"}"#)),
        _ => Reply::Whole(whole(503, &[], &format!("<p>{}</p>", secret.replace('-', "&#45;")))),
    };
    for what in ["client secret", "code", "token of the list"] {
        let highlevel = ScriptedServer::answering(move |issuer, _, seen| {
            let refresh = seen.field("refresh_token");
            if let (Some(token), "token of the list") = (&refresh, what) {
                let n: usize = token[token.len() - 4..].parse().unwrap();
                return if n == 0 { Reply::Close } else { echo(token, n) };
            }
            if refresh.is_some() {
                return Reply::Json(400, json!({ "message": "Invalid refresh token" }));
            }
            let id = seen.json_id().or_else(|| issuer.owner(&seen.field("code")?)).unwrap();
            let n: usize = id.trim_start_matches("Loc").parse().unwrap();
            match (what, n, seen.is_reconnect()) {
                (_, 0, _) | ("token of the list", ..) => issuer.answer(seen),
                ("client secret", _, true) => echo(CLIENT_SECRET, n),
                ("code", _, false) => {
                    issuer.present(seen);
                    echo(&seen.field("code").unwrap(), n)
                }
                _ => issuer.answer(seen),
            }
        });
        let work = Work::new();
        let csv = (0..7).fold("location_id,refresh_token\n".to_owned(), |csv, n| {
            csv + &format!("{},{}\n", location(n), list_token(n))
        });
        let list = work.file("list.csv", csv);
        let via = if what == "token of the list" { "refresh" } else { "reconnect" };
        let run = work.run(list, &highlevel.url()).args(["--via", via, "--attempts", "1", "-v"]);
        let ran = run.go();
        assert_ne!(ran.code, 5, "{what}: {}", ran.stderr);
        let told = everything(&ran);
        let codes = highlevel.observed().codes;
        let secrets = codes.into_iter().chain([CLIENT_SECRET.into()]).chain((0..7).map(list_token));
        for secret in secrets {
            assert!(!told.contains(&secret.to_lowercase()), "{what}: {secret} got out");
        }
        let messages: String = ran.failures().iter().map(|row| row["message"].clone()).collect();
        assert!(messages.contains("[secret]"), "{what}: {messages}");
        assert!(messages.contains("[secret].evil.example"), "{what}: {messages}");
    }
}

#[test]
fn a_success_that_repeats_the_code_keeps_its_tokens_and_no_code() {
    let highlevel = ScriptedServer::answering(|issuer, _, seen| {
        if seen.is_reconnect() {
            return issuer.answer(seen);
        }
        let mut body = issuer.tokens(seen);
        let code = seen.field("code").unwrap();
        body["traceId"] = code.to_uppercase().into();
        body["grant"] = json!({ "from": format!("code {code}") });
        if issuer.owner(&code) == Some(location(1)) {
            body["locationId"] = format!("Loc-{code}").into();
        }
        Reply::Json(200, body)
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &highlevel.url()).go().expect(1);
    ran.assert_sound(&highlevel);
    assert_eq!(ran.count("recovered"), 2);
    let message = &ran.result(&location(1))["message"];
    assert!(message.contains("Loc-[secret]"), "{message}");
    assert_eq!(ran.tokens()[0]["grant"]["from"], "code [secret]");
    for code in highlevel.observed().codes {
        assert!(!everything(&ran).contains(&code), "{code}");
    }
}

#[test]
fn a_token_of_the_list_is_carried_nowhere_under_an_odd_name_or_in_another_column() {
    let token = |n: usize| format!("live-refresh-token-of-{n:06}");
    let names = ["ghl_refresh", "hl_rt", "oauth_access", "refresh_ghl", "oauth.data.refresh"];
    let rows = names.iter().enumerate();
    let nested = rows.clone().map(
        |(n, name)| json!({ "locationId": location(n), "crm": { "deep": { *name: token(n) } } }),
    );
    let nested: Vec<Value> = nested.collect();
    let lists = rows.map(|(n, name)| {
        let csv =
            format!("location_id,{name},notes\n{},{},was {}\n", location(n), token(n), token(n));
        (format!("{n}.csv"), csv)
    });
    let lists = lists.chain([("nested.json".to_owned(), Value::from(nested).to_string())]);
    for (name, list) in lists {
        let (work, server) = (Work::new(), MockServer::faulty(&json!({ "*": ["unknown_id*"] })));
        let list = work.file(&name, list);
        let ran = work.run(list, &server.url()).arg("-v").go().expect(1);
        assert!(
            !everything(&ran).contains("live-refresh-token"),
            "{name}: {}",
            ran.text("failures.csv")
        );
        assert!(!ran.failures().is_empty());
    }
}

#[test]
fn a_leak_is_cut_out_of_all_that_is_said_of_it() {
    // What a server says of a token that only a later row of the list has.
    let token = "The-Refresh-Token-Of-The-Last-Row-0001";
    for talk in ["--color=never", "--json", "-q"] {
        let highlevel = ScriptedServer::answering(move |_, _, _| {
            Reply::Json(
                400,
                json!({ "message": format!("App is not installed: {}", token.to_uppercase()) }),
            )
        });
        let work = Work::new();
        let csv = format!("location_id,ghl_refresh\n{},\n{},{token}\n", location(1), location(2));
        let list = work.file("list.csv", csv);
        let run = work.run(list, &highlevel.url()).arg(talk);
        let ran = run.args(["--concurrency", "1"]).go().expect(5);
        let summary = ran.text("summary.json").to_lowercase();
        assert!(!summary.contains(&token.to_lowercase()), "{summary}");
        assert!(!ran.stdout.to_lowercase().contains(&token.to_lowercase()), "{}", ran.stdout);
        if talk == "-q" {
            assert!(!ran.stderr.to_lowercase().contains(&token.to_lowercase()), "{}", ran.stderr);
        } else {
            assert!(ran.stdout.contains("[secret]"), "{}", ran.stdout);
        }
        assert_eq!(ran.summary()["exit_code"], 5);
        assert!(ran.summary()["leaks"].as_array().unwrap().contains(&"summary.json".into()));
    }
}

#[test]
fn a_secret_in_a_file_sets_the_file_aside() {
    side_by_side(&["client secret", "token", "token in base64"], |leaky| {
        let server =
            MockServer::with(Options { latency: Duration::from_millis(20), ..Options::default() });
        let work = Work::new();
        let list = work.file("list.csv", locations(30));
        let run = work.run(list, &server.url()).args(["--concurrency", "2"]);
        let child = start(run.command());
        wait_until("the first tokens", || !server.audit().grants.is_empty());
        let token = server.audit().grants[0].access_token.clone();
        let secret = match *leaky {
            "client secret" => CLIENT_SECRET.to_owned(),
            "token" => token,
            _ => {
                use base64::{Engine, engine::general_purpose::STANDARD};
                STANDARD.encode(token)
            }
        };
        let log = work.path("run").join("run.log");
        let mut log = fs::OpenOptions::new().append(true).open(log).unwrap();
        writeln!(log, "somebody noted {secret} here").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{leaky}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("run.log"), "{said}");
        assert!(!said.contains(&secret), "{said}");
        let is_there = |name: &str| work.path("run").join(name).exists();
        assert!(!is_there("run.log") && is_there("run.log.leaked"));
        let summary = left(&work, Exit::Bug).summary();
        assert_eq!((&summary["exit_code"], &summary["leaks"][0]), (&json!(5), &json!("run.log")));
    });
}
