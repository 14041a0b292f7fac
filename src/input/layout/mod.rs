//! The columns of one list by what they are for.

use std::collections::HashMap;

use super::choice::{ColumnChoice, FirstLine};
use super::format::Format;
use super::formula;
use super::names::{Holds, Role, normalise, role};
use super::secrets::holds_secret;
use super::shape::{Continues, Shape};
use super::show::{escape, look};
use super::text::Encoding;
use crate::highlevel::token_shape::{Suspicion, holds_opaque};

/// The most columns that a list may have.
pub(super) const MOST_COLUMNS: usize = 1000;

/// Names that can hold ids, for the message that none of them is there.
pub(super) const WANTED: &str =
    "locationId, sub_account_id, ghl_location_id, resourceId, agency_id, id, _id, document_id";

/// The columns of an earlier run's failures.csv that are ours, normalised.
const OURS: &str = "status errorclass stage httpstatus message retry attemptstotal firstfailedat failedat \
    traceids";

/// Where an earlier run's counts stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct HistoryColumns {
    pub(super) attempts_total: usize,
    pub(super) first_failed_at: usize,
    pub(super) trace_ids: usize,
    pub(super) failure: FailureColumns,
}

/// Where its failures stand, as far as these columns are still there.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailureColumns {
    pub(super) status: Option<usize>,
    pub(super) error_class: Option<usize>,
    pub(super) stage: Option<usize>,
    pub(super) http_status: Option<usize>,
    pub(super) message: Option<usize>,
    pub(super) retry: Option<usize>,
    pub(super) failed_at: Option<usize>,
}

/// The columns of a list by what they are for. A column is known by its place in `names`.
#[derive(Clone)]
pub(super) struct Layout {
    pub(super) shape: Shape,
    choice: ColumnChoice,
    names: Vec<String>,
    by_name: HashMap<String, usize>,
    ranked: Vec<(Role, u8, usize)>,
    carried: Vec<usize>,
    secrets: Vec<(Role, usize)>,
    history: Option<HistoryColumns>,
    elsewhere: Elsewhere,
}

/// Whether a location column is known to come, though no record has brought it yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    NoLocation,
    Location,
}

impl Layout {
    pub(super) fn new(format: Format, encoding: Encoding, choice: &ColumnChoice) -> Self {
        let shape = Shape {
            format,
            encoding,
            columns: Vec::new(),
            found: Vec::new(),
            left_out: Vec::new(),
            location_columns: Vec::new(),
            company_columns: Vec::new(),
            fallback_columns: Vec::new(),
            continues: Continues::Nothing,
        };
        Self {
            shape,
            choice: choice.clone(),
            names: Vec::new(),
            by_name: HashMap::new(),
            ranked: Vec::new(),
            carried: Vec::new(),
            secrets: Vec::new(),
            history: None,
            elsewhere: Elsewhere::NoLocation,
        }
    }

    /// The columns of a table with this header.
    pub(super) fn of_header(mut self, header: &[String]) -> Self {
        let ours = our_columns(header);
        for (index, name) in header.iter().enumerate() {
            let owner = if ours.contains(&index) { Owner::Run } else { Owner::List };
            // In the failures of an earlier run, a name may have an apostrophe of ours.
            self.push(if ours.is_empty() { name } else { formula::unguarded(name) }, owner);
        }
        if !ours.is_empty() {
            self.history = history_columns(header);
            self.shape.continues = Continues::EarlierRun;
        }
        self
    }

    /// The columns of a table without a header: the chosen ones under names by which they are known
    /// when the failures are read again, those that hold tokens in most records hidden.
    pub(super) fn of_numbers(mut self, columns: usize, is_hidden: impl Fn(usize) -> bool) -> Self {
        let at = |chosen: &Option<String>| chosen.as_ref()?.trim().parse::<usize>().ok();
        let chosen = [
            (at(&self.choice.id), "resource_id"),
            (at(&self.choice.company), "company_id"),
            (at(&self.choice.kind), "user_type"),
        ];
        let name = |number: usize| {
            let known = chosen.iter().find(|(column, _)| *column == Some(number));
            known.map_or_else(|| format!("column_{number}"), |(_, name)| (*name).to_owned())
        };
        for number in 1..=columns {
            let name = name(number);
            if is_hidden(number - 1) && name.starts_with("column_") {
                self.hide(&name);
            } else {
                self.push(&name, Owner::List);
            }
        }
        self
    }

    fn hide(&mut self, name: &str) {
        self.secrets.push((Role::Hidden(Holds::OtherToken), self.names.len()));
        self.names.push(name.to_owned());
        self.shape.found.push(name.to_owned());
        self.shape.left_out.push(name.to_owned());
    }

