//! A pair ready to be compared and written: its key, and its tokens as the store will have them. Pure.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::{
    highlevel::jwt,
    installation::Scope,
    secret::Secret,
    store::{
        backup::{self, ContentDigest},
        column::{Cell, Column, Family},
        decide::{NewPair, StoredRow},
        document,
        encode::{Form, encode},
        field::Field,
        list_tokens::ListTokens,
        mapping::Source,
        pair::Pair,
        plan::{StorePlan, WrittenColumn},
        sql::Value,
        statement::{Key, NewValue},
        time_form::TimeForm,
    },
};
use jiff::Timestamp;

/// See the module.
#[derive(Clone)]
pub struct Prepared<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// How its row is found.
    pub key: Key,
    /// For each written column that a program changes, what it gave.
    pub through: Vec<Option<String>>,
}

/// A row that was read: its cells by column.
#[derive(Clone, Debug)]
pub struct ReadRow {
    columns: Vec<Column>,
    cells: Vec<Cell>,
}

impl ReadRow {
    /// Cells with their columns.
    pub fn new(columns: &[Column], cells: Vec<Cell>) -> Self {
        Self { columns: columns.to_vec(), cells }
    }

    /// The cell of a column; NULL where it was not read.
    pub fn cell(&self, name: &str) -> Cell {
        let index = self.columns.iter().position(|column| column.name == name);
        index.and_then(|index| self.cells.get(index).cloned()).unwrap_or(NULL)
    }
}

const NULL: Cell = Cell { text: None, family: Family::Other };

impl Prepared<'_> {
    /// What the token columns will have, as one digest.
    pub fn digest(&self, plan: &StorePlan) -> ContentDigest {
        let text = |field: Field, plain: Option<&Secret>| {
            let through = plan.place_of(field).and_then(|place| self.through.get(place)?.clone());
            through.or_else(|| plain.map(|token| token.expose().to_owned()))
        };
        let access = text(Field::AccessToken, Some(&self.pair.access_token));
        let refresh = text(Field::RefreshToken, self.pair.refresh_token.as_ref());
        ContentDigest::of(&access.unwrap_or_default(), refresh.as_deref())
    }

    /// What the decision is about. `None` stands for a token that a program changes.
    pub fn new_pair(&self, plan: &StorePlan) -> NewPair<'_> {
        let is_plain = |field: Field| {
            plan.place_of(field).is_none_or(|place| plan.written[place].through.is_empty())
        };
        let access = self.pair.access_token.expose();
        let own_expiry = jwt::look_into(access).and_then(|claims| claims.expires_at);
        NewPair {
            access: (is_plain(Field::AccessToken) && is_plain(Field::RefreshToken))
                .then_some(access),
            refresh: self.pair.refresh_token.as_ref().map(Secret::expose),
            expires_at: self.pair.expires_at,
            own_expiry,
            granted_at: self.pair.granted_at,
            scope: self.pair.installation.scope,
        }
    }

    /// What comes into each written column of a row that has these cells.
    pub fn new_values(&self, plan: &StorePlan, row: &ReadRow, now: Timestamp) -> Vec<NewValue> {
        let is_changed = |written: &WrittenColumn| {
            let old = row.cell(&written.column.name);
            written.instead_of.is_empty()
                || old.text.as_ref().is_some_and(|text| written.instead_of.contains(text))
        };
        let with_is_changed = |written: &WrittenColumn| match &written.with {
            None => true,
            Some(name) => {
                let other = plan.written.iter().find(|other| other.column.name == *name);
                other.is_some_and(is_changed)
            }
        };
        let value = |(place, written): (usize, &WrittenColumn)| {
            let old = row.cell(&written.column.name);
            // What is no answer of HighLevel's is something of the app's.
            let is_foreign = plan.place_of(Field::AccessToken).is_some()
                && matches!(written.source, Source::Field(Field::Document, _))
                && old.filled().is_some_and(|old| document::tokens_in(old).is_none());
            if is_foreign || !is_changed(written) || !with_is_changed(written) {
                return NewValue::Kept;
            }
            self.value(place, written, &old, now)
        };
        plan.written.iter().enumerate().map(value).collect()
    }

    /// What comes into a written column.
    pub fn value(
        &self,
        place: usize,
        written: &WrittenColumn,
        old: &Cell,
        now: Timestamp,
    ) -> NewValue {
        if let Some(Some(text)) = self.through.get(place) {
            return NewValue::Set(Value::Text(text.clone()));
        }
        let value = encode(&written.source, written.form, self.pair, old, now);
        match (&written.source, value) {
            (Source::Field(field, _), Value::Null) => lacking(*field, &written.column),
            (_, value) => NewValue::Set(value),
        }
    }
}

