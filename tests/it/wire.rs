//! What goes over the wire, to the byte, and what is accepted from it.

use serde_json::{Value, json};

use crate::support::{
    CLIENT_ID, CLIENT_SECRET, Issuer, Ran, Reply, ScriptedServer, Seen, Work, company, entries,
    location, locations, side_by_side, whole,
};

/// A run over a sub-account that has an agency and over an agency; the requests of each.
fn run_both(server: &ScriptedServer, args: &[&str], work: &Work) -> (Ran, Vec<Seen>) {
    let text = format!("location_id,company_id\n{},{}\n,{}\n", location(1), company(1), company(2));
    let list = work.file("list.csv", text);
    let ran = work.run(list, &server.url()).args(args).go().expect(0);
    ran.assert_sound(server);
    (ran, server.seen())
}

#[test]
fn a_reconnect_names_the_pair_and_one_id_and_nothing_else() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let (_, seen) = run_both(&server, &[], &work);
    let bodies = seen.iter().filter(|request| request.is_reconnect()).map(Seen::json);
    let pair = json!({ "clientKey": CLIENT_ID, "clientSecret": CLIENT_SECRET });
    let expected = [("locationId", location(1)), ("companyId", company(2))].map(|(field, id)| {
        let mut body = pair.clone();
        body[field] = id.into();
        body
    });
    assert_eq!(bodies.collect::<Vec<_>>(), expected);
}

#[test]
fn an_exchange_is_a_form_of_five_fields() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let (_, seen) = run_both(&server, &[], &work);
    let forms: Vec<_> =
        seen.iter().filter(|request| !request.is_reconnect()).map(|seen| &seen.body).collect();
    let form = |code: &str, kind: &str| {
        format!(
            "client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=authorization_code\
             &code={code}&user_type={kind}"
        )
    };
    let codes = [0, 1].map(|serial| format!("c0de{serial:036x}"));
    assert_eq!(forms, [&form(&codes[0], "Location"), &form(&codes[1], "Company")]);
}

#[test]
fn a_redirect_uri_is_sent_when_it_is_configured() {
    let odd_uri = "https://example.com/back?a=b&c=d";
    for (args, env, expected) in
        [(&["--redirect-uri", odd_uri][..], None, odd_uri), (&[], Some(odd_uri), odd_uri)]
    {
        let (work, server) = (Work::new(), ScriptedServer::good());
        let list = work.file("list.csv", locations(1));
        let mut run = work.run(list, &server.url()).args(args);
        if let Some(value) = env {
            run = run.env("GHL_REDIRECT_URI", value);
        }
        run.go().expect(0).assert_sound(&server);
        let exchange = &server.seen()[1];
        assert_eq!(exchange.field("redirect_uri").as_deref(), Some(expected));
        assert!(exchange.body.contains("%3Fa%3Db%26c%3Dd"), "{}", exchange.body);
        assert!(!server.seen()[0].body.contains("example.com"));
    }
}

#[test]
fn odd_characters_of_a_secret_arrive_as_they_are() {
    let secret = "a+b/c=d&e%f\"g\\h'é$#?";
    let (work, server) = (Work::new(), ScriptedServer::good());
    let list = work.file("list.csv", locations(1));
    let run = work.run(list, &server.url()).env("GHL_CLIENT_SECRET", secret);
    let ran = run.go().expect(0);
    ran.assert_sound(&server);
    let seen = server.seen();
    assert_eq!(seen[0].json()["clientSecret"], secret);
    assert_eq!(seen[1].field("client_secret").as_deref(), Some(secret));
    assert!(seen[1].body.contains("a%2Bb%2Fc%3Dd%26e%25f"), "{}", seen[1].body);
}

#[test]
fn headers_say_who_calls_and_what_is_sent_and_carry_no_credentials() {
    let (work, server) = (Work::new(), ScriptedServer::good());
    let (_, seen) = run_both(&server, &[], &work);
    for request in seen {
        assert_eq!(request.method, "POST");
        let agent = concat!("ghl-reconnect/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), agent);
        assert_eq!(request.header("accept"), "application/json");
        let (path, kind) = if request.is_reconnect() {
            ("/oauth/reconnect", "application/json")
        } else {
            ("/oauth/token", "application/x-www-form-urlencoded")
        };
        assert_eq!((&*request.path, request.header("content-type")), (path, kind));
        for absent in ["authorization", "cookie", "referer", "version"] {
            assert!(!request.headers.contains_key(absent), "{absent}: {request:?}");
        }
        for (name, value) in &request.headers {
            assert!(!value.contains(CLIENT_SECRET), "{name}");
        }
    }
}

#[test]
fn paths_follow_the_base_url_and_reconnect_path() {
    for (prefix, args, reconnect, token) in [
        (
            "",
            &["--reconnect-path", "/v2/oauth/reconnect"][..],
            "/v2/oauth/reconnect",
            "/oauth/token",
        ),
        ("/gateway", &[], "/gateway/oauth/reconnect", "/gateway/oauth/token"),
        ("/gateway/", &[], "/gateway/oauth/reconnect", "/gateway/oauth/token"),
    ] {
        let (work, server) = (Work::new(), ScriptedServer::good());
        let list = work.file("list.csv", locations(1));
        let url = server.url() + prefix;
        work.run(list, &url).args(args).go().expect(0).assert_sound(&server);
        let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.path).collect();
        assert_eq!(paths, [reconnect, token]);
    }
}

