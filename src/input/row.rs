//! One record judged: which installation it names, or why it names none.

use std::borrow::Cow;

use super::formula;
use crate::installation::{Id, Installation, Scope};

use super::columns::{Layout, normalise};
use super::history::history;
use super::judge::{Reason, clean, is_object_id, judge as judge_id};
use super::redact::{LEFT_OUT, carry, look};
use super::stored::Stored;
use super::{Listed, Record, Rejected, ScopeChoice, ToldBy};

/// A record's cells, by column.
pub(super) trait Cells {
    /// The text of a cell; empty where the record has none.
    fn cell(&self, column: usize) -> Cow<'_, str>;

    /// Whether a closer look for tokens is worth it.
    fn may_hold_secrets(&self) -> bool;

    /// The column of a record that is nothing but an id.
    fn bare_id(&self) -> Option<usize> {
        None
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) row: u32,
    pub(super) line: u64,
}

/// A cell that is not empty.
struct Filled<'a> {
    column: usize,
    text: Cow<'a, str>,
}

impl Filled<'_> {
    fn id(&self) -> &str {
        clean(&self.text)
    }
}

fn filled(row: &impl Cells, column: usize) -> Option<Filled<'_>> {
    let text = row.cell(column);
    (!clean(&text).is_empty()).then_some(Filled { column, text })
}

/// What decides about a record: its id cells and its own word on its kind.
struct Facts<'a> {
    location: Option<Filled<'a>>,
    resource: Option<Filled<'a>>,
    company: Option<Filled<'a>>,
    fallback: Option<Filled<'a>>,
    own: Option<(usize, Scope)>,
    token: Option<(Scope, Id)>,
}

/// Judges a record.
pub(super) fn judge(
    layout: &Layout,
    row: &impl Cells,
    choice: ScopeChoice,
    at: Position,
) -> Record {
    let rejected = |column: String, reason: Reason, raw: &str| {
        Record::Rejected(Rejected { row: at.row, line: at.line, column, reason, raw: look(raw) })
    };
    if let Some(event) = uninstalled(layout, row) {
        return rejected(layout.name(event).to_owned(), Reason::Uninstalled, &row.cell(event));
    }
    let stored = Stored::of(layout, row);
    let facts = Facts::of(layout, row, stored.named());
    let (told_by, (scope, id)) =
        match (facts.known_by_token(choice), facts.known_by_columns(layout, choice)) {
            (Some(named), Ok(known)) if *named == known => (ToldBy::Column, known),
            (Some(named), _) => (ToldBy::Token, named.clone()),
            (None, Ok(known)) => (ToldBy::Column, known),
            (None, Err((column, reason, raw))) => return rejected(column, reason, raw),
        };
    let company = facts.company_beside(scope, &id);
    let installation = Installation { scope, id, company };
    Record::Installation(listed(at, layout, row, Found { installation, stored, told_by }))
}

/// What was found out of a record.
struct Found {
    installation: Installation,
    stored: Stored,
    told_by: ToldBy,
}

fn listed(at: Position, layout: &Layout, row: &impl Cells, found: Found) -> Listed {
    let Found { installation, stored, told_by } = found;
    Listed {
        row: at.row,
        line: at.line,
        unusual: !installation.id.is_usual(),
        installation,
        values: values(layout, row, &stored),
        history: layout.history().and_then(|columns| history(columns, row)),
        stored,
        told_by,
    }
}

/// The carried cells. In the failures of an earlier run, some have an apostrophe of ours.
/// A cell that repeats a token of the record, in a column of whatever name, is left out too.
fn values(layout: &Layout, row: &impl Cells, stored: &Stored) -> Vec<String> {
    let mut values = carried_values(layout, row);
    for token in &stored.seen {
        for value in values.iter_mut().filter(|value| value.contains(token.expose())) {
            LEFT_OUT.clone_into(value);
        }
    }
    values
}

fn carried_values(layout: &Layout, row: &impl Cells) -> Vec<String> {
    let is_guarded = layout.history().is_some();
    let cells = layout.carried().iter().map(|column| row.cell(*column));
    let cells = cells.map(|cell| if is_guarded { without_guard(cell) } else { cell });
    if row.may_hold_secrets() {
        cells.map(carry).collect()
    } else {
        cells.map(Cow::into_owned).collect()
    }
}

