//! Bytes in, UTF-8 out: a window on the list that moves forward, counts lines and hashes what it reads.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use sha2::{Digest, Sha256};

/// How much is read at a time, and how much of the beginning is looked at to tell what a list is.
pub(super) const CHUNK: usize = 64 * 1024;

/// The most bytes (as UTF-8) that one record may have. What is larger is a quote that nobody closed.
pub const RECORD_LIMIT: usize = 1 << 20;

/// How a list's characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or plain ASCII.
    Utf8,
    /// UTF-8 that begins with a byte order mark, as Excel writes it.
    Utf8Bom,
    /// UTF-16, low byte first: Excel's "Unicode text".
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// Bytes that are not UTF-8: those records are read as Windows-1252, Excel's old Western code page.
    Windows1252,
}

impl Encoding {
    /// Tells the encoding from the first bytes, and how many of them are the byte order mark.
    pub(super) fn sniff(head: &[u8]) -> (Self, usize) {
        match head {
            [0xEF, 0xBB, 0xBF, ..] => (Self::Utf8Bom, 3),
            [0xFF, 0xFE, ..] => (Self::Utf16Le, 2),
            [0xFE, 0xFF, ..] => (Self::Utf16Be, 2),
            _ if zeroes(head, 1) => (Self::Utf16Le, 0),
            _ if zeroes(head, 0) => (Self::Utf16Be, 0),
            _ if is_utf8(head) => (Self::Utf8, 0),
            _ => (Self::Windows1252, 0),
        }
    }

    fn decoder(self) -> Option<Decoder> {
        match self {
            Self::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Self::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            Self::Utf8 | Self::Utf8Bom | Self::Windows1252 => None,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf8Bom => "UTF-8 with a byte order mark",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Windows1252 => "Windows-1252 where it is not UTF-8",
        })
    }
}

/// Whether nearly every second byte is zero, from `offset` on, and the others are not: UTF-16
/// without a byte order mark.
fn zeroes(head: &[u8], offset: usize) -> bool {
    let zero_at = |first: usize| head.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let pairs = head.len() / 2;
    pairs >= 4 && zero_at(offset) * 10 >= pairs * 9 && zero_at(1 - offset) == 0
}

/// Whether the bytes are UTF-8; a character that the end cuts in two does not count against it.
fn is_utf8(head: &[u8]) -> bool {
    std::str::from_utf8(head).map_or_else(|e| e.error_len().is_none(), |_| true)
}

/// One record's bytes as text: UTF-8, or else Windows-1252, which every byte is.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// The unread part of a list, as far as it is in memory.
pub(super) struct Text {
    source: Box<dyn Read + Send>,
    digest: Sha256,
    decoder: Option<Decoder>,
    encoding: Encoding,
    window: Vec<u8>,
    start: usize,
    ended: bool,
    line: u64,
    after_return: bool,
}

impl Text {
    /// Begins to read, and gives the first raw bytes beside it, which tell what kind of file it is.
    pub(super) fn open(mut source: Box<dyn Read + Send>) -> io::Result<(Self, Vec<u8>)> {
        let mut head = Vec::new();
        source.by_ref().take(CHUNK as u64).read_to_end(&mut head)?;
        let (encoding, mark) = Encoding::sniff(&head);
        let mut text = Self {
            source,
            digest: Sha256::new_with_prefix(&head),
            decoder: encoding.decoder(),
            encoding,
            window: Vec::new(),
            start: 0,
            ended: false,
            line: 1,
            after_return: false,
        };
        text.take_in(&head[mark..]);
        Ok((text, head))
    }

    /// How the characters are written, judged by the beginning.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What is in memory and not yet consumed.
    pub(super) fn window(&self) -> &[u8] {
        &self.window[self.start..]
    }

