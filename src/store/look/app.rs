//! Rows of several apps in one table: the app becomes a part of the key. Pure.

use super::{ids::Ids, question::Question, resolve::cells_of};
use crate::{
    highlevel::client_id::{ClientId, application},
    store::{
        column::{Cell, Table},
        field::Field,
        mapping::{KeySource, KeyTerm, Mapping},
        role::{Role, role},
    },
};

/// Adds the column that names the app to the key, where the rows of the ids name one of the run's apps
/// in it. Refuses rows that all name another app.
pub fn add_to_key(
    mapping: &mut Mapping,
    table: &Table,
    rows: &[Vec<Cell>],
    ids: &Ids,
) -> Result<(), Question> {
    for column in table.columns.iter().filter(|column| role(&column.name) == Role::App) {
        if mapping.key.iter().any(|term| term.column == column.name) {
            continue;
        }
        let cells = cells_of(table, column, rows);
        let values: Vec<&str> = cells.iter().filter_map(Cell::filled).collect();
        let is_client_id = |value: &&&str| ids.client_ids.iter().any(|id| id == **value);
        let is_app = |value: &&&str| ids.client_ids.iter().any(|id| application(id) == **value);
        let field = if values.iter().any(|value| is_client_id(&value)) {
            Field::ClientId
        } else if values.iter().any(|value| is_app(&value)) {
            Field::App
        } else if let Some(other) = values.first().filter(|value| is_highlevel_app(value)) {
            return Err(Question::OtherApp {
                table: table.to_string(),
                column: column.name.clone(),
                other: (*other).to_owned(),
                app: ids.client_ids.join(", "),
            });
        } else {
            continue;
        };
        let term = KeyTerm { column: column.name.clone(), source: KeySource::Field(field) };
        if let Some(key) = &mut mapping.company_key {
            key.push(term.clone());
        }
        mapping.key.push(term);
    }
    Ok(())
}

/// Whether a text is a client id, or the part of one before the dash.
fn is_highlevel_app(text: &str) -> bool {
    let is_app = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_app || ClientId::new(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::column::{Column, Family, TableKind};

    const OURS: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";
    const OTHER: &str = "77c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

    #[test]
    fn the_app_is_a_part_of_the_key_where_rows_name_ours() {
        for (name, values, expected) in [
            ("client_id", &[OURS, OTHER][..], Ok(Some(Field::ClientId))),
            ("app_id", &["66c1a6f5e4b0a1b2c3d4e5f6"], Ok(Some(Field::App))),
            ("client_id", &["customer-7"], Ok(None)),
            ("client_id", &[""], Ok(None)),
            ("client_id", &[OTHER], Err(())),
            ("name", &[OTHER], Ok(None)),
        ] {
            let table = Table {
                schema: String::new(),
                name: "t".into(),
                kind: TableKind::Table,
                columns: vec![Column { family: Family::Text, ..Column::unknown(name) }],
            };
            let row =
                |value: &&str| vec![Cell { text: Some((*value).into()), family: Family::Text }];
            let rows: Vec<_> = values.iter().map(row).collect();
            let ids = Ids { client_ids: vec![OURS.into()], ..Ids::default() };
            let mut mapping = Mapping::default();
            let done = add_to_key(&mut mapping, &table, &rows, &ids).map_err(drop);
            let field = mapping.key.first().map(|term| match term.source {
                KeySource::Field(field) => field,
                _ => panic!(),
            });
            assert_eq!(done.map(|()| field), expected, "{name} {values:?}");
        }
    }
}
