//! Look, prove, ask: from a database to a plan of what is written where. Nothing is written here.

mod app;
mod assign;
mod candidate;
mod find;
mod ids;
mod insert;
mod proof;
mod question;
mod resolve;

use self::{
    assign::assign,
    find::{Found, NotFound, find, rows_by, table_named},
    question::named,
};
use super::{
    catalog,
    column::{Cell, Column, Table},
    mapping::{KeySource, KeyTerm, Mapping},
    plan::{Seen, StorePlan},
    sql::{Access, Connection, SqlError, SqlErrorKind},
    statement::{At, probe},
};
use crate::installation::Scope;

pub use self::{
    assign::StatusColumns,
    ids::{Ids, MOST_IDS},
    question::Question,
    resolve::Longest,
};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The ids of the run.
    pub ids: Ids,
    /// The table that a person named.
    pub table: Option<String>,
    /// The schema that the URL names.
    pub schema: Option<String>,
    /// The mapping that a person gave.
    pub mapping: Option<Mapping>,
    /// What becomes of status and error columns.
    pub status: StatusColumns,
    /// Whether rows that are missing are to be made.
    pub inserts: bool,
    /// The longest tokens.
    pub longest: Longest,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum LookError {
    /// A person has to say or to mend something.
    Ask(Box<Question>),
    /// The database is not there.
    Gone(SqlError),
}

impl From<Question> for LookError {
    fn from(question: Question) -> Self {
        Self::Ask(Box::new(question))
    }
}

impl From<NotFound> for LookError {
    fn from(error: NotFound) -> Self {
        match error {
            NotFound::Ask(question) => Self::Ask(question),
            NotFound::Sql(error) => in_catalog(error),
        }
    }
}

/// An error while the catalog is read.
fn in_catalog(error: SqlError) -> LookError {
    denied("the catalog", error)
}

/// An error at a table.
fn denied(table: &str, error: SqlError) -> LookError {
    match error.kind {
        SqlErrorKind::Lost | SqlErrorKind::Again => LookError::Gone(error),
        SqlErrorKind::Denied | SqlErrorKind::Refused => {
            Question::Denied { table: table.to_owned(), error }.into()
        }
    }
}

/// Finds the table, the columns and their forms, and proves by the data that they are the right ones.
pub async fn look(connection: &mut Connection, wanted: &Wanted) -> Result<StorePlan, LookError> {
    let tables = catalog::tables(connection).await.map_err(in_catalog)?;
    let Place { table, mut mapping, rows, mut notes } = place(connection, tables, wanted).await?;
    let at = At { dialect: connection.dialect(), table: &table };
    app::add_to_key(&mut mapping, &table, &rows, &wanted.ids)?;
    let written = resolve::written(&table, &mapping, &rows)?;
    resolve::check_ciphertext(&table, &written, &rows)?;
    resolve::check_lengths(&table, &written, &rows, wanted.longest)?;
    let seen = count(connection, at, &mapping, &wanted.ids)
        .await
        .map_err(|error| denied(&table.to_string(), error))?;
    check_doubled(&table, &mapping, &seen)?;
    let columns: Vec<_> = written.iter().map(|written| &written.column).collect();
    check_rights(connection, at, &columns).await?;
    let insert = insert::columns(&table, &mapping, &rows);
    if let (true, Err(question)) = (wanted.inserts, &insert) {
        return Err(question.clone().into());
    }
    if seen.missing_count > 0 && insert.is_err() {
        notes.push("rows that are missing cannot be made with --insert".to_owned());
    }
    Ok(StorePlan {
        dialect: at.dialect,
        guards: resolve::guards(&table, &mapping, &rows),
        written,
        seen,
        notes,
        insert: insert.ok().filter(|_| wanted.inserts),
        mapping,
        table,
    })
}

/// A table with its mapping, and some rows of the ids.
struct Place {
    table: Table,
    mapping: Mapping,
    rows: Vec<Vec<Cell>>,
    notes: Vec<String>,
}

