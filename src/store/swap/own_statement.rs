//! A statement of the app's own that writes a pair: a function, a history table, a join.
//!
//! Nothing can be compared or read back then; the statement must touch exactly one row, and a pair that
//! the journal says is written is not written again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    FAILURES_BEFORE_PROOF,
    link::Link,
    retry::{self, Next},
};
use crate::{
    clock,
    event::StoreOutcome,
    store::{
        fault::StoreFault,
        field::{Content, FIELDS, Field},
        pair::Pair,
        sql::{Access, Connection, SqlError, Value},
        target::{Dialect, SqlTarget},
        time_form::{IsoForm, Number, TimeForm, Unit, Zone},
        written::Written,
    },
};

/// A statement with the names of fields in it, as `:access_token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field, Option<Unit>),
}

impl Template {
    /// Reads a statement. Names in quotes and behind `::` are left alone; the error is a name that no
    /// field has.
    pub fn read(statement: &str) -> Result<Self, String> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        let (mut quote, mut rest) = (None, statement.trim().trim_end_matches(';'));
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"' | '`') => quote = Some(c),
                (None, ':') if after.starts_with(':') => {
                    text.push_str("::");
                    rest = &after[1..];
                    continue;
                }
                (None, ':') => {
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let name = &after[..after.find(|c| !is_name(c)).unwrap_or(after.len())];
                    if !name.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                        let (field, unit) = field(name).ok_or_else(|| name.to_owned())?;
                        pieces.push(Piece::Field(field, unit));
                        rest = &after[name.len()..];
                        continue;
                    }
                }
                _ => {}
            }
            text.push(c);
            rest = after;
        }
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    /// Whether it names a token.
    pub fn has_token(&self) -> bool {
        let is_token = |piece: &Piece| matches!(piece, Piece::Field(field, _) if field.is_token() || *field == Field::Document);
        self.0.iter().any(is_token)
    }

    /// The statement for a pair. PostgreSQL takes the type of a plain literal from its place, so ids,
    /// times and numbers are written as such; a token is always a parameter.
    fn render(&self, dialect: Dialect, pair: &Pair) -> (String, Vec<Value>) {
        let (mut sql, mut values) = (String::new(), Vec::new());
        for piece in &self.0 {
            let (field, unit) = match piece {
                Piece::Text(text) => {
                    sql.push_str(text);
                    continue;
                }
                Piece::Field(field, unit) => (*field, *unit),
            };
            let value = value(field.of(pair, clock::now()), dialect, unit);
            let is_plain = field.is_plain();
            match (&value, dialect) {
                (Value::Null, Dialect::Postgres) => sql.push_str("NULL"),
                (Value::Int(number), Dialect::Postgres) => sql.push_str(&number.to_string()),
                (Value::Text(text), Dialect::Postgres) if is_plain => {
                    sql.push('\'');
                    sql.push_str(&text.replace(['\'', '\\'], ""));
                    sql.push('\'');
                }
                (_, Dialect::Postgres) => {
                    values.push(value);
                    sql.push('$');
                    sql.push_str(&values.len().to_string());
                }
                (_, Dialect::MySql | Dialect::Sqlite) => {
                    values.push(value);
                    sql.push('?');
                }
            }
        }
        (sql, values)
    }
}

/// The field of a name; `expires_at_s` and `expires_at_ms` are counts since 1970.
fn field(name: &str) -> Option<(Field, Option<Unit>)> {
    if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
        return Some((*field, None));
    }
    let units = [("_s", Unit::Second), ("_ms", Unit::Millisecond)];
    units.into_iter().find_map(|(end, unit)| {
        let field = Field::named(name.strip_suffix(end)?)?;
        field.is_time().then_some((field, Some(unit)))
    })
}

fn value(content: Content, dialect: Dialect, unit: Option<Unit>) -> Value {
    match (content, unit, dialect) {
        (Content::Nothing, ..) => Value::Null,
        (Content::Text(text), ..) => Value::Text(text),
        (Content::Number(number), ..) => Value::Int(number),
        (Content::Document(document), ..) => {
            Value::Text(serde_json::Value::Object(document).to_string())
        }
        (Content::Time(time), Some(unit), _) => TimeForm::Epoch(unit, Number::Int).write(time),
        (Content::Time(time), None, Dialect::MySql) => {
            let form = IsoForm { has_t: false, digits: 3, zone: Zone::None };
            TimeForm::Iso(form).write(time)
        }
        (Content::Time(time), None, _) => TimeForm::Iso(IsoForm::JAVASCRIPT).write(time),
    }
}

/// A store that is written by a statement.
pub struct StatementStore {
    template: Template,
    link: Link,
    is_proven: bool,
    failures: u32,
    stop: CancellationToken,
}

