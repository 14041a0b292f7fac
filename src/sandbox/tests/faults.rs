//! Each fault looks to a client as the catalogue says, and strikes when the plan says.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::json;

use super::{ACCESS, REFRESH, Server, everybody, sent, stored};
use crate::sandbox::{CATALOGUE, FaultPlan, Options, Outcome, Step};

/// What an entry looks like at its step: the status, and a text in the head or the body; after an
/// exclamation mark a text that is not there. Status 0 is no answer.
#[rustfmt::skip]
const LOOKS: &[(&str, u16, &str)] = &[
    ("rate_limited(7)", 429, "\"retry-after\": \"7\""),
    ("rate_limited_date", 429, "GMT\", \"content-length\""),
    ("rate_limited_bare", 429, "!retry-after"),
    ("rate_limited_absurd", 429, "\"retry-after\": \"999999999\""),
    ("rate_limited_headers(2)", 429, "\"x-ratelimit-interval-milliseconds\": \"2000\""),
    ("bad_gateway", 502, "text/html"),
    ("unavailable", 503, "text/plain"),
    ("reset", 0, ""),
    ("cut", 200, "BROKEN OFF"),
    ("slow(20ms)", 200, "traceId"),
    ("empty", 200, "\"content-length\": \"0\""),
    ("not_json", 200, "Sign in"),
    ("huge(1)", 200, "aaaa"),
    ("missing_code", 200, "!authorizationCode"),
    ("bad_expiry", 200, "in a few minutes"),
    ("no_expiry", 200, "!expiresAt"),
    ("path_gone", 404, "Cannot POST /oauth/reconnect"),
    ("validation", 422, "[\"locationId must be a string\""),
    ("redirect", 307, "\"location\": \"https://elsewhere.invalid/oauth\""),
    ("redirect(http://127.0.0.1:9/x)", 307, "\"location\": \"http://127.0.0.1:9/x\""),
    ("snake", 200, "trace_id"),
    ("created", 201, "traceId"),
    ("no_trace", 200, "!traceId"),
    ("garbage_message", 400, "\\u001b"),
    ("http(418,I am a teapot, truly)", 418, "teapot, truly"),
    ("exchange:camel", 200, "accessToken"),
    ("exchange:echo_secret", 400, super::CLIENT_SECRET),
    ("grant_refused", 400, "authorization code is invalid"),
    ("missing_token", 200, "!access_token"),
    ("wrong_tenant", 200, "!ve9EPM428h8vShlRW1KT"),
    ("wrong_kind", 200, "\"userType\":\"Company\""),
    ("refresh:grant_refused", 400, "refresh token is invalid"),
    ("refresh:no_refresh_token", 200, "!efresh"),
    ("not_created", 200, "access_token"),
    ("agency:unknown_id", 400, "Location not found"),
    ("token_dead", 401, "Invalid JWT"),
    ("no_feature", 401, "{\"status\":401"),
    ("wrong_count", 200, "\"count\":1"),
];

/// Status, head and body.
async fn seen(request: RequestBuilder) -> (u16, String) {
    let Ok(response) = request.send().await else { return (0, String::new()) };
    let (status, head) = (response.status().as_u16(), format!("{:?}", response.headers()));
    (status, head + &response.text().await.unwrap_or_else(|_| "BROKEN OFF".into()))
}

#[tokio::test]
async fn each_effect_looks_as_the_catalogue_says() {
    for (entry, expected, says) in LOOKS {
        let name = entry.split('(').next();
        let natural = CATALOGUE.iter().find(|kind| Some(kind.name) == name);
        let natural = natural.map(|kind| kind.steps[0]);
        let named = entry.split_once(':').and_then(|(step, _)| Step::from_name(step));
        let server = Server::faulty(&[entry]).await;
        let request = server.step(named.or(natural).unwrap()).await;
        let (status, text) = seen(request).await;
        let fits = match says.strip_prefix('!') {
            Some(absent) => !text.contains(absent),
            None => text.contains(says),
        };
        assert!(status == *expected && fits, "{entry}: {status} {text}");
    }
}

#[tokio::test]
async fn every_fault_strikes_once_at_each_of_its_steps() {
    for kind in CATALOGUE.iter().filter(|kind| kind.name != "silence") {
        let written = match kind.name {
            "http" => "http(418,text)",
            "huge" => "huge(1)",
            "slow" => "slow(1ms)",
            name => name,
        };
        for step in kind.steps {
            let entry = format!("{step}:{written}");
            let server = Server::faulty(&[&entry]).await;
            seen(server.step(*step).await).await;
            assert!((200..300).contains(&seen(server.step(*step).await).await.0), "{entry}");
            let audit = server.sandbox.audit();
            let met: Vec<_> = audit.requests.iter().filter_map(|one| one.fault.clone()).collect();
            assert_eq!(met, [written], "{entry}");
            assert_eq!(audit.requests_at(*step)[0].fault.as_deref(), Some(written), "{entry}");
        }
    }
}

