//! A text with its escapes undone, and which part of the original each byte stands for.

use std::ops::Range;

/// A text in lower case and perhaps decoded, and which part of the original each byte stands for.
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// `None` while each byte stands for itself.
    from: Option<Vec<Range<usize>>>,
}

impl View {
    pub(super) fn of(text: &str) -> Self {
        Self { bytes: text.to_ascii_lowercase().into_bytes(), from: None }
    }

    fn origin(&self, at: usize) -> Range<usize> {
        self.from.as_ref().map_or(at..at + 1, |from| from[at].clone())
    }

    pub(super) fn place(&self, found: Range<usize>) -> Range<usize> {
        self.origin(found.start).start..self.origin(found.end - 1).end
    }

    /// The same with its escapes decoded; `None` if there are none.
    pub(super) fn decoded(&self) -> Option<Self> {
        let is_sign = |byte: &u8| b"%\\&".contains(byte);
        self.bytes.iter().any(is_sign).then_some(())?;
        let (mut bytes, mut from) = (Vec::new(), Vec::new());
        let (mut at, mut has_changed) = (0, false);
        while at < self.bytes.len() {
            let (c, length) = match escape(&self.bytes[at..]) {
                Some((c, length)) => {
                    has_changed = true;
                    (c, length)
                }
                None => (Decoded::Byte(self.bytes[at]), 1),
            };
            let origin = self.origin(at).start..self.origin(at + length - 1).end;
            let mut buffer = [0; 4];
            let decoded = match &c {
                Decoded::Byte(byte) => std::slice::from_ref(byte),
                Decoded::Char(c) => c.encode_utf8(&mut buffer).as_bytes(),
            };
            bytes.extend(decoded.iter().map(u8::to_ascii_lowercase));
            from.extend(decoded.iter().map(|_| origin.clone()));
            at += length;
        }
        has_changed.then_some(Self { bytes, from: Some(from) })
    }
}

enum Decoded {
    Byte(u8),
    Char(char),
}

/// The escape that begins here, in lower case, and how many bytes it has.
fn escape(bytes: &[u8]) -> Option<(Decoded, usize)> {
    match bytes {
        [b'%', high, low, ..] => Some((Decoded::Byte(hex(&[*high, *low])?.try_into().ok()?), 3)),
        [b'\\', b'u', digits @ ..] => {
            let c = char::from_u32(hex(digits.get(..4)?)?)?;
            Some((Decoded::Char(c), 6))
        }
        [b'\\', c, ..] if b"\"\\/".contains(c) => Some((Decoded::Byte(*c), 2)),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(10).position(|b| *b == b';')?;
            let c = match &rest[..end] {
                [b'#', b'x', digits @ ..] => char::from_u32(hex(digits)?)?,
                [b'#', digits @ ..] => char::from_u32(str::from_utf8(digits).ok()?.parse().ok()?)?,
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                _ => return None,
            };
            Some((Decoded::Char(c), end + 2))
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()).flatten()
}