async fn place(
    connection: &mut Connection,
    tables: Vec<Table>,
    wanted: &Wanted,
) -> Result<Place, LookError> {
    if let Some(mapping) = wanted.mapping.clone().filter(|mapping| !mapping.set.is_empty()) {
        let name = mapping.table.clone().unwrap_or_default();
        let table = table_named(&tables, &name)?.clone();
        let rows = mapped_rows(connection, &table, &mapping, &wanted.ids).await?;
        return Ok(Place { table, mapping, rows, notes: Vec::new() });
    }
    let given = wanted.mapping.as_ref().and_then(|mapping| mapping.table.as_deref());
    let named = wanted.table.as_deref().or(given);
    let (ids, schema) = (&wanted.ids, wanted.schema.as_deref());
    let found = find(connection, tables, ids, named, schema, wanted.inserts).await?;
    let Found { table, tokens, key, company_key, rows } = found;
    let assigned = assign(&table, &tokens, &rows, wanted.status)?;
    let mapping = Mapping {
        table: Some(table.to_string()),
        key,
        company_key,
        set: assigned.set,
        ..wanted.mapping.clone().unwrap_or_default()
    };
    Ok(Place { table, mapping, rows, notes: assigned.notes })
}

/// Some rows of the ids by a mapping that was given.
async fn mapped_rows(
    connection: &mut Connection,
    table: &Table,
    mapping: &Mapping,
    ids: &Ids,
) -> Result<Vec<Vec<Cell>>, LookError> {
    let at = At { dialect: connection.dialect(), table };
    let mut rows = Vec::new();
    for scope in [Scope::Location, Scope::Company] {
        let id = |term: &&KeyTerm| matches!(term.source, KeySource::Field(field) if field.is_id_of(scope));
        let column =
            mapping.key_of(scope).iter().find(id).and_then(|term| table.column(&term.column));
        if let Some(column) = column {
            let found = rows_by(connection, at, column, &ids.some(scope, 200)).await;
            rows.extend(found.map_err(|error| denied(&table.to_string(), error))?);
        }
    }
    Ok(rows)
}

/// Counts the rows of the ids by the whole key.
async fn count(
    connection: &mut Connection,
    at: At<'_>,
    mapping: &Mapping,
    ids: &Ids,
) -> Result<Seen, SqlError> {
    let mut all = Seen::default();
    for scope in [Scope::Location, Scope::Company] {
        let of_scope = ids.some(scope, MOST_IDS);
        if of_scope.is_empty() {
            continue;
        }
        connection.begin(Access::Read).await?;
        let counts = proof::rows_of_key(connection, at, mapping.key_of(scope), scope, ids).await;
        connection.rollback().await?;
        all = all.and(proof::seen(&of_scope, &counts?));
    }
    Ok(all)
}

/// A table of which most ids have several rows is a history, or has another key.
fn check_doubled(table: &Table, mapping: &Mapping, seen: &Seen) -> Result<(), Question> {
    let found = seen.single + seen.several_count;
    if seen.several_count * 2 <= found {
        return Ok(());
    }
    Err(Question::Doubled {
        table: table.to_string(),
        column: mapping.key.first().map(|term| term.column.clone()).unwrap_or_default(),
        several: seen.several_count,
        found,
        example: seen.several.first().cloned().unwrap_or_default(),
    })
}

/// Tries an update that touches no row. Where that is refused, each column is tried alone.
async fn check_rights(
    connection: &mut Connection,
    at: At<'_>,
    columns: &[&Column],
) -> Result<(), LookError> {
    let Err(error) = try_update(connection, at, columns).await else { return Ok(()) };
    let mut refused = Vec::new();
    for column in columns {
        if try_update(connection, at, &[*column]).await.is_err() {
            refused.push(column.name.clone());
        }
    }
    let place = match refused.len() {
        0 => at.table.to_string(),
        n if n == columns.len() => at.table.to_string(),
        _ => format!("{} ({})", at.table, named(&refused, 10)),
    };
    Err(denied(&place, error))
}

async fn try_update(
    connection: &mut Connection,
    at: At<'_>,
    columns: &[&Column],
) -> Result<(), SqlError> {
    let (sql, values) = probe(at, columns);
    connection.begin(Access::Write).await?;
    let done = connection.execute(&sql, &values).await;
    connection.rollback().await?;
    done.map(|_| ())
}
