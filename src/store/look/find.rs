//! Finds the table and the columns of its key: names propose, the ids of the run decide.

use super::{
    assign::TokenColumns,
    candidate::{Candidate, candidate},
    ids::Ids,
    proof::rows_of,
    question::{Question, named},
};
use crate::{
    installation::Scope,
    plan::counted,
    store::{
        column::{Cell, Column, Table, TableKind},
        field::Field,
        mapping::{KeySource, KeyTerm},
        role::{Role, role},
        sql::{Access, Connection, SqlError},
        statement::{At, Key, KeyValue, by_ids, by_keys, cells},
    },
};

/// Ids that are looked for while the table is not known.
const SAMPLE: usize = 200;

/// Rows that are read to see what stands in them.
const ROWS: usize = 1000;

/// Values by which an agency's row says so.
const AGENCY: [&str; 4] = ["Company", "company", "Agency", "agency"];

/// The place of the pairs.
pub struct Found {
    /// The table.
    pub table: Table,
    /// Its columns for the tokens.
    pub tokens: TokenColumns,
    /// How the row of a sub-account is found.
    pub key: Vec<KeyTerm>,
    /// How that of an agency is found, where it differs.
    pub company_key: Option<Vec<KeyTerm>>,
    /// Rows of the run's ids, with the cells of all columns.
    pub rows: Vec<Vec<Cell>>,
}

/// Why the place is not found.
pub enum NotFound {
    /// A person has to say it.
    Ask(Box<Question>),
    /// The database did not answer.
    Sql(SqlError),
}

impl From<SqlError> for NotFound {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<Question> for NotFound {
    fn from(question: Question) -> Self {
        Self::Ask(Box::new(question))
    }
}

/// Where the ids stand in a table.
#[derive(Clone, Debug, Default)]
struct Standing {
    key: Vec<KeyTerm>,
    company_key: Option<Vec<KeyTerm>>,
    ids: usize,
}

/// Looks for the ids in every table that may be a token store.
pub async fn find(
    connection: &mut Connection,
    tables: Vec<Table>,
    ids: &Ids,
    wanted: Option<&str>,
    schema: Option<&str>,
    may_be_empty: bool,
) -> Result<Found, NotFound> {
    let dialect = connection.dialect();
    let candidates = candidates(&tables, wanted)?;
    let (mut matching, mut denied) = (Vec::new(), None);
    for candidate in candidates.iter().cloned() {
        let at = At { dialect, table: &candidate.table };
        match standing(connection, at, &candidate, ids).await {
            Ok(Some(standing)) => matching.push((candidate, standing)),
            Ok(None) => {}
            Err(error) if error.kind == crate::store::sql::SqlErrorKind::Lost => {
                return Err(error.into());
            }
            Err(error) => denied = Some((candidate.table.to_string(), error)),
        }
    }
    let only = only_one(matching, schema)?;
    let (candidate, standing) = match (only, denied) {
        (Some(found), _) => found,
        (None, Some((table, error))) => return Err(Question::Denied { table, error }.into()),
        (None, None) => match &candidates[..] {
            [candidate] if may_be_empty && wanted.is_some() => {
                (candidate.clone(), by_names(candidate))
            }
            _ => {
                let names: Vec<_> = candidates.iter().map(|c| c.table.to_string()).collect();
                return Err(Question::NoIds { tables: named(&names, 5) }.into());
            }
        },
    };
    let rows = sample(connection, At { dialect, table: &candidate.table }, &standing, ids).await?;
    let tokens = tokens(&candidate, &rows)?;
    let Standing { key, company_key, .. } = standing;
    Ok(Found { table: candidate.table, tokens, key, company_key, rows })
}

fn candidates(tables: &[Table], wanted: Option<&str>) -> Result<Vec<Candidate>, Question> {
    if let Some(name) = wanted {
        let table = table_named(tables, name)?;
        return candidate(table)
            .map(|found| vec![found])
            .ok_or(Question::NoTable { tables: name.to_owned() });
    }
    let found: Vec<_> = tables.iter().filter_map(candidate).collect();
    if found.is_empty() {
        let count = u32::try_from(tables.len()).unwrap_or(u32::MAX);
        return Err(Question::NoTable { tables: counted(count, "table") });
    }
    Ok(found)
}

/// The table of a name.
pub fn table_named<'a>(tables: &'a [Table], name: &str) -> Result<&'a Table, Question> {
    let full = tables.iter().find(|table| table.to_string() == name.replace(['"', '`'], ""));
    full.or_else(|| tables.iter().find(|table| table.is_named(name))).ok_or_else(|| {
        let known: Vec<_> = tables.iter().map(ToString::to_string).collect();
        Question::NoSuchTable { name: name.to_owned(), known: named(&known, 10) }
    })
}

