//! From the columns of a table and the values in them to a mapping. Pure.

use super::question::Question;
use crate::{
    highlevel::token_shape::{TokenShape, shape},
    installation::Scope,
    store::{
        column::{Cell, Column, Family, Table},
        document,
        field::Field,
        mapping::{As, Assignment, Source},
        role::{Role, role},
        status::{self, StatusChange},
        time_form::{TimeForm, Told, told},
    },
};

/// The columns of the two tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenColumns {
    /// Of the access token.
    pub access: String,
    /// Of the refresh token.
    pub refresh: String,
}

/// What is left alone in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusColumns {
    /// Status and error columns change with the tokens.
    Changed,
    /// They stay as they are.
    Kept,
}

/// What is written into which column, and what a person should know about the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assigned {
    /// The assignments, in the order of the columns.
    pub set: Vec<Assignment>,
    /// Columns that might have been meant, and why they are left.
    pub notes: Vec<String>,
}

/// Finds out what is written, for a table of which these rows were seen. A row has the cells of all
/// columns, in their order.
pub fn assign(
    table: &Table,
    tokens: &TokenColumns,
    rows: &[Vec<Cell>],
    status: StatusColumns,
) -> Result<Assigned, Question> {
    let mut assigned = Assigned::default();
    let columns: Vec<Seen<'_>> = table
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| Seen {
            role: role_in(column, tokens),
            column,
            cells: rows.iter().filter_map(|row| row.get(index).cloned()).collect(),
        })
        .collect();
    let clock = clock(&columns)?;
    let change = match status {
        StatusColumns::Changed => columns.iter().find_map(Seen::status),
        StatusColumns::Kept => None,
    };
    for seen in columns.iter().filter(|seen| !seen.column.is_generated) {
        seen.add_to(&mut assigned, clock, change.as_ref())?;
    }
    Ok(assigned)
}

/// A column with what was seen in it.
struct Seen<'a> {
    role: Role,
    column: &'a Column,
    cells: Vec<Cell>,
}

fn role_in(column: &Column, tokens: &TokenColumns) -> Role {
    match role(&column.name) {
        _ if column.name == tokens.access => Role::Access,
        _ if column.name == tokens.refresh => Role::Refresh,
        Role::Access | Role::Refresh | Role::OtherAccess | Role::OtherRefresh => Role::Unknown,
        role => role,
    }
}

/// The column from which `expires_in` counts.
fn clock<'a>(columns: &[Seen<'a>]) -> Result<Option<&'a str>, Question> {
    let has = |wanted: Role| columns.iter().find(|seen| seen.role == wanted);
    let Some(life) = has(Role::ExpiresIn) else { return Ok(None) };
    if has(Role::ExpiresAt).is_some() {
        return Ok(None);
    }
    let known = |wanted| has(wanted).filter(|seen| seen.time().is_some());
    match known(Role::GrantedAt).or_else(|| known(Role::UpdatedAt)) {
        Some(clock) => Ok(Some(&clock.column.name)),
        None => Err(Question::NoClock { column: life.column.name.clone() }),
    }
}

