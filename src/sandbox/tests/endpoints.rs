//! Each endpoint answers as documented and as observed.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Bench, ID, body, fields, seen};
use crate::sandbox::{
    CLIENT_ID, CLIENT_SECRET, Options, Outcome, PairState, Quota, Step, Via, company_of,
};

#[tokio::test]
async fn an_installation_comes_back() {
    let bench = Bench::new(Options::default()).await;
    let response = bench.try_reconnect("locationId").await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().contains_key("date"));
    let answer = body(response).await;
    let code = answer["authorizationCode"].as_str().unwrap();
    assert!(code.len() == 40 && code.bytes().all(|b| b.is_ascii_hexdigit()), "{code}");
    let expires: jiff::Timestamp = answer["expiresAt"].as_str().unwrap().parse().unwrap();
    let life = expires.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((55..=60).contains(&life), "{life}");
    assert_eq!(answer["traceId"].as_str().unwrap().len(), 36);

    let answer = body(bench.try_exchange(code).await.unwrap()).await;
    assert_eq!(answer["userType"], "Location");
    assert_eq!(answer["locationId"], ID);
    assert_eq!(answer["companyId"], company_of(ID));
    assert_eq!(answer["expires_in"], 86_399);
    let audit = bench.sandbox.audit();
    assert_eq!(answer["access_token"], audit.granted(ID).unwrap().access_token);
    assert_eq!(answer["refresh_token"], audit.granted(ID).unwrap().refresh_token);
    assert_eq!(audit.requests_for(ID).len(), 2);
    assert_eq!(audit.granted_via(Via::Reconnect).len(), 1);
    assert_eq!((audit.calls(Step::Reconnect), audit.calls(Step::Exchange)), (1, 1));
    assert_eq!(audit.presentations[0].outcome, Outcome::Granted);
    bench.sandbox.stop().await;
}

#[tokio::test]
async fn an_agency_comes_back_as_an_agency() {
    let bench = Bench::new(Options::default()).await;
    let answer = body(bench.try_reconnect("companyId").await.unwrap()).await;
    let code = answer["authorizationCode"].as_str().unwrap();
    let answer = body(bench.try_exchange(code).await.unwrap()).await;
    assert_eq!(answer["userType"], "Company");
    assert_eq!(answer["companyId"], ID);
    assert!(answer.get("locationId").is_none());
}

#[tokio::test]
async fn a_second_presentation_revokes_what_the_code_gave() {
    let bench = Bench::new(Options::default()).await;
    let code = bench.code().await;
    assert_eq!(bench.try_exchange(&code).await.unwrap().status(), StatusCode::OK);
    let (status, text) = seen(bench.try_exchange(&code).await.unwrap()).await;
    assert_eq!((status, text.contains("Authorization code not found")), (401, true));
    assert!(!text.contains("traceId"));
    let audit = bench.sandbox.audit();
    assert_eq!(audit.codes_presented_twice(), [code.as_str()]);
    assert_eq!(audit.grants[0].state, PairState::Revoked);
    assert!(audit.granted(ID).is_none());
    assert_eq!(bench.sandbox.counts().codes_presented_twice, 1);
    assert_eq!(bench.sandbox.counts().live_pairs, 0);
}

#[tokio::test]
async fn a_code_is_looked_up_before_the_client_and_the_client_before_the_time() {
    let options = Options { code_life: Duration::from_millis(1), ..Options::default() };
    let bench = Bench::new(options).await;
    let code = bench.code().await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    for (client, code, status, says) in [
        ("another", "0000", 401, "Authorization code not found"),
        ("another", code.as_str(), 401, "Invalid client credentials!"),
        (CLIENT_ID, code.as_str(), 400, "Invalid grant: authorization code has expired"),
    ] {
        let mut fields = fields("authorization_code", "code", code);
        fields[0].1 = client;
        let (got, text) = seen(bench.token(&fields).await.unwrap()).await;
        assert_eq!((got, text.contains(says)), (status, true), "{text}");
    }
}

