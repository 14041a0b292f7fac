//! What flows in, kept in an unnamed temporary file, within bounds: a stream may have no end.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
};

use super::{
    error::Bound,
    looks::Looks,
    text::{CHUNK, Encoding, RECORD_LIMIT},
};

/// How much is kept. A file on disk has none of these bounds: it has an end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes.
    bytes: u64,
    /// Lines of a table; JSON may be spread over many lines.
    lines: u64,
    /// Bytes of one line of a table. A whole list in JSON may stand on one line.
    line: usize,
}

impl Default for Limits {
    /// A record with both of its tokens has some 2,500 bytes, so that 200,000 of them have room. The
    /// bytes of a line may be UTF-16, of which a record has twice as many.
    fn default() -> Self {
        Self { bytes: 512 << 20, lines: 5_000_000, line: 4 * RECORD_LIMIT }
    }
}

/// Why what flows in is not kept.
#[derive(Debug)]
pub(super) enum SpoolError {
    /// It cannot be read, or the temporary file cannot be written.
    Io(io::Error),
    /// Its beginning shows that it is no list.
    NotAList(Looks),
    /// One line is larger than any record.
    LongLine {
        /// The line.
        line: u64,
        /// What a record may have, in bytes.
        limit: usize,
    },
    /// It is longer than a bound.
    Endless(Bound),
}

/// Reads a stream to its end into a temporary file; memory does not grow with it.
pub(super) fn spool(stream: &mut dyn Read, limits: Limits) -> Result<File, SpoolError> {
    let mut file = tempfile::tempfile().map_err(SpoolError::Io)?;
    let mut head = Vec::new();
    stream.take(CHUNK as u64).read_to_end(&mut head).map_err(SpoolError::Io)?;
    if let Some(looks) = Looks::of_raw(&head) {
        return Err(SpoolError::NotAList(looks));
    }
    let mut measure = Measure::of(&head, limits);
    let mut chunk = head;
    loop {
        measure.add(&chunk)?;
        file.write_all(&chunk).map_err(SpoolError::Io)?;
        chunk.resize(CHUNK, 0);
        match read_some(stream, &mut chunk).map_err(SpoolError::Io)? {
            0 => break,
            count => chunk.truncate(count),
        }
    }
    file.rewind().map_err(SpoolError::Io)?;
    Ok(file)
}

fn read_some(stream: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether the first character is a bracket of JSON; the zeros are those of UTF-16.
fn begins_as_json(head: &[u8]) -> bool {
    let (_, mark) = Encoding::sniff(head);
    let mut bytes = head.iter().skip(mark);
    let first = bytes.find(|byte| **byte != 0 && !byte.is_ascii_whitespace());
    matches!(first, Some(b'[' | b'{'))
}

/// How much has come so far.
struct Measure {
    limits: Limits,
    is_json: bool,
    bytes: u64,
    /// Line ends so far.
    lines: u64,
    /// Bytes since the last line end.
    line: usize,
    /// Whether the last byte was a CR: with the LF after it, it is one line end.
    after_return: bool,
}

impl Measure {
    fn of(head: &[u8], limits: Limits) -> Self {
        let is_json = begins_as_json(head);
        Self { limits, is_json, bytes: 0, lines: 0, line: 0, after_return: false }
    }

    fn add(&mut self, chunk: &[u8]) -> Result<(), SpoolError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.limits.bytes {
            return Err(SpoolError::Endless(Bound::Bytes(self.limits.bytes)));
        }
        if self.is_json {
            return Ok(());
        }
        for piece in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line += piece.len();
            if self.line > self.limits.line {
                let line = self.lines + 1;
                return Err(SpoolError::LongLine { line, limit: RECORD_LIMIT });
            }
            let is_second_of_two = self.after_return && piece == b"\n";
            self.after_return = piece.ends_with(b"\r");
            if self.after_return || piece.ends_with(b"\n") {
                self.lines += u64::from(!is_second_of_two);
                self.line = 0;
            }
        }
        if self.lines > self.limits.lines {
            return Err(SpoolError::Endless(Bound::Lines(self.limits.lines)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without end: what a piece is repeated to.
    struct Endless {
        first: &'static [u8],
        piece: &'static [u8],
        at: usize,
        given: u64,
    }

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for byte in buffer.iter_mut() {
                *byte = match self.first.get(self.at) {
                    Some(first) => *first,
                    None => self.piece[(self.at - self.first.len()) % self.piece.len()],
                };
                self.at += 1;
            }
            self.given += buffer.len() as u64;
            Ok(buffer.len())
        }
    }

    #[test]
    fn what_has_no_end_is_refused_at_the_bound_that_it_meets_first() {
        let limits = Limits { bytes: 1 << 20, lines: 10_000, line: 200_000 };
        for (first, piece, expected) in [
            (&b""[..], &b"y\n"[..], "Endless(Lines(10000))"),
            (b"id\n", b"\r\n", "Endless(Lines(10000))"),
            (b"id\n", b"0123456789", "LongLine { line: 2, limit: 1048576 }"),
            (b"[", b"0,", "Endless(Bytes(1048576))"),
            (b"\xEF\xBB\xBF \n{", b"\"a\":1,\n", "Endless(Bytes(1048576))"),
            (b"\xFF\xFE[\0", b"0\0", "Endless(Bytes(1048576))"),
            (b"id\n", b"ve9EPM428h8vShlRW1KT,ve9EPM428h8vShlRW1KT,x,y,z,ve9EPM428h8vShlRW1KT,ve9EPM428h8vShlRW1KT,ve9EPM428h8vShlRW1KT\n", "Endless(Bytes(1048576))"),
            (b"", b"\0", "NotAList(Binary)"),
            (b"\x1F\x8B\x08", b"x\n", "NotAList(Compressed)"),
        ] {
            let mut stream = Endless { first, piece, at: 0, given: 0 };
            let error = spool(&mut stream, limits).unwrap_err();
            assert_eq!(format!("{error:?}"), expected, "{first:?} {piece:?}");
            assert!(stream.given <= limits.bytes + 2 * CHUNK as u64, "{}", stream.given);
        }
    }

    #[test]
    fn what_stays_within_the_bounds_is_kept_as_it_is() {
        let limits = Limits { bytes: 1 << 20, lines: 10_000, line: 200_000 };
        for text in [String::new(), "id\nx".to_owned(), "id\r\n".repeat(9999), "y".repeat(200_000)]
        {
            let mut kept = String::new();
            spool(&mut text.as_bytes(), limits).unwrap().read_to_string(&mut kept).unwrap();
            assert_eq!(kept, text);
        }
    }
}
