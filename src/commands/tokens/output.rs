//! Standard output for secrets: nothing of it gets lost unnoticed.

use std::io::{self, BufWriter, ErrorKind, Write};

/// Pairs that are in memory at a time.
pub(super) const BATCH: usize = 500;

/// What is said where writing fails.
pub(super) const UNWRITABLE: &str =
    "cannot write to standard output; what is there so far is not whole";

/// Writes to something that may be closed before all is written, as `head` does: that is no error. Any
/// other one is, a full disk above all.
pub(super) struct Output<W: Write> {
    inner: BufWriter<W>,
    is_closed: bool,
}

impl<W: Write> Output<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner: BufWriter::new(inner), is_closed: false }
    }

    fn forgive(&mut self, error: io::Error) -> io::Result<()> {
        self.is_closed = error.kind() == ErrorKind::BrokenPipe;
        if self.is_closed { Ok(()) } else { Err(error) }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_closed {
            self.inner.write_all(bytes).or_else(|error| self.forgive(error))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        self.inner.flush().or_else(|error| self.forgive(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_stops_reading_is_no_error_and_a_full_disk_is() {
        for (kind, is_ok) in [(ErrorKind::BrokenPipe, true), (ErrorKind::StorageFull, false)] {
            let mut out = Output::new(Failing(kind));
            let written = out.write_all(&vec![0; 1 << 16]).and_then(|()| out.flush());
            assert_eq!(written.is_ok(), is_ok, "{kind}");
        }
    }
}
