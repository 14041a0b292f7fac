//! What a database's codes mean. Pure functions of a code and of what the server's sentence names;
//! the sentence itself is never kept, because it often has a value.

mod mysql;
mod postgres;
mod sqlite;

pub use self::{mysql::mysql, postgres::postgres, sqlite::sqlite};

/// The text between two marks, the first after the last `before`. Only what looks like the name of a
/// constraint or a column, so that no value passes for one.
fn name_between<'a>(text: &'a str, before: &str, after: char) -> Option<&'a str> {
    let (_, rest) = text.rsplit_once(before)?;
    let (name, _) = rest.split_once(after)?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-');
    let name = name.rsplit(['.', '`']).find(|part| !part.is_empty())?;
    (name.len() <= 64 && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_and_a_value_is_not() {
        for (text, before, name) in [
            ("Data too long for column 'access_token' at row 1", "column '", Some("access_token")),
            ("for column `db`.`t`.`access_token` at row 1'", "column ", None),
            ("Duplicate entry 'a b' for key 'uq'", "for key '", Some("uq")),
            ("Duplicate entry 'a b' for key 't.uq'", "for key '", Some("uq")),
            ("Duplicate entry 'for key 'x y'", "for key '", None),
            ("nothing", "for key '", None),
        ] {
            assert_eq!(name_between(text, before, '\''), name, "{text}");
        }
    }
}
