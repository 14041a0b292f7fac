//! What a file that is no list is instead, told from its first bytes.

use std::fmt;

use super::text::Encoding;

/// What a file that is not a list looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// An Excel workbook.
    Excel,
    /// A zip archive.
    Zip,
    /// Compressed.
    Compressed,
    /// A PDF.
    Pdf,
    /// A web page or XML.
    Markup,
    /// Zero bytes or the like.
    Binary,
}

impl Looks {
    /// Tells from the first raw bytes; `None` if it may be a list.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let holds = |needle: &[u8]| head.windows(needle.len()).any(|w| w == needle);
        match head {
            [b'P', b'K', 3 | 5 | 7, ..] if holds(b"xl/") || holds(b"[Content_Types]") => {
                Some(Self::Excel)
            }
            [b'P', b'K', 3 | 5 | 7, ..] => Some(Self::Zip),
            [0xD0, 0xCF, 0x11, 0xE0, ..] => Some(Self::Excel),
            [0x1F, 0x8B, ..]
            | [0x28, 0xB5, 0x2F, 0xFD, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Self::Compressed),
            [b'%', b'P', b'D', b'F', ..] => Some(Self::Pdf),
            [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] | [b'P', b'A', b'R', b'1', ..] => {
                Some(Self::Binary)
            }
            _ => None,
        }
    }

    /// Tells from the first raw bytes of what is not read yet. UTF-16 is for [`Looks::of_text`] to
    /// judge, once it is decoded.
    pub(super) fn of_raw(head: &[u8]) -> Option<Self> {
        let is_decoded = !matches!(Encoding::sniff(head).0, Encoding::Utf16Le | Encoding::Utf16Be);
        Self::of(head).or_else(|| is_decoded.then(|| Self::of_text(head)).flatten())
    }

    /// Tells from the beginning of the decoded text.
    pub(super) fn of_text(head: &[u8]) -> Option<Self> {
        let start = head.trim_ascii_start();
        let markup = [&b"<!doctype"[..], b"<html", b"<?xml"];
        let starts =
            |tag: &&[u8]| start.get(..tag.len()).is_some_and(|s| s.eq_ignore_ascii_case(tag));
        let controls = head.iter().filter(|b| matches!(b, 0..=8 | 14..=26 | 28..=31)).count();
        if head.contains(&0) || controls * 20 > head.len() {
            return Some(Self::Binary);
        }
        markup.iter().any(starts).then_some(Self::Markup)
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excel => "an Excel workbook; open it and save it as \"CSV UTF-8\"",
            Self::Zip => "a zip archive; unpack it, and export a spreadsheet as CSV",
            Self::Compressed => "a compressed file; unpack it first (gunzip, zstd -d, bunzip2)",
            Self::Pdf => "a PDF; export the list as CSV or JSON instead",
            Self::Markup => "a web page or XML; export the list as CSV or JSON instead",
            Self::Binary => "a binary file; export the list as CSV or JSON instead",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_named() {
        for (head, looks) in [
            (&b"PK\x03\x04....[Content_Types].xml"[..], Some(Looks::Excel)),
            (b"PK\x03\x04....readme.txt", Some(Looks::Zip)),
            (b"\xD0\xCF\x11\xE0\xA1\xB1", Some(Looks::Excel)),
            (b"\x1F\x8B\x08", Some(Looks::Compressed)),
            (b"%PDF-1.7", Some(Looks::Pdf)),
            (b"location_id\n", None),
        ] {
            assert_eq!(Looks::of(head), looks, "{head:?}");
        }
        assert_eq!(Looks::of_text(b"a\0b"), Some(Looks::Binary));
        assert_eq!(Looks::of_text(b" <!DOCTYPE html>"), Some(Looks::Markup));
        assert_eq!(Looks::of_text(b"location_id\n"), None);
    }
}
