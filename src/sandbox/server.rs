//! The server: which endpoint answers a request, and how the answer goes out.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State as Shares};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use tokio::sync::watch;

use super::answers::{self, Answer, Delivery, Reply};
use super::call::{self, Call, Step};
use super::connection::{Listener, Reset};
use super::control::{self, lock};
use super::records::RequestRow;
use super::state::State;
use super::{agency, discover, reconnect, token, tokens, verify};

/// What the handlers share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) stopping: watch::Receiver<()>,
}

impl Shared {
    /// Returns when the sandbox is stopped or dropped.
    async fn stopped(&self) {
        // Either way it is over: an error means that the handle is gone.
        let _ = self.stopping.clone().changed().await;
    }

    /// Sleeps, but not beyond the end of the sandbox.
    async fn pause(&self, time: Duration) {
        if !time.is_zero() {
            let _ = tokio::time::timeout(time, self.stopped()).await;
        }
    }
}

/// Serves until the sandbox is stopped or dropped.
pub(super) async fn serve(listener: Listener, shared: Arc<Shared>) {
    let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
    let service = router.into_make_service_with_connect_info::<Reset>();
    let end = async move { shared.stopped().await };
    // The listener never gives up, so that there is no error.
    let _ = axum::serve(listener, service).with_graceful_shutdown(end).await;
}

async fn handle(
    Shares(shared): Shares<Arc<Shared>>,
    ConnectInfo(reset): ConnectInfo<Reset>,
    request: Request,
) -> Response {
    if request.uri().path().starts_with(control::PREFIX) {
        return control::answer(&shared.state, request).await;
    }
    let in_flight = InFlight::start(&shared.state, &request);
    let call = Call::read(in_flight.ordinal, request).await;
    let (reply, latency) = {
        let mut state = lock(&shared.state);
        (answer(&mut state, &call), state.options.latency)
    };
    shared.pause(latency).await;
    deliver(&shared, reply, &reset).await
}

/// A request on its way: noted when it arrives, and when it is answered or given up.
struct InFlight<'a> {
    state: &'a Mutex<State>,
    epoch: u64,
    ordinal: u64,
}

impl<'a> InFlight<'a> {
    fn start(shared: &'a Mutex<State>, request: &Request) -> Self {
        let mut state = lock(shared);
        let at = state.clock.now();
        let texts = &mut state.texts;
        let headers = request.headers();
        let mut header = |name| call::text(headers, name).map(|text| texts.add(text));
        let row = RequestRow {
            at,
            ended: None,
            content_type: header("content-type"),
            user_agent: header("user-agent"),
            version: header("version"),
            authorization: headers.contains_key(header::AUTHORIZATION),
            bearer: call::bearer(headers).map(|token| texts.add(token)),
            method: texts.add(request.method().as_str()),
            path: texts.add(request.uri().path()),
            query: request.uri().query().map(|query| texts.add(query)),
            step: Step::Other,
            tenant: None,
            fault: None,
            status: None,
        };
        state.requests.push(row);
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        Self { state: shared, epoch: state.epoch, ordinal: state.requests.len() as u64 - 1 }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = lock(self.state);
        state.in_flight -= 1;
        let now = state.clock.now();
        if state.epoch == self.epoch
            && let Some(row) = state.row(self.ordinal)
        {
            row.ended = Some(now);
        }
    }
}

/// Answers a request and notes what came of it.
fn answer(state: &mut State, call: &Call) -> Reply {
    let mut reply = route(state, call);
    reply.answer = reply.answer.traced(|| tokens::trace(state.options.seed, call.ordinal));
    if let Some(date) = state.clock.odd_date() {
        reply.answer = reply.answer.with("Date", &date);
    }
    let status = reply.status();
    if let Some(row) = state.row(call.ordinal) {
        row.status = status;
    }
    reply
}

fn route(state: &mut State, call: &Call) -> Reply {
    // Cloudflare stands in front: observed.
    if call.agent.is_empty() {
        return answers::BLOCKED.plain().into();
    }
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", reconnect::PATH) => reconnect::answer(state, call),
        ("POST", "/oauth/token") => token::answer(state, call),
        ("POST", agency::PATH | agency::PATH_V3) => agency::answer(state, call),
        ("GET", discover::PATH | discover::PATH_V3) => discover::answer(state, call),
        ("GET", _) => verify::answer(state, call).unwrap_or_else(|| not_found(call)),
        _ => not_found(call),
    }
}

fn not_found(call: &Call) -> Reply {
    answers::NOT_FOUND.fill(&[("method", &call.method), ("path", &call.path)]).into()
}

async fn deliver(shared: &Shared, reply: Reply, reset: &Reset) -> Response {
    let Reply { answer, delivery, number } = reply;
    match delivery {
        Delivery::Whole => {}
        Delivery::Slow => shared.pause(Duration::from_millis(number)).await,
        Delivery::Reset => reset.now(),
        Delivery::Silence => {
            shared.stopped().await;
            reset.now();
        }
        Delivery::Cut => return respond(&answer, half(&answer.body)),
        Delivery::Huge => return respond(&answer, endless(number)),
    }
    respond(&answer, Body::from(answer.body.clone()))
}

fn respond(answer: &Answer, body: Body) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(*name, value);
        }
    }
    response
}

/// The first half of a body; then the connection breaks off.
fn half(body: &str) -> Body {
    let sent = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
    let end = stream::once(async {
        // The half that is there goes out while this waits.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter([Ok(sent)]).chain(end))
}

/// So many MiB that begin like an answer.
fn endless(mebibytes: u64) -> Body {
    const CHUNK: usize = 64 * 1024;
    let chunk = Bytes::from(vec![b'a'; CHUNK]);
    let chunks = usize::try_from(mebibytes.saturating_mul(16)).unwrap_or(usize::MAX);
    let start =
        stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"{\"authorizationCode\":\""))]);
    Body::from_stream(start.chain(stream::repeat(chunk).map(Ok).take(chunks)))
}
