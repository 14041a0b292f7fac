//! Connections that are ready before they are needed: name looked up, TCP and TLS done.
//!
//! reqwest takes a connection when it likes and tells nobody when a request's bytes leave. Here both
//! are seen: a request goes out on a connection at hand, and the moment before its first byte is
//! handed over is the last at which it can be held back.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::{
    Response, Uri,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    rt::{Read, ReadBufCursor, Write},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::{
    legacy::connect::{HttpConnector, proxy::Tunnel},
    proxy::matcher::Matcher,
};
use reqwest::{Body, Url};
use rustls::{ClientConfig, RootCertStore, crypto};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use tower_service::Service;

use super::wire::{Unanswered, innermost};
use crate::clock::Moment;

/// An idle connection is dropped after this time, before servers and gateways drop it from their
/// side (Node's default is 5 s): a request written into a connection that is being closed would be
/// an exchange without an answer.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// How long a connection may take to show after an answer whether it can be used again.
const KEPT_WITHIN: Duration = Duration::from_millis(100);

/// Asked at the moment when the first byte of a request is about to leave; the answer is final.
pub type Leave = Box<dyn FnOnce(&Moment) -> MayLeave + Send>;

/// Whether a request may leave after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayLeave {
    /// Its bytes go out now.
    Yes,
    /// Nothing goes out; the connection is dropped.
    No,
}

/// Who is trusted to be the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// What the operating system trusts.
    Platform,
    /// Nobody: loopback needs no certificate.
    Nobody,
}

/// Connections to one server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    server: Uri,
    connector: Connector,
    /// How long a connection may take to be made.
    patience: Duration,
    idle: Mutex<Vec<Line>>,
    freed: Notify,
    /// Whether the server closed a connection after its last answer.
    closes: AtomicBool,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

type Direct = HttpsConnector<HttpConnector>;

#[derive(Clone)]
enum Connector {
    Direct(Direct),
    Proxied(Box<HttpsConnector<Tunnel<Direct>>>),
}

