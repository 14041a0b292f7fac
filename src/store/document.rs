//! The whole answer once more, as JSON in a column: brought up to date in its own shape.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    column::{Cell, Column, Family},
    field::{Content, Field},
    pair::Pair,
    role::{Role, role},
    sql,
    time_form::{TimeForm, Told, told},
};

/// How deep tokens are looked for.
const DEPTH: u32 = 6;

/// The access and the refresh token that stand in a document.
pub fn tokens_in(text: &str) -> Option<(Option<String>, Option<String>)> {
    let document: Map<String, Value> = serde_json::from_str(text).ok()?;
    let find = |wanted| find(&document, wanted, DEPTH).map(str::to_owned);
    let (access, refresh) = (find(Role::Access), find(Role::Refresh));
    (access.is_some() || refresh.is_some()).then_some((access, refresh))
}

fn find(document: &Map<String, Value>, wanted: Role, depth: u32) -> Option<&str> {
    let own = document.iter().find_map(|(name, value)| {
        value.as_str().filter(|text| !text.is_empty() && role(name) == wanted)
    });
    let inner = || {
        let inner = document.values().filter_map(Value::as_object);
        inner.filter(|_| depth > 0).find_map(|inner| find(inner, wanted, depth - 1))
    };
    own.or_else(inner)
}

/// A document with the pair in the place of the old one. Members that it does not have are not added;
/// without one, it is the whole session document.
pub fn renewed(old: Option<&str>, pair: &Pair, now: Timestamp) -> String {
    let Some(text) = old.filter(|old| tokens_in(old).is_some()) else {
        return Value::Object(pair.document.clone()).to_string();
    };
    let Ok(mut document) = serde_json::from_str::<Map<String, Value>>(text) else {
        return Value::Object(pair.document.clone()).to_string();
    };
    renew(&mut document, pair, now, DEPTH);
    if is_spaced(text) { spaced(&document) } else { Value::Object(document).to_string() }
}

fn renew(document: &mut Map<String, Value>, pair: &Pair, now: Timestamp, depth: u32) {
    for (name, value) in &mut *document {
        if let Value::Object(inner) = value {
            if depth > 0 {
                renew(inner, pair, now, depth - 1);
            }
            continue;
        }
        let field = match role(name) {
            Role::Access => Some(Field::AccessToken),
            Role::Refresh => Some(Field::RefreshToken),
            Role::ExpiresAt => Some(Field::ExpiresAt),
            Role::ExpiresIn => Some(Field::ExpiresIn),
            Role::GrantedAt => Some(Field::GrantedAt),
            Role::UpdatedAt => Some(Field::Now),
            Role::Scope => Some(Field::Scope),
            Role::TokenType => Some(Field::TokenType),
            _ => None,
        };
        let new = match field {
            Some(field) => content(field.of(pair, now), value),
            None => pair.document.get(name).cloned(),
        };
        if let Some(new) = new {
            *value = new;
        }
    }
}

/// A content as the old value is written.
fn content(content: Content, old: &Value) -> Option<Value> {
    match (content, old) {
        (Content::Text(text), Value::Array(_)) => {
            Some(text.split_ascii_whitespace().map(Value::from).collect())
        }
        (Content::Text(text), _) => Some(text.into()),
        (Content::Number(number), Value::String(_)) => Some(number.to_string().into()),
        (Content::Number(number), _) => Some(number.into()),
        (Content::Time(time), old) => {
            let (family, text) = match old {
                Value::Number(number) if number.is_f64() => (Family::Real, number.to_string()),
                Value::Number(number) => (Family::Int, number.to_string()),
                Value::String(text) => (Family::Text, text.clone()),
                _ => return None,
            };
            let cell = Cell { text: Some(text), family };
            match told(&Column { family, ..Column::unknown("") }, &[cell]) {
                Told::Form(form) => as_json(form, time),
                _ => None,
            }
        }
        (Content::Nothing | Content::Document(_), _) => None,
    }
}

fn as_json(form: TimeForm, time: Timestamp) -> Option<Value> {
    match form.write(time) {
        sql::Value::Text(text) => Some(text.into()),
        sql::Value::Int(count) => Some(count.into()),
        sql::Value::Real(count) => Some(count.into()),
        sql::Value::Null => None,
    }
}

/// Whether a blank follows each sign, as Python and PostgreSQL write it.
fn is_spaced(text: &str) -> bool {
    text.find("\":").is_some_and(|at| text.as_bytes().get(at + 2) == Some(&b' '))
        && !text.contains('\n')
}

fn spaced(document: &Map<String, Value>) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Spaced);
    match document.serialize(&mut serializer) {
        Ok(()) => String::from_utf8(bytes).unwrap_or_default(),
        Err(_) => Value::Object(document.clone()).to_string(),
    }
}

/// `{"a": 1, "b": 2}`.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair() -> Pair {
        let line = json!({
            "applicationId": "5a0dbc0de5a0dbc0de5a0dbc", "resourceId": "ve9EPM428h8vShlRW1KT",
            "access_token": "A", "refresh_token": "R", "token_type": "Bearer", "scope": "a b",
            "expires_in": 86399, "expire_at": 1_800_000_000_123_u64, "userType": "Location",
            "locationId": "ve9EPM428h8vShlRW1KT", "refreshTokenId": "new",
        });
        Pair::read(line.to_string().as_bytes(), 1, "").unwrap()
    }

    #[test]
    fn a_document_keeps_its_shape() {
        for (old, new) in [
            (
                r#"{"access_token":"a","refresh_token":"r","expires_in":1,"refreshTokenId":"old","mine":{"x":1}}"#,
                r#"{"access_token":"A","refresh_token":"R","expires_in":86399,"refreshTokenId":"new","mine":{"x":1}}"#,
            ),
            (
                r#"{"tokens": {"accessToken": "a", "expiresAt": 1700000000123}, "scopes": ["c"]}"#,
                r#"{"tokens": {"accessToken": "A", "expiresAt": 1800000000123}, "scopes": ["a", "b"]}"#,
            ),
            (
                r#"{"refresh_token":"r","expires_at":"2024-01-01T00:00:00Z"}"#,
                r#"{"refresh_token":"R","expires_at":"2027-01-15T08:00:00Z"}"#,
            ),
        ] {
            assert_eq!(renewed(Some(old), &pair(), Timestamp::UNIX_EPOCH), new);
        }
        let whole = renewed(None, &pair(), Timestamp::UNIX_EPOCH);
        assert_eq!(serde_json::from_str::<Map<_, _>>(&whole).unwrap(), pair().document);
    }

    #[test]
    fn tokens_are_found_where_they_stand() {
        let found = tokens_in(r#"{"session":{"access_token":"a"},"refresh_token":"r"}"#);
        assert_eq!(found, Some((Some("a".into()), Some("r".into()))));
        for text in ["", "[]", "{}", r#"{"name":"x"}"#, r#"{"access_token":""}"#] {
            assert_eq!(tokens_in(text), None, "{text}");
        }
    }
}
