//! From a connection to an answer on the wire.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State as Shares};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use tokio::sync::watch;

use super::answers::Answer;
use super::call::{self, Call};
use super::clock::Clock;
use super::connection::{Shears, Wires};
use super::control;
use super::log::Row;
use super::spoil::{Delivery, Reply};
use super::state::State;
use super::step::Step;

/// What the handlers share.
pub(super) struct Shared {
    state: Mutex<State>,
    clock: Clock,
    latency: Duration,
    stopping: watch::Receiver<()>,
}

impl Shared {
    pub(super) fn new(state: State, latency: Duration, stopping: watch::Receiver<()>) -> Self {
        Self { clock: state.clock, state: Mutex::new(state), latency, stopping }
    }

    /// The state. A handler that died while it held the lock has left it whole enough to audit.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the sandbox is stopped or dropped.
    async fn stopped(&self) {
        // Either way it is over: an error means that the handle is gone.
        let _ = self.stopping.clone().changed().await;
    }

    /// Sleeps, but not beyond the end of the sandbox.
    async fn pause(&self, time: Duration) {
        if time.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.stopped() => {}
        }
    }
}

/// Serves until the sandbox is stopped or dropped.
pub(super) async fn serve(wires: Wires, shared: Arc<Shared>) {
    let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
    let service = router.into_make_service_with_connect_info::<Shears>();
    let end = async move { shared.stopped().await };
    // The listener never gives up, so that there is no error to tell.
    let _ = axum::serve(wires, service).with_graceful_shutdown(end).await;
}

async fn handle(
    Shares(shared): Shares<Arc<Shared>>,
    ConnectInfo(shears): ConnectInfo<Shears>,
    request: Request,
) -> Response {
    if request.uri().path().starts_with(control::PREFIX) {
        return control::answer(&shared, request).await;
    }
    let flight = Flight::start(&shared, &request);
    let call = Call::read(flight.ordinal, request).await;
    let reply = shared.state().answer(&call);
    shared.pause(shared.latency).await;
    deliver(&shared, reply, &shears).await
}

/// A request on its way: noted when it arrives, and when it is answered or given up.
struct Flight<'a> {
    shared: &'a Shared,
    epoch: u64,
    ordinal: u64,
}

impl<'a> Flight<'a> {
    fn start(shared: &'a Shared, request: &Request) -> Self {
        let mut state = shared.state();
        let at = state.clock.now();
        let texts = &mut state.log.texts;
        let headers = request.headers();
        let mut header = |name| call::text(headers, name).map(|text| texts.number(text));
        let row = Row {
            at,
            ended: None,
            content_type: header("content-type"),
            user_agent: header("user-agent"),
            version: header("version"),
            authorization: headers.contains_key(header::AUTHORIZATION),
            bearer: call::bearer(headers).map(|token| texts.number(token)),
            method: texts.number(request.method().as_str()),
            path: texts.number(request.uri().path()),
            query: request.uri().query().map(|query| texts.number(query)),
            step: Step::Other,
            tenant: None,
            fault: None,
            status: None,
        };
        let ordinal = state.log.arrive(row);
        state.in_flight += 1;
        state.max_in_flight = state.max_in_flight.max(state.in_flight);
        Self { shared, epoch: state.epoch, ordinal }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.in_flight -= 1;
        let now = state.clock.now();
        if state.epoch == self.epoch
            && let Some(row) = state.log.row(self.ordinal)
        {
            row.ended = Some(now);
        }
    }
}

async fn deliver(shared: &Shared, reply: Reply, shears: &Shears) -> Response {
    let Reply { answer, delivery } = reply;
    let date = shared.clock.odd_date();
    match delivery {
        Delivery::Whole => {}
        Delivery::After(time) => shared.pause(time).await,
        Delivery::Reset => shears.cut(),
        Delivery::Silence => {
            shared.stopped().await;
            shears.cut();
        }
        Delivery::Cut => return respond(&answer, date, half(&answer.body)),
        Delivery::Huge(mebibytes) => return respond(&answer, date, endless(mebibytes)),
    }
    let body = Body::from(answer.body.clone());
    respond(&answer, date, body)
}

fn respond(answer: &Answer, date: Option<String>, body: Body) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(header::DATE, date);
    }
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
