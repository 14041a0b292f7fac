//! One HTTP/1.1 connection, and whether a request can still go out on it.

use std::time::{Duration, Instant};

use hyper::{
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use reqwest::Body;

use super::{
    first_byte::{FirstByte, Watched},
    unanswered::BoxError,
};

/// An idle connection is dropped after this time, before servers and gateways drop it from their
/// side (Node's default is 5 s): a request written into a connection that is being closed would be
/// an exchange without an answer.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// One HTTP/1.1 connection to the server.
pub(super) struct Http1 {
    pub(super) sender: SendRequest<Body>,
    pub(super) first_byte: FirstByte,
    pub(super) idle_since: Instant,
    pub(super) use_: Use,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// No request is in flight.
    Idle,
    /// A request is in flight, or its answer was not read to the end.
    Busy,
}

impl Http1 {
    /// Speaks HTTP over a stream.
    pub(super) async fn over<T>(io: T) -> Result<Self, BoxError>
    where
        T: Read + Write + Send + Unpin + 'static,
    {
        let first_byte = FirstByte::default();
        let io = Watched { io, first_byte: first_byte.clone() };
        let (sender, connection) = http1::handshake::<_, Body>(io).await?;
        // Its end is reported by the sender.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, first_byte, idle_since: Instant::now(), use_: Use::Idle })
    }

    /// Whether a request can still go out on it: it is open, and has not been idle for long.
    pub(super) fn is_fresh(&self) -> bool {
        self.use_ == Use::Idle
            && !self.sender.is_closed()
            && self.idle_since.elapsed() < IDLE_CONNECTION
    }
}
