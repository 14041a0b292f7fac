//! The rows of a list, each sorted into what is done with it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    fingerprint::{Fingerprint, Fingerprints},
    recoveries::Earlier,
    split::Split,
};
use crate::{
    app::{AppName, AppOfRun, COLUMN, Directory},
    due::Due,
    event::{Duplicate, EarlierFailure, History, Listed, NotDue, RecoveredBefore, Rejected},
    failure::Advice,
    highlevel::client_id::application,
    input::{self, ColumnChoice, IdSource, InputError, Record, ScopeChoice, Source, Stored},
    installation::{Id, Installation},
    text::SafeText,
};

/// Which rows of the list are taken.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these ids; `None` takes all.
    pub only: Option<HashSet<Id>>,
    /// The first so many installations; `None` takes all.
    pub limit: Option<u32>,
    /// Of these, whose rows are read where several machines share the list.
    pub split: Option<Split>,
    /// Which rows of an earlier run's failures.
    pub due: Timing,
}

/// Which rows of an earlier run's failures are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// All.
    #[default]
    All,
    /// Those that are due at this time.
    DueAt(Timestamp),
}

/// What a row of the list is taken for.
#[derive(Clone, Debug)]
pub enum Row {
    /// An installation to recover.
    Take {
        /// The installation.
        listed: Listed,
        /// What the row still has of its tokens. No event has it.
        stored: Stored,
        /// Where its id comes from.
        id_source: IdSource,
        /// The run that has recovered it in the last 24 hours, so that it is skipped.
        before: Option<Box<RecoveredBefore>>,
    },
    /// It repeats an earlier row.
    Duplicate(Duplicate),
    /// It could not be read.
    Rejected(Rejected),
    /// `--only` or `--limit` leaves it out.
    LeftOut,
    /// It failed in an earlier run and is not due yet.
    NotDue(Box<NotDue>),
    /// It is meant to be left out: the app was removed there.
    Uninstalled,
    /// It is another shard's; of this app, where there may be several.
    OtherShard(Option<AppName>),
}

/// What other runs have recovered, and of which client rows are that name no app.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The recoveries of the last 24 hours.
    pub earlier: Arc<Earlier>,
    /// The usual client id, when one was given.
    pub client_id: Option<String>,
}

/// Reads a list row by row, finds duplicates and applies the selection. Besides one record it
/// holds 16 bytes for each installation.
pub struct Rows {
    list: input::List,
    selection: Selection,
    /// Of `--only`, what no row has named yet.
    pub(super) not_met: HashSet<Id>,
    taken: u32,
    seen: HashMap<Fingerprint, u32>,
    prints: Fingerprints,
    /// Of several apps, which a row is of.
    directory: Option<Directory>,
    known: Known,
    /// Installations of each shard.
    pub(super) by_shard: Vec<u32>,
}

impl Rows {
    /// Stands before the first row.
    pub fn of(
        source: &Source,
        scope: ScopeChoice,
        columns: &ColumnChoice,
        selection: Selection,
        directory: Option<Directory>,
    ) -> Result<Self, InputError> {
        Ok(Self {
            list: source.read(scope, columns)?,
            not_met: selection.only.clone().unwrap_or_default(),
            by_shard: vec![0; selection.split.map_or(0, |split| split.of().get() as usize)],
            selection,
            taken: 0,
            seen: HashMap::new(),
            prints: Fingerprints::default(),
            directory,
            known: Known::default(),
        })
    }

    /// The same rows, of which those are skipped that other runs have recovered.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// The list that is being read.
    pub fn list(&self) -> &input::List {
        &self.list
    }

    /// Whether the rows are read that nobody recovers.
    pub(super) fn reads_the_rest(&self) -> bool {
        self.selection.split.is_none_or(|split| split.reads(None))
    }

    fn sort(&mut self, record: Record) -> Row {
        if let Record::Installation(listed) = &record {
            self.not_met.remove(&listed.installation.id);
        }
        let is_enough = self.selection.limit.is_some_and(|limit| self.taken >= limit);
        let row = match record {
            Record::Uninstalled(_) => Row::Uninstalled,
            _ if is_enough => Row::LeftOut,
            Record::Rejected(_) if self.selection.only.is_some() => Row::LeftOut,
            Record::Rejected(rejected) => Row::Rejected(rejected_event(&rejected)),
            Record::Installation(listed) => self.sort_installation(listed),
        };
        match row {
            Row::Take { .. } | Row::OtherShard(_) | Row::NotDue(_) => row,
            _ if self.reads_the_rest() => row,
            _ => Row::OtherShard(None),
        }
    }

