//! Tables that may be token stores, by the names of their columns. Pure.

use crate::store::{
    column::{Column, Family, Table},
    role::{Role, role},
};

/// A table with a column for each token.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The table.
    pub table: Table,
    /// The columns of the access token; one, or the choice is a person's.
    pub access: Vec<String>,
    /// The columns of the refresh token.
    pub refresh: Vec<String>,
    /// Columns in which an id may stand, the likeliest first.
    pub ids: Vec<String>,
}

/// Reads the names of a table's columns; `None` where it has no place for both tokens.
pub fn candidate(table: &Table) -> Option<Candidate> {
    let named = |wanted: Role| -> Vec<String> {
        let columns = table.columns.iter().filter(|column| can_hold_token(column));
        columns.filter(|c| role(&c.name) == wanted).map(|c| c.name.clone()).collect()
    };
    let (access, refresh) = (named(Role::Access), named(Role::Refresh));
    let (other_access, other_refresh) = (named(Role::OtherAccess), named(Role::OtherRefresh));
    let both = |mut own: Vec<String>, others: Vec<String>| {
        own.extend(others);
        own
    };
    let (access, refresh) = (both(access, other_access), both(refresh, other_refresh));
    if access.is_empty() || refresh.is_empty() {
        return None;
    }
    Some(Candidate { ids: id_columns(table), table: table.clone(), access, refresh })
}

fn can_hold_token(column: &Column) -> bool {
    matches!(column.family, Family::Text | Family::Bytes | Family::Other | Family::Json)
        && !column.is_generated
}

/// The columns in which an id may stand: those that are named so, then every other one with text.
pub fn id_columns(table: &Table) -> Vec<String> {
    let rank = |column: &Column| match role(&column.name) {
        Role::LocationId => Some(0),
        Role::ResourceId => Some(1),
        Role::CompanyId => Some(2),
        Role::Unknown | Role::App | Role::UserId => {
            matches!(column.family, Family::Text | Family::Other).then_some(3)
        }
        _ => None,
    };
    let mut ids: Vec<(u8, &Column)> =
        table.columns.iter().filter_map(|column| Some((rank(column)?, column))).collect();
    ids.sort_by_key(|(rank, _)| *rank);
    ids.into_iter().map(|(_, column)| column.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::column::TableKind;

    fn table(names: &str) -> Table {
        let columns = names
            .split_ascii_whitespace()
            .map(|name| Column { family: Family::Text, ..Column::unknown(name) });
        Table {
            schema: String::new(),
            name: "t".into(),
            kind: TableKind::Table,
            columns: columns.collect(),
        }
    }

    #[test]
    fn a_store_has_a_place_for_both_tokens() {
        for (names, access, refresh) in [
            ("id access_token refresh_token", 1, 1),
            ("id ghl_access_token ghl_refresh_token slack_access_token", 1, 1),
            (
                "id location_access_token location_refresh_token agency_access_token agency_refresh_token",
                2,
                2,
            ),
            ("id access_token refresh_token old_access_token old_refresh_token", 2, 2),
            ("id token refresh_token", 1, 1),
        ] {
            let found = candidate(&table(names)).unwrap();
            assert_eq!((found.access.len(), found.refresh.len()), (access, refresh), "{names}");
        }
        for names in ["id access_token", "id name", "id slack_access_token slack_refresh_token"] {
            assert!(candidate(&table(names)).is_none(), "{names}");
        }
    }

    #[test]
    fn the_likeliest_id_comes_first() {
        let found =
            candidate(&table("name company_id access_token refresh_token location_id scope"));
        assert_eq!(found.unwrap().ids, ["location_id", "company_id", "name"]);
    }
}
