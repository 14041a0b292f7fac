//! The sandbox keeps its own promises: the endpoints, each fault, the plans, and the side door.

mod endpoints;
mod faults;
mod plans;
mod side_door;

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::{CLIENT_ID, CLIENT_SECRET, FaultPlan, Options, Sandbox};

pub(super) const ID: &str = "ve9EPM428h8vShlRW1KT";

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
        let plan = json!({ ID: entries }).to_string();
        let faults = FaultPlan::from_json(plan.as_bytes()).unwrap();
        Self::new(Options { faults, ..Options::default() }).await
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

    pub(super) async fn try_refresh(&self, token: &str) -> Response {
        self.token(&fields("refresh_token", "refresh_token", token)).await.unwrap()
    }
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