impl Connections {
    /// To the server of this address; nothing is connected yet.
    pub(super) fn to(url: &Url, trust: Trust, patience: Duration) -> anyhow::Result<Self> {
        let server: Uri = url.as_str().parse()?;
        let connector = Connector::to(&server, trust)?;
        Ok(Self(Arc::new(Shared {
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
        // It is made to its end: should another become idle meanwhile, somebody else will need it.
        tokio::spawn(async move {
            let made = made.send(connections.connect().await);
            drop(made);
        });
        loop {
            tokio::select! {
                biased;
                made = &mut making => {
                    let panicked = || Err(Unanswered::NeverLeft("connecting broke off".into()));
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
            let line = {
                let mut idle = self.idle();
                idle.retain(Line::is_fresh);
                idle.pop()?
            };
            let mut connection = Connection { line: Some(line), home: self.clone() };
            if connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    fn put_back(&self, line: Line) {
        let line = Line { idle_since: Instant::now(), ..line };
        self.idle().push(line);
        self.0.freed.notify_one();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Connection, Unanswered> {
        let shared = &self.0;
        let connecting = shared.connector.connect(shared.server.clone());
        let connected = match timeout(shared.patience, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err("the connection took too long: operation timed out".into()),
        };
        let line = connected.map_err(|error| Unanswered::NeverLeft(innermost(error.as_ref())))?;
        Ok(Connection { line: Some(line), home: self.clone() })
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Connector {
    fn to(server: &Uri, trust: Trust) -> anyhow::Result<Self> {
        let tls = tls(trust)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let direct = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let proxy = (trust == Trust::Platform).then(|| Matcher::from_system().intercept(server));
        Ok(match proxy.flatten() {
            None => Self::Direct(direct),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                Self::Proxied(Box::new(HttpsConnector::from((tunnel, tls))))
            }
        })
    }

    async fn connect(&self, server: Uri) -> Result<Line, BoxError> {
        match self.clone() {
            Self::Direct(mut connector) => Line::over(call(&mut connector, server).await?).await,
            Self::Proxied(mut connector) => Line::over(call(&mut *connector, server).await?).await,
        }
    }
}

async fn call<C: Service<Uri>>(connector: &mut C, server: Uri) -> Result<C::Response, C::Error> {
    std::future::poll_fn(|context| connector.poll_ready(context)).await?;
    connector.call(server).await
}

fn tls(trust: Trust) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(match trust {
        Trust::Platform => builder.with_platform_verifier()?.with_no_client_auth(),
        Trust::Nobody => {
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    })
}

/// A connection at hand. When it is dropped after a whole answer, others can use it.
pub struct Connection {
    /// Only a drop takes it.
    line: Option<Line>,
    home: Connections,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("is_fresh", &self.is_fresh()).finish_non_exhaustive()
    }
}

struct Line {
    sender: SendRequest<Body>,
    first_byte: FirstByte,
    idle_since: Instant,
    use_: Use,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Nothing is on its way.
    Idle,
    /// A request is, or its answer was not read to the end.
    Busy,
}

impl Line {
    async fn over<T>(io: T) -> Result<Self, BoxError>
    where
        T: Read + Write + Send + Unpin + 'static,
    {
        let first_byte = FirstByte::default();
        let io = Watched { io, first_byte: first_byte.clone() };
        let (sender, connection) = http1::handshake::<_, Body>(io).await?;
        // How it ends is told to whoever uses it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, first_byte, idle_since: Instant::now(), use_: Use::Idle })
    }

    fn is_fresh(&self) -> bool {
        self.use_ == Use::Idle
            && !self.sender.is_closed()
            && self.idle_since.elapsed() < IDLE_CONNECTION
    }
}

impl Connection {
    /// Whether a request can still go out on it: it is open, and has not been idle for long.
    pub fn is_fresh(&self) -> bool {
        self.line.as_ref().is_some_and(Line::is_fresh)
    }

    async fn is_usable(&mut self) -> bool {
        let Some(line) = &mut self.line else { return false };
        matches!(timeout(KEPT_WITHIN, line.sender.ready()).await, Ok(Ok(())))
    }

    /// Sends a request; `leave` decides when its first byte is about to go out. The error says
    /// whether anything can have gone.
    pub(super) async fn send(
        &mut self,
        request: hyper::Request<Body>,
        leave: Leave,
    ) -> Result<Sent, Unanswered> {
        let Some(line) = &mut self.line else {
            return Err(Unanswered::NeverLeft("the connection is gone".into()));
        };
        line.use_ = Use::Busy;
        let departure = line.first_byte.arm(leave);
        let answered = line.sender.try_send_request(request).await;
        match (answered, departure.moment()) {
            (Ok(response), Ok(sent)) => Ok(Sent { response, sent }),
            // An answer to nothing: nobody asked for it.
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
        if is_usable && let Some(line) = &mut self.line {
            (line.use_, line.idle_since) = (Use::Idle, Instant::now());
        }
        self.home.0.closes.store(!is_usable, Ordering::Relaxed);
    }

    /// Whether the first byte of the last request has left.
    pub(super) fn has_left(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.first_byte.has_left())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(line) = self.line.take().filter(Line::is_fresh) {
            self.home.put_back(line);
        }
    }
}

/// The head of an answer, and when the request for it left.
pub(super) struct Sent {
    pub(super) response: Response<Incoming>,
    pub(super) sent: Moment,
}

/// Watches for the first byte of a request.
#[derive(Clone, Default)]
struct FirstByte(Arc<Mutex<Watch>>);

#[derive(Default)]
enum Watch {
    /// No request is about to leave.
    #[default]
    Off,
    /// The next byte is a request's.
    Armed(Leave),
    /// The request left then.
    Left(Moment),
    /// It was held back, or nobody waits for it any more: nothing of it may leave.
    Shut,
}

/// What became of a request; dropped, it lets nothing leave any more.
struct Departure(FirstByte);

impl FirstByte {
    fn arm(&self, leave: Leave) -> Departure {
        *self.lock() = Watch::Armed(leave);
        Departure(self.clone())
    }

    /// A byte is about to go out.
    fn pass(&self) -> io::Result<()> {
        let mut watch = self.lock();
        match std::mem::replace(&mut *watch, Watch::Shut) {
            Watch::Armed(leave) => {
                let now = Moment::now();
                if leave(&now) == MayLeave::No {
                    return Err(io::Error::other("the request was held back"));
                }
                *watch = Watch::Left(now);
                Ok(())
            }
            Watch::Shut => Err(io::Error::other("nobody waits for this request any more")),
            other => {
                *watch = other;
                Ok(())
            }
        }
    }

    fn has_left(&self) -> bool {
        matches!(*self.lock(), Watch::Left(_))
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Departure {
    /// When the request left, or that nothing has left and nothing will.
    fn moment(&self) -> Result<Moment, Unanswered> {
        let mut watch = self.0.lock();
        match std::mem::replace(&mut *watch, Watch::Shut) {
            Watch::Left(moment) => {
                *watch = Watch::Left(moment);
                Ok(moment)
            }
            Watch::Shut => Err(Unanswered::HeldBack),
            Watch::Armed(leave) => {
                // It counts as a start, as a connection does that does not come about.
                let _ = leave(&Moment::now());
                Err(Unanswered::NeverLeft("the connection was closed".into()))
            }
            Watch::Off => Err(Unanswered::NeverLeft("the connection was closed".into())),
        }
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        let mut watch = self.0.lock();
        if matches!(*watch, Watch::Armed(_)) {
            *watch = Watch::Shut;
        }
    }
}

/// A stream that tells when bytes are about to go out.
struct Watched<T> {
    io: T,
    first_byte: FirstByte,
}

impl<T: Read + Unpin> Read for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.first_byte.pass()?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.first_byte.pass()?;
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
