//! The table from (stage, status, kind of body, text) to class, read from the top, first match wins; and
//! the meaning and consequences of each class.
//!
//! HighLevel publishes no list of its messages, status alone never separates causes, and wording
//! varies; so texts are compared loosely ([`super::normalised_message`]). The table is `classes.toml`; rows of
//! the user's own go before it.

mod data;
mod paste;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, LazyLock},
};

use thiserror::Error;
use toml::Spanned;

use self::data::{AnswerRows, ClassFile};
pub use self::{
    data::{About, AnswerRow, Halts, OneOrMany, Reach},
    paste::row_for,
};
use super::{
    error_text::{self, BodyKind},
    normalised_message::NormalisedMessage,
};
use crate::failure::{Advice, Class, Failure, Stage};

/// The built-in file.
const CLASSES: &str = include_str!("../classes.toml");

/// The built-in table.
#[derive(Debug, Default)]
struct ClassTable {
    about: BTreeMap<Class, About>,
    rules: Vec<Rule>,
}

/// A test proves that it parses; an empty table would take every answer for unrecognised.
static TABLE: LazyLock<ClassTable> = LazyLock::new(|| {
    let book: ClassFile = toml::from_str(CLASSES).unwrap_or_default();
    ClassTable {
        about: book.class.into_iter().map(|about| (about.name, about)).collect(),
        rules: book.answer.into_iter().map(|row| Rule::of(row.into_inner())).collect(),
    }
});

/// Stands for a class that the file leaves out.
static NOTHING: LazyLock<About> = LazyLock::new(|| About {
    name: Class::Unrecognised,
    means: String::new(),
    reach: Reach::ThisOne,
    halts: None,
    retry: Advice::NeedsSupport,
    todo: String::new(),
    recognised_by: String::new(),
    next_steps: String::new(),
});

impl Class {
    /// Its meaning and consequences.
    pub fn about(self) -> &'static About {
        TABLE.about.get(&self).unwrap_or(&NOTHING)
    }

    /// What to do about an installation that ended in this class.
    pub fn advice(self) -> Advice {
        self.about().retry
    }
}

impl Failure {
    /// What to do about an installation that ended so: what the class says, but for a token that will
    /// be refused again, whenever it is presented.
    pub fn advice(&self) -> Advice {
        match (self.stage, self.class) {
            (Stage::Refresh, Class::GrantRefused) => Advice::NeedsReinstall,
            (Stage::Agency, Class::GrantRefused | Class::WrongKind) => Advice::FixInput,
            _ => self.class.advice(),
        }
    }
}

/// The built-in rows, in their order.
pub fn rows() -> impl Iterator<Item = &'static AnswerRow> {
    TABLE.rules.iter().map(|rule| &rule.row)
}

/// A row with its messages ready to be compared.
#[derive(Debug)]
struct Rule {
    row: AnswerRow,
    messages: Vec<NormalisedMessage>,
    names: Vec<NormalisedMessage>,
}

/// An answer that is no success and no redirect.
struct Refusal<'a> {
    stage: Stage,
    status: u16,
    body: BodyKind,
    error_text: &'a NormalisedMessage,
}

impl Rule {
    fn of(row: AnswerRow) -> Self {
        let wordings = |texts: &OneOrMany<String>| {
            texts.0.iter().map(|text| NormalisedMessage::of(text)).collect()
        };
        let (messages, names) = (wordings(&row.message), wordings(&row.names));
        Self { row, messages, names }
    }

    fn matches(&self, refusal: &Refusal<'_>) -> bool {
        let AnswerRow { stage, status, body, .. } = &self.row;
        let any_or = |empty: bool, holds: bool| empty || holds;
        let has_one_of = |texts: &[NormalisedMessage]| {
            any_or(
                texts.is_empty(),
                texts.iter().any(|text| refusal.error_text.contains_words(text)),
            )
        };
        any_or(stage.0.is_empty(), stage.0.contains(&refusal.stage))
            && any_or(
                status.0.is_empty(),
                status.0.iter().any(|range| range.0.contains(&refusal.status)),
            )
            && body.is_none_or(|body| body == refusal.body)
            && has_one_of(&self.messages)
            && has_one_of(&self.names)
    }
}

