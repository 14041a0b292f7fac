//! The books as a bar.

use super::{
    Entry,
    look::Look,
    plot::{Mark, drawn},
};
use crate::{journal::state::Books, views::report::words::count};

/// A bar whose parts are the states of the rows.
pub(in crate::views::report) struct BooksBar {
    /// Elements of an SVG.
    pub(in crate::views::report) marks: String,
    pub(in crate::views::report) parts: Vec<BookPart>,
    /// What it shows, in a sentence.
    pub(in crate::views::report) sentence: String,
}

/// A part of the bar.
pub(in crate::views::report) struct BookPart {
    /// Its name in `summary.json`.
    pub(in crate::views::report) name: &'static str,
    pub(in crate::views::report) count: u32,
    pub(in crate::views::report) entry: Entry,
}

/// The bar of these books; its text is about all rows of the list.
pub(in crate::views::report) fn bar_of_books(books: &Books) -> anyhow::Result<BooksBar> {
    let states = [
        ("recovered", books.recovered, Look::Recovered, "recovered"),
        ("skipped", books.skipped, Look::Skipped, "skipped"),
        ("failed", books.failed, Look::Failed, "failed"),
        ("not_attempted", books.not_attempted, Look::NotAttempted, "not attempted or not finished"),
        ("duplicate", books.duplicate, Look::LeftOut, "duplicate rows"),
        ("rejected", books.rejected, Look::LeftOut, "rejected rows"),
    ];
    let total = f64::from(books.input.max(1));
    let (mut marks, mut parts, mut from) = (Vec::new(), Vec::new(), 0.0);
    for (name, number, look, text) in states {
        let to = (from + f64::from(number) / total).min(1.0);
        if number > 0 {
            // A gap parts it from the next one.
            let end = if to < 1.0 { (to - 0.003).max(from + 0.003) } else { to };
            marks.push(Mark::Area(look, (from, 0.0), (end, 1.0)));
        }
        // What is not there is left out, but for what everybody looks for.
        if number > 0 || matches!(name, "recovered" | "failed") {
            let entry = Entry::area(look, text);
            parts.push(BookPart { name, count: number, entry });
        }
        from = to;
    }
    let listed: Vec<_> =
        parts.iter().map(|part| format!("{} {}", count(part.count), part.entry.text)).collect();
    let sentence = format!("Of {} rows: {}.", count(books.input), listed.join(", "));
    Ok(BooksBar { marks: drawn((1000, 28), &marks)?, parts, sentence })
}
