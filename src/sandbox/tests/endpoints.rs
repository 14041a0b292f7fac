//! Each endpoint answers as documented and as observed.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    ACCESS, AGENCY, COMPANY, ID, IDS, REFRESH, Server, V2, V3, answered, fields, list, sent, stored,
};
use crate::installation::Scope;
use crate::sandbox::{
    AccessLife, CLIENT_ID, CLIENT_SECRET, InstalledLocation, Options, Outcome, PairState, Presence,
    RefreshLife, Step, StoredPair, Via,
};

const WRONG_CLASS: &str = "This authClass type is not allowed to access this scope.";
const NO_ACCESS: &str = "The token does not have access to this location.";

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_code_gives_tokens_once_and_a_second_presentation_revokes_them() {
    let server = Server::new(Options::default()).await;
    let (_, answer) = sent(server.reconnect("locationId")).await;
    let code = answer["authorizationCode"].as_str().unwrap();
    assert!(code.len() == 40 && code.bytes().all(|b| b.is_ascii_hexdigit()), "{code}");
    let expires: jiff::Timestamp = answer["expiresAt"].as_str().unwrap().parse().unwrap();
    assert!((55..=60).contains(&expires.duration_since(jiff::Timestamp::now()).as_secs()));
    assert_eq!(answer["traceId"].as_str().unwrap().len(), 36);

    let (_, first) = sent(server.exchange(code)).await;
    assert_eq!((&first["userType"], &first["expires_in"]), (&json!("Location"), &json!(86_399)));
    assert_eq!((&first["locationId"], first["companyId"].is_string()), (&json!(ID), true));
    let (_, second) = sent(server.refresh(first["refresh_token"].as_str().unwrap())).await;
    let [old, new] = [&first, &second].map(|pair| pair["access_token"].as_str().unwrap());
    assert_eq!(server.sandbox.audit().granted(ID).unwrap().access_token, new);
    assert_eq!([server.check(old).await, server.check(new).await], [200, 200]);
    assert_eq!(server.check(&format!("{old}x")).await, 401);

    answered([(server.exchange(code), 401, "Authorization code not found")]).await;
    assert_eq!([server.check(old).await, server.check(new).await], [401, 401]);
    let audit = server.sandbox.audit();
    assert_eq!(audit.codes_presented_twice(), [code]);
    let outcomes: Vec<_> = audit.presentations.iter().map(|one| one.outcome).collect();
    assert_eq!((outcomes, audit.codes[0].presented), (vec![Outcome::Granted, Outcome::Used], 2));
    assert!(audit.grants.iter().all(|pair| pair.state == PairState::Revoked));
    let counts = server.sandbox.counts();
    assert_eq!((counts.codes_presented_twice, counts.pairs, counts.live_pairs), (1, 2, 0));
}

#[tokio::test]
async fn an_agency_comes_back_as_an_agency_and_its_token_gives_those_of_its_locations() {
    let installed = vec![InstalledLocation::new("lllllllllllllllllll1", ID)];
    let server = Server::new(Options { installed, ..Options::default() }).await;
    let (_, answer) = sent(server.reconnect("companyId")).await;
    let (_, agency) = sent(server.exchange(answer["authorizationCode"].as_str().unwrap())).await;
    assert_eq!((&agency["userType"], &agency["companyId"]), (&json!("Company"), &json!(ID)));
    assert!(agency.get("locationId").is_none());
    let ids = [("companyId", ID), ("locationId", "lllllllllllllllllll1")];
    let token = agency["access_token"].as_str().unwrap();
    let (status, own) = sent(server.agency(token, V2, &ids)).await;
    assert_eq!((status, &own["locationId"]), (201, &json!(ids[1].1)));
    assert_eq!(claims(&own["access_token"])["sourceId"], CLIENT_ID);
}

#[tokio::test]
async fn an_agency_token_that_is_stored_gives_those_of_its_locations() {
    let server = Server::new(stored()).await;
    let (status, answer) = sent(server.agency(AGENCY, V2, &IDS)).await;
    assert_eq!((status, &answer["expires_in"]), (201, &json!(86_400)));
    assert_eq!(answer["appId"], CLIENT_ID.split('-').next().unwrap());
    assert!(answer.get("userType").is_none() && answer.get("companyId").is_none(), "{answer}");
    let claims = claims(&answer["access_token"]);
    assert_eq!((&claims["authClass"], &claims["authClassId"]), (&json!("Location"), &json!(ID)));
    assert!(claims.get("sourceId").is_none(), "nobody knows of which client the agency's is");
    assert_eq!(server.check(answer["access_token"].as_str().unwrap()).await, 200);
    assert_eq!(sent(server.refresh(answer["refresh_token"].as_str().unwrap())).await.0, 200);
    let audit = server.sandbox.audit();
    let request = audit.requests_at(Step::Agency)[0];
    assert_eq!((request.id.as_deref(), request.bearer.as_deref()), (Some(ID), Some(AGENCY)));
    let routes = [Via::Agency, Via::Refresh].map(|via| audit.granted_via(via).len());
    assert_eq!(routes, [1, 1]);
}

