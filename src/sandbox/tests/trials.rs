//! An access token is tried.

use std::time::Duration;

use super::{ACCESS, AGENCY, Bench, COMPANY, ID, V2, body, household, sent};
use crate::installation::Scope;
use crate::sandbox::{AccessLife, Options, Step, StoredPair};

#[tokio::test]
async fn a_token_is_judged() {
    let life = |token: &str, life| StoredPair::new(Scope::Location, ID).access(token, life);
    let mut options = household();
    options.stored.extend([
        life("dead", AccessLife::Dead),
        life("revoked", AccessLife::Revoked),
        life("scopeless", AccessLife::NoScope),
        life("small", AccessLife::NoFeature),
        life("old", AccessLife::Alive).expires(jiff::Timestamp::UNIX_EPOCH),
    ]);
    let bench = Bench::new(options).await;
    let location = format!("/locations/{ID}");
    let company = format!("/companies/{COMPANY}");
    let contacts = format!("/contacts/?locationId={ID}&limit=1");
    let rows = [
        (location.as_str(), ACCESS, 200, ID),
        (&contacts, ACCESS, 200, "contacts"),
        (&company, AGENCY, 200, COMPANY),
        ("/locations/another", ACCESS, 403, "The token does not have access to this location."),
        ("/contacts/?locationId=another", ACCESS, 403, "does not have access to this location."),
        ("/contacts/", ACCESS, 403, "does not have access to this location."),
        ("/companies/another", AGENCY, 403, "does not have access to this location."),
        (&location, AGENCY, 401, "This authClass type is not allowed to access this scope. "),
        (&contacts, AGENCY, 401, "This authClass type is not allowed to access this scope. "),
        (&company, ACCESS, 401, "This authClass type is not allowed to access this scope. "),
        (&location, "unknown", 401, "Invalid JWT"),
        (&location, "dead", 401, "Invalid JWT"),
        (&location, "old", 401, "Invalid JWT"),
        (&location, "revoked", 401, "Invalid token: access token is invalid"),
        (&location, "scopeless", 401, "The token is not authorized for this scope."),
        (&location, "small", 401, "{\"status\":401,\"message\":\"You do not have access to this"),
    ];
    for (path, token, expected, says) in rows {
        let (status, answer) = sent(bench.get(path, token, V2)).await;
        assert_eq!((status, answer.to_string().contains(says)), (expected, true), "{answer}");
    }
    let bare = bench.client.get(bench.url(&location)).bearer_auth(ACCESS);
    assert_eq!(sent(bare).await.1["message"], "version header was not found.");
    let audit = bench.sandbox.audit();
    assert_eq!(audit.calls(Step::Verify), rows.len() + 1);
    let asked = audit.requests_at(Step::Verify);
    assert_eq!((asked[1].id.as_deref(), asked[1].bearer.as_deref()), (Some(ID), Some(ACCESS)));
    assert_eq!(bench.sandbox.counts().verifications, rows.len() + 1);
}

#[tokio::test]
async fn access_tokens_that_were_granted_live_until_the_code_is_presented_again() {
    let bench = Bench::new(Options::default()).await;
    let location = format!("/locations/{ID}");
    let code = bench.code().await;
    let first = body(bench.try_exchange(&code).await.unwrap()).await;
    let (access, refresh) = (&first["access_token"], &first["refresh_token"]);
    let second = body(bench.try_refresh(refresh.as_str().unwrap()).await).await;
    let tokens = [access, &second["access_token"]].map(|token| token.as_str().unwrap());
    for token in tokens {
        assert_eq!(sent(bench.get(&location, token, V2)).await.0, 200);
    }
    let forged = format!("{}x", tokens[0]);
    assert_eq!(sent(bench.get(&location, &forged, V2)).await.1["message"], "Invalid JWT");
    assert_eq!(sent(bench.get(&location, refresh.as_str().unwrap(), V2)).await.0, 401);
    bench.try_exchange(&code).await.unwrap();
    for token in tokens {
        let (status, answer) = sent(bench.get(&location, token, V2)).await;
        assert_eq!(status, 401);
        assert!(answer["message"].as_str().unwrap().contains("access token is invalid"));
    }
}

#[tokio::test]
async fn the_tokens_of_another_tenant_or_kind_are_found_out() {
    for (fault, says) in [
        ("exchange:wrong_tenant", "does not have access to this location."),
        ("exchange:wrong_kind", "authClass type is not allowed"),
    ] {
        let bench = Bench::with_faults(&[fault]).await;
        let code = bench.code().await;
        let answer = body(bench.try_exchange(&code).await.unwrap()).await;
        let token = answer["access_token"].as_str().unwrap();
        let (_, answer) = sent(bench.get(&format!("/locations/{ID}"), token, V2)).await;
        assert!(answer["message"].as_str().unwrap().contains(says), "{fault}: {answer}");
    }
}

#[tokio::test]
async fn an_access_token_dies_of_age() {
    let access_life = Duration::from_millis(1200);
    let bench = Bench::new(Options { access_life, ..Options::default() }).await;
    let code = bench.code().await;
    let answer = body(bench.try_exchange(&code).await.unwrap()).await;
    assert_eq!(answer["expires_in"], 1);
    let token = answer["access_token"].as_str().unwrap();
    let location = format!("/locations/{ID}");
    assert_eq!(sent(bench.get(&location, token, V2)).await.0, 200);
    tokio::time::sleep(access_life).await;
    assert_eq!(sent(bench.get(&location, token, V2)).await.1["message"], "Invalid JWT");
    let refreshed = bench.try_refresh(answer["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status(), 200);
}
