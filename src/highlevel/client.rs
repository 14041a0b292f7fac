//! The two calls on the wire: one HTTP client, no redirects, no hidden retries, every wait bounded.

use std::{net::IpAddr, time::Duration};

use anyhow::Context;
use reqwest::{
    RequestBuilder, Response,
    header::{self, HeaderMap},
    redirect, retry,
};
use serde::Serialize;

use super::{allowance::Allowance, endpoint::Endpoint, table::Answers};
use crate::{
    clock::{self, Moment},
    installation::{Installation, Scope},
    leaks,
    secret::{self, AuthorizationCode, ClientSecret},
};

/// The most bytes of an answer that are read; a real one has about 4,000.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// An idle connection is dropped after this time, before servers and gateways drop it from their
/// side (Node's default is 5 s): a request written into a connection that is being closed would be
/// an exchange without an answer.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

const USER_AGENT: &str = concat!("ghl-reconnect/", env!("CARGO_PKG_VERSION"));

/// The app as HighLevel knows it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `client_id`, which the Reconnect API calls `clientKey`.
    pub client_id: String,
    /// `client_secret`, which the Reconnect API calls `clientSecret`.
    pub client_secret: ClientSecret,
    /// Sent with the exchange when given.
    pub redirect_uri: Option<String>,
}

/// Calls the API. Cheap to share: connections are pooled within.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    credentials: Credentials,
    forms_of_secret: Vec<String>,
    answers: Answers,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, at most [`MAX_ANSWER_BYTES`].
    pub body: Vec<u8>,
    /// The `Date` header: the server's clock.
    pub date: Option<String>,
    /// What the headers say about limits.
    pub allowance: Allowance,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// A `trace-id` or `x-trace-id` header.
    pub trace_header: Option<String>,
    /// Host of the `Location` header, port included.
    pub redirect_host: Option<String>,
    /// When the request was handed to the connection.
    pub sent: Moment,
    /// When the last byte had come.
    pub received: Moment,
    /// What answers mean in this run.
    pub answers: Answers,
}

impl Reply {
    /// Cuts a secret out of a refusal, should the server repeat it there.
    fn without(mut self, forms: &[String]) -> Self {
        let is_said = |form: &String| form.len() >= 6 && contains(&self.body, form.as_bytes());
        if forms.iter().any(is_said) {
            let text = String::from_utf8_lossy(&self.body);
            self.body = secret::cut_out(&text, forms).into_bytes();
        }
        self.trace_header = self.trace_header.map(|id| secret::cut_out(&id, forms));
        self
    }

    /// Takes a code out of an answer that refuses it.
    fn without_code(self, code: &str) -> Self {
        if matches!(self.status, 200 | 201) { self } else { self.without(&[code.to_owned()]) }
    }
}

/// Why no whole answer came.
#[derive(Debug)]
pub enum Unanswered {
    /// No connection came about: nothing was sent.
    NeverLeft(String),
    /// Bytes may have gone out: what the server did is unknown.
    InDoubt(String),
    /// The answer is larger than [`MAX_ANSWER_BYTES`]; its status is known.
    TooLarge(u16),
}

/// What became of presenting a code.
#[derive(Debug)]
pub enum Presentation {
    /// The code was presented and this is the answer.
    Answered(Box<Reply>),
    /// The code may have been presented: it must not be used again.
    InDoubt(Unanswered),
    /// The code provably never left and may be used while it lives.
    NeverLeft(AuthorizationCode, String),
}

