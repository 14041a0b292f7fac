//! What will be done, how long it takes at least, what is left out and why.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    time::Duration,
};

use serde_json::json;
use thiserror::Error;

use crate::{
    batch::limit::MaxFailures,
    client_id::ClientId,
    clock,
    event::{DayTooShort, Duplicate, History, List, Listed, Rejected},
    fingerprint::{Fingerprint, Fingerprints},
    input::{self, Continues, InputError, Record, ScopeChoice, Source},
    installation::{Id, Installation, Scope},
    pace::{Pacing, memory::KeptDay},
    secret::ClientSecret,
    stored_tokens::StoredTokens,
    text::SafeText,
};

/// Calls that one installation takes when all goes well: reconnect and exchange.
const CALLS_EACH: u64 = 2;

/// Rows of a kind that the plan names; the rest is counted.
const NAMED: usize = 5;

/// Which rows of the list are taken.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these ids; `None` takes all.
    pub only: Option<HashSet<Id>>,
    /// The first so many installations; `None` takes all.
    pub limit: Option<u32>,
}

/// What a row of the list is taken for.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// An installation to recover.
    Take {
        /// The installation.
        listed: Listed,
        /// The client to which its stored token was given, where the row has one that says so.
        client: Option<ClientId>,
    },
    /// It repeats an earlier row.
    Duplicate(Duplicate),
    /// It could not be read.
    Rejected(Rejected),
    /// `--only` or `--limit` leaves it out.
    LeftOut,
}

/// Reads a list row by row, finds duplicates and applies the selection. Besides one record it
/// holds 16 bytes for each installation.
pub struct Rows {
    list: input::List,
    selection: Selection,
    /// Of `--only`, what no row has named yet.
    not_met: HashSet<Id>,
    taken: u32,
    seen: HashMap<Fingerprint, u32>,
    prints: Fingerprints,
}

impl Rows {
    /// Stands before the first row.
    pub fn of(
        source: &Source,
        scope: ScopeChoice,
        selection: Selection,
    ) -> Result<Self, InputError> {
        Ok(Self {
            list: source.read(scope)?,
            not_met: selection.only.clone().unwrap_or_default(),
            selection,
            taken: 0,
            seen: HashMap::new(),
            prints: Fingerprints::default(),
        })
    }

    /// The list that is being read.
    pub fn list(&self) -> &input::List {
        &self.list
    }

    fn sort(&mut self, record: Record) -> Row {
        if self.selection.limit.is_some_and(|limit| self.taken >= limit) {
            return Row::LeftOut;
        }
        match record {
            Record::Rejected(_) if self.selection.only.is_some() => Row::LeftOut,
            Record::Rejected(rejected) => Row::Rejected(rejected_event(&rejected)),
            Record::Installation(listed) => self.sort_installation(listed),
        }
    }

    fn sort_installation(&mut self, listed: input::Listed) -> Row {
        let only = self.selection.only.as_ref();
        if only.is_some_and(|only| !only.contains(&listed.installation.id)) {
            return Row::LeftOut;
        }
        self.not_met.remove(&listed.installation.id);
        let Installation { scope, id, .. } = &listed.installation;
        let print = self.prints.of(*scope, id.as_str());
        let first_row = *self.seen.entry(print).or_insert(listed.row);
        if first_row != listed.row {
            let Installation { id, .. } = listed.installation;
            return Row::Duplicate(Duplicate { row: listed.row, line: listed.line, first_row, id });
        }
        self.taken += 1;
        let client = listed.client.clone();
        Row::Take { listed: listed_event(listed), client }
    }
}

impl Iterator for Rows {
    type Item = Result<Row, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.list.next()?;
        Some(record.map(|record| self.sort(record)))
    }
}

fn listed_event(listed: input::Listed) -> Listed {
    Listed {
        row: listed.row,
        line: listed.line,
        installation: listed.installation,
        values: listed.values,
        history: listed.history.map(|history| History {
            attempts_total: history.attempts_total,
            first_failed_at: history.first_failed_at,
            trace_ids: history.trace_ids.iter().map(|id| SafeText::identifier(id)).collect(),
        }),
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
    for record in source.read(ScopeChoice::Auto)? {
        if let Record::Installation(listed) = record? {
            ids.insert(listed.installation.id);
        }
    }
    Ok(ids)
}

/// What a list amounts to, before anything is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The list, for the journal.
    pub list: List,
    /// Whether it is the failures of an earlier run.
    pub continues: Continues,
    /// Every column that it has.
    pub columns_found: Vec<String>,
    /// Columns that hold tokens and are not carried along.
    pub token_columns: Vec<String>,
    /// Records that count: neither left out by `--only` nor by `--limit`.
    pub input: u32,
    /// Sub-account connections to recover.
    pub locations: u32,
    /// Agency connections to recover.
    pub companies: u32,
    /// Rows that repeat an earlier one.
    pub duplicates: Named,
    /// Rows that could not be read.
    pub rejected: Named,
    /// Ids that are not 20 letters and digits.
    pub unusual: Named,
    /// Rows that `--only` or `--limit` leaves out.
    pub left_out: u32,
    /// Ids of `--only` that the list does not have.
    pub not_met: Named,
    /// Of which clients the tokens are that the list has.
    pub stored_tokens: StoredTokens,
}

