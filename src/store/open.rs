//! Opens a store: connects, looks, and says what will be done.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

#[cfg(feature = "store-mongodb")]
use super::mongodb as mongo;
#[cfg(not(feature = "store-mongodb"))]
use super::no_mongodb as mongo;
use super::{
    backup::Backup,
    choice::Chosen,
    exec::Exec,
    fault::StoreFault,
    look::{Ids, Longest, LookError, MOST_IDS, Wanted, look},
    mapping::Mapping,
    pair::Pair,
    pairs::Pairs,
    plan::StorePlan,
    plan_text::InWords,
    sql::{Connection, SqlErrorKind},
    swap::{Inspected, Known, SqlStore, StatementStore, Template},
    target::{Place, SqlTarget, Target},
    written::Written,
};
use crate::{
    clock,
    event::{Event, StoreBegan},
    text::SafeText,
};

/// How long an execution waits for a store that is gone, and whom it hears.
#[derive(Clone)]
pub struct Patience {
    /// How long a server may be away.
    pub max_outage: Duration,
    /// Ends the writing after the batch in hand.
    pub stop: CancellationToken,
}

/// A store that was looked at.
pub struct Opened {
    kind: Kind,
}

enum Kind {
    Sql { target: Box<SqlTarget>, connection: Box<Connection>, plan: Box<StorePlan> },
    Statement { target: Box<SqlTarget>, connection: Box<Connection>, mapping: Mapping },
    Exec { command: String },
    Mongo(Box<mongo::Looked>),
}

/// Connects and looks. Nothing is written.
pub async fn open(target: Target, wanted: &Wanted) -> Result<Opened, StoreFault> {
    let kind = match target {
        Target::Sql(target) => {
            let mut connection =
                Connection::open(&target).await.map_err(|error| match error.kind {
                    SqlErrorKind::Lost => StoreFault::Gone(format!("--to: {error}")),
                    _ => StoreFault::Usage(format!("--to: {error}")),
                })?;
            let own = wanted.mapping.clone().filter(|mapping| mapping.statement.is_some());
            if let Some(mapping) = own {
                let connection = Box::new(connection);
                return Ok(Opened { kind: Kind::Statement { target, connection, mapping } });
            }
            let plan = look(&mut connection, wanted).await.map_err(|error| match error {
                LookError::Ask(question) => StoreFault::Usage(question.to_string()),
                LookError::Gone(error) => StoreFault::Gone(format!("the database: {error}")),
            })?;
            Kind::Sql { target, connection: Box::new(connection), plan: Box::new(plan) }
        }
        Target::Exec(words) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let command = shlex::try_join(words)
                .map_err(|_| StoreFault::Usage("exec: a word of the command has a NUL".into()))?;
            Exec::find(&command)?;
            Kind::Exec { command }
        }
        Target::Mongo(target) => Kind::Mongo(Box::new(mongo::open(&target, wanted).await?)),
    };
    Ok(Opened { kind })
}

/// Connects and looks for some of the ids of these pairs.
pub async fn open_for(
    chosen: &Chosen,
    pairs: &Pairs,
    client_ids: impl IntoIterator<Item = String>,
) -> Result<Opened, StoreFault> {
    let mut ids = Ids { client_ids: client_ids.into_iter().collect(), ..Ids::default() };
    ids.client_ids.sort_unstable();
    ids.client_ids.dedup();
    for id in pairs.sample(MOST_IDS) {
        let (scope, id) = id?;
        ids.add(scope, id.as_str());
    }
    let mut opened = open(chosen.target.clone(), &chosen.wanted(ids, longest(pairs)?)).await?;
    if let (Kind::Mongo(sessions), Some(some)) = (&mut opened.kind, pairs.batches(MOST_IDS).next())
    {
        let some: Vec<Pair> = some?.into_iter().map(|(_, pair)| pair).collect();
        sessions.look(&some).await?;
    }
    Ok(opened)
}

/// The longest tokens.
fn longest(pairs: &Pairs) -> Result<Longest, StoreFault> {
    let mut longest = Longest::default();
    for batch in pairs.batches(1000) {
        for (_, pair) in batch? {
            let refresh = pair.refresh_token.as_ref().map_or(0, |token| token.expose().len());
            longest.access = longest.access.max(pair.access_token.expose().len());
            longest.refresh = longest.refresh.max(refresh);
        }
    }
    Ok(longest)
}

impl Opened {
    /// What will be done, for a person.
    pub fn plan(&self) -> String {
        match &self.kind {
            Kind::Sql { target, connection, plan } => {
                format!("{}{}", store_line(target, connection), InWords(plan))
            }
            Kind::Statement { target, connection, .. } => format!(
                "{}Writes         by the statement of the mapping, one row for each pair.\n               \
                 Nothing is compared, kept or read back.\n",
                store_line(target, connection)
            ),
            Kind::Exec { command } => format!(
                "Store          exec: {command}\n               \
                 it gets each pair as a line of JSON, and answers each with a line\n"
            ),
            Kind::Mongo(sessions) => sessions.plan(),
        }
    }

    /// The mapping that was found or given, as a mapping file.
    pub fn mapping(&self) -> Option<&Mapping> {
        match &self.kind {
            Kind::Sql { plan, .. } => Some(&plan.mapping),
            Kind::Statement { mapping, .. } => Some(mapping),
            Kind::Exec { .. } | Kind::Mongo(_) => None,
        }
    }

    /// What was seen of the ids.
    pub fn plan_of_table(&self) -> Option<&StorePlan> {
        match &self.kind {
            Kind::Sql { plan, .. } => Some(plan),
            Kind::Statement { .. } | Kind::Exec { .. } | Kind::Mongo(_) => None,
        }
    }

