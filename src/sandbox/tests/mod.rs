//! The sandbox keeps its own promises: the endpoints, each fault, the plans, and the side door.

mod agency;
mod discovery;
mod endpoints;
mod faults;
mod plans;
mod refreshes;
mod side_door;
mod stored;
mod trials;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{
    AccessLife, CLIENT_ID, CLIENT_SECRET, FaultPlan, Options, RefreshLife, Sandbox, StoredPair,
};
use crate::installation::Scope;

pub(super) const ID: &str = "ve9EPM428h8vShlRW1KT";
pub(super) const COMPANY: &str = "tDtDnQdgm2LXpyiqYvZ6";

/// Tokens that are known from the start: of the location, and of its agency.
pub(super) const ACCESS: &str = "the.location.access";
pub(super) const REFRESH: &str = "the.location.refresh";
pub(super) const AGENCY: &str = "the.agency.access";

pub(super) const V2: &str = "2021-07-28";
pub(super) const V3: &str = "v3";

/// A location and its agency, with tokens.
pub(super) fn household() -> Options {
    let location = StoredPair::new(Scope::Location, ID)
        .access(ACCESS, AccessLife::Alive)
        .refresh(REFRESH, RefreshLife::Good)
        .company(COMPANY);
    let agency = StoredPair::new(Scope::Company, COMPANY).access(AGENCY, AccessLife::Alive);
    Options { stored: vec![location, agency], ..Options::default() }
}

pub(super) struct Bench {
    pub(super) sandbox: Sandbox,
    pub(super) client: Client,
}

impl Bench {
    pub(super) async fn new(options: Options) -> Self {
        let client = Client::builder()
            .user_agent("bench")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .timeout(Duration::from_secs(3));
        let sandbox = Sandbox::start(options).await.unwrap();
        Self { sandbox, client: client.build().unwrap() }
    }

    pub(super) async fn with_faults(entries: &[&str]) -> Self {
        Self::new(Options { faults: faults_of(ID, entries), ..Options::default() }).await
    }

    /// The household, with faults for everybody.
    pub(super) async fn troubled(entries: &[&str]) -> Self {
        Self::new(Options { faults: faults_of("*", entries), ..household() }).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    pub(super) async fn try_reconnect(&self, field: &str) -> reqwest::Result<Response> {
        let body = json!({"clientKey": CLIENT_ID, "clientSecret": CLIENT_SECRET, field: ID});
        self.client.post(self.url("/oauth/reconnect")).json(&body).send().await
    }

    pub(super) async fn code(&self) -> String {
        let answer = body(self.try_reconnect("locationId").await.unwrap()).await;
        answer["authorizationCode"].as_str().unwrap().to_owned()
    }

    pub(super) async fn token(&self, fields: &[(&str, &str)]) -> reqwest::Result<Response> {
        self.client.post(self.url("/oauth/token")).form(fields).send().await
    }

    pub(super) async fn try_exchange(&self, code: &str) -> reqwest::Result<Response> {
        self.token(&fields("authorization_code", "code", code)).await
    }

    /// A request that shows an access token, in a version.
    pub(super) fn get(&self, path: &str, token: &str, version: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(token).header("Version", version)
    }

    /// A request for the tokens of a location with an agency's.
    pub(super) fn location_token(
        &self,
        token: &str,
        version: &str,
        fields: &[(&str, &str)],
    ) -> RequestBuilder {
        let path = if version == V3 { "/oauth/location-token" } else { "/oauth/locationToken" };
        let request = self.client.post(self.url(path)).bearer_auth(token);
        request.header("Version", version).form(fields)
    }

    pub(super) async fn try_refresh(&self, token: &str) -> Response {
        self.token(&fields("refresh_token", "refresh_token", token)).await.unwrap()
    }
}

fn faults_of(id: &str, entries: &[&str]) -> FaultPlan {
    FaultPlan::from_json(json!({ id: entries }).to_string().as_bytes()).unwrap()
}

/// Sends a request; its status and body.
pub(super) async fn sent(request: RequestBuilder) -> (u16, Value) {
    let (status, text) = seen(request.send().await.unwrap()).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(super) fn fields<'a>(grant: &'a str, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("grant_type", grant),
        (name, value),
    ]
}

pub(super) async fn body(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

pub(super) async fn seen(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}
