//! What the README has no room for: a text a topic, for `explain` and the manual page.

/// A topic of `explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// What is typed for it.
    pub name: &'static str,
    text: &'static str,
}

impl Topic {
    /// The first line of the text: what it is about.
    pub fn title(self) -> &'static str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The whole text, at most 80 columns wide.
    pub fn text(self) -> &'static str {
        self.text
    }
}

macro_rules! topics {
    ($($name:literal),+ $(,)?) => {
        &[$(Topic { name: $name, text: include_str!(concat!("topics/", $name, ".txt")) }),+]
    };
}

/// All topics, in the order in which a person meets them.
pub const TOPICS: &[Topic] = topics![
    "occasions",
    "lists",
    "tokens",
    "spreadsheets",
    "routes",
    "apps",
    "discover",
    "store",
    "halts",
    "resume",
    "chain",
    "events",
    "known-messages",
    "escalation",
    "sandbox",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_title_and_fits_into_a_terminal() {
        for topic in TOPICS {
            assert!(topic.text().starts_with(&format!("{}\n\n", topic.title())), "{}", topic.name);
            for line in topic.text().lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", topic.name);
            }
        }
    }
}
