//! A list that is being read, one record at a time.

use std::borrow::Cow;
use std::io::Read;

use super::cells::{Cells, Form};
use super::choice::{ColumnChoice, ScopeChoice};
use super::elements::{Elements, Found};
use super::error::{Fault, InputError};
use super::events::{Event, EventCounts, LastEvents, Moment};
use super::json;
use super::judge::judge;
use super::layout::Layout;
use super::looks::Looks;
use super::names::{Role, role};
use super::record::{Record, Uninstalled};
use super::sample::Sample;
use super::shape::{Continues, Shape};
use super::table::{self, Rows};
use super::text::Text;

/// Opens the bytes of a list from their beginning.
type OpenBytes<'a> = &'a dyn Fn() -> Result<Box<dyn Read + Send>, InputError>;

/// A list that is being read: an iterator over its records. An `Err` is the end of it.
pub struct List {
    name: String,
    records: Records,
    choice: ScopeChoice,
    first: Option<Record>,
    state: State,
    events: LastEvents,
    has_nested: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
}

/// The cells of the records, by column.
struct Records {
    text: Text,
    layout: Layout,
    reader: Reader,
    row: u32,
}

#[derive(Clone)]
enum Reader {
    Table(Rows),
    Json(Elements),
}

/// Begins to read; what is empty or no text at all is a fault.
fn listlike(bytes: Box<dyn Read + Send>) -> Result<Text, Fault> {
    let unread = |source| Fault::Io { line: 1, source };
    let (mut text, raw) = Text::open(bytes).map_err(unread)?;
    text.look_ahead().map_err(unread)?;
    let looks = Looks::of(&raw).or_else(|| Looks::of_text(text.window()));
    if let Some(looks) = looks {
        return Err(Fault::NotAList { looks });
    }
    if text.window().trim_ascii().is_empty() {
        return Err(Fault::Empty);
    }
    Ok(text)
}

impl List {
    /// Opens a list from its bytes, which are read twice where its records depend on later ones.
    pub(crate) fn open(
        name: &str,
        open: OpenBytes<'_>,
        choice: ScopeChoice,
        columns: &ColumnChoice,
    ) -> Result<Self, InputError> {
        let mut list = Self::begin(open()?, choice, columns, name).map_err(|f| f.named(name))?;
        if list.has_events() {
            // Whether a record stands is known only once the whole log has been seen.
            let again = Self::begin(open()?, choice, columns, name).map_err(|f| f.named(name))?;
            list.events = again.last_events();
        }
        list.first = list.advance().map_err(|fault| fault.named(name))?;
        if list.first.is_none() {
            // The failures of a run in which nothing failed are a list with nothing to do.
            if list.shape().continues == Continues::Nothing {
                return Err(Fault::NoRecords { line: list.records.text.line() }.named(name));
            }
            list.state = State::Ended;
        }
        Ok(list)
    }

    fn begin(
        bytes: Box<dyn Read + Send>,
        choice: ScopeChoice,
        columns: &ColumnChoice,
        name: &str,
    ) -> Result<Self, Fault> {
        let mut text = listlike(bytes)?;
        let has_nested = text.window().contains(&b'{');
        let names = json::names(text.window());
        let (reader, layout) = match json::format(text.window()) {
            None => {
                let (rows, layout) = Rows::open(&mut text, columns)?;
                (Reader::Table(rows), layout)
            }
            Some(format) => {
                let mut layout = Layout::new(format.clone(), text.encoding(), columns);
                layout.expect(&names);
                (Reader::Json(Elements::new(format)), layout)
            }
        };
        let mut records = Records { text, layout, reader, row: 0 };
        records.settle(&names)?;
        let (name, state, events) = (name.to_owned(), State::Reading, LastEvents::default());
        Ok(Self { name, records, choice, first: None, state, events, has_nested })
    }

    /// What the list turned out to be; for JSON its columns grow while it is read.
    pub fn shape(&self) -> &Shape {
        &self.records.layout.shape
    }

    /// Whether a record that follows may have secrets: a table without a place for them has none.
    pub fn may_hold_tokens(&self) -> bool {
        let has_place = self.records.layout.secrets().next().is_some();
        self.has_nested || has_place || matches!(self.records.reader, Reader::Json(_))
    }

    /// The SHA-256, in hex, of the list's bytes as far as they are read: of all of them after the
    /// end. Two readings that differ in it are two lists.
    pub fn digest(&self) -> String {
        self.records.text.digest()
    }

    /// How the events of a webhook log stand at its end.
    pub fn event_counts(&self) -> EventCounts {
        self.events.counts()
    }

    fn has_events(&self) -> bool {
        let sample = self.records.sample();
        sample.rows.iter().any(|row| Moment::of(&sample.layout, row).is_some())
    }

    fn last_events(mut self) -> LastEvents {
        let mut events = LastEvents::default();
        while let Ok(Some((cells, layout))) = self.records.next_in_layout() {
            if let (Record::Installation(listed), Some(moment)) = judge(layout, &cells, self.choice)
            {
                events.note(&listed.installation, moment);
            }
        }
        events
    }