#[test]
fn a_reconnect_path_that_leads_elsewhere_is_refused() {
    for path in ["oauth", "//evil.example/x", "/a?b", "/a#b", "/../x", "https://evil.example/"] {
        let work = Work::new();
        let list = work.file("list.csv", locations(1));
        let server = ScriptedServer::good();
        let ran = work.run(list, &server.url()).args(["--reconnect-path", path]).go().expect(2);
        assert!(ran.stderr.contains("--reconnect-path"), "{}", ran.stderr);
        assert_eq!(server.connections(), 0);
    }
}

/// Renames the keys of an answer.
fn renamed(mut body: Value, names: &[(&str, &str)]) -> Value {
    let object = body.as_object_mut().unwrap();
    for (from, to) in names {
        if let Some(value) = object.remove(*from) {
            object.insert((*to).to_owned(), value);
        }
    }
    body
}

#[test]
fn answers_are_read_in_either_casing_and_with_either_status_of_success() {
    const SNAKE: &[(&str, &str)] = &[
        ("authorizationCode", "authorization_code"),
        ("expiresAt", "expires_at"),
        ("traceId", "trace_id"),
        ("userType", "user_type"),
        ("locationId", "location_id"),
        ("companyId", "company_id"),
        ("userId", "user_id"),
    ];
    const CAMEL: &[(&str, &str)] = &[
        ("access_token", "accessToken"),
        ("refresh_token", "refreshToken"),
        ("token_type", "tokenType"),
        ("expires_in", "expiresIn"),
    ];
    for (status, names) in [(200, SNAKE), (201, SNAKE), (200, CAMEL), (201, CAMEL)] {
        let work = Work::new();
        let server = ScriptedServer::answering(move |issuer: &Issuer, _, seen: &Seen| {
            let body = if seen.is_reconnect() { issuer.code(seen) } else { issuer.tokens(seen) };
            Reply::Json(status, renamed(body, names))
        });
        let (ran, _) = run_both(&server, &[], &work);
        for document in ran.tokens() {
            for field in ["access_token", "refresh_token", "token_type", "expires_in", "expire_at"]
            {
                assert!(!document[field].is_null(), "{field} in {document}");
            }
            assert!(document["userType"].is_string(), "{document}");
        }
        assert!(ran.result(&location(1))["reconnect_trace_id"].starts_with("trace-code"));
    }
}

#[test]
fn nothing_follows_a_redirect() {
    for step in ["reconnect", "exchange"] {
        for status in [301, 302, 303, 307, 308] {
            let (work, elsewhere) = (Work::new(), ScriptedServer::good());
            let target = elsewhere.url() + "/oauth/reconnect";
            let server = ScriptedServer::answering(move |issuer, _, seen| {
                if seen.is_reconnect() == (step == "reconnect") {
                    Reply::Whole(whole(status, &[("Location", &target)], "{}"))
                } else {
                    issuer.answer(seen)
                }
            });
            let list = work.file("list.csv", locations(3));
            let ran = work.run(list, &server.url()).go().expect(3);
            ran.assert_sound(&server);
            assert_eq!(elsewhere.connections(), 0, "{step} {status}");
            let row = ran.result(&location(0));
            assert_eq!((&*row["error_class"], &*row["stage"]), ("redirected", step));
            let host = elsewhere.url();
            let host = host.trim_start_matches("http://");
            assert!(row["message"].contains(host), "names the host: {}", row["message"]);
        }
    }
}

#[test]
fn an_answer_is_read_up_to_a_bound() {
    // It would never end: the client has to be the one who stops.
    const PROMISED: usize = 1 << 30;
    const SENT: usize = 4 << 20;
    let server = ScriptedServer::answering(|_, _, _| {
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {PROMISED}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + SENT, b' ');
        Reply::Bytes(bytes)
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(1));
    let ran = work.run(list, &server.url()).args(["--attempts", "1"]).go().expect(1);
    ran.assert_sound(&server);
    let row = ran.result(&location(0));
    assert_eq!((&*row["error_class"], &*row["http_status"]), ("bad_answer", "200"));
    assert!(row["message"].contains("larger"), "{}", row["message"]);
}

