//! One request on the wire and its whole answer, or why there is none.

use std::{borrow::Cow, error::Error, sync::OnceLock, time::Duration};

use hyper::{Request, Uri};
use reqwest::{
    Body as HttpBody, RequestBuilder, Response, Url,
    header::{self, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::connection::{Connection, Leave, Sent};
use crate::{
    clock::{self, Moment},
    highlevel::{
        allowance::Allowance,
        answer,
        known_secrets::{Kind, KnownSecrets},
        table::Answers,
    },
    secret::Secret,
    text::SafeText,
};

/// The most bytes of an answer that are read; a real one has about 4,000, a page of a hundred
/// locations some 30,000.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

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
    /// When the first byte of the request left.
    pub sent: Moment,
    /// When the last byte had come.
    pub received: Moment,
    /// What answers mean in this run.
    pub answers: Answers,
    /// What may stand in nothing that is made of it.
    pub known: KnownSecrets,
    /// What was read out of the body by [`Reply::trace_id`].
    trace_id: OnceLock<Option<SafeText>>,
}

impl Reply {
    /// HighLevel's trace id, read once.
    pub fn trace_id(&self) -> Option<SafeText> {
        self.trace_id.get_or_init(|| answer::trace_id(self)).clone()
    }

    /// Cuts secrets out, should the server repeat them. A success may give tokens that are known
    /// already, and there they are to be kept.
    pub(super) fn without(mut self, known: &KnownSecrets, body: Body) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        let clean = match body {
            Body::MayGiveTokens if self.is_success() => known.cut_out_of_success(&text),
            Body::MayGiveTokens | Body::GivesNone => known.cut_out(&text),
        };
        if let Cow::Owned(clean) = clean {
            self.body = clean.into_bytes();
        }
        let cut = |text: Option<String>| text.map(|text| known.cut_out(&text).into_owned());
        self.trace_header = cut(self.trace_header);
        self.redirect_host = cut(self.redirect_host);
        self.known = known.clone();
        self.trace_id = OnceLock::new();
        self
    }

    fn is_success(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// Takes note of the secrets that a success gives, so that they are cut out of everything else.
    pub(super) fn learn(&self) {
        if !self.is_success() {
            return;
        }
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        let Ok(given) = serde_json::from_slice::<Given>(body) else { return };
        let learn = |kind, value: Option<Value>| {
            if let Some(Value::String(text)) = value {
                self.known.learn(kind, &Secret::new(text));
            }
        };
        learn(Kind::Code, given.authorization_code.or(given.code));
        learn(Kind::Token, given.access_token.or(given.access));
        learn(Kind::Token, given.refresh_token.or(given.refresh));
    }
}

/// Whether an answer may hold tokens that are to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    MayGiveTokens,
    GivesNone,
}

/// The secrets that an answer gives, in either casing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    authorization_code: Option<Value>,
    #[serde(rename = "authorizationCode")]
    code: Option<Value>,
    access_token: Option<Value>,
    #[serde(rename = "accessToken")]
    access: Option<Value>,
    refresh_token: Option<Value>,
    #[serde(rename = "refreshToken")]
    refresh: Option<Value>,
}

#[cfg(test)]
impl Reply {
    /// An answer of just now, without headers.
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.as_bytes().to_vec(),
            date: None,
            allowance: Allowance::default(),
            retry_after: None,
            trace_header: None,
            redirect_host: None,
            sent: Moment::now(),
            received: Moment::now(),
            answers: Answers::default(),
            known: KnownSecrets::default(),
            trace_id: OnceLock::new(),
        }
    }
}

impl Unanswered {
    /// Cuts secrets out of what is said of it.
    pub(super) fn without(self, known: &KnownSecrets) -> Self {
        let cut = |why: String| known.cut_out(&why).into_owned();
        match self {
            Self::NeverLeft(why) => Self::NeverLeft(cut(why)),
            Self::InDoubt(why) => Self::InDoubt(cut(why)),
            Self::HeldBack | Self::TooLarge(_) => self,
        }
    }
}

/// Why no whole answer came.
#[derive(Debug)]
pub enum Unanswered {
    /// No connection came about, or it was closed before: nothing was sent.
    NeverLeft(String),
    /// It was held back when its first byte was about to leave: nothing was sent.
    HeldBack,
    /// Bytes may have gone out: what the server did is unknown.
    InDoubt(String),
    /// The answer is larger than [`MAX_ANSWER_BYTES`]; its status is known.
    TooLarge(u16),
}

const USER_AGENT: &str = concat!("ghl-reconnect/", env!("CARGO_PKG_VERSION"));

/// Sends a request on a connection at hand and reads its answer, at most [`MAX_ANSWER_BYTES`] of it,
/// within a time. `leave` decides when its first byte is about to go out.
pub(super) async fn send(
    mut connection: Connection,
    request: RequestBuilder,
    leave: Leave,
    limit: Duration,
) -> Result<(Reply, Connection), Unanswered> {
    let never_left = |error: reqwest::Error| Unanswered::NeverLeft(innermost(&error.without_url()));
    let request = request.build().map_err(never_left)?;
    let url = request.url().clone();
    let request = as_sent(request).map_err(Unanswered::NeverLeft)?;
    let Ok(answered) = timeout(limit, answer_to(&mut connection, request, leave, &url)).await
    else {
        let why = "operation timed out".to_owned();
        let has_left = connection.has_left();
        return Err(if has_left { Unanswered::InDoubt(why) } else { Unanswered::NeverLeft(why) });
    };
    let reply = answered?;
    connection.answered().await;
    Ok((reply, connection))
}

/// A request as it goes over the wire to a server itself: its path alone, and the host beside it.
fn as_sent(request: reqwest::Request) -> Result<Request<HttpBody>, String> {
    let url = request.url();
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let host = HeaderValue::try_from(host).map_err(|error| error.to_string())?;
    let mut request =
        Request::<HttpBody>::try_from(request).map_err(|error| innermost(&error.without_url()))?;
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    Ok(request)
}

async fn answer_to(
    connection: &mut Connection,
    request: Request<HttpBody>,
    leave: Leave,
    url: &Url,
) -> Result<Reply, Unanswered> {
    let Sent { response, sent } = connection.send(request, leave).await?;
    let mut response = Response::from(response.map(HttpBody::wrap));
    let body = whole_body(&mut response).await?;
    Ok(Reply {
        status: response.status().as_u16(),
        body,
        date: text_of(response.headers(), "date"),
        allowance: Allowance::of(|name| text_of(response.headers(), name), clock::now()),
        retry_after: text_of(response.headers(), "retry-after"),
        trace_header: text_of(response.headers(), "trace-id")
            .or_else(|| text_of(response.headers(), "x-trace-id")),
        redirect_host: redirect_host(response.headers(), url),
        sent,
        received: Moment::now(),
        answers: Answers::default(),
        known: KnownSecrets::default(),
        trace_id: OnceLock::new(),
    })
}

async fn whole_body(response: &mut Response) -> Result<Vec<u8>, Unanswered> {
    let mut body = Vec::new();
    let in_doubt = |error: reqwest::Error| Unanswered::InDoubt(innermost(&error.without_url()));
    while let Some(chunk) = response.chunk().await.map_err(in_doubt)? {
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

fn redirect_host(headers: &HeaderMap, url: &Url) -> Option<String> {
    let location = text_of(headers, "location")?;
    let target = url.join(&location).ok()?;
    let host = target.host_str()?;
    Some(target.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The two innermost causes: they say what happened ("connection refused"), the outer ones only
/// that something did.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&dyn Error> = Some(error);
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