    /// The physical line, from 1, at which the window begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the window goes to the very end of the list.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads on, so that the window grows; at the end of the list it stays as it is.
    pub(super) fn more(&mut self) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        self.window.drain(..self.start);
        self.start = 0;
        let mut chunk = vec![0; CHUNK];
        let count = read_some(&mut self.source, &mut chunk)?;
        self.digest.update(&chunk[..count]);
        self.ended = count == 0;
        self.take_in(&chunk[..count]);
        Ok(())
    }

    /// Reads on until the window holds a whole chunk or the list ends.
    pub(super) fn look_ahead(&mut self) -> io::Result<()> {
        while !self.ended && self.window().len() < CHUNK {
            self.more()?;
        }
        Ok(())
    }

    /// Moves the beginning of the window, counting the lines it passes.
    pub(super) fn consume(&mut self, count: usize) {
        let end = (self.start + count).min(self.window.len());
        let passed = &self.window[self.start..end];
        self.line += breaks(passed, self.after_return);
        if let Some(last) = passed.last() {
            self.after_return = *last == b'\r';
        }
        self.start = end;
    }

    /// The SHA-256 of the bytes read so far, in hex.
    pub(super) fn digest(&self) -> String {
        hex(&self.digest.clone().finalize())
    }

    fn take_in(&mut self, raw: &[u8]) {
        let Some(decoder) = &mut self.decoder else {
            self.window.extend_from_slice(raw);
            return;
        };
        let old = self.window.len();
        let room = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3 + 16);
        self.window.resize(old + room, 0);
        let (_, _, written, _) = decoder.decode_to_utf8(raw, &mut self.window[old..], self.ended);
        self.window.truncate(old + written);
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn read_some(source: &mut dyn Read, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// How many lines end in these bytes; CR LF is one end, also when the CR came just before them.
fn breaks(bytes: &[u8], after_return: bool) -> u64 {
    let count = |wanted: u8| bytes.iter().map(|b| u64::from(*b == wanted)).sum::<u64>();
    let returns = count(b'\r');
    let pairs = if returns == 0 {
        0
    } else {
        bytes.windows(2).filter(|pair| *pair == b"\r\n").count() as u64
    };
    let split_pair = u64::from(after_return && bytes.first() == Some(&b'\n'));
    count(b'\n') + returns - pairs - split_pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Text {
        Text::open(Box::new(io::Cursor::new(bytes.to_vec()))).unwrap().0
    }

    #[test]
    fn the_encoding_is_told_from_the_first_bytes() {
        for (bytes, encoding) in [
            (&b"location_id\n"[..], Encoding::Utf8),
            (b"\xEF\xBB\xBFlocation_id", Encoding::Utf8Bom),
            (b"\xFF\xFEa\0b\0", Encoding::Utf16Le),
            (b"\xFE\xFF\0a\0b", Encoding::Utf16Be),
            (b"a\0b\0c\0d\0e\0", Encoding::Utf16Le),
            (b"\0a\0b\0c\0d\0e", Encoding::Utf16Be),
            (b"id,caf\xE9\n", Encoding::Windows1252),
            ("id,café".as_bytes(), Encoding::Utf8),
            (&"id,café".as_bytes()[..7], Encoding::Utf8),
        ] {
            assert_eq!(Encoding::sniff(bytes).0, encoding, "{bytes:?}");
        }
    }

    #[test]
    fn every_kind_of_line_end_counts_as_one_line() {
        for (text, lines) in [("a\nb\nc", 3), ("a\r\nb\r\nc", 3), ("a\rb\rc", 3), ("a\n\rb", 3)] {
            let mut whole = open(text.as_bytes());
            whole.consume(text.len());
            assert_eq!(whole.line(), lines, "{text:?}");
            let mut bytewise = open(text.as_bytes());
            (0..text.len()).for_each(|_| bytewise.consume(1));
            assert_eq!(bytewise.line(), lines, "{text:?}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_raw_bytes() {
        let mut text = open(b"\xFF\xFEa\0");
        text.look_ahead().unwrap();
        assert_eq!(text.window(), b"a");
        let expected: Vec<u8> = Sha256::digest(b"\xFF\xFEa\0").to_vec();
        let digest = text.digest();
        let pairs = digest.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let read: Vec<_> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn utf_16_is_decoded_across_chunks() {
        let line = "location_id,naïve 😀\n";
        let long = line.repeat(20_000);
        let bytes: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut text = open(&[b"\xFF\xFE".to_vec(), bytes].concat());
        let mut all = Vec::new();
        loop {
            all.extend_from_slice(text.window());
            text.consume(text.window().len());
            if text.ended() {
                break;
            }
            text.more().unwrap();
        }
        assert_eq!(String::from_utf8(all).unwrap(), long);
        assert_eq!(text.line(), 20_001);
    }
}
