//! What a list amounts to, before anything is sent.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{
    list_stats::ListStats,
    named::Named,
    not_due::NotDueRows,
    rows::{Known, Row, Rows, Selection},
};
use crate::{
    app::{AppName, AppOfRun, Directory},
    event::{Duplicate, List, Listed, Rejected},
    highlevel::{
        client_id::ClientId,
        token_clients::{OfClient, StoredTokens},
    },
    input::{
        ColumnChoice, Continues, EventCounts, IdSource, InputError, ScopeChoice, Source, Stored,
        Unused,
    },
    installation::Scope,
    secret::ClientSecret,
};

/// What a list amounts to, before anything is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ListSummary {
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
    /// Installations that other runs have recovered in the last 24 hours, by run folder. They are
    /// skipped, and counted nowhere else.
    pub before: BTreeMap<String, u32>,
    /// Rows that repeat an earlier one.
    pub duplicates: Named,
    /// Rows that could not be read.
    pub rejected: Named,
    /// Ids that are not 20 letters and digits.
    pub unusual: Named,
    /// Rows that are left out: by `--only` or `--limit`, or since they are not due.
    pub left_out: u32,
    /// Rows of an earlier run's failures that are left out, since they are not due.
    pub not_due: NotDueRows,
    /// Rows that are meant to be left out, since the app was removed there.
    pub uninstalled: u32,
    /// How the events of a webhook log stand at its end.
    pub events: EventCounts,
    /// Ids of `--only` that the list does not have.
    pub not_met: Named,
    /// Of which clients the tokens are that the list has.
    pub stored_tokens: StoredTokens,
    /// What else there is to say of its tokens.
    pub stored: TokenSummary,
    /// What it brings for each route.
    pub stats: ListStats,
    /// Installations with an access token that `--skip-healthy` can try.
    pub with_access_token: u32,
    /// The apps that it has rows of, where there may be several; of all shards.
    pub apps: Vec<AppRows>,
    /// Installations of each shard, skipped ones included, where several machines share the list.
    pub by_shard: Vec<u32>,
}

/// How many installations of an app a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRows {
    /// The app.
    pub app: AppOfRun,
    /// Its installations that are to be recovered.
    pub installations: u32,
}

/// What the tokens of a list say of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSummary {
    /// Rows whose tokens were given to another client.
    pub of_other_clients: Named,
    /// Rows whose tokens name another installation.
    pub contradicting: Named,
    /// Rows whose id or kind is known from a token alone.
    pub known_by_token: Named,
    /// Rows with encrypted tokens.
    pub encrypted: u32,
    /// Rows with masks, placeholders and the like in the place of tokens.
    pub no_tokens: u32,
}

/// The app as far as it is known when the list is read.
#[derive(Clone, Debug, Default)]
pub struct OwnApp<'a> {
    /// Its client id.
    pub client_id: Option<&'a str>,
    /// The client secrets of all apps, which must not stand in the list.
    pub client_secrets: Vec<&'a ClientSecret>,
}

/// Why a list is not taken.
#[derive(Debug, Error)]
pub enum ListError {
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
pub fn summary(
    source: &Source,
    scope: ScopeChoice,
    columns: &ColumnChoice,
    selection: Selection,
    directory: Option<&Directory>,
    app: &OwnApp<'_>,
    known: Known,
) -> Result<ListSummary, ListError> {
    let mut rows = Rows::of(source, scope, columns, selection, directory.cloned())?.knowing(known);
    let mut summary = ListSummary::of(source);
    let mut clients = BTreeMap::new();
    let mut by_app = BTreeMap::<AppName, u32>::new();
    for row in &mut rows {
        let row = row?;
        if let Some(line) =
            app.client_secrets.iter().find_map(|secret| line_that_holds(&row, secret))
        {
            return Err(ListError::HoldsClientSecret { name: source.name().to_owned(), line });
        }
        summary.count(&row);
        match &row {
            Row::Take { listed: Listed { app: Some(name), .. }, .. } => {
                *by_app.entry(name.clone()).or_default() += 1;
            }
            // Every shard names the same apps.
            Row::OtherShard(Some(name)) => _ = by_app.entry(name.clone()).or_default(),
            _ => {}
        }
        if let Row::Take { listed, stored, id_source, before: None } = row {
            if let Some(client) = stored.client() {
                *clients.entry(client.clone()).or_default() += 1;
            }
            let named = listed.app.as_ref().and_then(|name| directory?.client_id(name));
            let client_id = named.or(app.client_id);
            summary.stored.count(&listed, &stored, id_source, client_id);
            let tokens = stored.usable_for(&listed.installation, client_id);
            summary.with_access_token += u32::from(tokens.access.is_some());
            summary.stats.count(&listed.installation, &tokens);
        }
    }
    let apps = directory.map(Directory::apps).unwrap_or_default().iter();
    summary.apps = apps
        .filter_map(|app| {
            let installations = *by_app.get(&app.name)?;
            Some(AppRows { app: app.clone(), installations })
        })
        .collect();
    summary.stored_tokens = StoredTokens::of(clients);
    let mut not_met: Vec<_> = rows.not_met.iter().collect();
    not_met.sort_unstable();
    for id in not_met {
        summary.not_met.add(id.as_str());
    }
    summary.by_shard = std::mem::take(&mut rows.by_shard);
    let shape = rows.list().shape();
    summary.list.shape = shape.to_string();
    summary.list.columns.clone_from(&shape.columns);
    if rows.reads_the_rest() {
        summary.events = rows.list().event_counts();
    }
    summary.list.uninstalled = summary.uninstalled;
    summary.continues = shape.continues;
    summary.columns_found.clone_from(&shape.found);
    summary.token_columns.clone_from(&shape.left_out);
    summary.list.digest = rows.list().digest();
    Ok(summary)
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
        Row::NotDue(not_due) => {
            let is_held = not_due.values.iter().any(|cell| holds(cell))
                || holds(not_due.failure.message.as_str());
            is_held.then_some(not_due.line)
        }
        Row::Duplicate(_) | Row::LeftOut | Row::Uninstalled | Row::OtherShard(_) => None,
    }
}

