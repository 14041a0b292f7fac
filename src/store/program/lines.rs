//! Lines out of a pipe, each bounded in length.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// The longest line in bytes: a pair with its whole document, encrypted and in hexadecimal, is far
/// shorter.
const LONGEST: usize = 1 << 20;

/// What cannot be a line of a program that speaks in lines. Nothing after it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// It is no UTF-8.
    #[error("wrote bytes that are not UTF-8")]
    NotUtf8,
    /// It is longer than a megabyte.
    #[error("wrote a line of more than a megabyte")]
    TooLong,
    /// It ended within a line.
    #[error("ended in the middle of a line")]
    Cut,
    /// The pipe is broken.
    #[error("cannot be read from")]
    Unreadable,
}

/// The next line without its end; `None` at the end of the pipe.
pub(super) async fn next(
    input: &mut (impl AsyncBufRead + Unpin),
) -> Option<Result<String, BadLine>> {
    let mut line = Vec::new();
    loop {
        let Ok(piece) = input.fill_buf().await else { return Some(Err(BadLine::Unreadable)) };
        if piece.is_empty() {
            return (!line.is_empty()).then_some(Err(BadLine::Cut));
        }
        let end = memchr::memchr(b'\n', piece);
        line.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
        let used = end.map_or(piece.len(), |end| end + 1);
        input.consume(used);
        if line.len() > LONGEST {
            return Some(Err(BadLine::TooLong));
        }
        if end.is_some() {
            break;
        }
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    Some(String::from_utf8(line).map_err(|_| BadLine::NotUtf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_whole() {
        type Lines<'a> = &'a [Result<&'a str, BadLine>];
        let long = format!("{}\n", "x".repeat(LONGEST + 1)).into_bytes();
        let cases: [(&[u8], Lines<'_>); 7] = [
            (b"", &[]),
            (b"one\ntwo\r\n\n", &[Ok("one"), Ok("two"), Ok("")]),
            ("ä\n".as_bytes(), &[Ok("ä")]),
            (b"one\ntw", &[Ok("one"), Err(BadLine::Cut)]),
            (b"\xff\n", &[Err(BadLine::NotUtf8)]),
            (&long, &[Err(BadLine::TooLong)]),
            (&long[2..], &[Ok(std::str::from_utf8(&long[2..=LONGEST]).unwrap())]),
        ];
        for (bytes, expected) in cases {
            let mut input = bytes;
            for expected in expected {
                let line = next(&mut input).await.unwrap();
                assert_eq!(line.as_deref(), expected.as_deref());
            }
            if expected.iter().all(Result::is_ok) {
                assert!(next(&mut input).await.is_none());
            }
        }
    }
}
