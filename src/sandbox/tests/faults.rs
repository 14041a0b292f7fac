//! Each fault looks to a client as the catalogue says.

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use serde_json::json;

use super::{ACCESS, AGENCY, Bench, COMPANY, ID, REFRESH, V2, fields, seen};
use crate::sandbox::{CATALOGUE, CLIENT_SECRET, Step};

/// What a fault is expected to look like to the client.
enum Looks {
    /// A status, and a text in the body.
    Like(u16, &'static str),
    /// A status, and a text that is not in the body.
    Without(u16, &'static str),
    /// A status, and a header with this value.
    Head(u16, &'static str, &'static str),
    /// No head of an answer.
    NoHead,
    /// A head, and a body that breaks off.
    NoBody,
}

use Looks::{Head, Like, NoBody, NoHead, Without};

async fn check(entry: &str, result: reqwest::Result<Response>, looks: Looks) {
    let response = match looks {
        NoHead => return assert!(result.is_err(), "{entry}"),
        _ => result.unwrap_or_else(|error| panic!("{entry}: {error}")),
    };
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await;
    match looks {
        NoBody => assert!(status == 200 && text.is_err(), "{entry}: {text:?}"),
        Like(expected, says) => {
            let text = text.unwrap();
            assert!(status == expected && text.contains(says), "{entry}: {status} {text}");
        }
        Without(expected, says) => {
            let text = text.unwrap();
            assert!(status == expected && !text.contains(says), "{entry}: {status} {text}");
        }
        Head(expected, name, value) => {
            assert_eq!(status, expected, "{entry}");
            assert!(headers[name].to_str().unwrap().contains(value), "{entry}: {headers:?}");
        }
        NoHead => {}
    }
}

fn at_either_step() -> Vec<(&'static str, Looks)> {
    vec![
        ("rate_limited(7)", Head(429, "retry-after", "7")),
        ("rate_limited_date", Head(429, "retry-after", "GMT")),
        ("rate_limited_bare", Like(429, "Too Many Requests")),
        ("rate_limited_absurd", Head(429, "retry-after", "999999999")),
        ("rate_limited_headers(2)", Head(429, "x-ratelimit-interval-milliseconds", "2000")),
        ("server_error", Like(500, "Internal server error")),
        ("bad_gateway", Like(502, "<html")),
        ("unavailable", Like(503, "upstream")),
        ("blocked", Like(403, "error code: 1010")),
        ("reset", NoHead),
        ("cut", NoBody),
        ("slow(20ms)", Like(200, "traceId")),
        ("empty", Head(200, "content-length", "0")),
        ("not_json", Like(200, "Sign in")),
        ("huge(1)", Like(200, "aaaa")),
        ("client_refused", Like(401, "Invalid client credentials!")),
        ("endpoint_removed", Like(400, "API endpoint has been removed")),
        ("path_gone", Like(404, "Cannot POST /oauth/")),
        ("location_inactive", Like(400, "Location is not active")),
        ("not_installed", Like(400, "not installed")),
        ("unknown_id", Like(400, "traceId")),
        ("validation", Like(422, "[\"locationId must be a string\"")),
        ("redirect", Head(307, "location", "https://elsewhere.invalid/oauth")),
        ("redirect(http://127.0.0.1:9/x)", Head(307, "location", "http://127.0.0.1:9/x")),
        ("snake", Like(200, "trace_id")),
        ("camel", Without(200, "_token")),
        ("created", Like(201, "traceId")),
        ("no_trace", Without(200, "traceId")),
        ("message_array", Like(400, "[\"first")),
        ("error_object", Like(400, "{\"error\":{")),
        ("unauthorised_html", Like(401, "<html")),
        ("garbage_message", Like(400, "\\u001b")),
        ("echo_secret", Like(400, CLIENT_SECRET)),
        ("http(418,I am a teapot, truly)", Like(418, "teapot, truly")),
    ]
}

fn at_the_reconnect() -> Vec<(&'static str, Looks)> {
    vec![
        ("missing_code", Without(200, "authorizationCode")),
        ("bad_expiry", Like(200, "in a few minutes")),
        ("past_expiry", Like(200, "expiresAt")),
        ("no_expiry", Without(200, "expiresAt")),
        ("short_code", Like(200, "expiresAt")),
    ]
}

fn at_the_exchange() -> Vec<(&'static str, Looks)> {
    vec![
        ("missing_token", Without(200, "access_token")),
        ("code_not_found", Like(401, "Authorization code not found")),
        ("code_expired", Like(400, "authorization code has expired")),
        ("grant_refused", Like(400, "authorization code is invalid")),
        ("wrong_tenant", Without(200, ID)),
        ("wrong_kind", Like(200, "\"userType\":\"Company\"")),
    ]
}

/// Faults at the ways that need no code, with their step.
fn at_other_steps() -> Vec<(&'static str, Looks)> {
    vec![
        ("refresh:grant_refused", Like(400, "refresh token is invalid")),
        ("refresh:wrong_tenant", Without(200, ID)),
        ("refresh:wrong_kind", Like(200, "\"userType\":\"Company\"")),
        ("refresh:no_refresh_token", Without(200, "efresh")),
        ("refresh:kills_earlier", Like(200, "refresh_token")),
        ("agency:missing_token", Without(201, "access_token")),
        ("agency:wrong_tenant", Without(201, ID)),
        ("agency:no_refresh_token", Without(201, "refresh_token")),
        ("agency:not_created", Like(200, "access_token")),
        ("agency:user_type", Like(401, "This token's user type is not yet supported!")),
        ("agency:version_missing", Like(401, "version header was not found.")),
        ("agency:location_inactive", Like(400, "Location is not active")),
        ("agency:unknown_id", Like(400, "Location not found")),
        ("agency:echo_secret", Like(400, AGENCY)),
        ("verify:token_dead", Like(401, "Invalid JWT")),
        ("verify:token_invalid", Like(401, "access token is invalid")),
        ("verify:scope_missing", Like(401, "not authorized for this scope.")),
        ("verify:auth_class", Like(401, "authClass type is not allowed to access this scope.")),
        ("verify:no_access", Like(403, "does not have access to this location.")),
        ("verify:no_feature", Like(401, "{\"status\":401")),
        ("verify:path_gone", Like(404, "Cannot GET /locations/")),
        ("discover:wrong_count", Like(200, "\"count\":1")),
        ("discover:first_page", Like(200, "\"count\":0")),
        ("discover:slow(20ms)", Like(200, "locations")),
        ("discover:cut", NoBody),
    ]
}

/// A request of a step, with the household's tokens.
async fn try_step(bench: &Bench, step: Step) -> reqwest::Result<Response> {
    let ids = [("companyId", COMPANY), ("locationId", ID)];
    let list = format!("/oauth/installedLocations?companyId={COMPANY}&appId=app");
    match step {
        Step::Refresh => bench.token(&fields("refresh_token", "refresh_token", REFRESH)).await,
        Step::Agency => bench.location_token(AGENCY, V2, &ids).send().await,
        Step::Verify => bench.get(&format!("/locations/{ID}"), ACCESS, V2).send().await,
        Step::Discover => bench.get(&list, AGENCY, V2).send().await,
        Step::Reconnect | Step::Exchange | Step::Other => panic!("{step} has tests of its own"),
    }
}

#[tokio::test]
async fn each_fault_looks_as_it_should_at_the_ways_without_a_code() {
    for (entry, looks) in at_other_steps() {
        let bench = Bench::troubled(&[entry]).await;
        let (step, name) = entry.split_once(':').unwrap();
        let step = Step::from_name(step).unwrap();
        check(entry, try_step(&bench, step).await, looks).await;
        let audit = bench.sandbox.audit();
        let [request] = audit.requests_at(step)[..] else { panic!("{entry}: {audit:?}") };
        assert_eq!(request.fault.as_deref(), Some(name));
        assert!(try_step(&bench, step).await.unwrap().status().is_success(), "{entry}");
    }
}

#[tokio::test]
async fn a_fault_of_every_step_strikes_at_every_step() {
    for step in [Step::Refresh, Step::Agency, Step::Verify, Step::Discover] {
        for (name, looks) in at_either_step() {
            let entry = format!("{step}:{name}");
            let bench = Bench::troubled(&[&entry]).await;
            let expected = match looks {
                Like(status, _) | Without(status, _) | Head(status, ..) => status,
                NoHead | NoBody => 0,
            };
            let status = match try_step(&bench, step).await {
                Ok(response) if expected > 0 => response.status().as_u16(),
                Ok(response) => response.text().await.map_or(0, |_| 200),
                Err(_) => 0,
            };
            let created = step == Step::Agency && expected == 200;
            assert_eq!(status, if created { 201 } else { expected }, "{entry}");
            assert_eq!(bench.sandbox.audit().requests[0].fault.as_deref(), Some(name), "{entry}");
        }
    }
}

#[tokio::test]
async fn a_grant_kills_earlier_access_tokens_when_a_fault_says_so() {
    for (entry, status) in [("refresh:ok", 200), ("refresh:kills_earlier", 401)] {
        let bench = Bench::troubled(&[entry]).await;
        try_step(&bench, Step::Refresh).await.unwrap();
        assert_eq!(try_step(&bench, Step::Verify).await.unwrap().status(), status, "{entry}");
        let new = bench.sandbox.audit().granted(ID).unwrap().access_token.clone();
        let tried = bench.get(&format!("/locations/{ID}"), &new, V2).send().await.unwrap();
        assert_eq!(tried.status(), 200, "{entry}");
    }
}

#[tokio::test]
async fn each_fault_looks_as_it_should_at_the_reconnect() {
    for (entry, looks) in at_either_step().into_iter().chain(at_the_reconnect()) {
        let bench = Bench::with_faults(&[entry]).await;
        check(entry, bench.try_reconnect("locationId").await, looks).await;
        assert_eq!(bench.sandbox.audit().requests[0].fault.as_deref(), Some(entry));
        let after = bench.try_reconnect("locationId").await.unwrap();
        assert_eq!(after.status(), StatusCode::OK, "{entry} strikes once");
    }
}

#[tokio::test]
async fn each_fault_looks_as_it_should_at_the_exchange() {
    for (entry, looks) in at_either_step().into_iter().chain(at_the_exchange()) {
        let bench = Bench::with_faults(&[&format!("exchange:{entry}")]).await;
        let code = bench.code().await;
        check(entry, bench.try_exchange(&code).await, looks).await;
        assert_eq!(bench.sandbox.audit().requests[1].fault.as_deref(), Some(entry));
    }
}

#[test]
fn each_fault_has_a_row_in_the_tables() {
    let rows = [at_either_step(), at_the_reconnect(), at_the_exchange(), at_other_steps()];
    let names = rows.iter().flatten().map(|(entry, _)| entry.rsplit(':').next().unwrap());
    let tried: Vec<_> = names.map(|entry| entry.split('(').next()).collect();
    for known in CATALOGUE.iter().filter(|known| known.name != "silence") {
        assert!(tried.contains(&Some(known.name)), "{}", known.name);
    }
}

#[tokio::test]
async fn silence_lasts_until_the_client_gives_up_or_the_sandbox_stops() {
    let bench = Bench::with_faults(&["silence", "silence"]).await;
    let url = bench.url("/oauth/reconnect");
    let body = json!({"clientKey": "a", "clientSecret": "b", "locationId": ID});
    let request = || bench.client.post(&url).json(&body);
    let result = request().timeout(Duration::from_millis(100)).send().await;
    assert!(result.is_err_and(|error| error.is_timeout()));
    let waiting = tokio::spawn(request().send());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let audit = bench.sandbox.audit();
    assert!(audit.requests[0].ended_us.is_some() && audit.requests[1].ended_us.is_none());
    assert_eq!((audit.requests[1].status, audit.codes.len()), (None, 2));
    let started = Instant::now();
    bench.sandbox.stop().await;
    assert!(waiting.await.unwrap().is_err());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_lost_answer_has_used_the_code_and_granted_a_pair() {
    for entry in ["exchange:reset", "exchange:cut", "exchange:empty", "exchange:not_json"] {
        let bench = Bench::with_faults(&[entry]).await;
        let code = bench.code().await;
        let _ = bench.try_exchange(&code).await;
        let audit = bench.sandbox.audit();
        assert!(audit.granted(ID).is_some(), "{entry}");
        assert_eq!(bench.try_exchange(&code).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_of_that_connection_alone() {
    let bench = Bench::with_faults(&["reset"]).await;
    let error = bench.try_reconnect("locationId").await.unwrap_err();
    assert!(format!("{error:?}").contains("reset"), "{error:?}");
    assert!(!error.is_connect());
    bench.code().await;
}

#[tokio::test]
async fn a_fault_of_short_life_shortens_the_code() {
    let bench = Bench::with_faults(&["short_code(1ms)"]).await;
    let code = bench.code().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (status, text) = seen(bench.try_exchange(&code).await.unwrap()).await;
    assert_eq!((status, text.contains("has expired")), (400, true));
}