/// What becomes of a column for which the pair has nothing. An old token or an old expiry beside a new
/// pair would be wrong; a scope stays.
fn lacking(field: Field, column: &Column) -> NewValue {
    match field {
        Field::RefreshToken if column.not_null => NewValue::Set(Value::Text(String::new())),
        Field::RefreshToken => NewValue::Set(Value::Null),
        Field::ExpiresAt | Field::ExpiresIn if !column.not_null => NewValue::Set(Value::Null),
        _ => NewValue::Kept,
    }
}

/// What earlier commands and the list say about stored tokens.
#[derive(Default)]
pub struct Known {
    /// What earlier commands have written for a row: of which pair, and the digest of it.
    pub written: backup::Written,
    /// The tokens of the lists.
    pub list: Arc<ListTokens>,
}

/// A row that was read, as the decision sees it.
pub fn stored_row(plan: &StorePlan, row: &ReadRow, pair: &Pair, known: &Known) -> StoredRow {
    let (access, refresh) = stored_tokens(plan, row);
    let moment = |name: &str, form: TimeForm| form.moment(&row.cell(name).text?);
    let expires_at =
        plan.place_of(Field::ExpiresAt).and_then(|place| match plan.written[place].form {
            Form::Time(form) => moment(&plan.written[place].column.name, form),
            _ => None,
        });
    let kind =
        plan.guards.kind.as_ref().and_then(|name| Scope::from_user_type(&row.cell(name).text?));
    let location = plan.guards.location.as_ref();
    let digest = ContentDigest::of(access.as_deref().unwrap_or_default(), refresh.as_deref());
    let ours = known.written.get(&pair.row);
    let is_written_by_us = ours.is_some_and(|ours| ours.contains(&(pair.token_line, digest)));
    let is_of_a_location = location.is_some_and(|name| row.cell(name).filled().is_some())
        && kind != Some(Scope::Company);
    StoredRow {
        expires_at,
        updated_at: plan.guards.updated_at.as_ref().and_then(|(name, form)| moment(name, *form)),
        kind,
        is_of_a_location,
        is_written_by_us,
        is_of_the_list: known.list.have(access.as_deref(), refresh.as_deref()),
        access,
        refresh,
    }
}

/// The tokens that stand in a row: in their columns, or in the document.
pub fn stored_tokens(plan: &StorePlan, row: &ReadRow) -> (Option<String>, Option<String>) {
    let text = |field| {
        let place = plan.place_of(field)?;
        row.cell(&plan.written[place].column.name).text
    };
    let has_columns = plan.place_of(Field::AccessToken).or(plan.place_of(Field::RefreshToken));
    if has_columns.is_some() {
        return (text(Field::AccessToken), text(Field::RefreshToken));
    }
    text(Field::Document).and_then(|text| document::tokens_in(&text)).unwrap_or_default()
}

/// The cells of a row as `replaced.jsonl` keeps them: those of the key, and those that are written.
pub fn kept(
    plan: &StorePlan,
    prepared: &Prepared<'_>,
    row: &ReadRow,
) -> (Map<String, Json>, Map<String, Json>) {
    let json = |name: &str| row.cell(name).text.map_or(Json::Null, Json::from);
    let key = prepared.key.parts.iter().map(|(c, _)| (c.name.clone(), json(&c.name)));
    let old = plan.written.iter().map(|w| (w.column.name.clone(), json(&w.column.name)));
    (key.collect(), old.collect())
}

/// A cell as it was, to be put back.
pub fn as_it_was(cell: &Cell) -> Value {
    match (&cell.text, cell.family) {
        (None, _) => Value::Null,
        (Some(text), Family::Int) => {
            text.parse().map_or_else(|_| Value::Text(text.clone()), Value::Int)
        }
        (Some(text), Family::Real) => {
            text.parse().map_or_else(|_| Value::Text(text.clone()), Value::Real)
        }
        (Some(text), _) => Value::Text(text.clone()),
    }
}
