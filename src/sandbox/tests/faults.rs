//! Each fault looks to a client as the catalogue says.

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode};
use serde_json::json;

use super::super::{CATALOGUE, CLIENT_SECRET};
use super::{Bench, ID, seen};

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
    let rows = [at_either_step(), at_the_reconnect(), at_the_exchange()];
    let tried: Vec<_> = rows.iter().flatten().map(|(entry, _)| entry.split('(').next()).collect();
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
