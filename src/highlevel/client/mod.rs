//! The requests of the API: on connections in hand, without redirects or hidden retries, every wait
//! bounded.

mod connection;
mod connector;
mod credentials;
mod first_byte;
mod http1;
mod pages;
pub(crate) mod requests;
mod unanswered;
mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context;
use reqwest::RequestBuilder;

use self::{
    connection::Connections,
    connector::TrustRoots,
    requests::{PresentedGrant, ReconnectRequest},
};
pub use self::{
    connection::{Connection, Departure},
    credentials::Credentials,
    first_byte::MayLeave,
    pages::{Listing, PageCursor, Query},
    unanswered::Unanswered,
};
use super::{
    endpoint::Endpoint,
    known_secrets::{Kind, KnownSecrets},
    reply::{AnswerBody, Reply},
    table::Answers,
};
use crate::{
    installation::{Id, Installation, Scope},
    secret::{AuthorizationCode, Secret, TokensAtHand},
};

/// The header that names the version of the API.
const VERSION: &str = "Version";

/// The time limit for making a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Calls the API. Cheap to share: connections are pooled within.
///
/// reqwest writes the requests and reads the answers. The connections are hyper's, so that one is
/// ready before a request takes its turn.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    connections: Connections,
    timeout: Duration,
    endpoint: Endpoint,
    credentials: Credentials,
    known: KnownSecrets,
    answers: Answers,
}

/// The result of presenting a code.
#[derive(Debug)]
pub enum Presentation {
    /// The code was presented and this is the answer.
    Answered(Box<Reply>),
    /// It was held back at the last moment: the code may be past its life.
    HeldBack(AuthorizationCode),
    /// The code may have been presented: it must not be used again.
    InDoubt(Unanswered),
    /// The code provably never left and may be used while it lives.
    NeverLeft(AuthorizationCode, String),
}

impl Client {
    /// Makes the client; nothing is sent yet. `answers` is the table of refusals.
    pub fn new(
        endpoint: Endpoint,
        credentials: Credentials,
        timeout: Duration,
        answers: Answers,
    ) -> anyhow::Result<Self> {
        // It makes no connection of its own, and looks for no proxy or certificate.
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.context("cannot set up the HTTP client")?;
        let trust = if endpoint.is_loopback() { TrustRoots::None } else { TrustRoots::Platform };
        let patience = timeout.min(CONNECT_PATIENCE);
        let connections = Connections::to(&endpoint.token(), trust, patience)
            .context("cannot set up the HTTPS client")?;
        let known = KnownSecrets::default();
        known.learn(Kind::Client, &credentials.client_secret.0);
        Ok(Self { http, connections, timeout, endpoint, credentials, known, answers })
    }

    /// The same client with the known secrets of the whole run.
    #[must_use]
    pub fn knowing(self, known: KnownSecrets) -> Self {
        known.learn(Kind::Client, &self.credentials.client_secret.0);
        Self { known, ..self }
    }

    /// Learns the list's tokens, in case a server repeats them.
    pub fn know(&self, tokens: &TokensAtHand) {
        let TokensAtHand { access, refresh } = tokens;
        for token in access.iter().chain(refresh) {
            self.known.learn(Kind::Token, token);
        }
    }

    /// Who is calling.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A connection on which a request can go out at once.
    pub async fn connection(&self) -> Result<Connection, Unanswered> {
        self.connections.ready().await
    }

    /// Whether the server closes each connection after an answer.
    pub fn connections_are_closed_after_use(&self) -> bool {
        self.connections.are_closed_after_use()
    }

    /// `POST /oauth/reconnect`: asks for an authorization code for one installation.
    ///
    /// Returns the connection for the exchange that follows, if the server keeps it.
    pub async fn reconnect(
        &self,
        departure: Departure,
        installation: &Installation,
    ) -> Result<(Reply, Connection), Unanswered> {
        let body = ReconnectRequest::of(&self.credentials, installation);
        let request = self.http.post(self.endpoint.reconnect()).json(&body);
        self.send_on(departure, request, AnswerBody::MayGiveTokens).await
    }