#[test]
fn a_connection_that_is_cut_is_one_request_an_attempt() {
    side_by_side(&[("reconnect", 1), ("exchange", 2)], |(step, each)| {
        let (step, each) = (*step, *each);
        let server = ScriptedServer::answering(move |issuer, _, seen| {
            if seen.is_reconnect() == (step == "reconnect") {
                Reply::Close
            } else {
                issuer.answer(seen)
            }
        });
        let work = Work::new();
        let list = work.file("list.csv", locations(1));
        let code = if step == "reconnect" { 3 } else { 1 };
        let ran = work.run(list, &server.url()).args(["--attempts", "2"]).go().expect(code);
        ran.assert_sound(&server);
        assert_eq!(server.seen().len(), 2 * each, "{step}");
        assert_eq!(ran.summary()["calls"]["total"], 2 * each, "{step}");
    });
}

#[test]
fn a_pooled_connection_that_the_server_closes_brings_no_hidden_request() {
    // Each connection is closed right behind its first answer, without a word of warning: a request
    // may go into one that is gone. Whether it does is the scheduler's choice, and so is the exit
    // code; that the journal knows of every request and no code goes out twice is not.
    let server = ScriptedServer::answering(|issuer, _, seen| match issuer.answer(seen) {
        Reply::Json(status, body) => Reply::Whole(whole(status, &[], &body.to_string())),
        other => other,
    });
    let work = Work::new();
    let list = work.file("list.csv", locations(40));
    let ran = work.run(list, &server.url()).go();
    ran.assert_sound(&server);
    assert!(matches!(ran.code, 0 | 1 | 3), "{}", ran.stderr);
    let calls = ran.summary()["calls"]["total"].as_u64().unwrap();
    assert!(server.seen().len() as u64 <= calls, "no request that the journal does not know");
}

#[test]
fn an_answer_that_does_not_come_is_given_up_in_time() {
    use crate::support::MockServer;
    let (work, server) = (Work::new(), MockServer::faulty(&json!({ location(1): ["silence*"] })));
    let list = work.file("list.csv", locations(2));
    let run = work.run(list, &server.url()).args(["--attempts", "1", "--timeout", "300ms"]);
    let ran = run.go().expect(1);
    ran.assert_sound(&server);
    let failed = &ran.events("failed")[0];
    let ms = failed["call"]["ms"].as_u64().unwrap();
    assert!((300..5000).contains(&ms), "{ms}");
    assert_eq!(failed["failure"]["class"], "network");
}

/// Each way in which a server may repeat what it must not.
fn echo(kind: usize, seen: &Seen) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let token = "{\"access_token\": \"at.0123456789abcdefghijkl\"}";
    let code = seen.field("code").unwrap_or_default();
    match kind {
        0 => json!({ "message": format!("bad {CLIENT_SECRET}") }),
        1 => json!({ "message": format!("bad {}", STANDARD.encode(CLIENT_SECRET)) }),
        2 => json!({ "message": format!("bad {basic}") }),
        3 => json!({ "message": "bad", "traceId": CLIENT_SECRET }),
        4 => json!({ "message": format!("oops {token}") }),
        _ => json!({ "message": format!("code {code} is bad"), "traceId": code }),
    }
}

#[test]
fn what_a_server_repeats_of_our_secrets_is_in_no_file_and_on_no_screen() {
    const KINDS: usize = 6;
    for step in ["/oauth/reconnect", "/oauth/token"] {
        let server = ScriptedServer::answering(move |issuer, number, seen| {
            let kind = if step == "/oauth/reconnect" { number } else { number / 2 };
            if seen.path == step { Reply::Json(400, echo(kind, seen)) } else { issuer.answer(seen) }
        });
        let work = Work::new();
        let list = work.file("list.csv", locations(KINDS));
        let run = work.run(list, &server.url()).args(["--attempts", "1", "--concurrency", "1"]);
        let ran = run.go().expect(1);
        ran.assert_sound(&server);
        assert_eq!(ran.count("failed"), KINDS);
        for name in entries(&ran.folder) {
            let text = ran.text(&name);
            for secret in ["at.0123456789", "NmQzYzVhNTIt", "ZkM2M1YTUyL"] {
                assert!(!text.contains(secret), "{step}: {name} holds {secret}");
            }
        }
    }
}