/// The one table that has the ids; a view of another table is not counted beside it.
fn only_one(
    mut matching: Vec<(Candidate, Standing)>,
    schema: Option<&str>,
) -> Result<Option<(Candidate, Standing)>, Question> {
    let narrow = |matching: &mut Vec<(Candidate, Standing)>, is: &dyn Fn(&Table) -> bool| {
        if matching.iter().any(|(candidate, _)| is(&candidate.table)) {
            matching.retain(|(candidate, _)| is(&candidate.table));
        }
    };
    narrow(&mut matching, &|table| table.kind == TableKind::Table);
    if let Some(schema) = schema {
        narrow(&mut matching, &|table| table.schema == schema);
    }
    if matching.len() > 1 {
        let tables: Vec<_> = matching
            .iter()
            .map(|(candidate, standing)| {
                let by = standing.key.first().map_or("", |term| term.column.as_str());
                let ids = u32::try_from(standing.ids).unwrap_or(u32::MAX);
                format!("{} ({} by {by})", candidate.table, counted(ids, "id"))
            })
            .collect();
        return Err(Question::Several { tables: named(&tables, 10) });
    }
    Ok(matching.pop())
}

/// Where the ids stand in a table; `None` where none does.
async fn standing(
    connection: &mut Connection,
    at: At<'_>,
    candidate: &Candidate,
    ids: &Ids,
) -> Result<Option<Standing>, SqlError> {
    let (locations, companies) =
        (ids.some(Scope::Location, SAMPLE), ids.some(Scope::Company, SAMPLE));
    let by_location = best(connection, at, &candidate.ids, &locations).await?;
    let mut standing = Standing::default();
    if let Some((column, count)) = &by_location {
        (standing.key, standing.ids) = (by_id(column), *count);
    }
    if companies.is_empty() {
        return Ok(by_location.map(|_| standing));
    }
    match by_location {
        Some((own, _)) if role(&own) == Role::LocationId => {
            standing.company_key =
                beside_locations(connection, at, candidate, &own, &companies).await?;
            Ok(Some(standing))
        }
        // A column for both kinds: an agency's row is found as a sub-account's is.
        Some(_) => Ok(Some(standing)),
        None => {
            let found = best(connection, at, &candidate.ids, &companies).await?;
            let Some((column, count)) = found else { return Ok(None) };
            let key = company_key(connection, at, &column, &companies).await?.0;
            let resource = candidate.ids.iter().find(|name| role(name) == Role::ResourceId);
            standing.key = match (&key[..], resource) {
                // A company id stands in the rows of sub-accounts too.
                ([_], Some(resource)) if role(&column) == Role::CompanyId => by_id(resource),
                _ => key,
            };
            standing.ids = count;
            Ok(Some(standing))
        }
    }
}

fn by_id(column: &str) -> Vec<KeyTerm> {
    vec![KeyTerm { column: column.to_owned(), source: KeySource::Field(Field::Id) }]
}

/// The key of an agency in a table whose key is a location id: the column of the company ids, in rows
/// that are no location's; `None` where agencies stand in the column of the locations itself.
async fn beside_locations(
    connection: &mut Connection,
    at: At<'_>,
    candidate: &Candidate,
    own: &str,
    companies: &[&str],
) -> Result<Option<Vec<KeyTerm>>, SqlError> {
    let company = candidate.ids.iter().find(|name| role(name) == Role::CompanyId);
    let Some(company) = company else { return Ok(None) };
    let (key, is_found) = company_key(connection, at, company, companies).await?;
    let in_own = best(connection, at, &[own.to_owned()], companies).await?;
    Ok(match in_own {
        Some(_) if !is_found => None,
        _ if key.len() > 1 => Some(key),
        _ => Some(with_empty(company, own)),
    })
}

