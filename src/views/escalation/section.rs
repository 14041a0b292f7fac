//! One section: what goes into one ticket, within the characters that its form takes.

use super::{
    markdown::block,
    samples::{LEAST, thinned},
};

/// The parts of a section, the most important first.
#[derive(Debug, Default)]
pub struct Section {
    /// Its heading, without foreign text.
    pub title: String,
    /// Lines on what happened.
    pub facts: Vec<String>,
    /// Lines on some of the installations, in the order of time.
    pub samples: Vec<String>,
    /// A command that shows the fault, with placeholders for secrets.
    pub repro: Option<String>,
    /// Where the rest is.
    pub pointer: String,
}

impl Section {
    /// The section in at most `limit` characters: with fewer samples, then without the repro, then
    /// without the last facts, where it would be longer.
    pub fn within(&self, limit: usize) -> String {
        let fits = |text: &String| text.chars().count() <= limit;
        let fewer = (LEAST.min(self.samples.len())..=self.samples.len()).rev();
        let whole = fewer.map(|count| self.text(count, self.repro.as_deref())).find(fits);
        whole
            .or_else(|| Some(self.text(LEAST, None)).filter(fits))
            .unwrap_or_else(|| self.cut(limit))
    }

    fn text(&self, samples: usize, repro: Option<&str>) -> String {
        let mut parts = vec![format!("## {}", self.title), self.facts.join("\n")];
        if !self.samples.is_empty() {
            let lines = thinned(&self.samples, samples.max(2));
            parts.push(format!("Samples, spread over the time:\n\n{}", lines.join("\n")));
        }
        if let Some(repro) = repro {
            parts.push(format!("To reproduce:\n\n{}", block("sh", repro)));
        }
        parts.push(self.pointer.clone());
        parts.join("\n\n") + "\n"
    }

    fn cut(&self, limit: usize) -> String {
        let end = format!("\n(Cut to {limit} characters.) {}\n", self.pointer);
        let mut text = format!("## {}\n\n", self.title);
        let mut left = limit.saturating_sub(text.chars().count() + end.chars().count());
        for line in &self.facts {
            let length = line.chars().count() + 1;
            if length > left {
                break;
            }
            left -= length;
            text.push_str(line);
            text.push('\n');
        }
        text + &end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Section {
        Section {
            title: "1. A thousand".to_owned(),
            facts: (0..8).map(|n| format!("- fact {n}: {}", "x".repeat(80))).collect(),
            samples: (0..10).map(|n| format!("- trace id {n}{}", "t".repeat(80))).collect(),
            repro: Some("curl\n".repeat(40)),
            pointer: "Full list: escalation.csv".to_owned(),
        }
    }

    #[test]
    fn a_section_is_cut_at_sensible_places_and_points_to_the_rest() {
        let whole = section().within(100_000);
        let length = whole.chars().count();
        assert_eq!(section().within(length), whole);
        for (limit, samples, has_repro) in [
            (length, 10, true),
            (length - 1, 9, true),
            (1400, 3, true),
            (1200, 3, false),
            (400, 0, false),
        ] {
            let text = section().within(limit);
            assert!(text.chars().count() <= limit, "{limit}: {text}");
            assert_eq!(text.matches("trace id").count(), samples, "{limit}: {text}");
            assert_eq!(text.contains("curl"), has_repro, "{limit}");
            assert_eq!(text.matches("```").count() % 2, 0, "no block is left open");
            assert!(text.starts_with("## 1. A thousand\n"), "{text}");
            assert!(text.ends_with("Full list: escalation.csv\n"), "{text}");
            assert!(text.lines().all(|line| !line.starts_with("- fact") || line.len() > 80));
        }
    }
}
