//! The calls on the wire: one HTTP client, no redirects, no hidden retries, every wait bounded.

mod pages;
mod requests;
mod wire;

#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Duration};

use anyhow::Context;
use reqwest::{RequestBuilder, redirect, retry};

use self::requests::{Presented, ReconnectRequest};
pub use self::{
    pages::{Cursor, Listing, Query},
    wire::{MAX_ANSWER_BYTES, Reply, Unanswered},
};
use super::{endpoint::Endpoint, table::Answers};
use crate::{
    installation::{Id, Installation, Scope},
    leaks,
    secret::{AuthorizationCode, ClientSecret, Forms, Secret},
};

/// An idle connection is dropped after this time, before servers and gateways drop it from their
/// side (Node's default is 5 s): a request written into a connection that is being closed would be
/// an exchange without an answer.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// The header that names the version of the API.
const VERSION: &str = "Version";

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
    forms_of_secret: Forms,
    answers: Answers,
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
        let forms_of_secret = Forms::new(&forms_of_secret);
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

    /// `POST /oauth/token`: presents a code. It is consumed, and comes back only when it
    /// provably never left.
    pub async fn exchange(&self, code: AuthorizationCode, scope: Scope) -> Presentation {
        match self.present(Presented::Code(code.0.expose()), scope).await {
            Ok(reply) => Presentation::Answered(Box::new(reply.without_presented(&code.0))),
            Err(Unanswered::NeverLeft(why)) => Presentation::NeverLeft(code, why),
            Err(doubt) => Presentation::InDoubt(doubt),
        }
    }

    /// `POST /oauth/token`: presents a refresh token. Whoever repeats it does so within 30 seconds:
    /// after that a used one is dead.
    pub async fn refresh(&self, refresh_token: &Secret, scope: Scope) -> Result<Reply, Unanswered> {
        let reply = self.present(Presented::RefreshToken(refresh_token.expose()), scope).await?;
        Ok(reply.without_presented(refresh_token))
    }

    async fn present(&self, presented: Presented<'_>, scope: Scope) -> Result<Reply, Unanswered> {
        let version = self.endpoint.version();
        let form = requests::token_form(version, &self.credentials, presented, scope);
        let mut request = self.http.post(self.endpoint.token()).form(&form);
        if let Some(header) = version.token_header() {
            request = request.header(VERSION, header);
        }
        self.send(request).await
    }

    /// `POST /oauth/locationToken`: asks for a sub-account's tokens with those of its agency.
    pub async fn location_token(
        &self,
        agency_token: &Secret,
        company: &Id,
        location: &Id,
    ) -> Result<Reply, Unanswered> {
        let form = requests::location_form(company, location);
        let request = self.http.post(self.endpoint.location_token()).form(&form);
        Ok(self.send_as(request, agency_token).await?.without_presented(agency_token))
    }

    /// `GET` of a path below the base, its query included: tries an access token.
    /// [`TrialPath`](super::trial::TrialPath) makes such paths.
    pub async fn try_token(&self, path: &str, access_token: &Secret) -> Result<Reply, Unanswered> {
        let request = self.http.get(self.endpoint.below(path));
        let reply = self.send_as(request, access_token).await?;
        Ok(reply.without_secret(access_token))
    }

    /// `GET /oauth/installedLocations`: a page of an agency's locations.
    pub async fn installed_locations(
        &self,
        agency_token: &Secret,
        query: &Query<'_>,
    ) -> Result<Reply, Unanswered> {
        let url = query.put_to(self.endpoint.installed_locations(), self.endpoint.version());
        let reply = self.send_as(self.http.get(url), agency_token).await?;
        Ok(reply.without_secret(agency_token))
    }

    /// Sends a request in the name of an access token. Only a token that cannot stand in a header
    /// makes this fail before anything is sent.
    async fn send_as(&self, request: RequestBuilder, token: &Secret) -> Result<Reply, Unanswered> {
        let version = self.endpoint.version().header();
        self.send(request.bearer_auth(token.expose()).header(VERSION, version)).await
    }

    /// Sends a request. Should the answer repeat the client secret, in whatever form, it is cut out
    /// here, before anybody looks at it.
    async fn send(&self, request: RequestBuilder) -> Result<Reply, Unanswered> {
        let mut reply = wire::send(request).await?.without(&self.forms_of_secret);
        reply.answers = self.answers.clone();
        Ok(reply)
    }
}

/// Whether a host name is this machine's own: an address of 127.0.0.0/8, `::1` or `localhost`.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