fn with_empty(company: &str, location: &str) -> Vec<KeyTerm> {
    vec![
        KeyTerm { column: company.to_owned(), source: KeySource::Field(Field::Id) },
        KeyTerm { column: location.to_owned(), source: KeySource::Empty },
    ]
}

/// The column in which most of the ids stand. Columns without a telling name are looked into only
/// where no other has any.
async fn best(
    connection: &mut Connection,
    at: At<'_>,
    columns: &[String],
    ids: &[&str],
) -> Result<Option<(String, usize)>, SqlError> {
    if ids.is_empty() {
        return Ok(None);
    }
    let is_named = |name: &&String| {
        matches!(role(name), Role::LocationId | Role::ResourceId | Role::CompanyId)
    };
    for wanted in [true, false] {
        let mut best: Option<(String, usize)> = None;
        for name in columns.iter().filter(|name| is_named(name) == wanted) {
            let Some(column) = at.table.column(name) else { continue };
            connection.begin(Access::Read).await?;
            let counts = rows_of(connection, at, column, ids).await;
            connection.rollback().await?;
            let count = counts?.len();
            if count > best.as_ref().map_or(0, |(_, most)| *most) {
                best = Some((name.clone(), count));
            }
        }
        if best.is_some() {
            return Ok(best);
        }
    }
    Ok(None)
}

/// The key of an agency's row in a table where a company id stands in the rows of its locations too, and
/// whether it finds any.
async fn company_key(
    connection: &mut Connection,
    at: At<'_>,
    column: &str,
    companies: &[&str],
) -> Result<(Vec<KeyTerm>, bool), SqlError> {
    let own =
        |wanted| at.table.columns.iter().find(|c| c.name != column && role(&c.name) == wanted);
    let id = KeyTerm { column: column.to_owned(), source: KeySource::Field(Field::Id) };
    if role(column) != Role::CompanyId {
        return Ok((vec![id], true));
    }
    let (location, kind) = (own(Role::LocationId), own(Role::UserType));
    let Some(company) = at.table.column(column) else { return Ok((vec![id], false)) };
    let mut choices: Vec<(&Column, KeySource, KeyValue)> = Vec::new();
    choices.extend(location.map(|column| (column, KeySource::Empty, KeyValue::Empty)));
    choices.extend(kind.into_iter().flat_map(|column| {
        AGENCY.map(|word| (column, KeySource::Value(word.into()), KeyValue::Is(word.into())))
    }));
    for (beside, source, value) in &choices {
        let key = |company_id: &&str| Key {
            parts: vec![
                (company.clone(), KeyValue::Is((*company_id).to_owned())),
                ((*beside).clone(), value.clone()),
            ],
        };
        let keys: Vec<Key> = companies.iter().map(key).collect();
        connection.begin(Access::Read).await?;
        let (sql, values) = by_keys(at, &keys, &[company]);
        let rows = connection.rows(&sql, &values).await;
        connection.rollback().await?;
        if !rows?.is_empty() {
            let beside = KeyTerm { column: beside.name.clone(), source: source.clone() };
            return Ok((vec![id, beside], true));
        }
    }
    let first = choices.into_iter().next();
    let beside = first.map(|(column, source, _)| KeyTerm { column: column.name.clone(), source });
    Ok((std::iter::once(id).chain(beside).collect(), false))
}

/// A key by the names alone, for a table that has lost its rows.
fn by_names(candidate: &Candidate) -> Standing {
    let own = |wanted| candidate.ids.iter().find(|name| role(name) == wanted);
    let column = own(Role::LocationId).or_else(|| own(Role::ResourceId)).or(candidate.ids.first());
    let term =
        |column: &String| KeyTerm { column: column.clone(), source: KeySource::Field(Field::Id) };
    let company_key = match (own(Role::LocationId), own(Role::CompanyId)) {
        (Some(location), Some(company)) => Some(with_empty(company, location)),
        _ => None,
    };
    Standing { key: column.map(term).into_iter().collect(), company_key, ids: 0 }
}