    fn sort_installation(&mut self, listed: input::Listed) -> Row {
        let only = self.selection.only.as_ref();
        if only.is_some_and(|only| !only.contains(&listed.installation.id)) {
            return Row::LeftOut;
        }
        let app = self.app_of(&listed).map(Option::<&AppOfRun>::cloned);
        if let Some((retry, due_from)) = self.waits_for(&listed) {
            let app = app.as_ref().ok().map(Option::as_ref);
            let number = app.and_then(|app| self.shard_of(app, &listed.installation));
            return if self.selection.split.is_none_or(|split| split.reads(number)) {
                Row::NotDue(Box::new(not_due_event(listed, retry, due_from)))
            } else {
                Row::OtherShard(None)
            };
        }
        let app = match app {
            Ok(app) => app,
            Err(rejected) => return Row::Rejected(rejected),
        };
        let Installation { scope, id, .. } = &listed.installation;
        let own = app.as_ref().map_or("", |app| application(&app.client_id));
        let print = self.prints.of(own, *scope, id.as_str());
        let first_row = *self.seen.entry(print).or_insert(listed.row);
        if first_row != listed.row {
            let Installation { id, .. } = listed.installation;
            return Row::Duplicate(Duplicate { row: listed.row, line: listed.line, first_row, id });
        }
        self.taken += 1;
        let before = self
            .client_id_of(app.as_ref())
            .and_then(|id| self.known.earlier.find(id, &listed.installation))
            .map(Box::new);
        if let Some((split, number)) =
            self.selection.split.zip(self.shard_of(app.as_ref(), &listed.installation))
        {
            if let Some(count) = self.by_shard.get_mut(number as usize - 1) {
                *count += 1;
            }
            if !split.reads(Some(number)) {
                return Row::OtherShard(app.map(|app| app.name));
            }
        }
        let id_source = listed.id_source;
        let (listed, stored) = listed_event(listed, app.map(|app| app.name));
        Row::Take { listed, stored, id_source, before }
    }

    /// The client id of a row's app, as far as it is known.
    fn client_id_of<'a>(&'a self, app: Option<&'a AppOfRun>) -> Option<&'a String> {
        app.map(|app| &app.client_id).or(self.known.client_id.as_ref())
    }

    /// The shard that an installation is of, where several machines share the list.
    fn shard_of(&self, app: Option<&AppOfRun>, installation: &Installation) -> Option<u32> {
        let client_id = self.client_id_of(app).map(String::as_str).unwrap_or_default();
        self.selection.split.map(|split| split.number_of(client_id, installation))
    }

    /// What a row of an earlier run's failures waits for, and until when; `None` where it is due.
    fn waits_for(&self, listed: &input::Listed) -> Option<(Advice, Option<Timestamp>)> {
        let Timing::DueAt(now) = self.selection.due else { return None };
        match listed.earlier_failure.as_ref()?.retry.due(now) {
            Due::Now => None,
            Due::From(time) => Some((Advice::Later, Some(time))),
            Due::After(advice) => Some((advice, None)),
        }
    }

    /// The app that a row names in its column, or that rows without one are of.
    fn app_of(&self, listed: &input::Listed) -> Result<Option<&AppOfRun>, Rejected> {
        let Some(directory) = &self.directory else { return Ok(None) };
        let mut columns = self.list.shape().columns.iter();
        let column = columns.position(|name| name.trim().eq_ignore_ascii_case(COLUMN));
        let cell = column.and_then(|column| listed.values.get(column));
        let cell = cell.map(String::as_str).unwrap_or_default();
        directory.pick(cell).map(Some).map_err(|reason| Rejected {
            row: listed.row,
            line: listed.line,
            column: SafeText::new(COLUMN),
            reason: SafeText::new(&reason),
            raw: SafeText::new(&input::look(cell)),
        })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.list.next()?;
        Some(record.map(|record| self.sort(record)))
    }
}

fn listed_event(listed: input::Listed, app: Option<AppName>) -> (Listed, Stored) {
    let event = Listed {
        row: listed.row,
        line: listed.line,
        installation: listed.installation,
        app,
        values: listed.values,
        history: listed.history.map(history_event),
    };
    (event, listed.stored)
}

fn history_event(history: input::History) -> History {
    History {
        attempts_total: history.attempts_total,
        first_failed_at: history.first_failed_at,
        trace_ids: history.trace_ids.iter().map(|id| SafeText::identifier(id)).collect(),
    }
}

fn not_due_event(listed: input::Listed, retry: Advice, due_from: Option<Timestamp>) -> NotDue {
    let cells = listed.earlier_failure.unwrap_or_default();
    NotDue {
        row: listed.row,
        line: listed.line,
        installation: listed.installation,
        values: listed.values,
        history: listed.history.map(history_event),
        retry,
        due_from,
        failure: EarlierFailure {
            status: SafeText::new(&cells.status),
            error_class: SafeText::new(&cells.error_class),
            stage: SafeText::new(&cells.stage),
            http_status: SafeText::new(&cells.http_status),
            message: SafeText::new(&cells.message),
            failed_at: SafeText::new(&cells.failed_at),
        },
    }
}

fn rejected_event(rejected: &input::Rejected) -> Rejected {
    Rejected {
        row: rejected.row,
        line: rejected.line,
        column: SafeText::new(&rejected.column),
        reason: SafeText::new(&rejected.reason.to_string()),
        raw: SafeText::new(&rejected.raw),
    }
}

/// The ids that a file names, in any of the formats that a list may have.
pub fn ids_in(source: &Source) -> Result<HashSet<Id>, InputError> {
    let mut ids = HashSet::new();
    for record in source.read(ScopeChoice::Auto, &ColumnChoice::default())? {
        if let Record::Installation(listed) = record? {
            ids.insert(listed.installation.id);
        }
    }
    Ok(ids)
}