    /// `POST /oauth/token`: presents a code. It is consumed, and returned only if it provably
    /// never left.
    pub async fn exchange(
        &self,
        departure: Departure,
        code: AuthorizationCode,
        scope: Scope,
    ) -> Presentation {
        self.known.learn(Kind::Code, &code.0);
        match self.present(departure, PresentedGrant::Code(code.0.expose()), scope).await {
            Ok(reply) => Presentation::Answered(Box::new(reply)),
            Err(Unanswered::HeldBack) => Presentation::HeldBack(code),
            Err(Unanswered::NeverLeft(why)) => Presentation::NeverLeft(code, why),
            Err(doubt) => Presentation::InDoubt(doubt),
        }
    }

    /// `POST /oauth/token`: presents a refresh token. It may be repeated within 30 seconds; after
    /// that, a used one is dead.
    pub async fn refresh(
        &self,
        departure: Departure,
        refresh_token: &Secret,
        scope: Scope,
    ) -> Result<Reply, Unanswered> {
        self.known.learn(Kind::Token, refresh_token);
        let presented = PresentedGrant::RefreshToken(refresh_token.expose());
        self.present(departure, presented, scope).await
    }

    async fn present(
        &self,
        departure: Departure,
        presented: PresentedGrant<'_>,
        scope: Scope,
    ) -> Result<Reply, Unanswered> {
        let version = self.endpoint.version();
        let form = requests::token_form(version, &self.credentials, presented, scope);
        let mut request = self.http.post(self.endpoint.token()).form(&form);
        if let Some(header) = version.token_header() {
            request = request.header(VERSION, header);
        }
        self.send(departure, request, AnswerBody::MayGiveTokens).await
    }

    /// `POST /oauth/locationToken`: asks for a sub-account's tokens with those of its agency.
    pub async fn location_token(
        &self,
        departure: Departure,
        agency_token: &Secret,
        company: &Id,
        location: &Id,
    ) -> Result<Reply, Unanswered> {
        let form = requests::location_form(company, location);
        let request = self.http.post(self.endpoint.location_token()).form(&form);
        self.send_as(departure, request, agency_token, AnswerBody::MayGiveTokens).await
    }

    /// `GET` of a path below the base, its query included: checks an access token.
    /// [`TokenCheckPath`](super::token_check::TokenCheckPath) makes such paths.
    pub async fn check_token(
        &self,
        departure: Departure,
        path: &str,
        access_token: &Secret,
    ) -> Result<Reply, Unanswered> {
        let request = self.http.get(self.endpoint.below(path));
        self.send_as(departure, request, access_token, AnswerBody::GivesNone).await
    }

    /// `GET /oauth/installedLocations`: a page of an agency's locations.
    pub async fn installed_locations(
        &self,
        departure: Departure,
        agency_token: &Secret,
        query: &Query<'_>,
    ) -> Result<Reply, Unanswered> {
        let url = query.put_to(self.endpoint.installed_locations(), self.endpoint.version());
        self.send_as(departure, self.http.get(url), agency_token, AnswerBody::GivesNone).await
    }

    /// Sends a request with an access token. Fails before anything is sent only if the token cannot be
    /// a header value.
    async fn send_as(
        &self,
        departure: Departure,
        request: RequestBuilder,
        token: &Secret,
        body: AnswerBody,
    ) -> Result<Reply, Unanswered> {
        self.known.learn(Kind::Token, token);
        let version = self.endpoint.version().header();
        let request = request.bearer_auth(token.expose()).header(VERSION, version);
        self.send(departure, request, body).await
    }

    async fn send(
        &self,
        departure: Departure,
        request: RequestBuilder,
        body: AnswerBody,
    ) -> Result<Reply, Unanswered> {
        self.send_on(departure, request, body).await.map(|(reply, _)| reply)
    }

    /// Sends a request. Secrets that the answer repeats, in whatever form, are cut out here, before
    /// anything reads it.
    async fn send_on(
        &self,
        departure: Departure,
        request: RequestBuilder,
        body: AnswerBody,
    ) -> Result<(Reply, Connection), Unanswered> {
        let Departure { connection, leave } = departure;
        let sent = wire::send(connection, request, leave, self.timeout).await;
        let (reply, connection) = sent.map_err(|why| why.without(&self.known))?;
        let mut reply = reply.without(&self.known, body);
        if body == AnswerBody::MayGiveTokens {
            reply.learn();
        }
        reply.answers = self.answers.clone();
        Ok((reply, connection))
    }
}