#[tokio::test]
async fn version_3_takes_json_and_answers_in_camel_case() {
    let server = Server::new(stored()).await;
    let code = server.code().await;
    let post = |grant: [(&str, &str); 2]| {
        let mut body = json!({"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET});
        for (name, value) in grant {
            body[name] = value.into();
        }
        server.post("/oauth/token").header("Version", V3).json(&body)
    };
    for request in [
        post([("grantType", "authorization_code"), ("code", &code)]),
        post([("grantType", "refresh_token"), ("refreshToken", REFRESH)]),
        server.agency(AGENCY, V3, &IDS),
    ] {
        let (_, answer) = sent(request).await;
        assert!(answer["accessToken"].is_string() && answer["refreshToken"].is_string());
        assert!(answer.get("access_token").is_none(), "{answer}");
    }
}

#[tokio::test]
async fn a_reconnect_or_a_token_request_that_is_not_good_is_refused() {
    let server = Server::new(Options::default()).await;
    let (get, post) = (|path| server.get(path, "", V2), |path| server.post(path));
    let json = |body: Value| post("/oauth/reconnect").json(&body);
    let both = json!({"clientKey": "a", "clientSecret": "b", "locationId": "c", "companyId": "d"});
    let bad = post("/oauth/reconnect").header("content-type", "application/json").body("{");
    let token = |position: usize, grant| {
        let mut fields = fields(grant, "code", "0000").to_vec();
        fields.remove(position);
        post("/oauth/token").form(&fields)
    };
    answered([
        (json(json!({"clientKey": "a", "clientSecret": "b"})), 422, "Exactly one of"),
        (json(both.clone()), 422, "Exactly one of"),
        (json(json!({"clientKey": "a"})), 422, "clientSecret must be a string"),
        (post("/oauth/reconnect").form(&[("clientKey", "a")]), 422, "clientKey must be a string"),
        (bad, 400, "Unexpected token in JSON at position"),
        (json(both).header("user-agent", ""), 403, "error code: 1010"),
        (post("/x"), 404, "Cannot POST /x"),
        (get("/oauth/token"), 404, "Cannot GET /oauth/token"),
        (token(2, ""), 400, "Missing parameter: grantType"),
        (token(3, "authorization_code"), 400, "Missing parameter: code"),
        (token(3, "refresh_token"), 400, "Missing parameter: refreshToken"),
        (token(0, "magic"), 400, "Invalid parameter: grantType"),
    ])
    .await;
}

#[tokio::test]
async fn a_code_is_looked_up_before_the_client_and_the_client_before_the_time() {
    let options = Options { code_life: Duration::ZERO, ..Options::default() };
    let server = Server::new(options).await;
    let code = server.code().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let token = |client, code| {
        let mut fields = fields("authorization_code", "code", code);
        fields[0].1 = client;
        server.post("/oauth/token").form(&fields)
    };
    answered([
        (token("another", "0000"), 401, "Authorization code not found"),
        (token("", &code), 400, "Missing parameter: clientId"),
        (token("another", &code), 401, "Invalid client credentials!"),
        (token(CLIENT_ID, &code), 400, "Invalid grant: authorization code has expired"),
    ])
    .await;
}

#[tokio::test]
async fn a_refresh_token_rotates_and_repeats_itself_for_a_while() {
    let same_again = Duration::from_millis(400);
    let server = Server::new(Options { same_again, ..stored() }).await;
    let (_, first) = sent(server.refresh(REFRESH)).await;
    let (_, again) = sent(server.refresh(REFRESH)).await;
    assert_eq!(first["refresh_token"], again["refresh_token"]);
    tokio::time::sleep(same_again).await;
    for token in [REFRESH, "eyJ.no.such"] {
        answered([(server.refresh(token), 400, "Invalid grant: refresh token is invalid")]).await;
    }
    let audit = server.sandbox.audit();
    assert_eq!(audit.refresh_tokens_spent_twice_outside_grace(), [REFRESH]);
    let seen = audit.refreshes.iter().map(|seen| (seen.outcome, seen.gave));
    let expected = [
        (Outcome::Granted, Some(0)),
        (Outcome::Repeated, Some(0)),
        (Outcome::Used, None),
        (Outcome::Unknown, None),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(sent(server.refresh(first["refresh_token"].as_str().unwrap())).await.0, 200);
}

#[tokio::test]
async fn a_stored_refresh_token_belongs_to_its_kind_and_its_client() {
    let pair = |n: usize, life| {
        StoredPair::new(Scope::Location, format!("{n}").repeat(20)).refresh(format!("r{n}"), life)
    };
    let stored = vec![
        pair(1, RefreshLife::Good).company(COMPANY),
        pair(2, RefreshLife::Dead),
        pair(3, RefreshLife::Good).client(CLIENT_ID.split('-').next().unwrap()),
        pair(4, RefreshLife::Good).client(CLIENT_ID),
        pair(5, RefreshLife::Good).client("another"),
        StoredPair::new(Scope::Company, COMPANY).refresh("r6", RefreshLife::Good),
    ];
    let server = Server::new(Options { stored, ..Options::default() }).await;
    answered([
        (server.refresh("r1"), 200, "\"companyId\":\"tDtDnQdgm2LXpyiqYvZ6\",\"locationId\":\"1111"),
        (server.refresh("r2"), 400, "refresh token is invalid"),
        (server.refresh("r3"), 200, "\"userType\":\"Location\""),
        (server.refresh("r4"), 200, "\"userType\":\"Location\""),
        (server.refresh("r5"), 401, "Invalid client credentials!"),
        (server.refresh("r6"), 200, "\"userType\":\"Company\""),
    ])
    .await;
    // Whoever used it first keeps what it gave.
    let new = server.sandbox.audit().grants[0].refresh_token.clone();
    let mut other = fields("refresh_token", "refresh_token", &new);
    other[0].1 = "another";
    answered([(server.post("/oauth/token").form(&other), 401, "Invalid client")]).await;
}

#[tokio::test]
async fn a_checked_access_token_is_judged() {
    let mut options = stored();
    for (token, life) in [
        ("dead", AccessLife::Dead),
        ("revoked", AccessLife::Revoked),
        ("scopeless", AccessLife::NoScope),
        ("small", AccessLife::NoFeature),
    ] {
        options.stored.push(StoredPair::new(Scope::Company, COMPANY).access(token, life));
    }
    let old = StoredPair::new(Scope::Company, COMPANY).access("old", AccessLife::Alive);
    options.stored.push(old.expires(jiff::Timestamp::UNIX_EPOCH));
    let server = Server::new(options).await;
    let contacts = format!("/contacts/?locationId={ID}&limit=1");
    let (location, company) = (format!("/locations/{ID}"), format!("/companies/{COMPANY}"));
    answered(vec![
        (server.get(&location, ACCESS, V2), 200, COMPANY),
        (server.get(&company, AGENCY, V2), 200, COMPANY),
        (server.get(&contacts, ACCESS, V2), 200, "contacts"),
        (server.get(&company, "unknown", V2), 401, "Invalid JWT"),
        (server.get(&company, "dead", V2), 401, "Invalid JWT"),
        (server.get(&company, "old", V2), 401, "Invalid JWT"),
        (server.get(&company, "revoked", V2), 401, "Invalid token: access token is invalid"),
        (server.get(&company, "scopeless", V2), 401, "not authorized for this scope."),
        (server.get(&company, "pit-1234", V2), 401, "not authorized for this scope."),
        (server.get(&company, "small", V2), 401, "{\"status\":401,\"message\":\"You do not have"),
        (server.get("/locations/another", ACCESS, V2), 403, NO_ACCESS),
        (server.get("/contacts/", ACCESS, V2), 403, NO_ACCESS),
        (server.get("/companies/another", AGENCY, V2), 403, NO_ACCESS),
        (server.get(&contacts, AGENCY, V2), 401, WRONG_CLASS),
        (server.get(&company, ACCESS, V2), 401, WRONG_CLASS),
    ])
    .await;
}

#[tokio::test]
async fn a_request_with_an_agency_token_that_is_not_good_is_refused() {
    let mut options = stored();
    options.installed = vec![
        InstalledLocation::new(ID, COMPANY),
        InstalledLocation::new("absent", COMPANY).presence(Presence::Absent),
    ];
    let own = StoredPair::new(Scope::Company, COMPANY).client(CLIENT_ID);
    options.stored.push(own.access("own", AccessLife::Alive));
    let server = Server::new(options).await;
    answered(vec![
        (server.get(&list(V2, ""), ACCESS, V2), 401, WRONG_CLASS),
        (server.get(&list(V2, ""), "own", V2), 400, "App not found"),
        (server.get(&list(V3, ""), "own", V3), 404, "The requested App 'app' was not found."),
        (server.get("/oauth/installedLocations?companyId=a&appId=b", AGENCY, V2), 403, NO_ACCESS),
        (server.get("/oauth/installedLocations", AGENCY, V2), 422, "companyId must be a string"),
        (server.get(&list(V2, "&skip=many"), AGENCY, V2), 422, "skip"),
        (server.get(&list(V3, "&pageSize=101"), AGENCY, V3), 400, "parameter pageSize."),
        (server.get(&list(V3, "&pageToken=7"), AGENCY, V3), 400, "parameter pageToken."),
        (server.get(&list(V2, ""), AGENCY, V3), 400, "not available in API version v3"),
        (server.get(&list(V3, ""), AGENCY, V2), 404, "Cannot GET /oauth/installed-locations"),
        (server.agency(ACCESS, V2, &IDS), 401, "user type is not yet supported!"),
        (server.agency(AGENCY, V2, &[("companyId", "a"), IDS[1]]), 403, NO_ACCESS),
        (server.agency(AGENCY, V2, &[IDS[0], ("locationId", "a")]), 400, "Location not found"),
        (server.agency(AGENCY, V2, &[IDS[0], ("locationId", "absent")]), 400, "not found"),
        (server.agency(AGENCY, V2, &IDS[..1]), 422, "locationId must be a string"),
        (server.post("/oauth/locationToken").form(&IDS), 401, "version header was not found."),
    ])
    .await;
    assert!(server.sandbox.audit().grants.is_empty());
}

#[tokio::test]
async fn an_agency_lists_its_locations_page_by_page() {
    let presence = |n| if n % 10 == 9 { Presence::Absent } else { Presence::Installed };
    let location = |n| InstalledLocation::new(format!("location-{n:04}"), COMPANY);
    let installed = (0..250).map(|n| location(n).presence(presence(n)));
    let other = InstalledLocation::new("of-another", "another-company");
    let installed = installed.chain([other]).collect();
    let server = Server::new(Options { installed, ..stored() }).await;
    let ids = |list: &Value| -> Vec<String> {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["_id"].as_str().unwrap().to_owned()).collect()
    };
    for (more, first, size, count) in [
        ("", 0, 20, 250),
        ("&skip=240", 240, 10, 250),
        ("&limit=500", 0, 100, 250),
        ("&skip=250", 250, 0, 250),
        ("&isInstalled=true&limit=9", 0, 9, 225),
    ] {
        let (_, page) = sent(server.get(&list(V2, more), AGENCY, V2)).await;
        let expected: Vec<_> = (first..first + size).map(|n| format!("location-{n:04}")).collect();
        assert_eq!((ids(&page["locations"]), &page["count"]), (expected, &json!(count)), "{more}");
    }
    let (mut all, mut more) = (Vec::new(), String::new());
    for left in [150, 50, 0] {
        let request = server.get(&list(V3, &format!("&pageSize=100{more}")), AGENCY, V3);
        let (_, page) = sent(request).await;
        all.extend(ids(&page["items"]));
        let pagination = &page["pagination"];
        assert_eq!((all.len(), &pagination["hasNextPage"]), (250 - left, &json!(left > 0)));
        more = format!("&pageToken={}", pagination["nextPageToken"].as_str().unwrap_or_default());
    }
    assert!(all.is_sorted());
}

#[tokio::test]
async fn the_server_clock_can_be_off() {
    let clock_offset = jiff::SignedDuration::from_hours(-3);
    let server = Server::new(Options { clock_offset, ..Options::default() }).await;
    let response = server.reconnect("locationId").send().await.unwrap();
    let date = response.headers()["date"].to_str().unwrap().to_owned();
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).unwrap();
    let answer: Value = response.json().await.unwrap();
    let expires: jiff::Timestamp = answer["expiresAt"].as_str().unwrap().parse().unwrap();
    assert!((10_700..10_900).contains(&jiff::Timestamp::now().duration_since(date).as_secs()));
    assert!((58..=61).contains(&expires.duration_since(date).as_secs()));
}

#[tokio::test]
async fn arrivals_can_be_measured() {
    let latency = Duration::from_millis(50);
    let server = Server::new(Options { latency, ..Options::default() }).await;
    let started = Instant::now();
    futures::future::join_all((0..4).map(|_| server.reconnect("locationId").send())).await;
    assert!(started.elapsed() >= latency);
    let audit = server.sandbox.audit();
    assert_eq!(audit.max_in_flight, 4);
    assert_eq!(audit.max_in_window(Duration::from_secs(10)), 4);
    assert_eq!(audit.max_in_window(Duration::ZERO), 1);
}
