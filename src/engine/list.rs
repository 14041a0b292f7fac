//! The list of a run: read to make the plan, read again into the journal.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, anyhow, ensure};

use crate::{
    app::Directory,
    clock,
    event::{Event, Listener, Ready, Skipped},
    exit::{Exit, Fault, OrExit},
    input::{self, ColumnChoice, InputError, Record, ScopeChoice, Source},
    installation::{Id, Installation},
    journal::{leaks::MoreTokens, writer::Writer},
    plan::{self, Known, ListSummary, OwnApp, Row, Rows, Selection, Split, Timing},
    sandbox::{AccessLife, RefreshLife, StoredPair},
    secret::TokensAtHand,
    settings::execution::Selected,
};

/// A list with what picks its rows.
pub struct InputList {
    source: Source,
    selected: Selected,
    selection: Selection,
    directory: Option<Directory>,
    known: Known,
}

impl InputList {
    /// Opens a list, and the lists of `--only` if there are any.
    pub fn open(path: &Path, mut selected: Selected) -> anyhow::Result<Self> {
        let only = ids_of_only(&mut selected)?;
        // Rows that are named are meant, whenever they are due.
        let is_all = selected.all || only.is_some();
        let due = if is_all { Timing::All } else { Timing::DueAt(clock::now()) };
        let selection = Selection { only, limit: selected.limit, due, split: None };
        Ok(Self {
            source: Source::open(path)?,
            selected,
            selection,
            directory: None,
            known: Known::default(),
        })
    }

    /// The same list, whose rows are of several apps.
    #[must_use]
    pub fn of_apps(self, directory: Option<Directory>) -> Self {
        Self { directory, ..self }
    }

    /// The same list, of which these shards' rows are read.
    #[must_use]
    pub fn split(mut self, split: Option<Split>) -> Self {
        self.selection.split = split;
        self
    }

