//! One request on the wire and its whole answer, or why there is none.

use std::{error::Error, sync::OnceLock, time::Duration};

use hyper::{Request, Uri};
use reqwest::{
    Body, RequestBuilder, Response, Url,
    header::{self, HeaderMap, HeaderValue},
};
use tokio::time::timeout;

use super::connection::{Connection, Leave, Sent};
use crate::{
    clock::{self, Moment},
    highlevel::{allowance::Allowance, answer, table::Answers},
    leaks,
    secret::{Forms, Secret},
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
    /// What was read out of the body by [`Reply::trace_id`].
    trace_id: OnceLock<Option<SafeText>>,
}

impl Reply {
    /// HighLevel's trace id, read once.
    pub fn trace_id(&self) -> Option<SafeText> {
        self.trace_id.get_or_init(|| answer::trace_id(self)).clone()
    }

    /// Cuts a secret out, should the server repeat it.
    pub(super) fn without(mut self, forms: &Forms) -> Self {
        if forms.stand_in(&self.body) {
            self.body = forms.cut_out(&String::from_utf8_lossy(&self.body)).into_bytes();
        }
        self.trace_header = self.trace_header.map(|id| forms.cut_out(&id));
        self.trace_id = OnceLock::new();
        self
    }

    /// Cuts what was presented out of an answer that refuses it. A success may give the same value
    /// again, and there it is to be kept.
    pub(super) fn without_presented(self, presented: &Secret) -> Self {
        if matches!(self.status, 200 | 201) { self } else { self.without_secret(presented) }
    }

    /// Cuts a secret out that this request alone was sent with.
    pub(super) fn without_secret(self, secret: &Secret) -> Self {
        self.without(&Forms::new(&leaks::forms(secret.expose())))
    }
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
            trace_id: OnceLock::new(),
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
fn as_sent(request: reqwest::Request) -> Result<Request<Body>, String> {
    let url = request.url();
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let host = HeaderValue::try_from(host).map_err(|error| error.to_string())?;
    let mut request =
        Request::<Body>::try_from(request).map_err(|error| innermost(&error.without_url()))?;
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
    request: Request<Body>,
    leave: Leave,
    url: &Url,
) -> Result<Reply, Unanswered> {
    let Sent { response, sent } = connection.send(request, leave).await?;
    let mut response = Response::from(response.map(Body::wrap));
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