/// What the answers of a run mean: the built-in table, and before it the rows of
/// `--known-messages`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    known: Arc<[Rule]>,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// Its class.
    pub class: Class,
    /// How many installations in a row that are answered so stop the run; see [`AnswerRow::concerns_all`].
    pub concerns_all: Option<NonZeroU32>,
}

/// What is wrong with a file of rows.
#[derive(Debug, Error)]
pub enum TableError {
    /// It is no TOML, or has other fields or values than a row can have; the text has the line.
    #[error("{0}")]
    Syntax(String),
    /// A row that cannot be meant.
    #[error("line {line}, row {row}: {why}")]
    Row {
        /// The line of the file at which the row begins, from 1.
        line: usize,
        /// Number of the row, from 1.
        row: usize,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl Answers {
    /// Reads rows that go before the built-in ones.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let rows: AnswerRows =
            toml::from_str(text).map_err(|error| TableError::Syntax(error.to_string()))?;
        let spans: Vec<_> = rows.answer.iter().map(Spanned::span).collect();
        let rules = rows.answer.into_iter().map(|row| Rule::of(row.into_inner()));
        let answers = Self { known: rules.collect() };
        for (index, span) in spans.into_iter().enumerate() {
            let line = text.get(..span.start).unwrap_or_default().matches('\n').count() + 1;
            let refused = |why| TableError::Row { line, row: index + 1, why };
            answers.check(index).map_err(refused)?;
        }
        Ok(answers)
    }

    /// The class of an answer that is no success and no redirect.
    pub fn class_of(&self, stage: Stage, status: u16, body: BodyKind, error_text: &str) -> Class {
        self.meaning_of(stage, status, body, error_text).class
    }

    /// What such an answer means, for its installation and for all.
    pub fn meaning_of(
        &self,
        stage: Stage,
        status: u16,
        body: BodyKind,
        error_text: &str,
    ) -> Meaning {
        let error_text = NormalisedMessage::of(error_text);
        let refusal = Refusal { stage, status, body, error_text: &error_text };
        let row = self.first(&refusal).map(|rule| &rule.row);
        Meaning {
            class: row.map_or(Class::Unrecognised, |row| row.class),
            concerns_all: row.and_then(|row| row.concerns_all),
        }
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.known.iter().chain(&TABLE.rules)
    }

    fn first(&self, refusal: &Refusal<'_>) -> Option<&Rule> {
        self.rules().find(|rule| rule.matches(refusal))
    }

    /// Whether the row at a place can be meant: it asks for something, and its examples land on it.
    fn check(&self, index: usize) -> Result<(), String> {
        let Some(rule) = self.rules().nth(index) else { return Ok(()) };
        let AnswerRow { status, message, names, body, stage, example, .. } = &rule.row;
        if status.0.is_empty() && message.0.is_empty() && names.0.is_empty() {
            return Err("give a status or a message; this row would match every answer".into());
        }
        if rule.messages.iter().chain(&rule.names).any(NormalisedMessage::is_empty) {
            return Err("a message without words would match every answer".into());
        }
        let stage = stage.0.first().copied().unwrap_or(Stage::Reconnect);
        let status = status.0.first().map_or(400, |range| *range.0.start());
        for example in &example.0 {
            let (kind, error_text) = error_text::error_text(example.as_bytes());
            let refusal = Refusal {
                stage,
                status,
                body: kind,
                error_text: &NormalisedMessage::of(&error_text),
            };
            if body.is_some_and(|body| body != kind) {
                return Err(format!("the example {example:?} is not of the body named"));
            }
            match self.rules().position(|rule| rule.matches(&refusal)) {
                Some(first) if first == index => {}
                Some(first) => {
                    return Err(format!(
                        "the example {example:?} lands on row {}, which comes before",
                        first + 1
                    ));
                }
                None => return Err(format!("the example {example:?} does not match its row")),
            }
        }
        Ok(())
    }
}
