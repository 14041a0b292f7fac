//! Rows of a kind, counted and named: those that are alike in one line with examples.

/// Lines that are kept; further rows are counted.
const LINES: usize = 5;

/// Examples of a line, besides the first row.
const EXAMPLES: usize = 3;

/// A number of rows, the first of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// How many.
    pub count: u32,
    lines: Vec<NamedLine>,
}

/// Rows that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedLine {
    /// What they have in common.
    kind: String,
    /// The first of them in words.
    first: String,
    /// Others in a word or two.
    others: Vec<String>,
    count: u32,
}

impl NamedLine {
    fn in_words(&self) -> String {
        let more = self.count as usize - 1 - self.others.len();
        let others = self.others.join(", ");
        match (self.others.len(), more) {
            (0, _) => self.first.clone(),
            (_, 0) => format!("{}; also {others}", self.first),
            (_, more) => format!("{}; also {others} and {more} more", self.first),
        }
    }
}

impl Named {
    /// The first of them in words, a line for those of a kind.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().map(NamedLine::in_words).collect()
    }

    /// How many rows are in none of the lines.
    pub fn beyond(&self) -> u32 {
        self.count - self.lines.iter().map(|line| line.count).sum::<u32>()
    }

    /// The first of them in a row, and how many more there are.
    pub fn in_a_row(&self) -> String {
        let named = self.lines().join(", ");
        match self.beyond() {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    /// Counts a row that is like no other one.
    pub(super) fn add(&mut self, name: &str) {
        self.add_alike(name, || name.to_owned(), || name.to_owned());
    }

    /// Counts a row of a kind: in words, and in a word or two beside others of its kind.
    pub(super) fn add_alike(
        &mut self,
        kind: &str,
        in_words: impl FnOnce() -> String,
        in_short: impl FnOnce() -> String,
    ) {
        self.count += 1;
        if let Some(line) = self.lines.iter_mut().find(|line| line.kind == kind) {
            line.count += 1;
            if line.others.len() < EXAMPLES {
                line.others.push(in_short());
            }
        } else if self.lines.len() < LINES {
            let (kind, first) = (kind.to_owned(), in_words());
            self.lines.push(NamedLine { kind, first, others: Vec::new(), count: 1 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_alike_are_one_line_with_examples() {
        let mut named = Named::default();
        let mut add = |kind: &str, rows: std::ops::RangeInclusive<u32>| {
            for row in rows {
                let in_words = || format!("row {row} (line {}): {kind}", row + 1);
                named.add_alike(kind, in_words, || format!("row {row}"));
            }
        };
        add("empty", 1..=1);
        add("too long", 2..=4);
        add("a relationship number", 5..=14);
        add("x", 15..=15);
        add("y", 16..=16);
        add("z", 17..=19);
        assert_eq!(
            named.lines(),
            [
                "row 1 (line 2): empty",
                "row 2 (line 3): too long; also row 3, row 4",
                "row 5 (line 6): a relationship number; also row 6, row 7, row 8 and 6 more",
                "row 15 (line 16): x",
                "row 16 (line 17): y",
            ]
        );
        assert_eq!((named.count, named.beyond()), (19, 3));
    }

    #[test]
    fn names_that_differ_stand_in_a_row() {
        let mut named = Named::default();
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            named.add(name);
        }
        assert_eq!(named.in_a_row(), "a, b, c, d, e and 2 more");
    }
}
