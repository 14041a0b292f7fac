//! The side door, and what can be measured.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use super::{Bench, COMPANY, ID, V2, body, sent};
use crate::sandbox::Options;

#[tokio::test]
async fn the_side_door_steers_and_tells() {
    let bench = Bench::new(Options::default()).await;
    let door = |path: &str| bench.url(&format!("/_sandbox/{path}"));
    let health = bench.client.get(door("health")).send().await.unwrap();
    assert_eq!(health.text().await.unwrap(), "ok");
    let put = |text: String| bench.client.put(door("faults")).body(text).send();
    let bad = put(r#"{"*": ["nonsense"]}"#.into()).await.unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    let good = put(r#"{"*": ["server_error*"]}"#.into()).await.unwrap();
    assert_eq!(good.status(), StatusCode::NO_CONTENT);
    let struck = bench.try_reconnect("locationId").await.unwrap();
    assert_eq!(struck.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let audit = body(bench.client.get(door("audit")).send().await.unwrap()).await;
    assert_eq!(audit["requests"][0]["fault"], "server_error");
    assert_eq!(audit["requests"][0]["status"], 500);
    bench.client.delete(door("audit")).send().await.unwrap();
    let counts = body(bench.client.get(door("counts")).send().await.unwrap()).await;
    assert_eq!(counts["requests"], 0);
}

#[tokio::test]
async fn the_side_door_learns_of_tokens_and_locations() {
    let bench = Bench::new(Options::default()).await;
    let door = |path: &str| bench.client.post(bench.url(&format!("/_sandbox/{path}")));
    let tokens = format!(
        "{{\"companyId\":\"{COMPANY}\",\"access_token\":\"a.b.c\"}}\n\n\
         {{\"locationId\":\"{ID}\",\"refresh_token\":\"r\",\"refresh\":\"dead\"}}\n"
    );
    assert_eq!(sent(door("stored").body(tokens)).await.0, 204);
    let listed = format!("{{\"_id\":\"{ID}\",\"companyId\":\"{COMPANY}\"}}");
    assert_eq!(sent(door("installed").body(listed)).await.0, 204);
    let list = format!("/oauth/installedLocations?companyId={COMPANY}&appId=app");
    let (status, page) = sent(bench.get(&list, "a.b.c", V2)).await;
    assert_eq!((status, page["locations"][0]["_id"].as_str()), (200, Some(ID)));
    assert_eq!(bench.try_refresh("r").await.status(), StatusCode::BAD_REQUEST);
    for (path, text) in [("stored", "{}"), ("stored", "[1"), ("installed", "{\"_id\":7}")] {
        let (status, says) = sent(door(path).body(text)).await;
        assert_eq!((status, says.as_str().unwrap().contains("line 1: ")), (400, true), "{says}");
    }
}

#[tokio::test]
async fn arrivals_can_be_measured() {
    let latency = Duration::from_millis(50);
    let bench = Bench::new(Options { latency, ..Options::default() }).await;
    let calls = (0..4).map(|_| bench.try_reconnect("locationId"));
    let started = Instant::now();
    futures::future::join_all(calls).await;
    assert!(started.elapsed() >= latency);
    let audit = bench.sandbox.audit();
    assert_eq!(audit.max_in_flight, 4);
    assert_eq!(audit.max_in_window(Duration::from_secs(10)), 4);
    assert_eq!(audit.max_in_window(Duration::from_micros(0)), 1);
}