impl Seen<'_> {
    fn time(&self) -> Option<TimeForm> {
        match told(self.column, &self.cells) {
            Told::Form(form) | Told::Mostly(form) => Some(form),
            Told::Nothing | Told::Unclear => None,
        }
    }

    fn filled(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().filter_map(Cell::filled)
    }

    fn status(&self) -> Option<(String, StatusChange)> {
        if self.role != Role::Status {
            return None;
        }
        let Column { name, default, words, .. } = self.column;
        let change = status::change(name, default.as_deref(), words, self.filled())?;
        Some((name.clone(), change))
    }

    fn add_to(
        &self,
        assigned: &mut Assigned,
        clock: Option<&str>,
        change: Option<&(String, StatusChange)>,
    ) -> Result<(), Question> {
        let name = &self.column.name;
        let is_clock = clock == Some(name.as_str());
        match self.role {
            Role::Access => self.add_field(assigned, Field::AccessToken, None),
            Role::Refresh => self.add_field(assigned, Field::RefreshToken, None),
            Role::ExpiresAt => {
                let format = self.expiry()?;
                self.add_field(assigned, Field::ExpiresAt, format);
            }
            Role::ExpiresIn => self.add_field(assigned, Field::ExpiresIn, None),
            Role::GrantedAt => self.add_time(assigned, Field::GrantedAt),
            Role::UpdatedAt if is_clock => self.add_time(assigned, Field::GrantedAt),
            Role::UpdatedAt => self.add_time(assigned, Field::Now),
            Role::Scope if !self.says_kind() => self.add_field(assigned, Field::Scope, None),
            Role::TokenType => self.add_field(assigned, Field::TokenType, None),
            Role::UserType if self.is_of_our_words() => {
                self.add_field(assigned, Field::UserType, None);
            }
            Role::Status => self.add_status(assigned, change),
            Role::Error => self.add_error(assigned, change),
            Role::Unknown if self.holds_document() => {
                self.add_field(assigned, Field::Document, Some(As::Json));
            }
            Role::Unknown if is_refresh_expiry(name) && self.filled().next().is_some() => {
                assigned.notes.push(format!("{name} is left as it is: a pair does not say it"));
            }
            _ => {}
        }
        Ok(())
    }

    fn add_field(&self, assigned: &mut Assigned, field: Field, format: Option<As>) {
        let source = Source::Field(field, format);
        assigned.set.push(Assignment::plain(&self.column.name, source));
    }

    fn add_time(&self, assigned: &mut Assigned, field: Field) {
        match self.time() {
            Some(form) => self.add_field(assigned, field, form.name().and_then(As::named)),
            None => assigned.notes.push(format!(
                "{} is left as it is: its values do not tell how it writes a time",
                self.column.name
            )),
        }
    }

    fn add_status(&self, assigned: &mut Assigned, change: Option<&(String, StatusChange)>) {
        let name = &self.column.name;
        if let Some((column, StatusChange { bad, good })) = change
            && column == name
        {
            let mut assignment = Assignment::plain(name, Source::Value(good.clone()));
            assignment.instead_of.clone_from(bad);
            assigned.set.push(assignment);
        }
    }

    fn add_error(&self, assigned: &mut Assigned, change: Option<&(String, StatusChange)>) {
        if let Some((column, _)) = change
            && !self.column.not_null
        {
            let mut assignment = Assignment::plain(&self.column.name, Source::Null);
            assignment.with = Some(column.clone());
            assigned.set.push(assignment);
        }
    }

    /// How the expiry is written. What cannot be told is asked for.
    fn expiry(&self) -> Result<Option<As>, Question> {
        match told(self.column, &self.cells) {
            Told::Form(form) => Ok(form.name().and_then(As::named)),
            told => Err(Question::Time {
                column: self.column.name.clone(),
                is_empty: told == Told::Nothing,
            }),
        }
    }

    /// Whether the column says Location or Company, and no OAuth scopes.
    fn says_kind(&self) -> bool {
        let mut filled = self.filled().peekable();
        filled.peek().is_some() && filled.all(|text| Scope::from_user_type(text).is_some())
    }

    fn is_of_our_words(&self) -> bool {
        let ours = [Scope::Location, Scope::Company].map(Scope::user_type);
        self.column.family == Family::Text && self.filled().all(|text| ours.contains(&text))
    }

    fn holds_document(&self) -> bool {
        matches!(self.column.family, Family::Text | Family::Json | Family::Other)
            && self.filled().any(|text| document::tokens_in(text).is_some())
    }
}

fn is_refresh_expiry(name: &str) -> bool {
    let words = crate::input::name_words(name);
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    has("refresh") && (has("expires") || has("expiry") || has("expiration"))
}

