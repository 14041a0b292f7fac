//! The condition that finds the row of a pair.

use super::{At, is_text, parameter};
use crate::store::{column::Column, sql::Value, target::Dialect};

/// A column of the condition and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Column and value of each part.
    pub parts: Vec<(Column, KeyValue)>,
}

/// What stands in a column of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValue {
    /// This text.
    Is(String),
    /// NULL or nothing.
    Empty,
}

impl Key {
    /// The texts by which a row that was read is known again.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|(_, value)| match value {
            KeyValue::Is(text) => Some(text.as_str()),
            KeyValue::Empty => None,
        })
    }

    /// The condition with a parameter for each text, numbered from `next`, and their values.
    pub(super) fn condition(&self, at: At<'_>, next: usize) -> (String, Vec<Value>) {
        let mut values = Vec::new();
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|(column, value)| match value {
                KeyValue::Empty => empty(at, column),
                KeyValue::Is(text) => {
                    values.push(Value::Text(text.clone()));
                    let sign = parameter(at.dialect, next + values.len() - 1);
                    equals(at, column, &sign)
                }
            })
            .collect();
        (parts.join(" AND "), values)
    }

    /// The condition against the columns `k0`, `k1`, … of a row `r`.
    pub(super) fn condition_on_record(&self, at: At<'_>) -> String {
        let mut index = 0;
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|(column, value)| match value {
                KeyValue::Empty => empty(at, column),
                KeyValue::Is(_) => {
                    let record = format!("r.k{index}");
                    index += 1;
                    equals(at, column, &record)
                }
            })
            .collect();
        parts.join(" AND ")
    }
}

/// A comparison that an index serves where the column is text. Rows that differ in case alone are
/// told apart when they are read.
pub(super) fn equals(at: At<'_>, column: &Column, value: &str) -> String {
    let plain = if is_text(column) || at.dialect != Dialect::Postgres {
        at.column(&column.name)
    } else {
        at.text(&column.name)
    };
    format!("{plain} = {value}")
}

fn empty(at: At<'_>, column: &Column) -> String {
    format!("({} IS NULL OR {} = '')", at.column(&column.name), at.text(&column.name))
}
