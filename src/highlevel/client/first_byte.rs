//! The first byte of a request: up to it, the request can be held back.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::unanswered::Unanswered;
use crate::clock::Moment;

/// Called when the first byte of a request is about to leave. Its answer is final.
pub type LeaveCheck = Box<dyn FnOnce(&Moment) -> MayLeave + Send>;

/// Whether a request may leave after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayLeave {
    /// Its bytes go out now.
    Yes,
    /// Nothing goes out; the connection is dropped.
    No,
}

/// Watches for the first byte of a request.
#[derive(Clone, Default)]
pub(super) struct FirstByte(Arc<Mutex<Watch>>);

#[derive(Default)]
enum Watch {
    /// No request is about to leave.
    #[default]
    Off,
    /// The next byte is a request's.
    Armed(LeaveCheck),
    /// The request left then.
    Left(Moment),
    /// It was held back or given up: nothing of it may leave.
    Shut,
}

/// A request that is being sent. On drop, nothing of it may leave any more.
pub(super) struct Sending(FirstByte);

impl FirstByte {
    pub(super) fn arm(&self, leave: LeaveCheck) -> Sending {
        *self.lock() = Watch::Armed(leave);
        Sending(self.clone())
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
            Watch::Shut => Err(io::Error::other("this request was given up")),
            other => {
                *watch = other;
                Ok(())
            }
        }
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(*self.lock(), Watch::Left(_))
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sending {
    /// When the request left. The error: nothing has left, and nothing will.
    pub(super) fn moment(&self) -> Result<Moment, Unanswered> {
        let mut watch = self.0.lock();
        match std::mem::replace(&mut *watch, Watch::Shut) {
            Watch::Left(moment) => {
                *watch = Watch::Left(moment);
                Ok(moment)
            }
            Watch::Shut => Err(Unanswered::HeldBack),
            Watch::Armed(leave) => {
                // It counts as a start, as a failed connection does.
                let _ = leave(&Moment::now());
                Err(Unanswered::NeverLeft("the connection was closed".into()))
            }
            Watch::Off => Err(Unanswered::NeverLeft("the connection was closed".into())),
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut watch = self.0.lock();
        if matches!(*watch, Watch::Armed(_)) {
            *watch = Watch::Shut;
        }
    }
}

/// A stream that checks before bytes leave.
pub(super) struct Watched<T> {
    pub(super) io: T,
    pub(super) first_byte: FirstByte,
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
