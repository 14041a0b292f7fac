//! What was written, compared with what reads back. Pure.

use jiff::{SignedDuration, Timestamp};

use super::prepared::ReadRow;
use crate::store::{
    encode::Form, field::Field, mapping::Source, plan::StorePlan, sql::Value, statement::NewValue,
};

/// How far an expiry may be from what was written: databases round to whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// What differs between the values that were written and the row that reads back, in words and
/// without a value; `None` where they agree. Tokens agree exactly, times to a second; other columns
/// may be changed by the database.
pub fn difference(
    plan: &StorePlan,
    new: &[NewValue],
    row: &ReadRow,
    expires_at: Option<Timestamp>,
) -> Option<String> {
    let written = plan.written.iter().zip(new);
    let mut differences = written.filter_map(|(written, new)| {
        let NewValue::Set(new) = new else { return None };
        let name = &written.column.name;
        let read = row.cell(name);
        match (&written.source, written.form) {
            (Source::Field(field, _), _) if field.is_token() => {
                token_difference(name, new, read.text.as_deref())
            }
            (Source::Field(Field::ExpiresAt, _), Form::Time(form)) => {
                let (wanted, text) = (expires_at?, read.text.unwrap_or_default());
                let is_same = form
                    .moment(&text)
                    .is_some_and(|moment| moment.duration_since(wanted).abs() <= ROUNDING);
                (!is_same).then(|| format!("{name} reads back as another time"))
            }
            _ => None,
        }
    });
    differences.next()
}

fn token_difference(name: &str, new: &Value, read: Option<&str>) -> Option<String> {
    let new = match new {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    };
    match (new, read) {
        (new, read) if new == read => None,
        (Some(""), None) | (None, Some("")) => None,
        (Some(_), None | Some("")) => Some(format!("{name} reads back empty")),
        (Some(new), Some(read)) if new.starts_with(read) => {
            Some(format!("{name} reads back cut to {} of {} characters", read.len(), new.len()))
        }
        _ => Some(format!(
            "{name} reads back as something else, as a trigger of the table makes it (does it encrypt?)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_exactly_or_the_difference_is_named() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (new, read, expected) in [
            (text("token"), Some("token"), None),
            (Value::Null, None, None),
            (Value::Null, Some(""), None),
            (text("token"), None, Some("reads back empty")),
            (text("token"), Some("tok"), Some("cut to 3 of 5")),
            (text("token"), Some("Token"), Some("something else")),
            (text("token"), Some("gAAAAA"), Some("something else")),
        ] {
            let found = token_difference("access_token", &new, read);
            match expected {
                None => assert_eq!(found, None),
                Some(part) => {
                    assert!(found.as_ref().is_some_and(|f| f.contains(part)), "{found:?}");
                }
            }
        }
    }
}
