//! Writes pairs into a SQL table: read, decide, keep, swap, read back.
//!
//! Each row is compared with what was read at the moment it is written, so that nothing newer is
//! overwritten, and to do it again changes nothing. The first row goes alone: a table that changes
//! what it is given shows at the cost of one row, which is put back.

mod batch;
mod inspect;
mod link;
mod own_statement;
mod prepared;
mod retry;
mod round;
mod verify;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::{
    batch::Batch,
    link::Link,
    retry::Next,
    round::{Round, RoundError},
};
use super::{
    backup::Backup,
    fault::StoreFault,
    pair::Pair,
    plan::StorePlan,
    sql::{Connection, SqlError},
    target::{Dialect, SqlTarget},
    through::Filters,
    written::Written,
};
use crate::{event::StoreOutcome, installation::Scope};

pub use self::{
    inspect::Inspected,
    own_statement::{StatementStore, Template},
    prepared::Known,
};

/// Rows that may fail before one was written: after that the table does not take any.
const FAILURES_BEFORE_PROOF: u32 = 5;

/// A table that is written to.
pub struct SqlStore {
    plan: StorePlan,
    link: Link,
    filters: Filters,
    /// Whether a row was written and read back.
    is_proven: bool,
    failures: u32,
    stop: CancellationToken,
}

impl SqlStore {
    /// Takes a plan and the connection that it was made with; starts the programs that it names.
    pub async fn new(
        plan: StorePlan,
        target: SqlTarget,
        connection: Connection,
        max_outage: Duration,
        stop: CancellationToken,
    ) -> Result<Self, StoreFault> {
        let programs = plan.written.iter().map(|written| written.through.clone());
        let filters = Filters::start(programs.filter(|argv| !argv.is_empty()))
            .await
            .map_err(|error| StoreFault::Usage(format!("--map: {error}")))?;
        let link = Link::new(target, connection, max_outage, stop.clone());
        Ok(Self { plan, link, filters, is_proven: false, failures: 0, stop })
    }

    /// Whether programs change what is written.
    pub fn has_programs(&self) -> bool {
        self.plan.written.iter().any(|written| !written.through.is_empty())
    }

    /// How many pairs are written together.
    pub fn batch_size(&self) -> usize {
        match self.plan.dialect {
            Dialect::Postgres => 500,
            Dialect::MySql | Dialect::Sqlite => 100,
        }
    }

    /// Writes some pairs of one run. What became of each stands in their order, also after a fault;
    /// `None` where nothing was done.
    pub async fn write(
        &mut self,
        pairs: &[Pair],
        backup: &mut Backup,
        known: &Known,
        note: &(dyn Fn(&str) + Sync),
    ) -> (Vec<Option<Written>>, Result<(), StoreFault>) {
        let prepared = match self.prepare(pairs).await {
            Ok(prepared) => prepared,
            Err(fault) => return (vec![None; pairs.len()], Err(fault)),
        };
        let mut batch = Batch::new(prepared);
        let mut done = Ok(());
        for scope in [Scope::Location, Scope::Company] {
            done = self.write_kind(&mut batch, scope, backup, known, note).await;
            if done.is_err() {
                break;
            }
        }
        (batch.results, done)
    }

    async fn prepare<'a>(
        &mut self,
        pairs: &'a [Pair],
    ) -> Result<Vec<prepared::Prepared<'a>>, StoreFault> {
        let mut prepared = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let mut through = Vec::with_capacity(self.plan.written.len());
            for written in &self.plan.written {
                through.push(match encoded(written, pair) {
                    Some(text) => Some(
                        self.filters
                            .line(&written.through, &text)
                            .await
                            .map_err(|error| StoreFault::Gone(format!("--map: {error}")))?,
                    ),
                    None => None,
                });
            }
            prepared.push(prepared::Prepared { pair, key: self.plan.key(pair), through });
        }
        Ok(prepared)
    }

    async fn write_kind(
        &mut self,
        batch: &mut Batch<'_>,
        scope: Scope,
        backup: &mut Backup,
        known: &Known,
        note: &(dyn Fn(&str) + Sync),
    ) -> Result<(), StoreFault> {
        let (mut tries, mut is_one_by_one) = (0, false);
        loop {
            let mut open = batch.open(scope);
            if open.is_empty() {
                return Ok(());
            }
            if is_one_by_one {
                open.truncate(1);
            }
            let connection = self.link.get(note).await?;
            let round = Round { plan: &self.plan, connection, backup: &mut *backup, known, scope };
            match round.run(batch, &open, &mut self.is_proven).await {
                Ok(()) => {
                    tries = 0;
                    self.link.is_well();
                }
                Err(RoundError::Fault(fault)) => return Err(fault),
                Err(RoundError::Sql(error)) => match retry::after(error.kind, tries, open.len()) {
                    Next::Again(wait) => {
                        tries += 1;
                        self.wait(wait).await?;
                    }
                    Next::OneByOne => (tries, is_one_by_one) = (0, true),
                    Next::GiveUp => {
                        tries = 0;
                        self.give_up(batch, open[0], &error)?;
                    }
                    Next::Reconnect => self.link.lost(&error),
                    Next::Stop => return Err(self.refuses(&error)),
                },
            }
        }
    }

    async fn wait(&self, time: Duration) -> Result<(), StoreFault> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.stop.cancelled() => {
                Err(StoreFault::Gone("interrupted while rows were locked by somebody else".into()))
            }
        }
    }

    /// Gives a row up. Where none was written yet, the next ones will fare no better.
    fn give_up(
        &mut self,
        batch: &mut Batch<'_>,
        index: usize,
        error: &SqlError,
    ) -> Result<(), StoreFault> {
        batch.settle(index, StoreOutcome::Failed, &error.to_string());
        self.failures += 1;
        if self.is_proven || self.failures < FAILURES_BEFORE_PROOF {
            return Ok(());
        }
        Err(StoreFault::Gone(format!(
            "the first {} rows were all refused by {}, the last with: {error}",
            self.failures, self.plan.table
        )))
    }

    fn refuses(&self, error: &SqlError) -> StoreFault {
        StoreFault::Gone(format!("{} does not let this user write: {error}", self.plan.table))
    }

    /// Closes the connection and ends the programs.
    pub async fn close(self) {
        self.link.close().await;
        self.filters.end().await;
    }
}

/// What a program is given for a column; `None` for columns without one.
fn encoded(written: &super::plan::WrittenColumn, pair: &Pair) -> Option<String> {
    use super::{column::Cell, encode::encode, sql::Value};
    if written.through.is_empty() {
        return None;
    }
    let empty = Cell { text: None, family: written.column.family };
    match encode(&written.source, written.form, pair, &empty, crate::clock::now()) {
        Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Int(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Null => None,
    }
}