/// A number of rows, the first of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// How many.
    pub count: u32,
    /// What is said of the first few.
    pub first: Vec<String>,
}

impl Named {
    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(name());
        }
    }
}

/// Why a list is not taken.
#[derive(Debug, Error)]
pub enum SurveyError {
    /// It cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// It holds the app's client secret, which must stand in no file of the run.
    #[error(
        "{name}, line {line}: holds the app's client secret; take it out of the list (nothing was sent)"
    )]
    HoldsClientSecret {
        /// The list.
        name: String,
        /// The line at which the row begins.
        line: u64,
    },
}

/// Reads a list to its end and says what it amounts to.
pub fn survey(
    source: &Source,
    scope: ScopeChoice,
    selection: Selection,
    client_secret: Option<&ClientSecret>,
) -> Result<Survey, SurveyError> {
    let mut rows = Rows::of(source, scope, selection)?;
    let mut survey = Survey::of(source);
    let mut clients = BTreeMap::new();
    for row in &mut rows {
        let row = row?;
        if let Some(line) = client_secret.and_then(|secret| line_that_holds(&row, secret)) {
            return Err(SurveyError::HoldsClientSecret { name: source.name().to_owned(), line });
        }
        survey.count(&row);
        if let Row::Take { client: Some(client), .. } = row {
            *clients.entry(client).or_default() += 1;
        }
    }
    survey.stored_tokens = StoredTokens::of(clients);
    let mut not_met: Vec<_> = rows.not_met.iter().collect();
    not_met.sort_unstable();
    for id in not_met {
        survey.not_met.add(|| format!("{id}: of --only, not in the list"));
    }
    let shape = rows.list().shape();
    survey.list.shape = shape.to_string();
    survey.list.columns.clone_from(&shape.columns);
    survey.continues = shape.continues;
    survey.columns_found.clone_from(&shape.found);
    survey.token_columns.clone_from(&shape.left_out);
    survey.list.digest = rows.list().digest();
    Ok(survey)
}

/// The line of a row in which a secret stands. A short one would be found by chance.
fn line_that_holds(row: &Row, secret: &ClientSecret) -> Option<u64> {
    let secret = secret.0.expose();
    let holds = |text: &str| secret.len() >= 8 && text.contains(secret);
    match row {
        Row::Take { listed, .. } => {
            listed.values.iter().any(|cell| holds(cell)).then_some(listed.line)
        }
        Row::Rejected(rejected) => holds(rejected.raw.as_str()).then_some(rejected.line),
        Row::Duplicate(_) | Row::LeftOut => None,
    }
}

impl Survey {
    fn of(source: &Source) -> Self {
        Self {
            list: List {
                name: source.name().to_owned(),
                path: source.path(),
                digest: String::new(),
                shape: String::new(),
                columns: Vec::new(),
            },
            continues: Continues::Nothing,
            columns_found: Vec::new(),
            token_columns: Vec::new(),
            input: 0,
            locations: 0,
            companies: 0,
            duplicates: Named::default(),
            rejected: Named::default(),
            unusual: Named::default(),
            left_out: 0,
            not_met: Named::default(),
            stored_tokens: StoredTokens::default(),
        }
    }

    fn count(&mut self, row: &Row) {
        match row {
            Row::Take { listed, .. } => {
                self.input += 1;
                self.count_installation(listed);
            }
            Row::Duplicate(duplicate) => {
                self.input += 1;
                self.duplicates.add(|| {
                    let Duplicate { row, line, first_row, id } = duplicate;
                    format!("row {row} (line {line}) repeats row {first_row}: {id}")
                });
            }
            Row::Rejected(rejected) => {
                self.input += 1;
                self.rejected.add(|| {
                    let Rejected { row, line, column, reason, raw } = rejected;
                    format!("row {row} (line {line}), {column}: {reason} ({raw})")
                });
            }
            Row::LeftOut => self.left_out += 1,
        }
    }

    fn count_installation(&mut self, listed: &Listed) {
        match listed.installation.scope {
            Scope::Location => self.locations += 1,
            Scope::Company => self.companies += 1,
        }
        let id = &listed.installation.id;
        if !id.is_usual() {
            self.unusual.add(|| format!("row {} (line {}): {id}", listed.row, listed.line));
        }
    }

    /// How many installations are to be recovered.
    pub fn installations(&self) -> u32 {
        self.locations + self.companies
    }
}

