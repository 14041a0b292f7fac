//! The shape of `classes.toml`, and of the files of `--known-messages`.

use std::{fmt, marker::PhantomData, num::NonZeroU32, ops::RangeInclusive};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer, SeqAccess, Visitor, value},
};
use toml::Spanned;

use crate::{
    failure::{Advice, Class, Stage},
    highlevel::error_text::BodyKind,
};

/// The built-in file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassFile {
    pub(super) class: Vec<About>,
    pub(super) answer: Vec<Spanned<AnswerRow>>,
}

/// A file of rows alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerRows {
    pub(super) answer: Vec<Spanned<AnswerRow>>,
}

/// A class of failure: its meaning and consequences.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The class.
    pub name: Class,
    /// What happened, in a sentence.
    pub means: String,
    /// Whom the fault concerns.
    pub reach: Reach,
    /// How many of them halt the run.
    #[serde(default)]
    pub halts: Option<Halts>,
    /// The `retry` column of `failures.csv`.
    pub retry: Advice,
    /// What to do, in a sentence.
    pub todo: String,
    /// How the class is recognised.
    pub recognised_by: String,
    /// Printed when the run halts for it; empty if it never does.
    #[serde(default)]
    pub next_steps: String,
}

/// Whom a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Reach {
    /// This installation, for good.
    #[serde(rename = "this installation")]
    ThisOne,
    /// This installation; another attempt may succeed.
    #[serde(rename = "this one again")]
    ThisOneAgain,
    /// Perhaps all: another attempt may succeed, and the run pauses when many meet it.
    #[serde(rename = "all pause")]
    AllPause,
    /// All: the run halts.
    #[serde(rename = "all stop")]
    AllStop,
}

impl Reach {
    /// In words, as the file has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ThisOne => "this installation",
            Self::ThisOneAgain => "this one again",
            Self::AllPause => "all pause",
            Self::AllStop => "all stop",
        }
    }
}

/// How many installations in a row, none of which had failed before, halt the run with a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halts {
    /// As long as nothing was recovered.
    pub first: u32,
    /// Once something was; `None`: never.
    #[serde(default)]
    pub later: Option<u32>,
    /// The only stage at which they count; `None`: all.
    #[serde(default)]
    pub at: Option<Stage>,
}

/// A row: from an answer to its class. An empty field matches everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRow {
    /// At these steps.
    #[serde(default)]
    pub stage: OneOrMany<Stage>,
    /// With one of these statuses.
    #[serde(default)]
    pub status: OneOrMany<Statuses>,
    /// With a body of this kind.
    #[serde(default)]
    pub body: Option<BodyKind>,
    /// With one of these texts.
    #[serde(default)]
    pub message: OneOrMany<String>,
    /// And with one of these names.
    #[serde(default)]
    pub names: OneOrMany<String>,
    /// What it is.
    pub class: Class,
    /// This many installations in a row with this answer, without a success between, halt the run: the
    /// fault concerns all. `None` leaves that to the class.
    #[serde(default)]
    pub concerns_all: Option<NonZeroU32>,
    /// Whole bodies that must land on this row.
    #[serde(default)]
    pub example: OneOrMany<String>,
    /// Documented, observed or inferred, and where.
    #[serde(default)]
    pub source: String,
}

/// A status, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(pub RangeInclusive<u16>);

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.0.start(), self.0.end());
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as 400, or a range such as \"500-599\"")
            }

            fn visit_i64<E: Error>(self, status: i64) -> Result<Statuses, E> {
                statuses(&status.to_string())
                    .ok_or_else(|| E::custom("a status is a number from 100 to 599"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Statuses, E> {
                let wrong = "write statuses as 400 or \"500-599\", from 100 to 599";
                statuses(text).ok_or_else(|| E::custom(wrong))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

fn statuses(text: &str) -> Option<Statuses> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (100 <= first && first <= last && last <= 599).then_some(Statuses(first..=last))
}

/// A value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
                Ok(vec![T::deserialize(text.into_deserializer())?])
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
                Ok(vec![T::deserialize(number.into_deserializer())?])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(seq))
            }
        }
        deserializer.deserialize_any(Either(PhantomData)).map(Self)
    }
}
