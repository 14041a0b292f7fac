//! What the beginning of a list tells of its columns by their values.

use std::collections::BTreeMap;

use super::cells::{Cells, Form};
use super::error::SeenIds;
use super::format::Format;
use super::id::{clean, names_an_id};
use super::layout::{Layout, is_same};
use super::names::{Role, role_of_path};
use super::nested;
use super::shape::Continues;
use super::tokens::Stored;

/// The first records of a list, and its columns as far as these bring them.
pub(super) struct Sample {
    pub(super) rows: Vec<Cells<'static>>,
    pub(super) layout: Layout,
}

/// The values of one column, or of one path inside it.
#[derive(Clone, Copy, Debug, Default)]
struct Values {
    filled: usize,
    ids: usize,
}

impl Values {
    fn count(&mut self, text: &str) {
        let text = clean(text);
        self.filled += usize::from(!text.is_empty());
        self.ids += usize::from(names_an_id(text));
    }

    fn are_ids(self) -> bool {
        self.ids > 0 && self.ids * 2 >= self.filled
    }
}

impl Sample {
    fn readable(&self) -> impl Iterator<Item = &Cells<'static>> {
        self.rows.iter().filter(|row| matches!(row.form, Form::Row | Form::Object))
    }

    pub(super) fn has_objects(&self) -> bool {
        self.readable().next().is_some()
    }

    fn column(&self, column: usize) -> Values {
        let mut values = Values::default();
        self.readable().for_each(|row| values.count(row.cell(column)));
        values
    }

    /// The values inside cells, by their paths.
    fn inside(&self) -> BTreeMap<String, (Role, Values)> {
        let mut paths = BTreeMap::<String, (Role, Values)>::new();
        for row in self.readable() {
            let cells = row.cells.iter().enumerate();
            for (column, cell) in cells.filter(|(_, cell)| nested::is_like_json(cell)) {
                let name = self.layout.name(column);
                for leaf in nested::leaves(cell) {
                    let path: Vec<_> =
                        std::iter::once(name).chain(leaf.path.iter().map(String::as_str)).collect();
                    let role = || (role_of_path(path.iter().copied()).0, Values::default());
                    paths.entry(path.join(".")).or_insert_with(role).1.count(&leaf.text);
                }
            }
        }
        paths
    }

    /// Whether a path that was named leads to values inside cells.
    pub(super) fn has_inside(&self, name: &str) -> bool {
        self.inside().keys().any(|path| is_same(name, path))
    }

    /// Whether ids stand inside cells under names for ids.
    fn has_ids_inside(&self) -> bool {
        let is_id = |role: Role| matches!(role, Role::Location | Role::Resource | Role::Company);
        self.inside().values().any(|(role, values)| is_id(*role) && values.filled > 0)
    }

    /// Whether ids stand inside cells, or tokens that name an installation.
    pub(super) fn can_serve(&self) -> bool {
        let is_named = |row: &Cells<'_>| Stored::of(&self.layout, row).named().is_some();
        let is_chosen = self.layout.chosen_id().is_some_and(|name| self.has_inside(name));
        is_chosen || self.has_ids_inside() || self.readable().any(is_named)
    }

    /// Columns, and paths inside them, most of whose values are ids.
    pub(super) fn seen_ids(&self) -> Vec<SeenIds> {
        let is_headerless = matches!(self.layout.shape.format, Format::Headerless(_));
        let columns = (0..self.layout.len()).map(|column| {
            let number = || (column + 1).to_string();
            let name = self.layout.name(column).to_owned();
            (if is_headerless { number() } else { name }, self.column(column))
        });
        let inside = self.inside().into_iter().map(|(path, (_, values))| (path, values));
        let seen = columns.chain(inside).filter(|(_, values)| values.are_ids());
        seen.map(|(column, Values { filled, ids })| SeenIds { column, ids, of: filled }).collect()
    }

    /// The only column whose values are ids, where it may be taken for that alone: in a list of one
    /// column, in a table without a header, in the failures of an earlier run.
    pub(super) fn best_column(&self) -> Option<(usize, Role)> {
        if matches!(self.rows.first()?.form, Form::Object | Form::BareId(_)) {
            return None;
        }
        let columns = self.layout.len();
        let shape = &self.layout.shape;
        let is_own = shape.continues == Continues::EarlierRun;
        let is_headerless = matches!(shape.format, Format::Headerless(_));
        let mut seen = (0..columns).filter(|column| self.column(*column).are_ids());
        let only = seen.next().filter(|_| seen.next().is_none())?;
        match columns {
            1 => Some((only, Role::Fallback)),
            _ if is_own || is_headerless => Some((only, Role::Resource)),
            _ => None,
        }
    }

    /// The column from which ids would be taken for want of a better one, and in words how many of
    /// its values are none, where most are none.
    pub(super) fn odd_ids(&self) -> Option<(String, String)> {
        let is_bare = self.layout.shape.format == Format::BareIds
            || self.rows.iter().any(|row| matches!(row.form, Form::BareId(_)));
        if is_bare || !self.layout.is_for_want() || self.has_ids_inside() {
            return None;
        }
        let columns: Vec<_> = self.layout.with(Role::Fallback).collect();
        let (mut filled, mut ids) = (0, 0);
        for row in self.readable() {
            let mut values = Values::default();
            for column in &columns {
                values.count(row.cell(*column));
            }
            filled += usize::from(values.filled > 0);
            ids += usize::from(values.ids > 0);
        }
        let names: Vec<_> = columns.iter().map(|column| self.layout.name(*column)).collect();
        let count = match ids {
            0 => format!("none of its {filled} values looks like an id"),
            _ => format!("only {ids} of its {filled} values look like ids"),
        };
        (filled > ids * 2).then(|| (names.join(" and "), count))
    }
}