/// The survey with what surrounds it: what the person on call sees before the first call.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The list.
    pub survey: Survey,
    /// Request starts allowed.
    pub pacing: Pacing,
    /// Installations in flight at most.
    pub concurrency: u32,
    /// Conversations for one installation at most.
    pub attempts: u32,
    /// How many installations may fail before the run halts.
    pub max_failures: MaxFailures,
    /// Where the calls go.
    pub endpoint: String,
    /// The app; `None` when it was not given.
    pub client_id: Option<String>,
    /// What HighLevel said last of the day's requests; `None` when nothing is known.
    pub day: Option<KeptDay>,
    /// The folder that will be made; `None` when nothing will be written.
    pub out: Option<String>,
}

impl Plan {
    /// Calls when all goes well.
    pub fn calls(&self) -> u64 {
        u64::from(self.survey.installations()) * CALLS_EACH
    }

    /// The least time that they take at the rate.
    pub fn least_time(&self) -> Duration {
        self.pacing.bound().least_time_for(self.calls())
    }

    /// The day's allowance, when it is known and will not suffice.
    fn short_day(&self) -> Option<DayTooShort> {
        let KeptDay { day, at } = self.day?;
        let needed = self.calls();
        (day.left < needed).then_some(DayTooShort {
            at,
            left: day.left,
            needed,
            resets_at: day.resets_at,
        })
    }

    fn write_stored_tokens(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = &self.survey.stored_tokens;
        match &self.client_id {
            Some(client_id) if !stored.is_empty() => {
                writeln!(f, "Stored tokens  {}", stored.seen_from(client_id))
            }
            _ => Ok(()),
        }
    }

    /// The plan for a program.
    pub fn as_json(&self) -> serde_json::Value {
        let survey = &self.survey;
        json!({
            "list": survey.list.name,
            "shape": survey.list.shape,
            "columns": survey.columns_found,
            "columns_not_carried": survey.token_columns,
            "input": survey.input,
            "installations": survey.installations(),
            "locations": survey.locations,
            "companies": survey.companies,
            "duplicate": survey.duplicates.count,
            "rejected": survey.rejected.count,
            "unusual_ids": survey.unusual.count,
            "left_out": survey.left_out,
            "calls": self.calls(),
            "rate": self.pacing.asked.to_string(),
            "max_rate": self.pacing.bound().to_string(),
            "concurrency": self.concurrency,
            "least_time_ms": clock::millis(self.least_time()),
            "day_left": self.day.map(|kept| kept.day.left),
            "day_resets_at": self.day.and_then(|kept| kept.day.resets_at),
            "day_suffices": self.day.map(|_| self.short_day().is_none()),
            "endpoint": self.endpoint,
            "client_id": self.client_id,
            "stored_tokens": survey.stored_tokens,
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let survey = &self.survey;
        writeln!(f, "List           {} ({})", survey.list.name, survey.list.shape)?;
        writeln!(
            f,
            "To recover     {}: {} and {}",
            counted(survey.installations(), "installation"),
            counted(survey.locations, "sub-account"),
            if survey.companies == 1 {
                "1 agency".into()
            } else {
                format!("{} agencies", survey.companies)
            },
        )?;
        named(f, "Duplicates", &survey.duplicates)?;
        named(f, "Rejected", &survey.rejected)?;
        named(f, "Unusual ids", &survey.unusual)?;
        named(f, "Not found", &survey.not_met)?;
        if survey.left_out > 0 {
            writeln!(f, "Left out       {} by --only or --limit", counted(survey.left_out, "row"))?;
        }
        if !survey.token_columns.is_empty() {
            let columns = survey.token_columns.join(", ");
            writeln!(f, "Not carried    {columns}: may hold secrets, so no output has it")?;
        }
        self.write_stored_tokens(f)?;
        let calls = self.calls();
        writeln!(
            f,
            "Calls          {calls} at {}, {} in flight: {} at least",
            self.pacing,
            self.concurrency,
            in_words(self.least_time())
        )?;
        if let Some(day) = self.short_day() {
            writeln!(f, "Day            as of {}: {}", clock::stamp(day.at), day.in_words())?;
        }
        writeln!(f, "Endpoint       {}", self.endpoint)?;
        writeln!(f, "Client id      {}", self.client_id.as_deref().unwrap_or("not given"))?;
        write!(f, "Run folder     {}", self.out.as_deref().unwrap_or("none: nothing is written"))
    }
}

fn named(f: &mut fmt::Formatter<'_>, title: &str, rows: &Named) -> fmt::Result {
    if rows.count == 0 {
        return Ok(());
    }
    writeln!(f, "{title:<14} {}", counted(rows.count, "row"))?;
    for name in &rows.first {
        writeln!(f, "                 {name}")?;
    }
    let more = rows.count as usize - rows.first.len();
    if more > 0 {
        writeln!(f, "                 and {more} more")?;
    }
    Ok(())
}

/// `1 row`, `2 rows`.
pub fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A time as people say it: `0s`, `42s`, `3m 20s`, `2h 5m`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}
