//! An agency's access token gives the tokens of its sub-accounts.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{ACCESS, AGENCY, Bench, COMPANY, ID, V2, V3, body, household, sent};
use crate::installation::Scope;
use crate::sandbox::{
    AccessLife, CLIENT_ID, InstalledLocation, Options, Presence, Step, StoredPair, Via,
};

const IDS: [(&str, &str); 2] = [("companyId", COMPANY), ("locationId", ID)];

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn an_agency_gets_the_tokens_of_its_location() {
    let bench = Bench::new(household()).await;
    let (status, answer) = sent(bench.location_token(AGENCY, V2, &IDS)).await;
    assert_eq!(status, 201);
    assert_eq!((&answer["locationId"], &answer["expires_in"]), (&json!(ID), &json!(86_400)));
    assert_eq!(answer["appId"], CLIENT_ID.split('-').next().unwrap());
    for absent in ["userType", "companyId"] {
        assert!(answer.get(absent).is_none(), "{answer}");
    }
    assert_eq!(claims(&answer["access_token"])["authClass"], "Location");
    assert_eq!(claims(&answer["access_token"])["authClassId"], ID);
    // Nobody knows of which client the stored token of the agency is.
    assert!(claims(&answer["access_token"]).get("sourceId").is_none());
    let (status, camel) = sent(bench.location_token(AGENCY, V3, &IDS)).await;
    assert_eq!((status, camel["expiresIn"].as_u64()), (201, Some(86_400)));
    assert!(camel["accessToken"].is_string() && camel["refreshToken"].is_string(), "{camel}");
    assert!(camel.get("access_token").is_none());
    let audit = bench.sandbox.audit();
    assert_eq!(audit.granted(ID).unwrap().access_token, camel["accessToken"]);
    assert_eq!((audit.granted_via(Via::Agency).len(), audit.calls(Step::Agency)), (2, 2));
    let request = audit.requests_at(Step::Agency)[0];
    assert_eq!((request.id.as_deref(), request.bearer.as_deref()), (Some(ID), Some(AGENCY)));
    assert_eq!(bench.sandbox.counts().agency_calls, 2);
    // Both tokens work.
    let tried =
        bench.get(&format!("/locations/{ID}"), answer["access_token"].as_str().unwrap(), V2);
    assert_eq!(sent(tried).await.0, 200);
    let refreshed = bench.try_refresh(camel["refreshToken"].as_str().unwrap()).await;
    assert_eq!(refreshed.status(), 200);
}

#[tokio::test]
async fn an_agency_token_that_the_sandbox_granted_works_too() {
    let options = Options { company: Some(ID.to_owned()), ..Options::default() };
    let bench = Bench::new(options).await;
    let answer = body(bench.try_reconnect("companyId").await.unwrap()).await;
    let code = answer["authorizationCode"].as_str().unwrap();
    let agency = body(bench.try_exchange(code).await.unwrap()).await;
    let fields = [("companyId", ID), ("locationId", "lllllllllllllllllll1")];
    let token = agency["access_token"].as_str().unwrap();
    let (status, answer) = sent(bench.location_token(token, V2, &fields)).await;
    assert_eq!((status, answer["locationId"].as_str()), (201, Some("lllllllllllllllllll1")));
    assert_eq!(claims(&answer["access_token"])["sourceId"], CLIENT_ID);
}

#[tokio::test]
async fn an_agency_token_that_does_not_do_is_told_why() {
    let life = |token: &str, life| StoredPair::new(Scope::Company, COMPANY).access(token, life);
    let mut options = household();
    options.stored.extend([
        life("dead", AccessLife::Dead),
        life("revoked", AccessLife::Revoked),
        life("scopeless", AccessLife::NoScope),
        life("small", AccessLife::NoFeature),
        life("old", AccessLife::Alive).expires(jiff::Timestamp::UNIX_EPOCH),
        StoredPair::new(Scope::Company, "another-company").access("stranger", AccessLife::Alive),
    ]);
    let bench = Bench::new(options).await;
    for (token, expected, says) in [
        ("unknown", 401, "Invalid JWT"),
        ("dead", 401, "Invalid JWT"),
        ("old", 401, "Invalid JWT"),
        ("revoked", 401, "Invalid token: access token is invalid"),
        ("scopeless", 401, "The token is not authorized for this scope."),
        ("pit-1234", 401, "The token is not authorized for this scope."),
        ("small", 401, "You do not have access to this feature!"),
        (ACCESS, 401, "This token's user type is not yet supported!"),
        ("stranger", 403, "The token does not have access to this location."),
    ] {
        let (status, answer) = sent(bench.location_token(token, V2, &IDS)).await;
        assert_eq!(status, expected, "{token}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(says), "{token}: {answer}");
    }
    assert!(bench.sandbox.audit().grants.is_empty());
}

#[tokio::test]
async fn a_request_for_a_location_that_does_not_do_is_told_why() {
    let absent = InstalledLocation::new("absent-location", COMPANY).presence(Presence::Absent);
    let installed = vec![absent, InstalledLocation::new(ID, COMPANY)];
    let bench = Bench::new(Options { installed, ..household() }).await;
    for id in ["unknown-location", "absent-location"] {
        let fields = [("companyId", COMPANY), ("locationId", id)];
        let (status, answer) = sent(bench.location_token(AGENCY, V2, &fields)).await;
        assert_eq!((status, answer["message"].as_str()), (400, Some("Location not found")));
        assert_eq!(answer["traceId"].as_str().unwrap().len(), 36);
    }
    assert_eq!(sent(bench.location_token(AGENCY, V2, &IDS)).await.0, 201);
    let url = |path| bench.client.post(bench.url(path)).bearer_auth(AGENCY);
    let bare =
        bench.client.post(bench.url("/oauth/locationToken")).header("Version", V2).form(&IDS);
    let v2 = |path| url(path).header("Version", V2);
    for (request, expected, says) in [
        (url("/oauth/locationToken").form(&IDS), 401, "version header was not found."),
        (url("/oauth/location-token").form(&IDS), 401, "version header was not found."),
        (v2("/oauth/locationToken").form(&IDS[..1]), 422, "locationId must be a string"),
        (v2("/oauth/locationToken").form(&IDS[1..]), 422, "companyId must be a string"),
        (v2("/oauth/locationToken").json(&json!({"a": 1})), 422, "companyId must be a string"),
        (v2("/oauth/location-token").form(&IDS), 404, "Cannot POST /oauth/location-token"),
        (url("/oauth/locationToken").header("Version", V3), 400, "not available in API version v3"),
        (bare, 401, "Invalid JWT"),
    ] {
        let (status, answer) = sent(request).await;
        assert_eq!(status, expected, "{answer}");
        assert!(answer["message"].to_string().contains(says), "{answer}");
    }
}
