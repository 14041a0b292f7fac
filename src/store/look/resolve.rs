//! A mapping with every column looked up and every form told. Pure.

use super::{
    assign::encrypted,
    question::{Question, named},
};
use crate::{
    installation::Scope,
    store::{
        column::{Cell, Column, Family, Table},
        encode::{Form, form_of, list_form},
        field::Field,
        mapping::{As, Assignment, KeyTerm, Mapping, Source},
        plan::{Guards, WrittenColumn},
        role::{Role, role},
        time_form::{TimeForm, Told, told},
    },
};

/// The longest token of each kind, in characters; 0 while there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// Of the access tokens.
    pub access: usize,
    /// Of the refresh tokens.
    pub refresh: usize,
}

/// Looks every assignment up.
pub fn written(
    table: &Table,
    mapping: &Mapping,
    rows: &[Vec<Cell>],
) -> Result<Vec<WrittenColumn>, Question> {
    let keys = mapping.key.iter().chain(mapping.company_key.iter().flatten());
    for KeyTerm { column, .. } in keys {
        column_named(table, column)?;
    }
    mapping.set.iter().map(|assignment| one(table, assignment, rows)).collect()
}

fn column_named<'a>(table: &'a Table, name: &str) -> Result<&'a Column, Question> {
    table.column(name).ok_or_else(|| {
        let known: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
        Question::NoColumn {
            table: table.to_string(),
            column: name.to_owned(),
            known: named(&known, 30),
        }
    })
}

fn one(
    table: &Table,
    assignment: &Assignment,
    rows: &[Vec<Cell>],
) -> Result<WrittenColumn, Question> {
    let column = column_named(table, &assignment.column)?;
    if column.is_generated {
        return Err(Question::Generated { column: column.name.clone() });
    }
    let with = assignment.with.as_deref().map(|name| column_named(table, name)).transpose()?;
    Ok(WrittenColumn {
        form: form(column, &assignment.source, &cells_of(table, column, rows))?,
        column: column.clone(),
        source: assignment.source.clone(),
        through: assignment.through.clone(),
        instead_of: assignment.instead_of.clone(),
        with: with.map(|column| column.name.clone()),
    })
}

/// The cells of a column.
pub fn cells_of(table: &Table, column: &Column, rows: &[Vec<Cell>]) -> Vec<Cell> {
    let index = table.columns.iter().position(|other| other.name == column.name);
    index.map_or_else(Vec::new, |index| {
        rows.iter().filter_map(|row| row.get(index).cloned()).collect()
    })
}

fn form(column: &Column, source: &Source, cells: &[Cell]) -> Result<Form, Question> {
    let Source::Field(field, format) = source else { return Ok(Form::Plain) };
    let is_typed = matches!(column.family, Family::Zoned | Family::Naive);
    Ok(match (field, format) {
        (Field::Document, _) => Form::Document,
        (field, _) if field.is_time() && is_typed => time(column, *field, cells)?,
        (field, Some(As::Iso)) if field.is_time() => match told(column, cells) {
            Told::Form(form @ TimeForm::Iso(_)) | Told::Mostly(form @ TimeForm::Iso(_)) => {
                Form::Time(form)
            }
            _ => form_of(As::Iso, column),
        },
        (field, Some(format)) if field.is_time() => match told(column, cells) {
            // A count with a fraction stays one.
            Told::Form(form) if form.name() == Some(format.name()) => Form::Time(form),
            _ => form_of(*format, column),
        },
        (field, None) if field.is_time() => time(column, *field, cells)?,
        (Field::ExpiresIn, _) if column.family == Family::Text => Form::NumberText,
        (Field::ExpiresIn, _) => Form::Number,
        (Field::Scope, _) => Form::List(list_form(column, cells)),
        _ if column.family == Family::Json => Form::JsonText,
        _ => Form::Plain,
    })
}

fn time(column: &Column, field: Field, cells: &[Cell]) -> Result<Form, Question> {
    match told(column, cells) {
        Told::Form(form) => Ok(Form::Time(form)),
        Told::Mostly(form) if field != Field::ExpiresAt => Ok(Form::Time(form)),
        told => {
            Err(Question::Time { column: column.name.clone(), is_empty: told == Told::Nothing })
        }
    }
}

/// The columns that are read for the decision besides those that are written.
pub fn guards(table: &Table, mapping: &Mapping, rows: &[Vec<Cell>]) -> Guards {
    let in_key = |name: &str| {
        let terms = mapping.key.iter().chain(mapping.company_key.iter().flatten());
        terms.into_iter().any(|term| term.column == name)
    };
    let of = |wanted: Role| table.columns.iter().filter(move |column| role(&column.name) == wanted);
    let updated_at =
        of(Role::UpdatedAt).find_map(|column| match told(column, &cells_of(table, column, rows)) {
            Told::Form(form) | Told::Mostly(form) => Some((column.name.clone(), form)),
            Told::Nothing | Told::Unclear => None,
        });
    let by_company = mapping.key_of(Scope::Company).first();
    let is_by_company = by_company.is_some_and(|term| role(&term.column) == Role::CompanyId);
    let location = of(Role::LocationId).next().filter(|_| is_by_company);
    let kind = of(Role::UserType).find(|column| {
        let cells = cells_of(table, column, rows);
        !in_key(&column.name)
            && cells.iter().filter_map(Cell::filled).all(|t| Scope::from_user_type(t).is_some())
    });
    Guards {
        updated_at,
        location: location.map(|column| column.name.clone()),
        kind: kind.map(|column| column.name.clone()),
    }
}

/// Refuses columns that hold ciphertext, unless a program of the app encrypts for them.
pub fn check_ciphertext(
    table: &Table,
    written: &[WrittenColumn],
    rows: &[Vec<Cell>],
) -> Result<(), Question> {
    for column in written.iter().filter(|w| w.holds_tokens() && w.through.is_empty()) {
        let Source::Field(field, _) = column.source else { continue };
        let cells = cells_of(table, &column.column, rows);
        let is_document = field == Field::Document;
        if !is_document && encrypted([(&column.column, cells.iter().collect())]).is_some() {
            return Err(Question::Encrypted {
                column: column.column.name.clone(),
                field: field.name().to_owned(),
            });
        }
    }
    Ok(())
}

/// Refuses columns that are too short for the tokens. While there are none, the old ones tell: one that
/// fills its column was cut.
pub fn check_lengths(
    table: &Table,
    written: &[WrittenColumn],
    rows: &[Vec<Cell>],
    longest: Longest,
) -> Result<(), Question> {
    for column in written.iter().filter(|w| w.through.is_empty()) {
        let (what, length) = match column.source {
            Source::Field(Field::AccessToken, _) => ("an access token", longest.access),
            Source::Field(Field::RefreshToken, _) => ("a refresh token", longest.refresh),
            _ => continue,
        };
        let length = if length > 0 {
            length
        } else {
            let cells = cells_of(table, &column.column, rows);
            let old = cells.iter().filter_map(Cell::filled).map(|text| text.chars().count()).max();
            let room = column.column.max_chars.and_then(|room| usize::try_from(room).ok());
            old.map_or(0, |old| if Some(old) == room { old + 1 } else { old })
        };
        if let Some(room) = column.column.max_chars.filter(|room| *room < length as u64) {
            let column = column.column.name.clone();
            return Err(Question::TooShort { column, room, what, length });
        }
    }
    Ok(())
}