/// Rows of the ids, with all columns.
async fn sample(
    connection: &mut Connection,
    at: At<'_>,
    standing: &Standing,
    ids: &Ids,
) -> Result<Vec<Vec<Cell>>, SqlError> {
    let keys = [
        (Some(&standing.key), Scope::Location),
        (standing.company_key.as_ref().or(Some(&standing.key)), Scope::Company),
    ];
    let mut rows = Vec::new();
    for (key, scope) in keys {
        let column = key.and_then(|key| key.first()).and_then(|term| at.table.column(&term.column));
        if let Some(column) = column {
            rows.extend(rows_by(connection, at, column, &ids.some(scope, SAMPLE)).await?);
        }
    }
    Ok(rows)
}

/// Rows in which one of these ids stands, with all columns.
pub async fn rows_by(
    connection: &mut Connection,
    at: At<'_>,
    column: &Column,
    ids: &[&str],
) -> Result<Vec<Vec<Cell>>, SqlError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns: Vec<&Column> = at.table.columns.iter().collect();
    let (sql, values) = by_ids(at, column, ids, &columns, ROWS);
    connection.begin(Access::Read).await?;
    let rows = connection.rows(&sql, &values).await;
    connection.rollback().await?;
    Ok(rows?.iter().map(|row| cells(at.dialect, &columns, row)).collect())
}

/// The columns of the tokens; where there are several, the ones that hold something.
fn tokens(candidate: &Candidate, rows: &[Vec<Cell>]) -> Result<TokenColumns, Question> {
    let table = &candidate.table;
    let holds_something = |name: &&String| {
        let index = table.columns.iter().position(|column| column.name == **name);
        let cells =
            index.into_iter().flat_map(|index| rows.iter().filter_map(move |r| r.get(index)));
        cells.into_iter().any(|cell| cell.filled().is_some())
    };
    let choose = |names: &[String], exact: Role| -> Option<String> {
        let filled: Vec<_> = names.iter().filter(holds_something).collect();
        let named: Vec<_> = names.iter().filter(|name| role(name) == exact).collect();
        match (&filled[..], &named[..]) {
            ([one], _) | ([], [one]) => Some((*one).clone()),
            _ => None,
        }
    };
    let access = choose(&candidate.access, Role::Access);
    let refresh = choose(&candidate.refresh, Role::Refresh);
    if let (Some(access), Some(refresh)) = (access, refresh) {
        return Ok(TokenColumns { access, refresh });
    }
    let all: Vec<_> = candidate.access.iter().chain(&candidate.refresh).cloned().collect();
    Err(Question::TwoPairs { table: table.to_string(), columns: named(&all, 8) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::column::Family;

    fn candidate_of(names: &str) -> Candidate {
        let columns = names
            .split_ascii_whitespace()
            .map(|name| Column { family: Family::Text, ..Column::unknown(name) });
        let table = Table {
            schema: "public".into(),
            name: names.len().to_string(),
            kind: TableKind::Table,
            columns: columns.collect(),
        };
        candidate(&table).unwrap()
    }

    #[test]
    fn of_two_places_for_a_token_the_filled_one_is_meant() {
        let candidate =
            candidate_of("access_token refresh_token old_access_token old_refresh_token");
        let row = |filled: [bool; 4]| {
            let cell =
                |is| Cell { text: Some(if is { "x" } else { "" }.into()), family: Family::Text };
            vec![filled.map(cell).to_vec()]
        };
        for (filled, expected) in [
            ([true, true, false, false], Some(("access_token", "refresh_token"))),
            ([false, false, true, true], Some(("old_access_token", "old_refresh_token"))),
            ([true, true, true, true], None),
            ([false, false, false, false], Some(("access_token", "refresh_token"))),
        ] {
            let found = tokens(&candidate, &row(filled)).ok();
            let found = found.as_ref().map(|t| (t.access.as_str(), t.refresh.as_str()));
            assert_eq!(found, expected, "{filled:?}");
        }
    }

    #[test]
    fn two_tables_are_a_question_and_a_view_beside_its_table_is_none() {
        let one = candidate_of("location_id access_token refresh_token");
        let mut view = one.clone();
        view.table.kind = TableKind::View;
        let standing = Standing { ids: 3, ..Standing::default() };
        let with = |candidate: &Candidate| (candidate.clone(), standing.clone());
        assert!(only_one(vec![with(&one), with(&view)], None).unwrap().is_some());
        assert!(only_one(vec![with(&view)], None).unwrap().is_some());
        assert!(only_one(vec![with(&one), with(&one)], None).is_err());
    }
}