impl Client {
    /// Makes the client; nothing is sent yet. `answers` says what refusals mean.
    pub fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        timeout: Duration,
        answers: Answers,
    ) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .pool_idle_timeout(IDLE_CONNECTION)
            .tcp_nodelay(true)
            .referer(false);
        if endpoint.is_loopback() {
            builder = builder.no_proxy().tls_certs_only([]);
        }
        let http = builder.build().context("cannot set up the HTTPS client")?;
        let forms_of_secret = leaks::forms(credentials.client_secret.0.expose());
        Ok(Self { http, endpoint, credentials, forms_of_secret, answers })
    }

    /// Who is calling.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// `POST /oauth/reconnect`: asks for an authorization code for one installation.
    pub async fn reconnect(&self, installation: &Installation) -> Result<Reply, Unanswered> {
        let id = installation.id.as_str();
        let (location_id, company_id) = match installation.scope {
            Scope::Location => (Some(id), None),
            Scope::Company => (None, Some(id)),
        };
        let body = ReconnectRequest {
            client_key: &self.credentials.client_id,
            client_secret: self.credentials.client_secret.0.expose(),
            location_id,
            company_id,
        };
        self.send(self.http.post(self.endpoint.reconnect()).json(&body)).await
    }

    /// Sends a request. Should the answer repeat the client secret, in whatever form, it is cut out
    /// here, before anybody looks at it.
    async fn send(&self, request: RequestBuilder) -> Result<Reply, Unanswered> {
        let reply = send(request).await?.without(&self.forms_of_secret);
        Ok(Reply { answers: self.answers.clone(), ..reply })
    }

    /// `POST /oauth/token`: presents a code. It is consumed, and comes back only when it
    /// provably never left.
    pub async fn exchange(&self, code: AuthorizationCode, scope: Scope) -> Presentation {
        let form = ExchangeRequest {
            client_id: &self.credentials.client_id,
            client_secret: self.credentials.client_secret.0.expose(),
            grant_type: "authorization_code",
            code: code.0.expose(),
            user_type: scope.user_type(),
            redirect_uri: self.credentials.redirect_uri.as_deref(),
        };
        match self.send(self.http.post(self.endpoint.token()).form(&form)).await {
            Ok(reply) => Presentation::Answered(Box::new(reply.without_code(code.0.expose()))),
            Err(Unanswered::NeverLeft(why)) => Presentation::NeverLeft(code, why),
            Err(doubt) => Presentation::InDoubt(doubt),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReconnectRequest<'a> {
    client_key: &'a str,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ExchangeRequest<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    grant_type: &'a str,
    code: &'a str,
    user_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<&'a str>,
}

fn contains(body: &[u8], form: &[u8]) -> bool {
    memchr::memmem::find(body, form).is_some()
}

async fn send(request: RequestBuilder) -> Result<Reply, Unanswered> {
    let sent = Moment::now();
    let request = request.header(header::ACCEPT, "application/json");
    let mut response = request.send().await.map_err(unanswered)?;
    let body = whole_body(&mut response).await?;
    Ok(Reply {
        status: response.status().as_u16(),
        body,
        date: text_of(response.headers(), "date"),
        allowance: Allowance::of(|name| text_of(response.headers(), name), clock::now()),
        retry_after: text_of(response.headers(), "retry-after"),
        trace_header: text_of(response.headers(), "trace-id")
            .or_else(|| text_of(response.headers(), "x-trace-id")),
        redirect_host: redirect_host(&response),
        sent,
        received: Moment::now(),
        answers: Answers::default(),
    })
}

async fn whole_body(response: &mut Response) -> Result<Vec<u8>, Unanswered> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Unanswered::TooLarge(response.status().as_u16()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn redirect_host(response: &Response) -> Option<String> {
    let location = text_of(response.headers(), "location")?;
    let target = response.url().join(&location).ok()?;
    let host = target.host_str()?;
    Some(target.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

fn unanswered(error: reqwest::Error) -> Unanswered {
    let never_left = error.is_connect() || error.is_builder();
    let why = innermost(&error.without_url());
    if never_left { Unanswered::NeverLeft(why) } else { Unanswered::InDoubt(why) }
}

/// The two innermost causes: they say what happened ("connection refused"), the outer ones only
/// that something did.
fn innermost(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    let outer = texts.len().saturating_sub(2);
    texts.split_off(outer).join(": ")
}

/// Whether a host name is this machine's own: an address of 127.0.0.0/8, `::1` or `localhost`.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
