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
    "shards",
    "chain",
    "events",
    "known-messages",
    "escalation",
    "sandbox",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{EngineStep, FOR_ENGINES};

    #[test]
    fn the_exit_codes_for_engines_stand_in_their_topic() {
        let text = TOPICS.iter().find(|topic| topic.name == "shards").unwrap().text();
        for (code, step) in FOR_ENGINES {
            let begins = match step {
                EngineStep::Done => "done",
                EngineStep::DoneWithFailures => "done, some installations failed: do not restart",
                EngineStep::FailJob => "fail the whole job",
                EngineStep::Restart => "restart",
            };
            assert!(text.contains(&format!("\n{code:>7}  {begins}")), "{code}");
        }
    }

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