    /// The column of this name, made if it is new; `None` if there are too many.
    pub(super) fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        (self.names.len() < MOST_COLUMNS).then(|| {
            self.by_name.insert(name.to_owned(), self.names.len());
            self.push(name, Owner::List)
        })
    }

    /// Takes note of names that stand further on in the list: a general `id` is not taken for a
    /// location id where some records have a better one.
    pub(super) fn expect(&mut self, names: &[String]) {
        if names.iter().any(|name| matches!(role(name).0, Role::Location | Role::Resource)) {
            self.elsewhere = Elsewhere::Location;
        }
    }

    /// Takes a column for the ids, since its values are.
    pub(super) fn choose_id(&mut self, index: usize, role: Role) {
        self.ranked.push((role, 0, index));
        self.describe();
    }

    fn push(&mut self, name: &str, owner: Owner) -> usize {
        let index = self.names.len();
        let shown = shown(name);
        self.names.push(shown.clone());
        self.shape.found.push(shown.clone());
        if owner == Owner::Run {
            return index;
        }
        let (role, rank) = self.role_of(name);
        match role {
            Role::Hidden(_) => {
                self.secrets.push((role, index));
                self.shape.left_out.push(shown);
                return index;
            }
            Role::Container => self.secrets.push((role, index)),
            Role::Carried => {}
            _ => {
                self.ranked.push((role, rank, index));
                self.ranked.sort_by_key(|(_, rank, index)| (*rank, *index));
            }
        }
        self.shape.columns.push(if shown == escape(name) { name.to_owned() } else { shown });
        self.carried.push(index);
        self.describe();
        index
    }

    /// What a column is for: what was said of it goes before its name.
    fn role_of(&self, name: &str) -> (Role, u8) {
        if self.choice.first_line == FirstLine::Record {
            return role(name);
        }
        let is = |chosen: &Option<String>| chosen.as_ref().is_some_and(|c| is_same(c, name));
        let ColumnChoice { id, company, kind, .. } = &self.choice;
        match role(name) {
            _ if is(id) => (Role::Resource, 0),
            _ if is(company) => (Role::Company, 0),
            _ if is(kind) => (Role::Kind, 0),
            (Role::Location | Role::Resource | Role::Fallback, _) if id.is_some() => {
                (Role::Carried, 0)
            }
            (Role::Company, _) if company.is_some() => (Role::Carried, 0),
            (Role::Kind, _) if kind.is_some() => (Role::Carried, 0),
            known => known,
        }
    }

    /// Of the columns that were named, one that is not there: its option and its name.
    pub(super) fn missing(&self) -> Option<(&'static str, String)> {
        let is_there = |name: &str| match self.choice.first_line {
            FirstLine::Header => self.names.iter().any(|known| is_same(name, known)),
            FirstLine::Record => {
                name.trim().parse().is_ok_and(|n| (1..=self.names.len()).contains(&n))
            }
        };
        let missing = self.choice.named().find(|(_, name)| !is_there(name));
        missing.map(|(option, name)| (option, shown(name)))
    }

    /// The path of the chosen id column, where it may be one inside a cell.
    pub(super) fn chosen_id(&self) -> Option<&str> {
        self.choice.id.as_deref()
    }

    fn describe(&mut self) {
        let names = |roles: &[Role]| -> Vec<String> {
            let chosen = self.ranked.iter().filter(|(role, ..)| roles.contains(role));
            chosen.map(|(_, _, index)| self.names[*index].clone()).collect()
        };
        let location = names(&[Role::Location, Role::Resource]);
        let company = names(&[Role::Company]);
        let fallback = names(&[Role::Fallback]);
        self.shape.location_columns = location;
        self.shape.company_columns = company;
        self.shape.fallback_columns = fallback;
    }

    /// The columns of a role, the preferred one first.
    pub(super) fn with(&self, role: Role) -> impl Iterator<Item = usize> {
        let chosen = self.ranked.iter().filter(move |(other, ..)| *other == role);
        chosen.map(|(_, _, index)| *index)
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.with(role).next().is_some()
    }

    /// The columns that may say what kind an installation is, the most trusted first.
    pub(super) fn kind(&self) -> impl Iterator<Item = usize> {
        let kinds = self.ranked.iter().filter(|(r, ..)| matches!(r, Role::Kind | Role::Event));
        kinds.map(|(_, _, index)| *index)
    }

    /// General columns, if ids may be read from them at all.
    pub(super) fn fallback(&self) -> impl Iterator<Item = usize> {
        let better = self.elsewhere == Elsewhere::Location || self.has_location();
        self.with(Role::Fallback).filter(move |_| !better)
    }

    fn has_location(&self) -> bool {
        self.has(Role::Location) || self.has(Role::Resource)
    }

    /// Whether a general column may hold a company id: no better one is there, and it is not named
    /// after the location.
    pub(super) fn may_hold_company(&self, column: usize) -> bool {
        let name = normalise(self.name(column));
        !self.has(Role::Company) && !name.contains("location") && !name.contains("subaccount")
    }

    pub(super) fn carried(&self) -> &[usize] {
        &self.carried
    }

    /// The columns that may hold tokens or other secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (Role, usize)> {
        self.secrets.iter().copied()
    }

    /// Whether some column is there for secrets alone.
    pub(super) fn has_hidden(&self) -> bool {
        self.secrets.iter().any(|(role, _)| matches!(role, Role::Hidden(_)))
    }

    /// Whether a column is one of ids, where nothing else may stand.
    pub(super) fn is_id(&self, column: usize) -> bool {
        use Role::{Company, Fallback, Location, Resource};
        let is_id = |role: &Role| matches!(role, Location | Resource | Company | Fallback);
        self.ranked.iter().any(|(role, _, index)| *index == column && is_id(role))
    }

    /// Whether rows may be told by tokens that name one.
    pub(super) fn has_tokens(&self) -> bool {
        let is_token = |(role, _): &(Role, usize)| {
            matches!(role, Role::Hidden(Holds::Access | Holds::Refresh))
        };
        self.secrets.iter().any(is_token)
    }

    /// Whether a row may be told by its ids, or by the tokens that name one.
    pub(super) fn can_serve(&self) -> bool {
        self.has_location()
            || self.has(Role::Company)
            || self.has(Role::Fallback)
            || self.has_tokens()
    }

    /// Whether ids are read from a general column for want of a better one.
    pub(super) fn is_for_want(&self) -> bool {
        let better = self.has_location() || self.has(Role::Company) || self.has_tokens();
        self.has(Role::Fallback) && !better && self.elsewhere == Elsewhere::NoLocation
    }

    pub(super) fn history(&self) -> Option<HistoryColumns> {
        self.history
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// A column's name as it may be printed.
    pub(super) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// What to call the place of a location id that is not there.
    pub(super) fn location_name(&self) -> String {
        let mut column = self.with(Role::Location).chain(self.with(Role::Resource));
        let column = column.next().or_else(|| self.fallback().next());
        column.map_or("location_id", |index| self.name(index)).to_owned()
    }

    /// What to call the place of a company id that is not there.
    pub(super) fn company_name(&self) -> String {
        self.with(Role::Company).next().map_or("company_id", |index| self.name(index)).to_owned()
    }
}

