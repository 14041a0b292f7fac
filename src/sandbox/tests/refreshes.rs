//! A refresh token: single use, the same again for a while, and then nothing.

use std::time::Duration;

use serde_json::json;

use super::{Bench, COMPANY, ID, REFRESH, V3, body, fields, household, seen, sent};
use crate::installation::Scope;
use crate::sandbox::{
    AccessLife, CLIENT_ID, CLIENT_SECRET, Options, Outcome, PairState, RefreshLife, Step,
    StoredPair, Via,
};

#[tokio::test]
async fn a_refresh_token_rotates_and_repeats_itself_for_a_while() {
    let same_again = Duration::from_millis(400);
    let bench = Bench::new(Options { same_again, ..Options::default() }).await;
    let code = bench.code().await;
    let first = body(bench.try_exchange(&code).await.unwrap()).await;
    let old = first["refresh_token"].as_str().unwrap();
    let second = body(bench.try_refresh(old).await).await;
    let again = body(bench.try_refresh(old).await).await;
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(second["refresh_token"], again["refresh_token"]);
    assert_eq!(second["access_token"], again["access_token"]);
    tokio::time::sleep(same_again).await;
    let forged = format!("x{old}");
    for token in [old, "eyJ.no.such", &forged] {
        let (status, text) = seen(bench.try_refresh(token).await).await;
        assert_eq!((status, text.contains("refresh token is invalid")), (400, true));
    }
    let audit = bench.sandbox.audit();
    assert_eq!(audit.grants[0].state, PairState::Rotated);
    assert_eq!(audit.calls(Step::Refresh), 5);
    assert_eq!(second["access_token"], audit.granted(ID).unwrap().access_token);
    let [pair] = audit.granted_via(Via::Refresh)[..] else { panic!("{:?}", audit.grants) };
    assert_eq!((pair.code.as_deref(), pair.id.as_str()), (None, ID));
    let outcomes: Vec<_> = audit.refreshes_of(old).iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Outcome::Granted, Outcome::Repeated, Outcome::Used]);
    let gave: Vec<_> = audit.refreshes_of(old).iter().map(|seen| seen.gave).collect();
    assert_eq!(gave, [Some(1), Some(1), None]);
    assert_eq!(audit.refreshes[3].outcome, Outcome::Unknown);
    // The new one is good still.
    let new = second["refresh_token"].as_str().unwrap();
    assert_eq!(bench.try_refresh(new).await.status(), 200);
}

#[tokio::test]
async fn a_refresh_token_that_a_used_code_gave_dies_with_it() {
    let bench = Bench::new(Options::default()).await;
    let code = bench.code().await;
    let first = body(bench.try_exchange(&code).await.unwrap()).await;
    bench.try_exchange(&code).await.unwrap();
    let refused = bench.try_refresh(first["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn a_location_that_is_not_active_keeps_its_refresh_token() {
    let bench = Bench::troubled(&["refresh:location_inactive", "refresh:location_inactive"]).await;
    for expected in [400, 400, 200] {
        let (status, text) = seen(bench.try_refresh(REFRESH).await).await;
        assert_eq!(status, expected);
        assert_eq!(text.contains("Location is not active"), status == 400, "{text}");
    }
    let audit = bench.sandbox.audit();
    let outcomes: Vec<_> = audit.refreshes.iter().map(|seen| seen.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fault, Outcome::Fault, Outcome::Granted]);
}

#[tokio::test]
async fn a_lost_answer_has_spent_the_refresh_token() {
    let same_again = Duration::ZERO;
    let faults = Bench::troubled(&["refresh:reset"]).await;
    faults.token(&fields("refresh_token", "refresh_token", REFRESH)).await.unwrap_err();
    let again = body(faults.try_refresh(REFRESH).await).await;
    assert_eq!(again["access_token"], faults.sandbox.audit().granted(ID).unwrap().access_token);
    let bench = Bench::new(Options { same_again, ..household() }).await;
    assert_eq!(bench.try_refresh(REFRESH).await.status(), 200);
    assert_eq!(bench.try_refresh(REFRESH).await.status(), 400);
}

#[tokio::test]
async fn a_stored_refresh_token_belongs_to_its_kind_and_its_client() {
    let app = CLIENT_ID.split('-').next().unwrap();
    let pair = |n: u8, life| {
        let id = format!("{n}").repeat(20);
        StoredPair::new(Scope::Location, id).refresh(format!("r{n}"), life)
    };
    let stored = vec![
        pair(1, RefreshLife::Good).company(COMPANY),
        pair(2, RefreshLife::Dead),
        pair(3, RefreshLife::Good).client(app),
        pair(4, RefreshLife::Good).client(CLIENT_ID),
        pair(5, RefreshLife::Good).client("another"),
        StoredPair::new(Scope::Company, COMPANY).refresh("r6", RefreshLife::Good),
        StoredPair::new(Scope::Location, ID).access("r7", AccessLife::Alive),
    ];
    let bench = Bench::new(Options { stored, ..Options::default() }).await;
    for (token, expected, says) in [
        (
            "r1",
            200,
            "\"companyId\":\"tDtDnQdgm2LXpyiqYvZ6\",\"locationId\":\"11111111111111111111\"",
        ),
        ("r2", 400, "refresh token is invalid"),
        ("r3", 200, "\"userType\":\"Location\""),
        ("r4", 200, "\"userType\":\"Location\""),
        ("r5", 401, "Invalid client credentials!"),
        ("r6", 200, "\"userType\":\"Company\""),
        ("r7", 400, "refresh token is invalid"),
    ] {
        let (status, text) = seen(bench.try_refresh(token).await).await;
        assert_eq!((status, text.contains(says)), (expected, true), "{token}: {text}");
    }
    assert_eq!(bench.try_refresh("r2").await.status(), 400);
    let _ = bench.sandbox.audit();
    // Whoever used it first keeps what it gave.
    let new = bench.sandbox.audit().grants[0].refresh_token.clone();
    let mut other = fields("refresh_token", "refresh_token", &new);
    other[0].1 = "another";
    assert_eq!(bench.token(&other).await.unwrap().status(), 401);
    let outcome = bench.sandbox.audit().refreshes.last().unwrap().outcome;
    assert_eq!(outcome, Outcome::ClientRefused);
}

#[tokio::test]
async fn an_incomplete_refresh_is_told_what_it_lacks_and_version_3_takes_json() {
    let bench = Bench::new(household()).await;
    let whole = fields("refresh_token", "refresh_token", REFRESH);
    for (position, says) in [(0, "clientId"), (1, "clientSecret"), (3, "refreshToken")] {
        let mut lacking = whole.to_vec();
        lacking.remove(position);
        let (status, text) = seen(bench.token(&lacking).await.unwrap()).await;
        let expected = format!("Missing parameter: {says}");
        assert_eq!((status, text.contains(&expected)), (400, true), "{text}");
    }
    let outcomes: Vec<_> = bench.sandbox.audit().refreshes.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Malformed, Outcome::Malformed]);
    let camel = json!({"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
        "grantType": "refresh_token", "refreshToken": REFRESH});
    let request = bench.client.post(bench.url("/oauth/token")).json(&camel);
    let (status, answer) = sent(request.header("Version", V3)).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["refreshToken"].is_string() && answer.get("refresh_token").is_none());
}
