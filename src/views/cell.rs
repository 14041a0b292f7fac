//! Cells of the CSV files.

use std::fmt::Display;

/// A value, or an empty cell.
pub fn or_empty(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that somebody else wrote, so that no spreadsheet takes it for a formula: what begins
/// like one gets an apostrophe before it.
pub fn foreign(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_foreign_text_is_a_formula() {
        for (text, cell) in [
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("Location is not active", "Location is not active"),
            ("", ""),
        ] {
            assert_eq!(foreign(text), cell);
        }
    }
}
