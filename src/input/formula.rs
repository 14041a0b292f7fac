//! Cells that a spreadsheet would run, and the apostrophe that keeps it from doing so.
//!
//! Every cell of every CSV file that a run writes is [`guarded`]; where such a file is read again,
//! [`unguarded`] gives back what stood in the list, so that a chain of runs changes no cell.

use std::borrow::Cow;

/// A cell as it may stand in a CSV file: one that a spreadsheet would take for a formula gets an
/// apostrophe before it.
pub fn guarded(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell that was guarded; any other as it is.
pub fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|cell| is_formula(cell)).unwrap_or(cell)
}

/// Whether a spreadsheet would take a cell for a formula: `=`, `+`, `-`, `@`, tab or carriage
/// return at its beginning, also in full width, and behind blanks and quotes, which some programs
/// take off. A plain negative number is none: it is shown as it is, and coordinates are common. A
/// phone number in `+49…` counts as one, as its plus would be lost.
fn is_formula(cell: &str) -> bool {
    let text = cell.trim_start_matches(is_skipped);
    let starts =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '−']);
    starts && !is_negative_number(text)
}

/// Blanks, characters without width, and quotes; not those that begin a formula themselves.
fn is_skipped(c: char) -> bool {
    let is_blank = c.is_whitespace() && !matches!(c, '\t' | '\r' | '\n');
    let has_no_width = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    is_blank || has_no_width || matches!(c, '\'' | '"' | '`' | '‘' | '’' | '“' | '”')
}

fn is_negative_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('-').is_some_and(|number| {
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        digits(whole) && digits(part)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_gets_an_apostrophe() {
        for cell in [
            "=cmd|'/c calc'!A1",
            "+49 30 1234",
            "-1+1",
            "-",
            "@SUM(1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "  =1",
            "\u{a0}=1",
            "\u{feff}=1",
            "'=1",
            "\"=1\"",
            "＝1",
            "＋1",
            "－1",
            "＠SUM(1)",
            "−1",
            "-5-",
            "-5.",
        ] {
            assert_eq!(guarded(cell), format!("'{cell}"), "{cell:?}");
        }
        for cell in ["", "Acme = Co", "a@b", "-5", "-73.9857", "5", "'quoted'", "O'Neill", "'-5"] {
            assert_eq!(guarded(cell), cell, "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn a_guarded_cell_is_no_formula_and_comes_back_as_it_was(cell in "['\" =+@\t\r\u{feff}＝-]{0,4}.{0,4}") {
            let safe = guarded(&cell).into_owned();
            prop_assert_eq!(unguarded(&safe), cell.as_str());
            prop_assert!(!safe.starts_with(['=', '+', '@', '\t', '\r', '＝']));
        }
    }
}
