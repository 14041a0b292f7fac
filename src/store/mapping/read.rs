//! Reads a mapping file. An error names the place by its keys, never a value.

use thiserror::Error;
use toml::{Table, Value};

use super::{As, Assignment, Field, KeySource, KeyTerm, Mapping, Source};
use crate::store::{field::FIELDS, swap::Template};

/// Why a mapping file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MappingError {
    /// It is no TOML.
    #[error("line {line}: no TOML: {message}")]
    Toml {
        /// The line.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A key that has no meaning.
    #[error("{place}: unknown key {key}; there are {known}")]
    UnknownKey {
        /// Where.
        place: String,
        /// The key.
        key: String,
        /// The keys that there are.
        known: &'static str,
    },
    /// A field that no pair has.
    #[error("{place}: a pair has no field {field}; it has {known}")]
    UnknownField {
        /// Where.
        place: String,
        /// The field.
        field: String,
        /// The fields that there are.
        known: String,
    },
    /// A value of the wrong shape.
    #[error("{place}: {expected} is expected")]
    Shape {
        /// Where.
        place: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// Something that is needed.
    #[error("{missing}")]
    Missing {
        /// What is missing, and what to write.
        missing: &'static str,
    },
}

const STORE_KEYS: &str = "url_env, to, table, where, where_company, set, statement";
const SET_KEYS: &str = "field, as, through, value, instead_of, with";
const WHERE_KEYS: &str = "field, value";

impl Mapping {
    /// Reads the text of a mapping file.
    pub fn read(text: &str) -> Result<Self, MappingError> {
        let file: Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            MappingError::Toml { line, message: error.message().to_owned() }
        })?;
        if let Some(key) = file.keys().find(|key| *key != "store") {
            return Err(unknown("the file", key, "store"));
        }
        let Some(store) = file.get("store") else {
            return Err(MappingError::Missing { missing: "there is no [store]" });
        };
        let store = table(store, "store")?;
        let mut mapping = Self::default();
        for (key, value) in store {
            let place = format!("store.{key}");
            match key.as_str() {
                "url_env" => mapping.url_env = Some(text_at(value, &place)?),
                "to" => mapping.to = Some(text_at(value, &place)?),
                "table" => mapping.table = Some(text_at(value, &place)?),
                "statement" => mapping.statement = Some(text_at(value, &place)?),
                "where" => mapping.key = key_terms(value, &place)?,
                "where_company" => mapping.company_key = Some(key_terms(value, &place)?),
                "set" => mapping.set = assignments(value, &place)?,
                _ => return Err(unknown("[store]", key, STORE_KEYS)),
            }
        }
        mapping.check()?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), MappingError> {
        let missing = |missing| Err(MappingError::Missing { missing });
        if let Some(statement) = &self.statement {
            match Template::read(statement) {
                Err(field) => return Err(unknown_field("store.statement", &field)),
                Ok(template) if !template.has_token() => {
                    return missing("store.statement names no token: write :access_token");
                }
                Ok(_) => {}
            }
            return if self.set.is_empty() && self.key.is_empty() && self.table.is_none() {
                Ok(())
            } else {
                missing("[store] has a statement and a table: give one of them")
            };
        }
        if self.set.is_empty() && self.key.is_empty() {
            return Ok(());
        }
        if self.table.is_none() {
            return missing("[store] has no table: write table = \"schema.name\"");
        }
        if self.key.is_empty() {
            return missing("[store] has no where: write where = { location_id = \"id\" }");
        }
        if !self
            .key
            .iter()
            .any(|term| matches!(term.source, KeySource::Field(field) if names_installation(field)))
        {
            return missing(
                "store.where: no column is the installation's: write location_id = \"id\"",
            );
        }
        let writes_tokens = |assignment: &Assignment| matches!(assignment.source, Source::Field(field, _) if field.is_token() || field == Field::Document);
        if !self.set.iter().any(writes_tokens) {
            return missing("[store.set] writes no token: write access_token = \"access_token\"");
        }
        Ok(())
    }
}

fn names_installation(field: Field) -> bool {
    matches!(field, Field::Id | Field::LocationId | Field::CompanyId)
}

fn key_terms(value: &Value, place: &str) -> Result<Vec<KeyTerm>, MappingError> {
    let term = |(column, value): (&String, &Value)| {
        let place = format!("{place}.{column}");
        let source = match value {
            Value::String(name) => KeySource::Field(field(name, &place)?),
            _ => key_source(table(value, &place)?, &place)?,
        };
        Ok(KeyTerm { column: column.clone(), source })
    };
    table(value, place)?.iter().map(term).collect()
}

fn key_source(table: &Table, place: &str) -> Result<KeySource, MappingError> {
    let mut source = None;
    for (key, value) in table {
        source = Some(match key.as_str() {
            "field" => KeySource::Field(field(&text_at(value, place)?, place)?),
            "value" => match plain_at(value, place)? {
                value if value == "null" => KeySource::Empty,
                value => KeySource::Value(value),
            },
            _ => return Err(unknown(place, key, WHERE_KEYS)),
        });
    }
    source.ok_or(MappingError::Shape { place: place.to_owned(), expected: "field or value" })
}

fn assignments(value: &Value, place: &str) -> Result<Vec<Assignment>, MappingError> {
    let assignment = |(column, value): (&String, &Value)| {
        let place = format!("{place}.{column}");
        match value {
            Value::String(name) => {
                Ok(Assignment::plain(column, Source::Field(field(name, &place)?, None)))
            }
            _ => detailed(column, table(value, &place)?, &place),
        }
    };
    table(value, place)?.iter().map(assignment).collect()
}

