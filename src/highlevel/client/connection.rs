//! Connections that are ready before they are needed: name looked up, TCP and TLS done.
//!
//! reqwest chooses a connection by itself and does not report when a request's bytes leave. Here a request
//! is sent on a connection in hand, and can be held back up to its first byte.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::{Response, Uri, body::Incoming};
use reqwest::{Body, Url};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

use super::{
    connector::{Connector, TrustRoots},
    first_byte::LeaveCheck,
    http1::{Http1, Use},
    unanswered::{Unanswered, innermost},
};
use crate::clock::Moment;

/// How long a connection may take to show after an answer whether it can be used again.
const KEPT_WITHIN: Duration = Duration::from_millis(100);

/// Connections to one server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Pool>);

struct Pool {
    server: Uri,
    connector: Connector,
    /// How long a connection may take to be made.
    patience: Duration,
    idle: Mutex<Vec<Http1>>,
    freed: Notify,
    /// Whether the server closed a connection after its last answer.
    closes: AtomicBool,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// To the server of this address; nothing is connected yet.
    pub(super) fn to(url: &Url, trust: TrustRoots, patience: Duration) -> anyhow::Result<Self> {
        let server: Uri = url.as_str().parse()?;
        let connector = Connector::to(&server, trust)?;
        Ok(Self(Arc::new(Pool {
            server,
            connector,
            patience,
            idle: Mutex::default(),
            freed: Notify::new(),
            closes: AtomicBool::new(false),
        })))
    }

    /// A connection on which a request can go out at once: an idle one, or a new one.
    pub(super) async fn ready(&self) -> Result<Connection, Unanswered> {
        if let Some(connection) = self.take_idle().await {
            return Ok(connection);
        }
        let (made, mut making) = oneshot::channel();
        let connections = self.clone();
        // It is made even if another becomes idle meanwhile: the next request will need it.
        tokio::spawn(async move {
            let made = made.send(connections.connect().await);
            drop(made);
        });
        loop {
            tokio::select! {
                biased;
                made = &mut making => {
                    let panicked = || Err(Unanswered::NeverLeft("connecting panicked".into()));
                    return made.unwrap_or_else(|_| panicked());
                }
                () = self.0.freed.notified() => {
                    if let Some(connection) = self.take_idle().await {
                        return Ok(connection);
                    }
                }
            }
        }
    }

    /// Whether the server closed the connection after its last answer, so that each request needs a
    /// new one.
    pub(super) fn are_closed_after_use(&self) -> bool {
        self.0.closes.load(Ordering::Relaxed)
    }

    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let http1 = {
                let mut idle = self.idle();
                idle.retain(Http1::is_fresh);
                idle.pop()?
            };
            let mut connection = Connection { http1: Some(http1), home: self.clone() };
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    fn put_back(&self, http1: Http1) {
        let http1 = Http1 { idle_since: Instant::now(), ..http1 };
        self.idle().push(http1);
        self.0.freed.notify_one();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Http1>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Connection, Unanswered> {
        let shared = &self.0;
        let connecting = shared.connector.connect(shared.server.clone());
        let connected = match timeout(shared.patience, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err("the connection took too long: operation timed out".into()),
        };
        let http1 = connected.map_err(|error| Unanswered::NeverLeft(innermost(error.as_ref())))?;
        Ok(Connection { http1: Some(http1), home: self.clone() })
    }
}

/// A connection in hand. Dropped after a whole answer, it is available to others.
pub struct Connection {
    /// `None` only during drop.
    http1: Option<Http1>,
    home: Connections,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("is_fresh", &self.is_fresh()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Whether a request can still go out on it: it is open, and has not been idle for long.
    pub fn is_fresh(&self) -> bool {
        self.http1.as_ref().is_some_and(Http1::is_fresh)
    }

    async fn is_usable(&mut self) -> bool {
        let Some(http1) = &mut self.http1 else { return false };
        matches!(timeout(KEPT_WITHIN, http1.sender.ready()).await, Ok(Ok(())))
    }

    /// Sends a request; `leave` decides when its first byte is about to go out. The error says
    /// whether anything may have left.
    pub(super) async fn send(
        &mut self,
        request: hyper::Request<Body>,
        leave: LeaveCheck,
    ) -> Result<Sent, Unanswered> {
        let Some(http1) = &mut self.http1 else {
            return Err(Unanswered::NeverLeft("the connection is gone".into()));
        };
        http1.use_ = Use::Busy;
        let departure = http1.first_byte.arm(leave);
        let answered = http1.sender.try_send_request(request).await;
        match (answered, departure.moment()) {
            (Ok(response), Ok(sent)) => Ok(Sent { response, sent }),
            // An answer without a request.
            (Ok(_), Err(unsent)) => Err(unsent),
            (Err(mut error), Err(unsent)) => {
                let why = || innermost(error.error());
                let unsent = match unsent {
                    Unanswered::NeverLeft(_) => Unanswered::NeverLeft(why()),
                    other => other,
                };
                drop(error.take_message());
                Err(unsent)
            }
            (Err(error), Ok(_)) => Err(Unanswered::InDoubt(innermost(error.error()))),
        }
    }

    /// The whole answer was read: finds out whether the connection can be used again.
    pub(super) async fn answered(&mut self) {
        let is_usable = self.is_usable().await;
        if is_usable && let Some(http1) = &mut self.http1 {
            (http1.use_, http1.idle_since) = (Use::Idle, Instant::now());
        }
        self.home.0.closes.store(!is_usable, Ordering::Relaxed);
    }

    /// Whether the first byte of the last request has left.
    pub(super) fn has_left(&self) -> bool {
        self.http1.as_ref().is_some_and(|http1| http1.first_byte.has_left())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(http1) = self.http1.take().filter(Http1::is_fresh) {
            self.home.put_back(http1);
        }
    }
}

/// The head of an answer, and when the request for it left.
pub(super) struct Sent {
    pub(super) response: Response<Incoming>,
    pub(super) sent: Moment,
}

/// What a request is sent with.
pub struct Departure {
    /// The connection.
    pub connection: Connection,
    /// Decides when the first byte is about to leave.
    pub leave: LeaveCheck,
}