#[tokio::test]
async fn silence_lasts_until_the_client_gives_up_or_the_sandbox_stops() {
    let server = Server::faulty(&["silence", "silence"]).await;
    let request = || server.reconnect("locationId");
    let result = request().timeout(Duration::from_millis(100)).send().await;
    assert!(result.is_err_and(|error| error.is_timeout()));
    let waiting = tokio::spawn(request().send());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let audit = server.sandbox.audit();
    assert!(audit.requests[0].ended_us.is_some() && audit.requests[1].ended_us.is_none());
    assert_eq!((audit.requests[1].status, audit.codes.len()), (None, 2));
    let started = Instant::now();
    server.sandbox.stop().await;
    assert!(waiting.await.unwrap().is_err());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_lost_answer_has_used_what_was_presented() {
    for lost in ["reset", "cut", "empty", "not_json"] {
        let [exchange, refresh] = ["exchange", "refresh"].map(|step| format!("{step}:{lost}"));
        let faults = everybody(&[&exchange, &refresh]);
        let same_again = Duration::ZERO;
        let server = Server::new(Options { faults, same_again, ..stored() }).await;
        let code = server.code().await;
        seen(server.exchange(&code)).await;
        assert_eq!(server.sandbox.audit().grants.len(), 1, "{lost}");
        assert_eq!(sent(server.exchange(&code)).await.0, 401, "{lost}");
        seen(server.refresh(REFRESH)).await;
        assert_eq!(sent(server.refresh(REFRESH)).await.0, 400, "{lost}");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_of_that_connection_alone() {
    let server = Server::faulty(&["reset"]).await;
    let error = server.reconnect("locationId").send().await.unwrap_err();
    assert!(format!("{error:?}").contains("reset"), "{error:?}");
    assert!(!error.is_connect());
    server.code().await;
}

#[tokio::test]
async fn a_fault_in_place_of_the_work_uses_nothing_up() {
    let server = Server::faulty(&["refresh:location_inactive"]).await;
    assert_eq!(sent(server.refresh(REFRESH)).await.0, 400);
    assert_eq!(sent(server.refresh(REFRESH)).await.0, 200);
    let audit = server.sandbox.audit();
    let outcomes: Vec<_> = audit.refreshes.iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fault, Outcome::Granted]);
}

#[tokio::test]
async fn faults_reach_into_the_work() {
    let server = Server::faulty(&["short_code(0ms)", "refresh:ok", "refresh:kills_earlier"]).await;
    let code = server.code().await;
    let (_, first) = sent(server.refresh(REFRESH)).await;
    assert_eq!(server.check(ACCESS).await, 200, "a grant leaves it alone");
    let (_, second) = sent(server.refresh(first["refresh_token"].as_str().unwrap())).await;
    assert_eq!(server.check(ACCESS).await, 401);
    assert_eq!(server.check(second["access_token"].as_str().unwrap()).await, 200);
    let (_, answer) = sent(server.exchange(&code)).await;
    assert_eq!(answer["message"], "Invalid grant: authorization code has expired");
}

#[tokio::test]
async fn an_own_list_goes_first_in_order_and_then_the_list_of_all() {
    let own = ["ok", "exchange:server_error", "unavailable*", "exchange:bad_gateway"];
    let file = json!({super::ID: own, "*": ["exchange:blocked"]}).to_string();
    let faults = FaultPlan::from_json(file.as_bytes()).unwrap();
    let server = Server::new(Options { faults, ..Options::default() }).await;
    let code = server.code().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(sent(server.exchange(&code)).await.0);
    }
    for _ in 0..2 {
        statuses.push(sent(server.reconnect("locationId")).await.0);
    }
    assert_eq!(statuses, [500, 502, 403, 200, 503, 503]);
}

#[tokio::test]
async fn shares_strike_the_same_calls_with_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let faults = "server_error=25%,http(418,a, b)=25%".parse().unwrap();
        let server = Server::new(Options { faults, seed, ..Options::default() }).await;
        let mut statuses = Vec::new();
        for _ in 0..100 {
            statuses.push(sent(server.reconnect("locationId")).await.0);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    for status in [500, 418] {
        let met = runs[0].iter().filter(|met| **met == status).count();
        assert!((12..=40).contains(&met), "{met} of 100 are {status}");
    }
}

#[test]
fn a_bad_plan_names_the_bad_piece() {
    for (text, says) in [
        ("sever_error=5%", "`sever_error=5%`: there is no such fault; there are: rate_limited, "),
        ("server_error", "share `server_error`"),
        ("server_error=101%", "share `server_error=101%`"),
        ("server_error=60%,reset=60%", "reconnect sum to more than 100%"),
        ("exchange:missing_code=1%", "it makes no sense at the exchange"),
        ("slow(soon)=1%", "500ms"),
        ("reset(1)=1%", "takes no parameter"),
        ("http=1%", "a status from 200 to 599"),
    ] {
        let error = text.parse::<FaultPlan>().err().unwrap().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    for file in [r#"{"a": ["nonsense"]}"#, r#"{"a": "reset"}"#, "[]", "{"] {
        assert!(FaultPlan::from_json(file.as_bytes()).is_err(), "{file}");
    }
    let half: FaultPlan = "reset=60%".parse().unwrap();
    assert!(half.clone().merge(half).is_err(), "shares are added");
}
