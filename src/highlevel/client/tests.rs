//! The calls against the sandbox, in both versions of the API.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::{
    failure::Stage,
    highlevel::{
        endpoint::RECONNECT_PATH,
        secret_forms,
        token_check::{self, TokenCheck, TokenCheckPath},
        tokens::{self, TokenPair},
        version::ApiVersion,
    },
    sandbox::{self, FaultPlan, InstalledLocation, Options, RefreshLife, Sandbox, StoredPair},
    secret::ClientSecret,
};

const COMPANY: &str = "Com00000000000000001";
const LOCATION: &str = "Loc00000000000000001";

fn client(sandbox: &Sandbox, version: ApiVersion) -> Client {
    let endpoint = Endpoint::new(&sandbox.base_url(), RECONNECT_PATH).unwrap();
    let credentials = Credentials {
        client_id: sandbox::CLIENT_ID.into(),
        client_secret: ClientSecret(Secret::new(sandbox::CLIENT_SECRET.into())),
        redirect_uri: Some("https://app.example/callback".into()),
    };
    let endpoint = endpoint.with_version(version);
    Client::new(endpoint, credentials, Duration::from_secs(5), Answers::default()).unwrap()
}

async fn world() -> Sandbox {
    let stored = StoredPair::new(Scope::Company, COMPANY)
        .refresh("an-agencys-refresh-token", RefreshLife::Good);
    let installed = InstalledLocation::new(LOCATION, COMPANY);
    let options =
        Options { stored: vec![stored], installed: vec![installed], ..Options::default() };
    Sandbox::start(options).await.unwrap()
}

fn installation(scope: Scope, id: &str) -> Installation {
    Installation { scope, id: Id::new(id).unwrap(), company: None }
}

/// What a request goes out with that waits for nothing.
async fn at_once(client: &Client) -> Departure {
    let connection = client.connection().await.unwrap();
    Departure { connection, leave: Box::new(|_| MayLeave::Yes) }
}

async fn agency_pair(client: &Client) -> TokenPair {
    let token = Secret::new("an-agencys-refresh-token".into());
    let reply = client.refresh(at_once(client).await, &token, Scope::Company).await.unwrap();
    tokens::tokens_at(Stage::Refresh, &reply).unwrap()
}

#[tokio::test]
async fn every_route_leads_to_tokens_that_are_alive() {
    for version in [ApiVersion::V2, ApiVersion::V3] {
        let sandbox = world().await;
        let client = client(&sandbox, version);
        let agency = agency_pair(&client).await;
        agency.belongs_to(&installation(Scope::Company, COMPANY), sandbox::CLIENT_ID).unwrap();
        let (company, location) = (Id::new(COMPANY).unwrap(), Id::new(LOCATION).unwrap());
        let departure = at_once(&client).await;
        let reply = client.location_token(departure, agency.access_token(), &company, &location);
        let reply = reply.await.unwrap();
        assert_eq!(reply.status, 201);
        let pair = tokens::location_tokens_of(&reply, &company).unwrap();
        let own = installation(Scope::Location, LOCATION);
        pair.belongs_to(&own, sandbox::CLIENT_ID).unwrap();
        for path in ["", "/contacts/?locationId={locationId}&limit=1"] {
            let path: TokenCheckPath = path.parse().unwrap();
            let departure = at_once(&client).await;
            let path_of_own = path.of(&own);
            let reply = client.check_token(departure, &path_of_own, pair.access_token());
            let reply = reply.await.unwrap();
            assert_eq!(token_check::judge(&reply), TokenCheck::Alive, "{path}");
        }
        let other =
            TokenCheckPath::Usual.of(&installation(Scope::Location, "Loc00000000000000002"));
        let reply = client.check_token(at_once(&client).await, &other, pair.access_token());
        let reply = reply.await.unwrap();
        assert!(matches!(token_check::judge(&reply), TokenCheck::Foreign(_)));
        let query = Query {
            company: &company,
            app: "5a0dbc0de5a0dbc0de5a0dbc",
            listing: Listing::Installed,
            cursor: &PageCursor::default(),
        };
        let departure = at_once(&client).await;
        let reply = client.installed_locations(departure, agency.access_token(), &query);
        let reply = reply.await.unwrap();
        let page: Value = serde_json::from_slice(&reply.body).unwrap();
        let listed = if version == ApiVersion::V2 { &page["locations"] } else { &page["items"] };
        assert_eq!(listed[0]["_id"], LOCATION, "{version:?}");
    }
}

#[tokio::test]
async fn what_is_presented_is_cut_out_of_a_refusal() {
    let token = "a-token-that-must/not=be~shown";
    let (encoded, (sandbox, id)) =
        (secret_forms::forms(token), (world().await, Id::new(LOCATION).unwrap()));
    let text = format!(r#"{{"message":"no {token} {}"}}"#, encoded.join(" "));
    let fault = serde_json::json!({ "*": [
        format!("agency:http(400,{text})*"), format!("verify:http(400,{text})*"),
        format!("discover:http(400,{text})*"), format!("refresh:http(400,{text})*"),
    ]});
    sandbox
        .store(vec![StoredPair::new(Scope::Location, LOCATION).refresh(token, RefreshLife::Good)]);
    sandbox.set_faults(FaultPlan::from_json(fault.to_string().as_bytes()).unwrap());
    let client = client(&sandbox, ApiVersion::V2);
    let secret = Secret::new(token.into());
    let query =
        Query { company: &id, app: "a", listing: Listing::All, cursor: &PageCursor::default() };
    for reply in [
        client.refresh(at_once(&client).await, &secret, Scope::Location).await,
        client.location_token(at_once(&client).await, &secret, &id, &id).await,
        client.check_token(at_once(&client).await, "/locations/x", &secret).await,
        client.installed_locations(at_once(&client).await, &secret, &query).await,
    ] {
        let error_text = String::from_utf8(reply.unwrap().body).unwrap();
        assert!(error_text.contains("no [secret]"), "{error_text}");
        assert!(encoded.iter().all(|form| !error_text.contains(form)), "{error_text}");
    }
}

#[tokio::test]
async fn what_is_held_back_at_the_last_moment_never_arrives_and_the_next_goes_out() {
    let sandbox = world().await;
    let client = client(&sandbox, ApiVersion::V2);
    let own = installation(Scope::Location, LOCATION);
    let ask = async |may_leave| {
        let connection = client.connection().await.unwrap();
        let departure = Departure { connection, leave: Box::new(move |_| may_leave) };
        client.reconnect(departure, &own).await
    };
    assert!(matches!(ask(MayLeave::No).await, Err(Unanswered::HeldBack)));
    assert_eq!(sandbox.counts().requests, 0);
    let (reply, _) = ask(MayLeave::Yes).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(sandbox.counts().requests, 1);
}

#[tokio::test]
async fn a_connection_is_used_again_as_long_as_the_server_keeps_it() {
    let sandbox = world().await;
    let client = client(&sandbox, ApiVersion::V2);
    let own = installation(Scope::Location, LOCATION);
    for _ in 0..3 {
        let (_, connection) = client.reconnect(at_once(&client).await, &own).await.unwrap();
        assert!(connection.is_fresh());
        assert!(!client.connections_are_closed_after_use());
    }
    let closing = serde_json::json!({ "*": ["reset"] });
    sandbox.set_faults(FaultPlan::from_json(closing.to_string().as_bytes()).unwrap());
    let cut = client.reconnect(at_once(&client).await, &own).await;
    assert!(matches!(cut, Err(Unanswered::InDoubt(_))), "its bytes had left");
    client.reconnect(at_once(&client).await, &own).await.unwrap();
}
