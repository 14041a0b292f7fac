//! Lines that break at words, at the width of the terminal.

use console::Term;
use textwrap::{Options, WordSeparator, WordSplitter};

/// Below this a terminal is too narrow for words.
const NARROWEST: usize = 20;

/// The widest title that text is aligned behind: that of a plan's line.
const WIDEST_TITLE: usize = 17;

/// Columns of the terminal that standard error is; `None` where it is none.
pub fn stderr_width() -> Option<usize> {
    columns(&Term::stderr())
}

/// Columns of the terminal that standard output is; `None` where it is none.
pub fn stdout_width() -> Option<usize> {
    columns(&Term::stdout())
}

fn columns(terminal: &Term) -> Option<usize> {
    let size = terminal.size_checked().filter(|_| terminal.is_term());
    size.map(|(_, columns)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// A text for a terminal of this width; elsewhere as it is.
pub fn fitted(text: &str, width: Option<usize>) -> String {
    width.map_or_else(|| text.to_owned(), |width| wrapped(text, width))
}

/// A text whose lines are broken at words so that none is wider, as far as its words allow. Commands
/// stay whole: they are copied.
fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| wrapped_line(line, width.max(NARROWEST)));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    if textwrap::core::display_width(line) <= width || is_command(line) {
        return line.to_owned();
    }
    // A word that fits into a line of its own is not broken for the sake of alignment.
    let widest = line.split(' ').map(textwrap::core::display_width).max().unwrap_or_default();
    let aligned = indent_of(line);
    let indent = " ".repeat(if widest + aligned <= width { aligned } else { leading(line) });
    let options = Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .subsequent_indent(&indent);
    textwrap::fill(line, options)
}

/// Whether a line is, behind its title, a command to copy.
fn is_command(line: &str) -> bool {
    let command = concat!(env!("CARGO_PKG_NAME"), " ");
    line.trim_start().starts_with(command)
        || line.contains(concat!("  ", env!("CARGO_PKG_NAME"), " "))
}

/// Where the lines that follow begin: below the text behind a title (`Calls          16 at 10/s`), or
/// below the first word.
fn indent_of(line: &str) -> usize {
    let leading = leading(line);
    let title = line.trim_start().find("  ").map(|end| {
        let rest = &line.trim_start()[end..];
        leading + end + rest.len() - rest.trim_start().len()
    });
    title.filter(|column| *column <= WIDEST_TITLE).unwrap_or(leading)
}

fn leading(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_words_and_commands_do_not() {
        for (text, width, expected) in [
            ("short", 80, "short"),
            ("one two three four five six", 20, "one two three four\nfive six"),
            (
                "Calls          16 at 50/s, 7 in flight: 1s at least",
                40,
                "Calls          16 at 50/s, 7 in flight:\n               1s at least",
            ),
            (
                "        retry: needs-reinstall; trace id for support: abc",
                40,
                "        retry: needs-reinstall; trace id\n        for support: abc",
            ),
            (
                "Next        ghl-reconnect resume runs/2026 --retry-failed",
                20,
                "Next        ghl-reconnect resume runs/2026 --retry-failed",
            ),
            (
                "Endpoint       http://127.0.0.1:7400/oauth/reconnect",
                40,
                "Endpoint\nhttp://127.0.0.1:7400/oauth/reconnect",
            ),
            ("a\n\nb", 20, "a\n\nb"),
            (
                "see https://example.com/a/very/long/address here",
                20,
                "see\nhttps://example.com/a/very/long/address\nhere",
            ),
        ] {
            assert_eq!(wrapped(text, width), expected);
        }
    }
}
