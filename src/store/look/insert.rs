//! Whether a missing row can be made, and with what. Pure.

use super::question::{Question, named};
use crate::store::{
    column::{Cell, Column, Table},
    encode::Form,
    field::Field,
    mapping::{Mapping, Source},
    plan::WrittenColumn,
    role::{Role, role},
    time_form::{Told, told},
};

use super::resolve::cells_of;

/// The columns that a new row gets besides its key and those that are always written. Every column
/// that takes no NULL has a default or a value.
pub fn columns(
    table: &Table,
    mapping: &Mapping,
    rows: &[Vec<Cell>],
) -> Result<Vec<WrittenColumn>, Question> {
    let in_key = |column: &Column| {
        let terms = mapping.key.iter().chain(mapping.company_key.iter().flatten());
        terms.into_iter().any(|term| term.column == column.name)
    };
    let is_set =
        |column: &Column| mapping.set.iter().any(|a| a.column == column.name && a.with.is_none());
    let (mut more, mut missing) = (Vec::new(), Vec::new());
    for column in table.columns.iter().filter(|c| !c.is_generated && !in_key(c) && !is_set(c)) {
        match filled(table, column, rows) {
            Some(written) => more.push(written),
            None if column.not_null && column.default.is_none() => {
                missing.push(column.name.clone());
            }
            None => {}
        }
    }
    if missing.is_empty() {
        return Ok(more);
    }
    Err(Question::CannotInsert { table: table.to_string(), columns: named(&missing, 10) })
}

/// What a pair says of a column that is filled in a new row only.
fn filled(table: &Table, column: &Column, rows: &[Vec<Cell>]) -> Option<WrittenColumn> {
    let cells = cells_of(table, column, rows);
    let (field, form) = match role(&column.name) {
        Role::LocationId => (Field::LocationId, Form::Plain),
        Role::CompanyId => (Field::CompanyId, Form::Plain),
        Role::ResourceId => (Field::Id, Form::Plain),
        Role::UserType => (Field::UserType, Form::Plain),
        Role::CreatedAt | Role::UpdatedAt if column.default.is_none() => match told(column, &cells)
        {
            Told::Form(form) | Told::Mostly(form) => (Field::Now, Form::Time(form)),
            Told::Nothing | Told::Unclear => return None,
        },
        _ => return None,
    };
    Some(WrittenColumn {
        column: column.clone(),
        source: Source::Field(field, None),
        form,
        through: Vec::new(),
        instead_of: Vec::new(),
        with: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        column::{Family, TableKind},
        mapping::{Assignment, KeySource, KeyTerm},
    };

    #[test]
    fn every_column_without_null_has_a_default_or_a_value() {
        let column =
            |name: &str, family| Column { family, not_null: true, ..Column::unknown(name) };
        let table = |more: Column| Table {
            schema: String::new(),
            name: "t".into(),
            kind: TableKind::Table,
            columns: vec![
                column("location_id", Family::Text),
                column("access_token", Family::Text),
                more,
            ],
        };
        let mapping = Mapping {
            key: vec![KeyTerm {
                column: "location_id".into(),
                source: KeySource::Field(Field::Id),
            }],
            set: vec![Assignment::plain("access_token", Source::Field(Field::AccessToken, None))],
            ..Mapping::default()
        };
        let id = column("id", Family::Text);
        let made = Column { is_generated: true, ..id.clone() };
        let with_default = Column { default: Some("gen_random_uuid()".into()), ..id.clone() };
        for (more, expected) in [
            (column("created_at", Family::Zoned), Some(1)),
            (column("company_id", Family::Text), Some(1)),
            (made, Some(0)),
            (with_default, Some(0)),
            (id, None),
            (column("owner_id", Family::Other), None),
        ] {
            let found = columns(&table(more.clone()), &mapping, &[]).ok().map(|more| more.len());
            assert_eq!(found, expected, "{}", more.name);
        }
    }
}