fn without_guard(cell: Cow<'_, str>) -> Cow<'_, str> {
    let bare = formula::unguarded(&cell);
    if bare.len() == cell.len() { cell } else { Cow::Owned(bare.to_owned()) }
}

fn uninstalled(layout: &Layout, row: &impl Cells) -> Option<usize> {
    layout.event().find(|column| {
        let event = normalise(&row.cell(*column));
        matches!(event.as_str(), "uninstall" | "appuninstall" | "uninstalled" | "appuninstalled")
    })
}

impl<'a> Facts<'a> {
    fn of(layout: &Layout, row: &'a impl Cells, token: Option<(Scope, Id)>) -> Self {
        Self {
            location: layout.location().find_map(|column| filled(row, column)),
            resource: layout.resource().find_map(|column| filled(row, column)),
            company: layout.company().find_map(|column| filled(row, column)),
            fallback: fallback(layout, row),
            own: layout.kind().find_map(|column| {
                Scope::from_user_type(&row.cell(column)).map(|scope| (column, scope))
            }),
            token,
        }
    }

    /// The installation that a stored token names, where the record leaves open which one it is:
    /// it does not say another kind, and no cell has another id of this kind.
    fn known_by_token(&self, choice: ScopeChoice) -> Option<&(Scope, Id)> {
        let (scope, id) = self.token.as_ref()?;
        let says_so = self.declared_kind(choice).map_or_else(
            || *scope == Scope::Location || self.location.is_none(),
            |declared_kind| declared_kind == *scope,
        );
        let column = match scope {
            Scope::Location => &self.location,
            Scope::Company => &self.company,
        };
        let is_id = |cell: &Filled<'_>| judge_id(cell.id()).is_ok() && !is_object_id(cell.id());
        let mut general = [&self.resource, &self.fallback].into_iter().flatten();
        let names_another = general.any(|cell| cell.id() != id.as_str() && is_id(cell));
        (says_so && column.is_none() && !names_another).then_some(())?;
        self.token.as_ref()
    }

    /// What kind is forced, or said by the record.
    fn declared_kind(&self, choice: ScopeChoice) -> Option<Scope> {
        match choice {
            ScopeChoice::Location => Some(Scope::Location),
            ScopeChoice::Company => Some(Scope::Company),
            ScopeChoice::Auto => self.own.map(|(_, scope)| scope),
        }
    }

    /// The installation that the cells name, or the column at fault, why, and what stands there.
    fn known_by_columns(
        &self,
        layout: &Layout,
        choice: ScopeChoice,
    ) -> Result<(Scope, Id), (String, Reason, &str)> {
        let unnamed = |(column, reason)| (column, reason, "");
        let (scope, cell) = self.decide(layout, choice).map_err(unnamed)?;
        let unusable = |reason| (layout.name(cell.column).to_owned(), reason, cell.text.as_ref());
        self.judge(cell).map(|id| (scope, id)).map_err(unusable)
    }

    /// The kind, and the cell that should hold the id; or the column that lacks it, and why.
    fn decide(
        &self,
        layout: &Layout,
        choice: ScopeChoice,
    ) -> Result<(Scope, &Filled<'a>), (String, Reason)> {
        let said_by = || match (choice, self.own) {
            (ScopeChoice::Auto, Some((column, _))) => layout.name(column).to_owned(),
            _ => "--scope".to_owned(),
        };
        match self.scope(choice) {
            Some(Scope::Location) => {
                let missing =
                    || (layout.location_name(), Reason::NoLocationId { said_by: said_by() });
                self.location_cell().map(|cell| (Scope::Location, cell)).ok_or_else(missing)
            }
            Some(Scope::Company) => {
                let missing =
                    || (layout.company_name(), Reason::NoCompanyId { said_by: said_by() });
                self.company_cell(layout).map(|cell| (Scope::Company, cell)).ok_or_else(missing)
            }
            None => Err((layout.location_name(), Reason::NoId)),
        }
    }

    /// The kind: what is forced, what the record says, or what its ids tell.
    fn scope(&self, choice: ScopeChoice) -> Option<Scope> {
        self.declared_kind(choice).or_else(|| self.known_by_ids())
    }

    fn known_by_ids(&self) -> Option<Scope> {
        let company = self.company.as_ref().map(Filled::id);
        if self.location_cell().is_some() {
            return Some(Scope::Location);
        }
        let any = company.is_some() || self.resource.is_some();
        any.then_some(Scope::Company)
    }

    /// The cell that holds a sub-account's id.
    fn location_cell(&self) -> Option<&Filled<'a>> {
        let company = self.company.as_ref().map(Filled::id);
        let is_other = |cell: &&Filled<'a>| company != Some(cell.id());
        // Beside a company id, a general column may just as well hold a row number.
        let serves = |cell: &&Filled<'a>| {
            company.is_none() || judge_id(cell.id()).is_ok_and(|id| id.is_usual())
        };
        let general = self.fallback.as_ref().filter(is_other).filter(serves);
        let is_agency = self.own.is_some_and(|(_, scope)| scope == Scope::Company);
        let resource = self.resource.as_ref().filter(|cell| !is_agency && is_other(cell));
        self.location.as_ref().or(resource).or(general)
    }

    /// The cell that holds an agency's id.
    fn company_cell(&self, layout: &Layout) -> Option<&Filled<'a>> {
        let is_agency = self.own.is_none_or(|(_, scope)| scope == Scope::Company);
        let location = self.location.as_ref().map(Filled::id);
        let resource = self.resource.as_ref().filter(|c| is_agency && location != Some(c.id()));
        let general = self.fallback.as_ref().filter(|c| layout.may_hold_company(c.column));
        self.company.as_ref().or(resource).or(general)
    }

    fn judge(&self, cell: &Filled<'a>) -> Result<Id, Reason> {
        let general = self.fallback.as_ref().is_some_and(|f| f.column == cell.column);
        if general && is_object_id(cell.id()) {
            return Err(Reason::ObjectId);
        }
        judge_id(cell.id())
    }

    /// The agency of a sub-account, if the record names one.
    fn company_beside(&self, scope: Scope, id: &Id) -> Option<Id> {
        let company = self.company.as_ref().filter(|_| scope == Scope::Location)?;
        judge_id(company.id()).ok().filter(|company| company != id)
    }
}

/// Of several general columns, the one that holds what looks like an id.
fn fallback<'a>(layout: &Layout, row: &'a impl Cells) -> Option<Filled<'a>> {
    let plain = |cell: &Filled<'_>| !cell.id().starts_with(['{', '[']);
    let quality = |cell: &Filled<'_>| match judge_id(cell.id()) {
        Ok(id) if id.is_usual() => 0,
        Ok(_) if !is_object_id(cell.id()) => 1,
        _ => 2,
    };
    layout
        .fallback()
        .chain(row.bare_id())
        .filter_map(|c| filled(row, c))
        .filter(plain)
        .min_by_key(quality)
}
