//! A field of a pair as a column takes it.

use jiff::Timestamp;

use super::{
    column::{Cell, Column, Family},
    document,
    field::Content,
    mapping::{As, Source},
    pair::Pair,
    sql::Value,
    time_form::{IsoForm, Number, TimeForm, Unit},
};

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text as it is.
    Plain,
    /// A time.
    Time(TimeForm),
    /// A whole number, as a number.
    Number,
    /// A whole number, as text.
    NumberText,
    /// Scopes.
    List(ListForm),
    /// A JSON document, in the shape of the old one.
    Document,
    /// A text as a JSON string.
    JsonText,
}

/// How several texts stand in one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListForm {
    /// `a b`
    Blanks,
    /// `a,b`
    Commas,
    /// `["a","b"]`
    Json,
}

/// The form that a mapping file asks for by `as`.
pub fn form_of(format: As, column: &Column) -> Form {
    let number = match column.family {
        Family::Text => Number::Text,
        Family::Real => Number::Real,
        _ => Number::Int,
    };
    match format {
        As::EpochSeconds => Form::Time(TimeForm::Epoch(Unit::Second, number)),
        As::EpochMilliseconds => Form::Time(TimeForm::Epoch(Unit::Millisecond, number)),
        As::Iso => Form::Time(TimeForm::Iso(IsoForm::JAVASCRIPT)),
        As::Json => Form::Document,
    }
}

/// How scopes stand in a column, by the values that it has.
pub fn list_form(column: &Column, cells: &[Cell]) -> ListForm {
    if matches!(column.family, Family::Array | Family::Json) {
        return ListForm::Json;
    }
    let first = cells.iter().find_map(Cell::filled).unwrap_or_default().trim();
    if first.starts_with('[') {
        ListForm::Json
    } else if first.contains(',') && !first.contains(' ') {
        ListForm::Commas
    } else {
        ListForm::Blanks
    }
}

/// What a source gives for a pair in a form; NULL where the pair has no such field.
pub fn encode(source: &Source, form: Form, pair: &Pair, old: &Cell, now: Timestamp) -> Value {
    match source {
        Source::Null => Value::Null,
        Source::Value(text) => fixed(text, old),
        Source::Field(field, _) => content(field.of(pair, now), form, pair, old, now),
    }
}

/// A value of the mapping; a number where the column has numbers.
fn fixed(text: &str, old: &Cell) -> Value {
    match old.family {
        Family::Int => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Int),
        _ => Value::Text(text.to_owned()),
    }
}

fn content(content: Content, form: Form, pair: &Pair, old: &Cell, now: Timestamp) -> Value {
    match (content, form) {
        (Content::Nothing, _) => Value::Null,
        (Content::Text(text), Form::List(list)) => Value::Text(listed(&text, list)),
        (Content::Text(text), Form::JsonText) => {
            Value::Text(serde_json::Value::String(text).to_string())
        }
        (Content::Text(text), _) => Value::Text(text),
        (Content::Time(time), Form::Time(form)) => form.write(time),
        (Content::Time(time), _) => TimeForm::Iso(IsoForm::JAVASCRIPT).write(time),
        (Content::Number(number), Form::NumberText) => Value::Text(number.to_string()),
        (Content::Number(number), _) => Value::Int(number),
        (Content::Document(_), _) => Value::Text(document::renewed(old.filled(), pair, now)),
    }
}

fn listed(text: &str, form: ListForm) -> String {
    let scopes: Vec<&str> = text.split_ascii_whitespace().collect();
    match form {
        ListForm::Blanks => text.to_owned(),
        ListForm::Commas => scopes.join(","),
        ListForm::Json => serde_json::json!(scopes).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_stand_as_the_column_has_them() {
        for (family, old, expected) in [
            (Family::Text, "a.read b.write", "x y"),
            (Family::Text, "a.read,b.write", "x,y"),
            (Family::Text, r#"["a.read"]"#, r#"["x","y"]"#),
            (Family::Text, "", "x y"),
            (Family::Array, "{a.read}", r#"["x","y"]"#),
        ] {
            let column = Column { family, ..Column::unknown("scope") };
            let cells = [Cell { text: Some(old.to_owned()), family }];
            assert_eq!(listed("x y", list_form(&column, &cells)), expected, "{old}");
        }
    }
}