/// Whether a name that was typed is a column's: as it stands, or in another spelling.
pub(super) fn is_same(typed: &str, name: &str) -> bool {
    let (typed, name) = (typed.trim(), name.trim());
    typed == name || (!normalise(typed).is_empty() && normalise(typed) == normalise(name))
}

/// Whose column it is: the list's, or the earlier run's that wrote the list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    List,
    Run,
}

/// A column's name as it may be printed: itself, unless a secret has slipped into the header.
fn shown(name: &str) -> String {
    let is_secret =
        || holds_secret(name, Suspicion::Strict) || holds_opaque(name, Suspicion::Strict);
    if name.len() > 200 || is_secret() { look(name) } else { escape(name) }
}

/// The places of our own columns in the header of an earlier run's failures.csv: the last one of
/// each name, since the list's own columns come first. Empty for any other list.
fn our_columns(header: &[String]) -> Vec<usize> {
    if history_columns(header).is_none() {
        return Vec::new();
    }
    OURS.split(' ').filter_map(|name| last(header, name)).collect()
}

fn history_columns(header: &[String]) -> Option<HistoryColumns> {
    Some(HistoryColumns {
        attempts_total: last(header, "attemptstotal")?,
        first_failed_at: last(header, "firstfailedat")?,
        trace_ids: last(header, "traceids")?,
        failure: FailureColumns {
            status: last(header, "status"),
            error_class: last(header, "errorclass"),
            stage: last(header, "stage"),
            http_status: last(header, "httpstatus"),
            message: last(header, "message"),
            retry: last(header, "retry"),
            failed_at: last(header, "failedat"),
        },
    })
}

fn last(header: &[String], name: &str) -> Option<usize> {
    header.iter().rposition(|other| normalise(other) == name)
}

#[cfg(test)]
mod tests;
