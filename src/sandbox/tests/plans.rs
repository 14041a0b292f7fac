//! Plans are read, merged and worked off as promised.

use serde_json::json;

use super::{Bench, ID};
use crate::sandbox::{FaultPlan, Options};

#[tokio::test]
async fn a_list_is_worked_off_in_order() {
    let entries = ["ok", "exchange:server_error", "unavailable*", "exchange:bad_gateway"];
    let bench = Bench::with_faults(&entries).await;
    let code = bench.code().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bench.try_exchange(&code).await.unwrap().status().as_u16());
    }
    for _ in 0..3 {
        statuses.push(bench.try_reconnect("locationId").await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [500, 502, 200, 503, 503, 503]);
}

#[tokio::test]
async fn a_star_concerns_everybody_after_their_own_list() {
    let file = json!({ID: ["unavailable"], "*": ["server_error"]}).to_string();
    let faults = FaultPlan::from_json(file.as_bytes()).unwrap();
    let bench = Bench::new(Options { faults, ..Options::default() }).await;
    for status in [503, 500, 200] {
        let response = bench.try_reconnect("locationId").await.unwrap();
        assert_eq!(response.status().as_u16(), status);
    }
}

#[tokio::test]
async fn shares_strike_the_same_calls_with_the_same_seed() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let faults = "server_error=25%,http(418,a, b)=25%".parse().unwrap();
        let bench = Bench::new(Options { faults, seed, ..Options::default() }).await;
        let mut statuses = Vec::new();
        for _ in 0..100 {
            let response = bench.try_reconnect("locationId").await.unwrap();
            statuses.push(response.status().as_u16());
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
}

#[test]
fn plans_merge() {
    let list = FaultPlan::from_json(br#"{"a": ["reset"]}"#).unwrap();
    let other = FaultPlan::from_json(br#"{"a": ["cut"], "b": []}"#).unwrap();
    let both = FaultPlan::from_json(br#"{"a": ["reset", "cut"], "b": []}"#).unwrap();
    let _ = (list.clone().merge(other).unwrap(), both);
    let half: FaultPlan = "reset=60%".parse().unwrap();
    assert!(half.clone().merge(half).is_err());
    assert!(FaultPlan::default().is_empty() && !list.is_empty());
}