#[tokio::test]
async fn an_incomplete_token_request_is_told_what_it_lacks() {
    let bench = Bench::new(Options::default()).await;
    let code = bench.code().await;
    let whole = fields("authorization_code", "code", &code);
    for (position, says) in ["clientId", "clientSecret", "grantType", "code"].iter().enumerate() {
        let mut lacking = whole.to_vec();
        lacking.remove(position);
        let (status, text) = seen(bench.token(&lacking).await.unwrap()).await;
        let expected = format!("Missing parameter: {says}");
        assert_eq!((status, text.contains(&expected)), (400, true), "{text}");
    }
    let (status, text) = seen(bench.token(&fields("magic", "code", &code)).await.unwrap()).await;
    assert_eq!((status, text.contains("Invalid parameter: grantType")), (400, true));
}

#[tokio::test]
async fn a_reconnect_that_is_not_understood_is_told_why() {
    let bench = Bench::new(Options::default()).await;
    let post = || bench.client.post(bench.url("/oauth/reconnect"));
    let pair = json!({"clientKey": "a", "clientSecret": "b"});
    let both = json!({"clientKey": "a", "clientSecret": "b", "locationId": "c", "companyId": "d"});
    let rows = [
        (post().json(&pair), 422, "Exactly one of"),
        (post().json(&both), 422, "Exactly one of"),
        (post().json(&json!({"clientKey": "a"})), 422, "clientSecret must be a string"),
        (post().form(&[("clientKey", "a")]), 422, "clientKey must be a string"),
        (post().header("content-type", "application/json").body("{"), 400, "JSON"),
        (post().json(&both).header("user-agent", ""), 403, "error code: 1010"),
        (bench.client.post(bench.url("/x")), 404, "Cannot POST /x"),
        (bench.client.get(bench.url("/oauth/token")), 404, "Cannot GET /oauth/token"),
    ];
    for (request, status, says) in rows {
        let (got, text) = seen(request.send().await.unwrap()).await;
        assert_eq!((got, text.contains(says)), (status, true), "{text}");
    }
}

#[tokio::test]
async fn version_3_takes_json_and_answers_in_camel_case() {
    let bench = Bench::new(Options::default()).await;
    let body = json!({"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
        "grantType": "authorization_code", "code": bench.code().await});
    let request = bench.client.post(bench.url("/oauth/token")).json(&body);
    let answer = request.header("Version", "v3").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["accessToken"].is_string() && answer.get("access_token").is_none());
}

#[tokio::test]
async fn the_credentials_of_the_options_are_the_only_good_ones() {
    let credentials = Some(("id".to_owned(), "key".to_owned()));
    let bench = Bench::new(Options { credentials, ..Options::default() }).await;
    let (status, text) = seen(bench.try_reconnect("locationId").await.unwrap()).await;
    assert_eq!((status, text.contains("Invalid client credentials!")), (401, true));
}

#[tokio::test]
async fn the_server_clock_can_be_off() {
    let clock_offset = jiff::SignedDuration::from_hours(-3);
    let bench = Bench::new(Options { clock_offset, ..Options::default() }).await;
    let response = bench.try_reconnect("locationId").await.unwrap();
    let date = response.headers()["date"].to_str().unwrap().to_owned();
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).unwrap();
    let expires = body(response).await["expiresAt"].as_str().unwrap().to_owned();
    let expires: jiff::Timestamp = expires.parse().unwrap();
    assert!((10_700..10_900).contains(&jiff::Timestamp::now().duration_since(date).as_secs()));
    assert!((58..=61).contains(&expires.duration_since(date).as_secs()));
}

#[tokio::test]
async fn a_quota_is_told_and_enforced() {
    let quota = Some(Quota { requests: 2, per: Duration::from_secs(3600) });
    let bench = Bench::new(Options { quota, ..Options::default() }).await;
    for (status, left) in [(200, "1"), (200, "0"), (429, "0")] {
        let response = bench.try_reconnect("locationId").await.unwrap();
        assert_eq!(response.headers()["x-ratelimit-remaining"], left);
        assert_eq!(response.status().as_u16(), status);
    }
}
