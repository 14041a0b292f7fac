//! One record judged: which installation it names, or why it names none.

use std::borrow::Cow;

use super::cells::{Cells, Form};
use super::choice::ScopeChoice;
use super::events::{Event, Moment};
use super::formula;
use super::history::{earlier_failure, history};
use super::id::{Reason, clean, is_object_id, judge as judge_id, judge_as, names_an_id};
use super::layout::{Layout, is_same};
use super::names::{Role, role_of_path};
use super::nested;
use super::record::{IdSource, Listed, Record, Rejected, Uninstalled};
use super::secrets::{LEFT_OUT, holds_secret};
use super::show::look;
use super::tokens::Stored;
use crate::{
    highlevel::token_shape::Suspicion,
    installation::{Id, Installation, Scope},
};

/// A cell that is not empty, or a value inside one.
struct Filled<'a> {
    /// `None` for a value inside a cell, which has its path for a name.
    column: Option<usize>,
    name: Cow<'a, str>,
    text: Cow<'a, str>,
}

fn filled<'a>(row: &'a Cells<'_>, column: usize) -> Option<Filled<'a>> {
    let text = Cow::Borrowed(row.cell(column));
    (!clean(&text).is_empty()).then_some(Filled { column: Some(column), name: "".into(), text })
}

impl Filled<'_> {
    fn id(&self) -> &str {
        clean(&self.text)
    }

    fn name(&self, layout: &Layout) -> String {
        self.column.map_or_else(|| self.name.to_string(), |column| layout.name(column).to_owned())
    }
}

/// What decides about a record: its id cells and its own word on its kind.
struct Facts<'a> {
    location: Option<Filled<'a>>,
    resource: Option<Filled<'a>>,
    company: Option<Filled<'a>>,
    fallback: Option<Filled<'a>>,
    own: Option<(String, Scope)>,
    token: Option<(Scope, Id)>,
}

/// Judges a record. With its installation comes the event that it tells of, if it tells of one.
pub(super) fn judge(
    layout: &Layout,
    row: &Cells<'_>,
    choice: ScopeChoice,
) -> (Record, Option<Moment>) {
    let stored = Stored::of(layout, row);
    let rejected = |stored: Stored, column: String, reason: Reason, raw: &str| {
        let raw = if stored.stands_in(raw) { LEFT_OUT.to_owned() } else { look(raw) };
        let (row, line, secrets) = (row.row, row.line, stored.seen);
        (Record::Rejected(Rejected { row, line, column, reason, raw, secrets }), None)
    };
    let cells = row.cells.len();
    match &row.form {
        Form::Unreadable(reason) => {
            let raw = format!("[{} characters]", row.cell(0).chars().count());
            return rejected(stored, layout.location_name(), reason.clone(), &raw);
        }
        Form::TooLong => {
            let reason = Reason::TooManyCells { cells, columns: layout.len() };
            return rejected(stored, layout.location_name(), reason, &format!("[{cells} cells]"));
        }
        Form::Row | Form::Object | Form::BareId(_) => {}
    }
    let facts = Facts::of(layout, row, stored.named());
    let moment = Moment::of(layout, row);
    let known = match (facts.known_by_token(choice), facts.known_by_columns(layout, choice)) {
        (Some(named), Ok(known)) if *named == known => Ok((IdSource::Column, known)),
        (Some(named), _) => Ok((IdSource::Token, named.clone())),
        (None, Ok(known)) => Ok((IdSource::Column, known)),
        (None, Err(fault)) => Err(fault),
    };
    match known {
        Ok((id_source, (scope, id))) => {
            let company = facts.company_beside(scope, &id);
            let installation = Installation { scope, id, company };
            let listed = listed(layout, row, Found { installation, stored, id_source });
            (Record::Installation(listed), moment)
        }
        // That the app was removed somewhere is no fault, wherever it was.
        Err(_) if moment.as_ref().is_some_and(|moment| moment.event == Event::Uninstall) => {
            (Record::Uninstalled(Uninstalled { secrets: stored.seen }), moment)
        }
        Err((column, reason, raw)) => rejected(stored, column, reason, &raw),
    }
}

