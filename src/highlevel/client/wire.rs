//! One request on the wire and its whole answer, or why there is none.

use std::{sync::OnceLock, time::Duration};

use hyper::{Request, Uri};
use reqwest::{
    Body as HttpBody, RequestBuilder, Response, Url,
    header::{self, HeaderMap, HeaderValue},
};
use tokio::time::timeout;

use super::{
    connection::{Connection, Sent},
    first_byte::LeaveCheck,
    unanswered::{Unanswered, innermost},
};
use crate::{
    clock::{self, Moment},
    highlevel::{
        allowance::Allowance,
        known_secrets::KnownSecrets,
        reply::{MAX_ANSWER_BYTES, Reply},
        table::Answers,
    },
};

const USER_AGENT: &str = concat!("ghl-reconnect/", env!("CARGO_PKG_VERSION"));

/// Sends a request on a connection and reads its answer, at most [`MAX_ANSWER_BYTES`] of it,
/// within a time. `leave` decides when its first byte is about to go out.
pub(super) async fn send(
    mut connection: Connection,
    request: RequestBuilder,
    leave: LeaveCheck,
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
    leave: LeaveCheck,
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
