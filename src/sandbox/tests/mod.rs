//! The sandbox keeps its own promises: each endpoint answers as documented and as observed.

mod endpoints;
mod faults;
mod stored;

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{
    AccessLife, CLIENT_ID, CLIENT_SECRET, FaultPlan, Options, RefreshLife, Sandbox, Step,
    StoredPair,
};
use crate::installation::Scope;

const ID: &str = "ve9EPM428h8vShlRW1KT";
const COMPANY: &str = "tDtDnQdgm2LXpyiqYvZ6";
const IDS: [(&str, &str); 2] = [("companyId", COMPANY), ("locationId", ID)];

/// Tokens that are known from the start: of the location, and of its agency.
const ACCESS: &str = "the.location.access";
const REFRESH: &str = "the.location.refresh";
const AGENCY: &str = "the.agency.access";

const V2: &str = "2021-07-28";
const V3: &str = "v3";

/// A location and its agency, with tokens.
fn stored() -> Options {
    let location = StoredPair::new(Scope::Location, ID)
        .access(ACCESS, AccessLife::Alive)
        .refresh(REFRESH, RefreshLife::Good)
        .company(COMPANY);
    let agency = StoredPair::new(Scope::Company, COMPANY).access(AGENCY, AccessLife::Alive);
    Options { stored: vec![location, agency], ..Options::default() }
}

/// A sandbox and a client.
struct Server {
    sandbox: Sandbox,
    client: Client,
}

impl Server {
    async fn new(options: Options) -> Self {
        let client = Client::builder()
            .user_agent("test")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(Duration::from_secs(3));
        let sandbox = Sandbox::start(options).await.unwrap();
        Self { sandbox, client: client.build().unwrap() }
    }

    /// With stored tokens, and faults for everybody.
    async fn faulty(entries: &[&str]) -> Self {
        Self::new(Options { faults: everybody(entries), ..stored() }).await
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.sandbox.base_url()))
    }

    /// A request with an access token, in a version.
    fn get(&self, path: &str, token: &str, version: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.sandbox.base_url());
        self.client.get(url).bearer_auth(token).header("Version", version)
    }

    fn reconnect(&self, field: &str) -> RequestBuilder {
        let body = json!({"clientKey": CLIENT_ID, "clientSecret": CLIENT_SECRET, field: ID});
        self.post("/oauth/reconnect").json(&body)
    }

    fn exchange(&self, code: &str) -> RequestBuilder {
        self.post("/oauth/token").form(&fields("authorization_code", "code", code))
    }

    fn refresh(&self, token: &str) -> RequestBuilder {
        self.post("/oauth/token").form(&fields("refresh_token", "refresh_token", token))
    }

    /// A request for the tokens of a location with an agency's.
    fn agency(&self, token: &str, version: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let path = if version == V3 { "/oauth/location-token" } else { "/oauth/locationToken" };
        self.post(path).bearer_auth(token).header("Version", version).form(fields)
    }

    /// A good request of a step.
    async fn step(&self, step: Step) -> RequestBuilder {
        match step {
            Step::Reconnect => self.reconnect("locationId"),
            Step::Exchange => self.exchange(&self.code().await),
            Step::Refresh => self.refresh(REFRESH),
            Step::Agency => self.agency(AGENCY, V2, &IDS),
            Step::Verify => self.get(&format!("/locations/{ID}"), ACCESS, V2),
            Step::Discover => self.get(&list(V2, ""), AGENCY, V2),
            Step::Other => self.post("/"),
        }
    }

    async fn code(&self) -> String {
        let (_, answer) = sent(self.reconnect("locationId")).await;
        answer["authorizationCode"].as_str().unwrap().to_owned()
    }

    /// The status of a check of an access token of the location.
    async fn check(&self, token: &str) -> u16 {
        sent(self.get(&format!("/locations/{ID}"), token, V2)).await.0
    }
}

/// A plan with faults for everybody.
fn everybody(entries: &[&str]) -> FaultPlan {
    FaultPlan::from_json(json!({ "*": entries }).to_string().as_bytes()).unwrap()
}

/// The fields of a token request.
fn fields<'a>(grant: &'a str, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 4] {
    let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    [client[0], client[1], ("grant_type", grant), (name, value)]
}

/// The path of the list of the agency's locations.
fn list(version: &str, more: &str) -> String {
    let name = if version == V3 { "installed-locations" } else { "installedLocations" };
    format!("/oauth/{name}?companyId={COMPANY}&appId=app{more}")
}

/// Sends a request; its status and body.
async fn sent(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Sends requests, each of which is answered with this status and these words.
async fn answered(rows: impl IntoIterator<Item = (RequestBuilder, u16, &str)>) {
    for (request, expected, says) in rows {
        let (status, answer) = sent(request).await;
        assert_eq!((status, answer.to_string().contains(says)), (expected, true), "{answer}");
    }
}