/// What was found out of a record.
struct Found {
    installation: Installation,
    stored: Stored,
    id_source: IdSource,
}

fn listed(layout: &Layout, row: &Cells<'_>, found: Found) -> Listed {
    let Found { installation, stored, id_source } = found;
    Listed {
        row: row.row,
        line: row.line,
        installation,
        values: values(layout, row, &stored),
        history: layout.history().and_then(|columns| history(columns, row)),
        earlier_failure: layout
            .history()
            .map(|columns| Box::new(earlier_failure(columns.failure, row, &stored))),
        stored,
        id_source,
    }
}

/// The carried cells. In the failures of an earlier run, some have an apostrophe of ours.
fn values(layout: &Layout, row: &Cells<'_>, stored: &Stored) -> Vec<String> {
    let is_guarded = layout.history().is_some();
    // Where a token is expected and none stands, the cells may be shifted.
    let is_short = row.form == Form::Row && row.cells.len() < layout.len();
    let may_be_shifted = is_short || (row.form == Form::Row && !stored.has_tokens());
    let is_strict = layout.has_hidden() && may_be_shifted;
    let usual = if is_strict { Suspicion::Strict } else { Suspicion::Usual };
    let carry = |column: &usize| {
        let cell = row.cell(*column);
        let is_strict = layout.name(*column).trim().is_empty() || layout.is_id(*column);
        let suspicion = if is_strict { Suspicion::Strict } else { usual };
        if holds_secret(cell, suspicion) || stored.stands_in(cell) {
            LEFT_OUT.to_owned()
        } else if is_guarded {
            formula::unguarded(cell).to_owned()
        } else {
            cell.to_owned()
        }
    };
    layout.carried().iter().map(carry).collect()
}

impl<'a> Facts<'a> {
    fn of(layout: &Layout, row: &'a Cells<'_>, token: Option<(Scope, Id)>) -> Self {
        let first = |role| layout.with(role).find_map(|column| filled(row, column));
        let mut facts = Self {
            location: first(Role::Location),
            resource: first(Role::Resource),
            company: first(Role::Company),
            fallback: fallback(layout, row),
            own: layout.kind().find_map(|column| {
                let scope = Scope::from_user_type(row.cell(column))?;
                Some((layout.name(column).to_owned(), scope))
            }),
            token,
        };
        if facts.location.is_none() && facts.resource.is_none() {
            facts.look_inside(layout, row);
        }
        facts
    }

    /// Looks for ids inside the cells: `{"location":{"id":…}}`.
    fn look_inside(&mut self, layout: &Layout, row: &Cells<'_>) {
        let cells = row.cells.iter().enumerate().filter(|(_, cell)| nested::is_like_json(cell));
        for (column, cell) in cells {
            for leaf in nested::leaves(cell) {
                self.take_inside(layout, layout.name(column), leaf);
            }
        }
    }