    /// The event that says where pairs go from now on.
    pub fn began(&self) -> Event {
        let text = |text: &str| Some(SafeText::new(text));
        let began = match &self.kind {
            Kind::Sql { target, plan, .. } => StoreBegan {
                table: text(&plan.table.to_string()),
                ..began_at(target, &plan.mapping)
            },
            Kind::Statement { target, mapping, .. } => began_at(target, mapping),
            Kind::Exec { command } => StoreBegan {
                at: clock::now(),
                kind: SafeText::new("exec"),
                host: None,
                database: text(command),
                table: None,
                mapping: serde_json::Value::Null,
            },
            Kind::Mongo(sessions) => sessions.began(),
        };
        Event::StoreBegan(Box::new(began))
    }

    /// Starts writing.
    pub async fn begin(self, patience: Patience) -> Result<Store, StoreFault> {
        Ok(match self.kind {
            Kind::Sql { target, connection, plan } => {
                let Patience { max_outage, stop } = patience;
                Store::Sql(Box::new(
                    SqlStore::new(*plan, *target, *connection, max_outage, stop).await?,
                ))
            }
            Kind::Statement { target, connection, mapping } => {
                let Patience { max_outage, stop } = patience;
                let template = Template::read(&mapping.statement.unwrap_or_default())
                    .map_err(|field| StoreFault::Usage(format!("--map: no field {field}")))?;
                Store::Statement(Box::new(StatementStore::new(
                    template,
                    *target,
                    *connection,
                    max_outage,
                    stop,
                )))
            }
            Kind::Exec { command } => Store::Exec(Box::new(Exec::start(&command)?)),
            Kind::Mongo(sessions) => Store::Mongo(Box::new(sessions.begin(patience.max_outage)?)),
        })
    }
}

fn store_line(target: &SqlTarget, connection: &Connection) -> String {
    let note = target.tls_note().map(|note| format!(", {note}")).unwrap_or_default();
    let (host, database) = (target.host_shown(), target.database());
    let place = if host == database { host } else { format!("{host}, database {database}") };
    format!("Store          {}: {place}{note}\n", connection.server())
}

fn began_at(target: &SqlTarget, mapping: &Mapping) -> StoreBegan {
    let host = match &target.place {
        Place::Host { name, .. } => Some(SafeText::new(name)),
        Place::Socket { .. } => Some(SafeText::new(&target.host_shown())),
        Place::File(_) => None,
    };
    StoreBegan {
        at: clock::now(),
        kind: SafeText::new(target.dialect.name()),
        host,
        database: Some(SafeText::new(&target.database())),
        table: None,
        mapping: mapping.to_json(),
    }
}

/// A store that takes pairs.
pub enum Store {
    /// A table of a SQL database.
    Sql(Box<SqlStore>),
    /// A statement of the app's own.
    Statement(Box<StatementStore>),
    /// A program.
    Exec(Box<Exec>),
    /// A collection of MongoDB.
    Mongo(Box<mongo::Writing>),
}

impl Store {
    /// How many pairs are written together.
    pub fn batch_size(&self) -> usize {
        match self {
            Self::Sql(store) => store.batch_size(),
            Self::Statement(_) | Self::Exec(_) | Self::Mongo(_) => 100,
        }
    }

    /// Whether what earlier commands have written has to be known.
    pub fn needs_known(&self) -> bool {
        match self {
            Self::Sql(store) => store.has_programs(),
            Self::Statement(_) | Self::Exec(_) | Self::Mongo(_) => false,
        }
    }

    /// Whether it cannot tell itself what it has already, so that the journal has to.
    pub fn goes_by_journal(&self) -> bool {
        matches!(self, Self::Statement(_))
    }

    /// Writes some pairs of one run: what became of each, also after a fault.
    pub async fn write(
        &mut self,
        pairs: &[Pair],
        backup: &mut Backup,
        known: &Known,
        note: &(dyn Fn(&str) + Sync),
    ) -> (Vec<Option<Written>>, Result<(), StoreFault>) {
        match self {
            Self::Sql(store) => store.write(pairs, backup, known, note).await,
            Self::Statement(store) => store.write(pairs, note).await,
            Self::Exec(exec) => match exec.write(pairs).await {
                Ok(written) => (written.into_iter().map(Some).collect(), Ok(())),
                Err(fault) => (vec![None; pairs.len()], Err(fault)),
            },
            Self::Mongo(store) => match store.write(pairs, backup).await {
                Ok(written) => (written.into_iter().map(Some).collect(), Ok(())),
                Err(fault) => (vec![None; pairs.len()], Err(fault)),
            },
        }
    }

    /// Decides about some pairs and writes nothing; `None` where only writing would tell.
    pub async fn inspect(
        &mut self,
        pairs: &[Pair],
        known: &Known,
        note: &(dyn Fn(&str) + Sync),
    ) -> Result<Option<Inspected>, StoreFault> {
        match self {
            Self::Sql(store) => store.inspect(pairs, known, note).await.map(Some),
            Self::Statement(_) | Self::Exec(_) | Self::Mongo(_) => Ok(None),
        }
    }

    /// Ends it in order.
    pub async fn end(self) -> Result<(), StoreFault> {
        match self {
            Self::Sql(store) => {
                store.close().await;
                Ok(())
            }
            Self::Statement(store) => {
                store.close().await;
                Ok(())
            }
            Self::Exec(exec) => exec.end().await,
            Self::Mongo(_) => Ok(()),
        }
    }
}