/// Names the first column whose old values are encrypted.
pub fn encrypted<'a>(
    columns: impl IntoIterator<Item = (&'a Column, Vec<&'a Cell>)>,
) -> Option<&'a str> {
    let is_cipher = |cell: &&Cell| match cell.filled() {
        Some(_) if cell.family == Family::Bytes => true,
        Some(text) => shape(text.trim()) == TokenShape::Ciphertext,
        None => false,
    };
    columns.into_iter().find_map(|(column, cells)| {
        let is_named =
            crate::input::token_name(&column.name) == Some(crate::input::TokenName::Ciphertext);
        let has_none = cells.iter().all(|cell| cell.filled().is_none());
        let is_bytes = column.family == Family::Bytes;
        let is = cells.iter().any(is_cipher) || (has_none && (is_named || is_bytes));
        is.then_some(column.name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::column::TableKind;

    /// A table of one row: name, family, value.
    fn table(columns: &[(&str, Family, Option<&str>)]) -> (Table, Vec<Vec<Cell>>) {
        let row = columns
            .iter()
            .map(|(_, family, text)| Cell { text: text.map(str::to_owned), family: *family });
        let row: Vec<Cell> = row.collect();
        let columns = columns.iter().map(|(name, family, _)| Column {
            family: *family,
            precision: 3,
            ..Column::unknown(name)
        });
        let table = Table {
            schema: String::new(),
            name: "t".into(),
            kind: TableKind::Table,
            columns: columns.collect(),
        };
        (table, vec![row])
    }

    fn tokens() -> TokenColumns {
        TokenColumns { access: "access_token".into(), refresh: "refresh_token".into() }
    }

    #[test]
    fn each_column_gets_what_its_values_ask_for() {
        let (mut table, rows) = table(&[
            ("location_id", Family::Text, Some("ve9EPM428h8vShlRW1KT")),
            ("access_token", Family::Text, Some("a")),
            ("refresh_token", Family::Text, Some("r")),
            ("expires_at", Family::Int, Some("1735787045678")),
            ("updated_at", Family::Zoned, None),
            ("scope", Family::Text, Some("Location")),
            ("scopes", Family::Text, Some("a.read b.write")),
            ("status", Family::Text, Some("error")),
            ("last_error", Family::Text, Some("invalid_grant")),
            ("raw", Family::Json, Some(r#"{"access_token":"a"}"#)),
            ("refresh_token_expires_at", Family::Zoned, Some("2025-01-01 00:00:00+00")),
            ("notes", Family::Text, Some("mine")),
        ]);
        table.columns[7].default = Some("'connected'::text".into());
        let assigned = assign(&table, &tokens(), &rows, StatusColumns::Changed).unwrap();
        let set: Vec<_> = assigned
            .set
            .iter()
            .map(|a| match &a.source {
                Source::Field(field, format) => {
                    format!("{}={}{}", a.column, field.name(), format.map_or("", As::name))
                }
                Source::Value(value) => format!("{}={value}", a.column),
                Source::Null => format!("{}=null", a.column),
            })
            .collect();
        assert_eq!(
            set.join(" "),
            "access_token=access_token refresh_token=refresh_token expires_at=expires_atepoch_ms \
             updated_at=now scopes=scope status=connected last_error=null raw=documentjson"
        );
        assert_eq!(assigned.notes.len(), 1, "{:?}", assigned.notes);
        let kept = assign(&table, &tokens(), &rows, StatusColumns::Kept).unwrap();
        assert!(kept.set.iter().all(|a| a.column != "status" && a.column != "last_error"));
    }

    #[test]
    fn what_cannot_be_told_is_asked_for() {
        let base =
            [("access_token", Family::Text, Some("a")), ("refresh_token", Family::Text, Some("r"))];
        for (more, expected) in [
            (&[("expires_at", Family::Int, None)][..], "Time"),
            (&[("expires_at", Family::Text, Some("soon"))], "Time"),
            (&[("expires_in", Family::Int, Some("86399"))], "NoClock"),
            (
                &[("expires_in", Family::Int, Some("86399")), ("updated_at", Family::Zoned, None)],
                "ok",
            ),
        ] {
            let columns: Vec<_> = base.iter().chain(more).copied().collect();
            let (table, rows) = table(&columns);
            let found = match assign(&table, &tokens(), &rows, StatusColumns::Changed) {
                Ok(_) => "ok".to_owned(),
                Err(question) => format!("{question:?}"),
            };
            assert!(found.starts_with(expected), "{more:?}: {found}");
        }
    }

    #[test]
    fn ciphertext_is_told_by_values_then_by_names() {
        let cell = |text: &str| Cell { text: Some(text.into()), family: Family::Text };
        let null = Cell { text: None, family: Family::Text };
        for (name, cells, expected) in [
            ("access_token", vec![cell("gAAAAABnZ1y0aGVyZSBpcyBub3RoaW5nIGhlcmU")], true),
            ("access_token", vec![cell("U2FsdGVkX1+abc"), null.clone()], true),
            ("access_token", vec![cell("old-access-1")], false),
            ("access_token", vec![null.clone()], false),
            ("access_token_encrypted", vec![null], true),
            ("access_token_encrypted", vec![cell("old-access-1")], false),
        ] {
            let column = Column { family: Family::Text, ..Column::unknown(name) };
            let found = encrypted([(&column, cells.iter().collect())]);
            assert_eq!(found.is_some(), expected, "{name}");
        }
    }
}