impl ListSummary {
    fn of(source: &Source) -> Self {
        Self {
            list: List {
                name: source.name().to_owned(),
                path: source.path(),
                digest: String::new(),
                shape: String::new(),
                columns: Vec::new(),
                uninstalled: 0,
            },
            continues: Continues::Nothing,
            columns_found: Vec::new(),
            token_columns: Vec::new(),
            input: 0,
            locations: 0,
            companies: 0,
            before: BTreeMap::new(),
            duplicates: Named::default(),
            rejected: Named::default(),
            unusual: Named::default(),
            left_out: 0,
            not_due: NotDueRows::default(),
            uninstalled: 0,
            events: EventCounts::default(),
            not_met: Named::default(),
            stored_tokens: StoredTokens::default(),
            stored: TokenSummary::default(),
            stats: ListStats::default(),
            with_access_token: 0,
            apps: Vec::new(),
            by_shard: Vec::new(),
        }
    }

    fn count(&mut self, row: &Row) {
        match row {
            Row::Take { before: Some(before), .. } => {
                self.input += 1;
                *self.before.entry(before.folder.clone()).or_default() += 1;
            }
            Row::Take { listed, .. } => {
                self.input += 1;
                self.count_installation(listed);
            }
            Row::Duplicate(duplicate) => {
                self.input += 1;
                let Duplicate { row, line, first_row, id } = duplicate;
                let words = || format!("row {row} (line {line}) repeats row {first_row}: {id}");
                self.duplicates.add_alike("", words, words);
            }
            Row::Rejected(rejected) => {
                self.input += 1;
                let Rejected { row, line, column, reason, raw } = rejected;
                self.rejected.add_alike(
                    &format!("{column}: {reason}"),
                    || format!("row {row} (line {line}), {column}: {reason} ({raw})"),
                    || format!("row {row} (line {line}), {raw}"),
                );
            }
            Row::LeftOut => self.left_out += 1,
            Row::NotDue(row) => {
                self.left_out += 1;
                self.not_due.add(row.retry, row.due_from);
            }
            Row::Uninstalled => self.uninstalled += 1,
            Row::OtherShard(_) => {}
        }
    }

    fn count_installation(&mut self, listed: &Listed) {
        match listed.installation.scope {
            Scope::Location => self.locations += 1,
            Scope::Company => self.companies += 1,
        }
        let id = &listed.installation.id;
        if !id.is_usual() {
            let Listed { row, line, .. } = listed;
            let words = || format!("row {row} (line {line}): {id}");
            self.unusual.add_alike("", words, words);
        }
    }

    /// Whether it is the failures of a run in which nothing failed.
    pub fn is_nothing_left(&self) -> bool {
        let is_empty = self.input == 0 && self.left_out == 0 && !self.others_have_some();
        self.continues == Continues::EarlierRun && is_empty
    }

    /// Whether other shards have installations.
    pub fn others_have_some(&self) -> bool {
        self.by_shard.iter().any(|installations| *installations > 0)
    }

    /// How many rows `--only` or `--limit` leaves out.
    pub fn left_out_by_choice(&self) -> u32 {
        self.left_out - self.not_due.rows()
    }

    /// Whether it is the failures of a run of which none is due.
    pub fn is_nothing_due(&self) -> bool {
        self.not_due.rows() > 0 && self.installations() + self.recovered_before() == 0
    }

    /// How many installations are skipped, since other runs have recovered them.
    pub fn recovered_before(&self) -> u32 {
        self.before.values().sum()
    }

    /// How many installations are to be recovered.
    pub fn installations(&self) -> u32 {
        self.locations + self.companies
    }
}

impl TokenSummary {
    fn count(
        &mut self,
        at: &Listed,
        stored: &Stored,
        id_source: IdSource,
        client_id: Option<&str>,
    ) {
        let Listed { row, line, installation, .. } = at;
        let id = &installation.id;
        let other = |client: &&ClientId| client_id.is_some_and(|own| own != client.as_str());
        if let (Some(client), Some(own)) = (stored.client().filter(other), client_id) {
            let kinship = OfClient { client_id: client.clone(), installations: 1 }.kinship(own);
            self.of_other_clients.add_alike(
                client.as_str(),
                || format!("row {row} (line {line}), {id}: of {client} ({})", kinship.in_words()),
                || format!("row {row} (line {line}), {id}"),
            );
        }
        if let Some(named) = stored.contradiction(installation) {
            self.contradicting.add_alike(
                "",
                || format!("row {row} (line {line}), {id}: the token is of {named}"),
                || format!("row {row} (line {line}), {id}: of {named}"),
            );
        }
        if id_source == IdSource::Token {
            let scope = installation.scope;
            let words = || format!("row {row} (line {line}): {scope} {id}");
            self.known_by_token.add_alike("", words, words);
        }
        match stored.unused {
            Unused::Nothing => {}
            Unused::NoToken => self.no_tokens += 1,
            Unused::Ciphertext => self.encrypted += 1,
        }
    }
}
