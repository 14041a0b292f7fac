//! Stretches of time in bounded memory: those that nearly touch become one.

/// Stretches that are kept at most.
const MOST: usize = 40;

/// Stretches of time in milliseconds, in order, none touching another.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    spans: Vec<(i64, i64)>,
    /// Stretches that are no further apart become one.
    gap_ms: i64,
    /// Milliseconds of all that were added; that they are joined to be drawn does not change it.
    covered_ms: i64,
}

impl Spans {
    /// Adds a stretch that begins no earlier than the ones before.
    pub fn add(&mut self, from: i64, to: i64) {
        if to <= from {
            return;
        }
        let covered = self.spans.last().map_or(from, |(_, end)| (*end).max(from));
        self.covered_ms += (to - covered).max(0);
        self.append(from, to);
        while self.spans.len() > MOST {
            self.join();
        }
    }

    /// Joins those that are no further apart than a fiftieth of the run, or twice as far as before.
    fn join(&mut self) {
        let part = self.spans.last().map_or(0, |(_, end)| end / 50);
        self.gap_ms = (self.gap_ms * 2).max(part).max(1);
        for (from, to) in std::mem::take(&mut self.spans) {
            self.append(from, to);
        }
    }

    fn append(&mut self, from: i64, to: i64) {
        match self.spans.last_mut() {
            Some((_, end)) if from <= end.saturating_add(self.gap_ms) => *end = (*end).max(to),
            _ => self.spans.push((from, to)),
        }
    }

    /// Ends what lasts longer than this.
    pub fn cut_at(&mut self, end_ms: i64) {
        if let Some((from, to)) = self.spans.last() {
            self.covered_ms -= (to - end_ms.max(*from)).max(0);
        }
        self.spans.retain(|(from, _)| *from < end_ms);
        if let Some((_, to)) = self.spans.last_mut() {
            *to = (*to).min(end_ms);
        }
    }

    /// The stretches.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.spans.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Milliseconds that they cover.
    pub fn covered_ms(&self) -> i64 {
        self.covered_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_that_touch_are_one() {
        let mut spans = Spans::default();
        for (from, to) in [(0, 10), (5, 20), (20, 30), (50, 60), (60, 50), (100, 200)] {
            spans.add(from, to);
        }
        assert_eq!(spans.iter().collect::<Vec<_>>(), [(0, 30), (50, 60), (100, 200)]);
        assert_eq!(spans.covered_ms(), 30 + 10 + 100);
        spans.cut_at(120);
        assert_eq!(spans.covered_ms(), 30 + 10 + 20);
        assert_eq!(spans.iter().last(), Some((100, 120)));
    }

    #[test]
    fn a_million_stretches_are_few() {
        let mut spans = Spans::default();
        (0..1_000_000).for_each(|n| spans.add(n * 200, n * 200 + 100));
        assert!(spans.iter().count() <= MOST);
        assert_eq!(spans.covered_ms(), 1_000_000 * 100);
        assert_eq!(spans.iter().last().map(|(_, end)| end), Some(999_999 * 200 + 100));
    }
}
