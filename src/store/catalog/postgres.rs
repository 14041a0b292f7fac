//! PostgreSQL's catalog.

use super::{gather, number_in, quoted_words::quoted_words, read, text};
use crate::store::{
    column::{Column, Family, Table, TableKind},
    sql::{Connection, Row, SqlError},
};

const QUERY: &str = "
SELECT n.nspname::text, c.relname::text, c.relkind::text, a.attname::text,
       format_type(a.atttypid, a.atttypmod), (a.attnotnull OR t.typnotnull)::text,
       coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault),
       (a.attgenerated <> '' OR a.attidentity <> '')::text,
       format_type(coalesce(nullif(t.typbasetype, 0), t.oid), nullif(t.typtypmod, -1)),
       coalesce(b.typcategory, t.typcategory)::text,
       (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
          FROM pg_catalog.pg_enum e WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid)),
       (SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_catalog.pg_constraint k
         WHERE k.contype = 'c'
           AND (k.conrelid = c.oid AND a.attnum = ANY (k.conkey)
                OR k.contypid = t.oid AND t.typtype = 'd'))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_type b ON b.oid = nullif(t.typbasetype, 0)
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
   AND a.attnum > 0 AND NOT a.attisdropped
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
 ORDER BY n.nspname, c.relname, a.attnum";

pub async fn tables(connection: &mut Connection) -> Result<Vec<Table>, SqlError> {
    let rows = read(connection, QUERY).await?;
    Ok(gather(rows.iter().map(of_row)))
}

fn of_row(row: &Row) -> (String, String, TableKind, Column) {
    let kind = match text(row, 2).as_str() {
        "r" | "p" => TableKind::Table,
        _ => TableKind::View,
    };
    let (type_name, base) = (text(row, 4), text(row, 8));
    let labels = text(row, 10);
    let column = Column {
        name: text(row, 3),
        family: family(&base, &text(row, 9)),
        not_null: text(row, 5) == "true",
        default: row.get(6).cloned().flatten(),
        is_generated: text(row, 7) == "true",
        max_chars: max_chars(&base).or_else(|| max_chars(&type_name)),
        is_narrow: matches!(base.as_str(), "integer" | "smallint"),
        precision: number_in(&base).and_then(|n| u8::try_from(n).ok()).unwrap_or(6),
        words: quoted_words(&if labels.is_empty() { text(row, 11) } else { labels }),
        type_name,
    };
    (text(row, 0), text(row, 1), kind, column)
}

fn max_chars(type_name: &str) -> Option<u64> {
    type_name.starts_with("character").then(|| number_in(type_name))?
}

/// The family by the base type's name and its category.
fn family(type_name: &str, category: &str) -> Family {
    let bare = type_name.split('(').next().unwrap_or_default().trim();
    match (bare, category) {
        ("json" | "jsonb", _) => Family::Json,
        ("bytea", _) => Family::Bytes,
        ("integer" | "bigint" | "smallint", _) => Family::Int,
        (_, "A") => Family::Array,
        (_, "B") => Family::Bool,
        (_, "E") => Family::Words,
        (_, "N") => Family::Real,
        (_, "S") => Family::Text,
        _ if type_name.ends_with("with time zone") && bare.starts_with("timestamp") => {
            Family::Zoned
        }
        _ if bare.starts_with("timestamp") => Family::Naive,
        _ => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_fall_into_families() {
        for (type_name, category, expected) in [
            ("character varying(255)", "S", Family::Text),
            ("text", "S", Family::Text),
            ("citext", "S", Family::Text),
            ("timestamp(3) without time zone", "D", Family::Naive),
            ("timestamp with time zone", "D", Family::Zoned),
            ("timestamp(0) with time zone", "D", Family::Zoned),
            ("date", "D", Family::Other),
            ("bigint", "N", Family::Int),
            ("numeric(20,0)", "N", Family::Real),
            ("double precision", "N", Family::Real),
            ("jsonb", "U", Family::Json),
            ("bytea", "U", Family::Bytes),
            ("text[]", "A", Family::Array),
            ("connection_status", "E", Family::Words),
            ("boolean", "B", Family::Bool),
            ("uuid", "U", Family::Other),
        ] {
            assert_eq!(family(type_name, category), expected, "{type_name}");
        }
        assert_eq!(max_chars("character varying(255)"), Some(255));
        assert_eq!(max_chars("text"), None);
        assert_eq!(max_chars("timestamp(3) without time zone"), None);
    }
}