    /// The same list, of which what other runs have recovered is skipped.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        Self { known, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.source.name()
    }

    /// SHA-256 of its bytes, in hexadecimal.
    pub fn digest(&self) -> Result<String, InputError> {
        self.source.digest()
    }

    /// Which of its rows.
    pub fn selected(&self) -> &Selected {
        &self.selected
    }

    /// The list for a reading of its tokens.
    pub fn tokens(&self) -> TokenList {
        TokenList::new(self.source.clone(), &self.selected)
    }

    /// Reads the list once; one with nothing to recover is an error that helps, unless it is the
    /// failures of a run of which nothing is left, or nothing is due.
    pub fn summary(&self, app: &OwnApp<'_>) -> Result<ListSummary, Fault> {
        let (scope, selection) = (self.selected.scope, self.selection.clone());
        let summary = plan::summary(
            &self.source,
            scope,
            &self.selected.columns,
            selection,
            self.directory.as_ref(),
            app,
            self.known.clone(),
        );
        let summary = summary.or_exit(Exit::Usage)?;
        let found = summary.installations() + summary.recovered_before();
        let has_rows = found > 0 || summary.others_have_some();
        if has_rows || summary.is_nothing_left() || summary.is_nothing_due() {
            return Ok(summary);
        }
        let named = self.selection.only.as_ref().map_or(0, HashSet::len);
        let error = if named > 0 && summary.not_met.count as usize == named {
            none_of_only(&summary, named, self.selected.only_ids.len())
        } else {
            nothing_usable(&summary)
        };
        Err(Fault { exit: Exit::Usage, error })
    }

    /// So many of the installations that are to be recovered, from the beginning.
    pub fn first(&self, most: usize) -> Result<Vec<Installation>, Fault> {
        let installations = self.rows()?.filter_map(|row| match row {
            Ok(Row::Take { listed, .. }) => Some(Ok(listed.installation)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        installations.take(most).collect::<Result<_, _>>().or_exit(Exit::Usage)
    }

    fn rows(&self) -> Result<Rows, Fault> {
        let (scope, selection) = (self.selected.scope, self.selection.clone());
        let columns = &self.selected.columns;
        let rows = Rows::of(&self.source, scope, columns, selection, self.directory.clone());
        Ok(rows.or_exit(Exit::Usage)?.knowing(self.known.clone()))
    }

    /// Reads the list into the journal. It must be the one that was summarised.
    pub fn record(
        &self,
        summary: &ListSummary,
        writer: &mut Writer,
        listener: &dyn Listener,
    ) -> Result<(), Fault> {
        let mut rows = self.rows()?;
        let mut input = 0;
        for row in &mut rows {
            let row = row.or_exit(Exit::Usage)?;
            let skipped = skipped_event(&row);
            let Some(event) = event_of(row) else { continue };
            input += u32::from(!matches!(event, Event::NotDue(_)));
            for event in std::iter::once(event).chain(skipped) {
                listener.on_event(&event);
                writer.append(&event).or_exit(Exit::Local)?;
            }
        }
        let digest = &summary.list.digest;
        if rows.list().digest() != *digest {
            let name = self.source.name();
            let error =
                anyhow!("{name} changed while it was being read; nothing was sent, run it again");
            return Err(Fault { exit: Exit::Usage, error });
        }
        let ready = Ready {
            at: clock::now(),
            input,
            digest: digest.clone(),
            stored_tokens: summary.stored_tokens.clone(),
        };
        let ready = Event::Ready(ready);
        listener.on_event(&ready);
        writer.append(&ready).and_then(|()| writer.sync()).or_exit(Exit::Local)
    }
}

/// A list that is read for its tokens during the calls.
#[derive(Clone, Debug)]
pub struct TokenList {
    source: Source,
    scope: ScopeChoice,
    columns: ColumnChoice,
}

impl TokenList {
    /// A list that is still what the journal was made from.
    pub fn new(source: Source, selected: &Selected) -> Self {
        Self { source, scope: selected.scope, columns: selected.columns.clone() }
    }

    /// What a sandbox has to know so that the list's tokens work there.
    pub fn stored_pairs(&self) -> impl Iterator<Item = StoredPair> {
        let records = self.source.read(self.scope, &self.columns).ok().into_iter().flatten();
        records.map_while(Result::ok).filter_map(|record| match record {
            Record::Installation(listed) => stored_pair(&listed),
            Record::Rejected(_) | Record::Uninstalled(_) => None,
        })
    }

    /// Its secrets for the search for leaks, whatever became of their rows, read anew each time. A
    /// table without a place for them is read no further than its header.
    pub fn for_search(&self) -> MoreTokens {
        let list = self.clone();
        Arc::new(move |take| {
            let Ok(mut records) = list.source.read(list.scope, &list.columns) else { return };
            while records.may_hold_tokens()
                && let Some(Ok(record)) = records.next()
            {
                record.secrets().iter().for_each(|secret| take(secret.expose()));
            }
        })
    }

    /// Stands before its first row. What cannot be read has no tokens, nor has a table without a
    /// column for them.
    pub fn read(&self) -> TokenRows {
        let list =
            self.source.read(self.scope, &self.columns).ok().filter(input::List::may_hold_tokens);
        TokenRows { list, ahead: None }
    }
}

fn stored_pair(listed: &input::Listed) -> Option<StoredPair> {
    let Installation { scope, id, company } = &listed.installation;
    let TokensAtHand { access, refresh } =
        listed.stored.clone().usable_for(&listed.installation, None);
    if access.is_none() && refresh.is_none() {
        return None;
    }
    let mut pair = StoredPair::new(*scope, id.as_str());
    if let Some(company) = company {
        pair = pair.company(company.as_str());
    }
    if let Some(token) = access {
        pair = pair.access(token.expose(), AccessLife::Dead);
    }
    Some(match refresh {
        Some(token) => pair.refresh(token.expose(), RefreshLife::Good),
        None => pair,
    })
}

/// The tokens of a list, row by row: one record is in memory.
pub struct TokenRows {
    list: Option<input::List>,
    ahead: Option<input::Listed>,
}

impl TokenRows {
    /// No tokens at all.
    pub fn none() -> Self {
        Self { list: None, ahead: None }
    }

    /// The tokens of a row that the client may present for an installation. Rows are asked for in
    /// the order of the list. A row that has become another one's has none.
    pub fn of(&mut self, row: u32, installation: &Installation, client_id: &str) -> TokensAtHand {
        while self.ahead.as_ref().is_none_or(|ahead| ahead.row < row) {
            self.ahead = match self.list.as_mut().and_then(Iterator::next) {
                Some(Ok(Record::Installation(listed))) => Some(listed),
                Some(Ok(Record::Rejected(_) | Record::Uninstalled(_))) => None,
                Some(Err(_)) | None => return TokensAtHand::default(),
            };
        }
        let is_same = |ahead: &mut input::Listed| {
            let Installation { scope, id, .. } = &ahead.installation;
            ahead.row == row && *scope == installation.scope && *id == installation.id
        };
        let listed = self.ahead.take_if(is_same);
        let usable =
            |listed: input::Listed| listed.stored.usable_for(installation, Some(client_id));
        listed.map(usable).unwrap_or_default()
    }
}

fn event_of(row: Row) -> Option<Event> {
    match row {
        Row::Take { listed, .. } => Some(Event::Listed(listed)),
        Row::Duplicate(duplicate) => Some(Event::Duplicate(duplicate)),
        Row::Rejected(rejected) => Some(Event::Rejected(rejected)),
        Row::NotDue(not_due) => Some(Event::NotDue(not_due)),
        Row::LeftOut | Row::Uninstalled | Row::OtherShard(_) => None,
    }
}

/// The ids that are taken; `None` takes all. Those of a list that cannot be read again count as typed.
fn ids_of_only(selected: &mut Selected) -> anyhow::Result<Option<HashSet<Id>>> {
    if selected.only.is_empty() && selected.only_ids.is_empty() {
        return Ok(None);
    }
    let mut ids: HashSet<Id> = selected.only_ids.iter().cloned().collect();
    for file in std::mem::take(&mut selected.only) {
        let source = Source::open(&file).context("--only")?;
        let named = plan::ids_in(&source).context("--only")?;
        ensure!(!named.is_empty(), "--only: no id is in {}", source.name());
        match source.path() {
            Some(path) => selected.only.push(path),
            None => selected.only_ids.extend(named.iter().cloned()),
        }
        ids.extend(named);
    }
    selected.only_ids.sort_unstable();
    selected.only_ids.dedup();
    Ok(Some(ids))
}

/// `typed` of the ids were typed: what was meant for a file may be among them.
fn none_of_only(summary: &ListSummary, named: usize, typed: usize) -> anyhow::Error {
    let which = match named {
        1 => "the id is not in".to_owned(),
        _ => format!("none of the {named} ids is in"),
    };
    let no_file = if typed == 0 { "" } else { " (and no file has that name)" };
    anyhow!("--only: {which} {}: {}{no_file}", summary.list.name, summary.not_met.in_a_row())
}

/// What follows the row of an installation that another run has recovered.
fn skipped_event(row: &Row) -> Option<Event> {
    let Row::Take { listed, before: Some(before), .. } = row else { return None };
    let (row, id) = (listed.row, listed.installation.id.clone());
    let (at, recovered) = (clock::now(), Some(*before.clone()));
    Some(Event::Skipped(Skipped { row, id, at, call: None, recovered }))
}

fn nothing_usable(summary: &ListSummary) -> anyhow::Error {
    let rejected = summary.rejected.lines().join("\n  ");
    let rejected = if rejected.is_empty() { String::new() } else { format!("\n  {rejected}") };
    let left_out = match summary.left_out_by_choice() {
        0 => String::new(),
        n => format!("; --only or --limit leaves {n} rows out"),
    };
    let uninstalled = match summary.uninstalled {
        0 => String::new(),
        n => format!("; the app was removed from {n} of its rows"),
    };
    anyhow!(
        "{}: no installation in it can be used{left_out}{uninstalled} ({}; columns found: {}). \
         A row needs a location id in a column such as location_id, locationId, ghl_location_id or \
         resourceId, or a company id in company_id or companyId{rejected}",
        summary.list.name,
        summary.list.shape,
        if summary.columns_found.is_empty() {
            "none".into()
        } else {
            summary.columns_found.join(", ")
        },
    )
}

/// Whether the file that a run's list came from still is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListNow {
    /// It is.
    Same,
    /// It has other bytes.
    Changed,
    /// It cannot be read, or was no file.
    Gone,
}

/// Looks at the file that a run's list came from.
pub fn look_again(path: Option<&PathBuf>, digest: &str) -> ListNow {
    let digest_now = path.and_then(|path| Source::open(path).ok()?.digest().ok());
    match digest_now {
        None => ListNow::Gone,
        Some(now) if now == digest => ListNow::Same,
        Some(_) => ListNow::Changed,
    }
}