    fn advance(&mut self) -> Result<Option<Record>, Fault> {
        let Some((cells, layout)) = self.records.next_in_layout()? else { return Ok(None) };
        Ok(Some(match judge(layout, &cells, self.choice) {
            (Record::Installation(listed), moment)
                if moment.is_some_and(|moment| moment.event == Event::Uninstall)
                    || self.events.is_removed(&listed.installation) =>
            {
                Record::Uninstalled(Uninstalled { secrets: listed.stored.seen })
            }
            (record, _) => record,
        }))
    }
}

impl Iterator for List {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.state == State::Ended {
            return None;
        }
        let item = self.advance().map_err(|fault| fault.named(&self.name)).transpose();
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Ended;
        }
        item
    }
}

impl Records {
    /// The next record's cells, and the columns that they stand in.
    fn next_in_layout(&mut self) -> Result<Option<(Cells<'_>, &Layout)>, Fault> {
        let Self { text, layout, reader, row } = self;
        let line = text.line();
        let number = row.checked_add(1).ok_or(Fault::TooManyRecords { line })?;
        let found = match reader {
            Reader::Table(rows) => rows.next(text)?.map(|row| {
                let form = table::form(&row.cells, layout);
                (row.line, row.cells, form)
            }),
            Reader::Json(elements) => match elements.next(text)? {
                Some((line, found)) => {
                    let (cells, form) =
                        place(found, layout).ok_or(Fault::TooManyColumns { line })?;
                    Some((line, cells, form))
                }
                None => None,
            },
        };
        let Some((line, cells, form)) = found else { return Ok(None) };
        *row = number;
        Ok(Some((Cells { row: number, line, cells, form }, layout)))
    }

    fn next(&mut self) -> Result<Option<Cells<'_>>, Fault> {
        Ok(self.next_in_layout()?.map(|(cells, _)| cells))
    }

    /// The records at hand, read from a copy.
    fn sample(&self) -> Sample {
        let window = self.text.window().to_vec();
        let is_whole = self.text.ended();
        let (layout, reader) = (self.layout.clone(), self.reader.clone());
        let Ok((text, _)) = Text::open(Box::new(std::io::Cursor::new(window))) else {
            return Sample { rows: Vec::new(), layout };
        };
        let mut copy = Self { text, layout, reader, row: self.row };
        let mut rows = Vec::new();
        while let Ok(Some(Cells { row, line, cells, form })) = copy.next() {
            let line = line + self.text.line() - 1;
            let cells = cells.into_iter().map(|cell| Cow::Owned(cell.into_owned())).collect();
            rows.push(Cells { row, line, cells, form });
        }
        if !is_whole {
            rows.pop();
        }
        Sample { rows, layout: copy.layout }
    }

    /// Makes sure, before anything is read, that ids can be told.
    fn settle(&mut self, names: &[String]) -> Result<(), Fault> {
        let sample = self.sample();
        let line = sample.rows.first().map_or(self.text.line(), |row| row.line);
        let is_json = matches!(self.reader, Reader::Json(_));
        let found = sample.layout.shape.found.clone();
        if let Some((option, column)) = sample.layout.missing()
            && !(is_json && sample.rows.is_empty())
            && !sample.has_inside(&column)
        {
            return Err(Fault::NoSuchColumn { option, column, found });
        }
        let is_ahead = || names.iter().any(|name| is_id_role(name));
        if !(sample.layout.can_serve() || sample.can_serve() || is_json && is_ahead()) {
            if let Some((index, role)) = sample.best_column() {
                self.layout.choose_id(index, role);
                return Ok(());
            }
            if is_json && !sample.has_objects() {
                return Ok(());
            }
            let line = if is_json { line } else { self.header_line(line) };
            return Err(Fault::NoIdColumn { line, found, seen: sample.seen_ids() });
        }
        match sample.odd_ids() {
            Some((column, count)) => {
                Err(Fault::OddIds { line, column, count, seen: sample.seen_ids() })
            }
            None => Ok(()),
        }
    }

    /// The line of the header, which stands right before the first record in nearly every table.
    fn header_line(&self, first: u64) -> u64 {
        self.text.line().min(first).saturating_sub(1).max(1)
    }
}

fn is_id_role(name: &str) -> bool {
    matches!(role(name).0, Role::Location | Role::Resource | Role::Company | Role::Fallback)
}

/// Puts the values of a JSON record into their columns; `None` if there are too many.
fn place<'a>(found: Found<'a>, layout: &mut Layout) -> Option<(Vec<Cow<'a, str>>, Form)> {
    match found {
        Found::Members(members) => {
            let mut cells = Vec::with_capacity(layout.len());
            for (name, value) in members {
                let column = layout.column(&name)?;
                if cells.len() <= column {
                    cells.resize(column + 1, Cow::Borrowed(""));
                }
                cells[column] = value;
            }
            Some((cells, Form::Object))
        }
        Found::Id(id) => {
            let column = layout.column("id")?;
            let mut cells = vec![Cow::Borrowed(""); column];
            cells.push(id);
            Some((cells, Form::BareId(column)))
        }
        Found::Unreadable(json, reason) => Some((vec![json], Form::Unreadable(reason))),
    }
}
