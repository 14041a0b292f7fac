//! The connections: a listener whose handlers can have their own connection cut.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Pause after a failed accept, so that a lack of file descriptors is no busy loop.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// A listener that hands a [`Shears`] to the handlers of each connection.
pub(super) struct Wires(pub(super) TcpListener);

/// Cuts one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Shears(Arc<AtomicBool>);

impl Shears {
    /// From the next write on the connection is dead: nothing more is sent, and the peer sees a
    /// reset rather than an orderly end.
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// One connection, alive until its shears are used.
pub(super) struct Wire {
    stream: TcpStream,
    shears: Shears,
}

impl Wire {
    fn refuse(&self) -> io::Error {
        // Lingering for no time turns the close into a reset. Should it fail, a close will do.
        let _ = self.stream.set_zero_linger();
        io::ErrorKind::ConnectionReset.into()
    }
}

impl Listener for Wires {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, peer)) = self.0.accept().await {
                // Without it answers may wait; that is slower, not wrong.
                let _ = stream.set_nodelay(true);
                return (Wire { stream, shears: Shears::default() }, peer);
            }
            tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Wires>> for Shears {
    fn connect_info(stream: IncomingStream<'_, Wires>) -> Self {
        stream.io().shears.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.shears.is_cut() {
            return Poll::Ready(Err(self.refuse()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.shears.is_cut() {
            return Poll::Ready(Err(self.refuse()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.shears.is_cut() {
            return Poll::Ready(Err(self.refuse()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