    fn take_inside(&mut self, layout: &Layout, column: &str, leaf: nested::Leaf) {
        if clean(&leaf.text).is_empty() {
            return;
        }
        let path: Vec<_> =
            std::iter::once(column).chain(leaf.path.iter().map(String::as_str)).collect();
        let (name, around) = (path.join("."), role_of_path(path.iter().copied()).0);
        let is_chosen = layout.chosen_id().is_some_and(|chosen| is_same(chosen, &name));
        let place = match around {
            _ if is_chosen => &mut self.resource,
            Role::Location if layout.chosen_id().is_none() => &mut self.location,
            Role::Resource if layout.chosen_id().is_none() => &mut self.resource,
            Role::Company => &mut self.company,
            Role::Kind | Role::Event => {
                let scope = Scope::from_user_type(&leaf.text);
                return self.own = self.own.take().or(scope.map(|scope| (name, scope)));
            }
            _ => return,
        };
        let found = Filled { column: None, name: Cow::Owned(name), text: Cow::Owned(leaf.text) };
        place.get_or_insert(found);
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
            ScopeChoice::Auto => self.own.as_ref().map(|(_, scope)| *scope),
        }
    }

    /// The installation that the cells name, or the column at fault, why, and what stands there.
    fn known_by_columns(
        &self,
        layout: &Layout,
        choice: ScopeChoice,
    ) -> Result<(Scope, Id), (String, Reason, String)> {
        let unnamed = |(column, reason)| (column, reason, String::new());
        let (scope, cell) = self.decide(layout, choice).map_err(unnamed)?;
        let unusable = |reason| (cell.name(layout), reason, cell.text.to_string());
        self.judge(scope, cell).map(|id| (scope, id)).map_err(unusable)
    }

    /// The kind, and the cell that should hold the id; or the column that lacks it, and why.
    fn decide(
        &self,
        layout: &Layout,
        choice: ScopeChoice,
    ) -> Result<(Scope, &Filled<'a>), (String, Reason)> {
        let named_by = || match (choice, &self.own) {
            (ScopeChoice::Auto, Some((column, _))) => column.clone(),
            _ => "--scope".to_owned(),
        };
        match self.scope(choice) {
            Some(Scope::Location) => {
                let missing =
                    || (layout.location_name(), Reason::NoLocationId { named_by: named_by() });
                self.location_cell().map(|cell| (Scope::Location, cell)).ok_or_else(missing)
            }
            Some(Scope::Company) => {
                let missing =
                    || (layout.company_name(), Reason::NoCompanyId { named_by: named_by() });
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
        let serves = |cell: &&Filled<'a>| company.is_none() || names_an_id(cell.id());
        let general = self.fallback.as_ref().filter(is_other).filter(serves);
        let is_agency = self.own.as_ref().is_some_and(|(_, scope)| *scope == Scope::Company);
        let resource = self.resource.as_ref().filter(|cell| !is_agency && is_other(cell));
        self.location.as_ref().or(resource).or(general)
    }

    /// The cell that holds an agency's id.
    fn company_cell(&self, layout: &Layout) -> Option<&Filled<'a>> {
        let is_agency = self.own.as_ref().is_none_or(|(_, scope)| *scope == Scope::Company);
        let location = self.location.as_ref().map(Filled::id);
        let resource = self.resource.as_ref().filter(|c| is_agency && location != Some(c.id()));
        let may_hold = |c: &&Filled<'a>| c.column.is_some_and(|c| layout.may_hold_company(c));
        let general = self.fallback.as_ref().filter(may_hold);
        self.company.as_ref().or(resource).or(general)
    }

    fn judge(&self, scope: Scope, cell: &Filled<'a>) -> Result<Id, Reason> {
        let general = self.fallback.as_ref().is_some_and(|f| f.column == cell.column);
        if general && is_object_id(cell.id()) {
            return Err(Reason::ObjectId);
        }
        judge_as(scope, cell.id())
    }

    /// The agency of a sub-account, if the record names one.
    fn company_beside(&self, scope: Scope, id: &Id) -> Option<Id> {
        let company = self.company.as_ref().filter(|_| scope == Scope::Location)?;
        judge_as(Scope::Company, company.id()).ok().filter(|company| company != id)
    }
}

/// Of several general columns, the one that holds what looks like an id.
fn fallback<'a>(layout: &Layout, row: &'a Cells<'_>) -> Option<Filled<'a>> {
    let plain = |cell: &Filled<'_>| !nested::is_like_json(cell.id());
    let quality = |cell: &Filled<'_>| match judge_id(cell.id()) {
        _ if names_an_id(cell.id()) => 0,
        Ok(id) if id.is_usual() => 0,
        Ok(_) if !is_object_id(cell.id()) => 1,
        _ => 2,
    };
    let bare = match row.form {
        Form::BareId(column) => Some(column),
        _ => None,
    };
    let columns = layout.fallback().chain(bare);
    columns.filter_map(|c| filled(row, c)).filter(plain).min_by_key(quality)
}