impl StatementStore {
    /// Takes a connection that is open.
    pub fn new(
        template: Template,
        target: SqlTarget,
        connection: Connection,
        max_outage: Duration,
        stop: CancellationToken,
    ) -> Self {
        let link = Link::new(target, connection, max_outage, stop.clone());
        Self { template, link, is_proven: false, failures: 0, stop }
    }

    /// Writes some pairs, each in a transaction of its own.
    pub async fn write(
        &mut self,
        pairs: &[Pair],
        note: &(dyn Fn(&str) + Sync),
    ) -> (Vec<Option<Written>>, Result<(), StoreFault>) {
        let mut results = vec![None; pairs.len()];
        for (pair, result) in pairs.iter().zip(&mut results) {
            if self.stop.is_cancelled() {
                break;
            }
            match self.write_one(pair, note).await {
                Ok(written) => {
                    self.failures = if written.outcome.is_stored() { 0 } else { self.failures + 1 };
                    self.is_proven |= written.outcome.is_stored();
                    *result = Some(written);
                }
                Err(fault) => return (results, Err(fault)),
            }
            if !self.is_proven && self.failures >= FAILURES_BEFORE_PROOF {
                let message = "the statement of the mapping wrote none of the first pairs: stored.csv \
                               says why";
                return (results, Err(StoreFault::Gone(message.to_owned())));
            }
        }
        (results, Ok(()))
    }

    async fn write_one(
        &mut self,
        pair: &Pair,
        note: &(dyn Fn(&str) + Sync),
    ) -> Result<Written, StoreFault> {
        let mut tries = 0;
        loop {
            let connection = self.link.get(note).await?;
            let error = match touch(connection, &self.template, pair).await {
                Ok(written) => {
                    self.link.is_well();
                    return Ok(written);
                }
                Err(error) => error,
            };
            match retry::after(error.kind, tries, 1) {
                Next::Again(wait) => {
                    tries += 1;
                    tokio::time::sleep(wait).await;
                }
                Next::Reconnect => self.link.lost(&error),
                Next::Stop => {
                    return Err(StoreFault::Gone(format!("the statement of the mapping: {error}")));
                }
                Next::OneByOne | Next::GiveUp => {
                    return Ok(Written::with(StoreOutcome::Failed, &error.to_string()));
                }
            }
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.link.close().await;
    }
}

/// Executes the statement, and commits if it touched one row.
async fn touch(
    connection: &mut Connection,
    template: &Template,
    pair: &Pair,
) -> Result<Written, SqlError> {
    let (sql, values) = template.render(connection.dialect(), pair);
    connection.begin(Access::Write).await?;
    let first = sql.trim_start().get(..6).unwrap_or_default().to_ascii_lowercase();
    let rows = if first == "select" && connection.dialect() != Dialect::Postgres {
        connection.rows(&sql, &values).await.map(|rows| rows.len() as u64)
    } else {
        connection.execute(&sql, &values).await
    };
    match rows {
        Ok(1) => {
            connection.commit().await?;
            Ok(Written::plain(StoreOutcome::Replaced))
        }
        Ok(0) => {
            connection.rollback().await?;
            Ok(Written::with(StoreOutcome::Missing, "the statement touched no row"))
        }
        Ok(rows) => {
            connection.rollback().await?;
            let message = format!("the statement touched {rows} rows, and was taken back");
            Ok(Written::with(StoreOutcome::Ambiguous, &message))
        }
        Err(error) => {
            // The first error says what happened.
            let _ = connection.rollback().await;
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair() -> Pair {
        let line = json!({
            "applicationId": "5a0dbc0de5a0dbc0de5a0dbc", "resourceId": "ve9EPM428h8vShlRW1KT",
            "access_token": "A", "refresh_token": "R", "expires_in": 86399,
            "expire_at": 1_800_000_000_123_u64, "userType": "Location",
        });
        Pair::read(line.to_string().as_bytes(), 1, "").unwrap()
    }

    #[test]
    fn fields_become_literals_or_parameters() {
        let statement =
            "select f(:id, :access_token, ':id', :expires_at::timestamptz, :expires_at_ms);";
        let template = Template::read(statement).unwrap();
        assert!(template.has_token());
        let (sql, values) = template.render(Dialect::Postgres, &pair());
        assert_eq!(
            sql,
            "select f('ve9EPM428h8vShlRW1KT', $1, ':id', '2027-01-15T08:00:00.123Z'::timestamptz, \
             1800000000123)"
        );
        assert!(values == [Value::Text("A".into())]);
        let (sql, values) = template.render(Dialect::MySql, &pair());
        assert_eq!(sql, "select f(?, ?, ':id', ?::timestamptz, ?)");
        assert_eq!(values.len(), 4);
        assert_eq!(Template::read("select :acces_token").unwrap_err(), "acces_token");
        assert!(!Template::read("select :id").unwrap().has_token());
    }
}