fn detailed(column: &str, table: &Table, place: &str) -> Result<Assignment, MappingError> {
    let (mut from, mut format, mut fixed) = (None, None, None);
    let mut assignment = Assignment::plain(column, Source::Null);
    for (key, value) in table {
        match key.as_str() {
            "field" => from = Some(field(&text_at(value, place)?, place)?),
            "as" => format = Some(format_at(value, place)?),
            "through" => assignment.through = texts_at(value, place)?,
            "value" => fixed = Some(plain_at(value, place)?),
            "instead_of" => assignment.instead_of = texts_at(value, place)?,
            "with" => assignment.with = Some(text_at(value, place)?),
            _ => return Err(unknown(place, key, SET_KEYS)),
        }
    }
    assignment.source = match (from, fixed) {
        (Some(field), None) => Source::Field(field, format),
        (None, Some(value)) if value == "null" => Source::Null,
        (None, Some(value)) => Source::Value(value),
        _ => return Err(shape(place, "either field or value")),
    };
    if table.contains_key("through") && assignment.through.is_empty() {
        return Err(shape(place, "through = [\"program\", \"argument\"]"));
    }
    Ok(assignment)
}

fn format_at(value: &Value, place: &str) -> Result<As, MappingError> {
    let name = text_at(value, place)?;
    As::named(&name)
        .ok_or_else(|| shape(place, "as = \"epoch_s\", \"epoch_ms\", \"iso\" or \"json\""))
}

fn field(name: &str, place: &str) -> Result<Field, MappingError> {
    Field::named(name).ok_or_else(|| unknown_field(place, name))
}

fn unknown_field(place: &str, name: &str) -> MappingError {
    MappingError::UnknownField {
        place: place.to_owned(),
        field: name.to_owned(),
        known: FIELDS.map(|(name, _)| name).join(", "),
    }
}

fn table<'a>(value: &'a Value, place: &str) -> Result<&'a Table, MappingError> {
    value.as_table().ok_or_else(|| shape(place, "a table { column = … }"))
}

fn text_at(value: &Value, place: &str) -> Result<String, MappingError> {
    value.as_str().map(str::to_owned).ok_or_else(|| shape(place, "a text"))
}

fn plain_at(value: &Value, place: &str) -> Result<String, MappingError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(flag) => Ok(flag.to_string()),
        _ => Err(shape(place, "a text, a whole number, true or false")),
    }
}

fn texts_at(value: &Value, place: &str) -> Result<Vec<String>, MappingError> {
    let texts = value.as_array().ok_or_else(|| shape(place, "a list of texts"))?;
    texts.iter().map(|text| text_at(text, place)).collect()
}

fn shape(place: &str, expected: &'static str) -> MappingError {
    MappingError::Shape { place: place.to_owned(), expected }
}

fn unknown(place: &str, key: &str, known: &'static str) -> MappingError {
    MappingError::UnknownKey { place: place.to_owned(), key: key.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"
[store]
url_env = "DATABASE_URL"
table = "public.ghl_installations"
where = { location_id = "id", deleted_at = { value = "null" } }
[store.set]
access_token_encrypted = { field = "access_token", through = ["node", "encrypt.mjs"] }
token_expires_at = { field = "expires_at", as = "epoch_ms" }
updated_at = "now"
connection_status = { value = "connected", instead_of = ["error"] }
refresh_error = { value = "null", with = "connection_status" }
"#;

    #[test]
    fn a_file_is_read_and_written_again() {
        let mapping = Mapping::read(FULL).unwrap();
        assert_eq!(mapping.key.len(), 2);
        assert_eq!(mapping.set.len(), 5);
        assert_eq!(mapping.set[0].through, ["node", "encrypt.mjs"]);
        assert_eq!(Mapping::read(&mapping.to_toml()), Ok(mapping));
    }

    #[test]
    fn a_column_may_have_any_name() {
        for column in
            ["a b", "ä", "\"", "\\", "a\nb", "\u{1b}", "\u{7f}", "\u{9f}", "\u{202e}", "😀", ""]
        {
            let mut mapping = Mapping::read(FULL).unwrap();
            column.clone_into(&mut mapping.set[0].column);
            assert_eq!(Mapping::read(&mapping.to_toml()), Ok(mapping), "{column:?}");
        }
    }

    #[test]
    fn an_error_names_the_place() {
        for (text, error) in [
            ("[stor]", "the file: unknown key stor; there are store"),
            ("[store]\ntabel = 'x'", "[store]: unknown key tabel; there are "),
            ("[store]\ntable = ", "line 2: no TOML"),
            ("[store]\ntable = 1", "store.table: a text is expected"),
            (
                "[store]\ntable='t'\nwhere={a='idd'}",
                "store.where.a: a pair has no field idd; it has id,",
            ),
            ("[store]\ntable='t'\nwhere={a='id'}", "[store.set] writes no token"),
            ("[store]\nwhere={a='id'}", "[store] has no table"),
            ("[store]\ntable='t'\nset={a='access_token'}", "[store] has no where"),
            (
                "[store]\ntable='t'\nwhere={a='id'}\nset={a={as='iso'}}",
                "store.set.a: either field or value",
            ),
            (
                "[store]\ntable='t'\nwhere={a='app'}\nset={a='access_token'}",
                "store.where: no column is the installation's",
            ),
            ("[store]\nstatement='select :acces'", "store.statement: a pair has no field acces;"),
            ("[store]\nstatement='select :id'", "store.statement names no token"),
            (
                "[store]\nstatement='select :access_token'\ntable='t'",
                "[store] has a statement and a table",
            ),
        ] {
            let found = Mapping::read(text).unwrap_err().to_string();
            assert!(found.starts_with(error), "{text}: {found}");
        }
    }
}
