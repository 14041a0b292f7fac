//! One round over some open pairs: each is decided about, and those that are due are swapped.

use super::{
    batch::Batch,
    prepared::{Known, Prepared, ReadRow, as_it_was, kept, stored_row},
    verify::difference,
};
use crate::{
    clock,
    event::StoreOutcome,
    installation::Scope,
    store::{
        backup::{Backup, Replaced},
        column::{Cell, Column, Family},
        decide::{Decision, decide},
        fault::StoreFault,
        plan::{StorePlan, WrittenColumn},
        sql::{Access, Connection, SqlError, Value},
        statement::{
            Change, Key, KeyValue, NewValue, by_keys, cells, insert, update_many, update_one,
        },
        target::Dialect,
    },
};

/// Rows that are read together where each is a condition of its own.
const AT_ONCE: usize = 100;

/// Why a round ended early. What it had not committed is open as before.
pub enum RoundError {
    /// The database answered with an error.
    Sql(SqlError),
    /// Nothing more can be written.
    Fault(StoreFault),
}

impl From<SqlError> for RoundError {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreFault> for RoundError {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault)
    }
}

/// See the module.
pub struct Round<'a> {
    /// What is written where.
    pub plan: &'a StorePlan,
    /// The database.
    pub connection: &'a mut Connection,
    /// Where old rows are kept.
    pub backup: &'a mut Backup,
    /// What is known of stored tokens.
    pub known: &'a Known,
    /// Whose pairs.
    pub scope: Scope,
}

/// A row that is due.
struct Due {
    index: usize,
    row: ReadRow,
    new: Vec<NewValue>,
    is_new_row: bool,
}

impl Round<'_> {
    /// Decides about the open pairs, and writes those that are due; only the first one while nothing
    /// is proven.
    pub async fn run(
        mut self,
        batch: &mut Batch<'_>,
        open: &[usize],
        is_proven: &mut bool,
    ) -> Result<(), RoundError> {
        let keys = |indices: &[usize], batch: &Batch<'_>| -> Vec<Key> {
            indices.iter().map(|index| batch.prepared[*index].key.clone()).collect()
        };
        let rows = self.read_apart(&keys(open, batch)).await?;
        let mut due = self.due(batch, open, rows);
        if !*is_proven {
            due.truncate(1);
        }
        if due.is_empty() {
            return Ok(());
        }
        self.keep(batch, &due)?;
        let touched = self.swap(batch, &due, *is_proven).await?;
        let Some(touched) = touched else { return Ok(()) };
        let indices: Vec<usize> = touched.iter().map(|place| due[*place].index).collect();
        let rows = self.read_apart(&keys(&indices, batch)).await?;
        for (place, rows) in touched.into_iter().zip(rows) {
            self.check(batch, &due[place], &rows, *is_proven).await?;
            *is_proven = true;
        }
        Ok(())
    }

    /// Decides about each pair by the rows that were found for it.
    fn due(&self, batch: &mut Batch<'_>, open: &[usize], rows: Vec<Vec<ReadRow>>) -> Vec<Due> {
        let mut due = Vec::new();
        for (index, rows) in open.iter().copied().zip(rows) {
            let prepared = &batch.prepared[index];
            let stored: Vec<_> = rows
                .iter()
                .map(|row| stored_row(self.plan, row, prepared.pair, self.known))
                .collect();
            let is_ours = batch.sent.contains(&index);
            let (outcome, message) = match decide(&prepared.new_pair(self.plan), &stored) {
                Decision::Replace => {
                    due.extend(rows.into_iter().next().map(|row| {
                        let new = prepared.new_values(self.plan, &row, clock::now());
                        Due { index, row, new, is_new_row: false }
                    }));
                    continue;
                }
                Decision::Missing if self.plan.insert.is_some() => {
                    due.push(self.new_row(prepared, index));
                    continue;
                }
                Decision::Already if is_ours => (StoreOutcome::Replaced, String::new()),
                Decision::Already => (StoreOutcome::Already, String::new()),
                Decision::Newer(why) => (StoreOutcome::Newer, why),
                Decision::Missing => (StoreOutcome::Missing, "no row has its id".to_owned()),
                Decision::Ambiguous(rows) => {
                    (StoreOutcome::Ambiguous, format!("{rows} rows have its id"))
                }
                Decision::NotOurs(why) => (StoreOutcome::NotOurs, why.to_owned()),
            };
            batch.settle(index, outcome, &message);
        }
        due
    }

    fn new_row(&self, prepared: &Prepared<'_>, index: usize) -> Due {
        let row = ReadRow::new(&[], Vec::new());
        let new = prepared.new_values(self.plan, &row, clock::now());
        Due { index, row, new, is_new_row: true }
    }

    /// Keeps the rows as they are, durably, before anything is committed.
    fn keep(&mut self, batch: &Batch<'_>, due: &[Due]) -> Result<(), StoreFault> {
        let (now, table) = (clock::now(), self.plan.table.to_string());
        for Due { index, row, .. } in due {
            let prepared = &batch.prepared[*index];
            let (key, old) = kept(self.plan, prepared, row);
            let replaced = Replaced {
                row: prepared.pair.row,
                id: &prepared.pair.installation.id,
                table: &table,
                key: &key,
                old: &old,
                token_line: prepared.pair.token_line,
                new: prepared.digest(self.plan),
            };
            self.backup.keep(&replaced, now)?;
        }
        self.backup.sync()
    }

    /// Swaps the rows in one transaction. Gives the places of those that were touched; `None` where
    /// it was rolled back and the pairs are settled or open.
    async fn swap(
        &mut self,
        batch: &mut Batch<'_>,
        due: &[Due],
        is_proven: bool,
    ) -> Result<Option<Vec<usize>>, RoundError> {
        self.connection.begin(Access::Write).await?;
        let mut touched = match self.write(batch, due).await {
            Ok(touched) => touched,
            Err(error) => {
                // The first error says what happened; a rollback that fails says it again later.
                let _ = self.connection.rollback().await;
                return Err(error.into());
            }
        };
        touched.sort_unstable();
        let doubled: Vec<usize> =
            touched.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        if !doubled.is_empty() {
            self.connection.rollback().await?;
            for place in doubled {
                let message = "several rows have its id and its old tokens";
                batch.settle(due[place].index, StoreOutcome::Ambiguous, message);
            }
            return Ok(None);
        }
        if let (false, Some(place)) = (is_proven, touched.first()) {
            self.check_uncommitted(batch, &due[*place]).await?;
        }
        batch.sent.extend(touched.iter().map(|place| due[*place].index));
        self.connection.commit().await?;
        for place in (0..due.len()).filter(|place| !touched.contains(place)) {
            batch.changed(due[place].index);
        }
        Ok(Some(touched))
    }

    /// Writes the rows; gives the place of each row that was touched.
    async fn write(&mut self, batch: &Batch<'_>, due: &[Due]) -> Result<Vec<usize>, SqlError> {
        let (written, compared) = (self.plan.written_columns(), self.plan.compared());
        let mut touched = Vec::new();
        let (new_rows, swapped): (Vec<_>, Vec<_>) =
            due.iter().enumerate().partition(|(_, due)| due.is_new_row);
        let changes: Vec<Change> = swapped
            .iter()
            .map(|(_, due)| Change {
                key: batch.prepared[due.index].key.clone(),
                old: compared.iter().map(|column| due.row.cell(&column.name).text).collect(),
                new: due.new.clone(),
            })
            .collect();
        let at = self.plan.at();
        if self.plan.dialect == Dialect::Postgres && !changes.is_empty() {
            let (sql, values) = update_many(at, &written, &compared, &changes);
            for row in self.connection.rows(&sql, &values).await? {
                let number = row.first().cloned().flatten().and_then(|n| n.parse::<usize>().ok());
                touched.extend(number.and_then(|number| Some(swapped.get(number)?.0)));
            }
        } else {
            for ((place, _), change) in swapped.iter().zip(&changes) {
                let (sql, values) = update_one(at, &written, &compared, change);
                let rows = self.connection.execute(&sql, &values).await?;
                touched.extend((0..rows.min(2)).map(|_| *place));
            }
        }
        for (place, due) in new_rows {
            if self.insert(&batch.prepared[due.index], due).await? == 1 {
                touched.push(place);
            }
        }
        Ok(touched)
    }

    async fn insert(&mut self, prepared: &Prepared<'_>, due: &Due) -> Result<u64, SqlError> {
        let (columns, values) = new_row_values(self.plan, prepared, &due.new);
        let columns: Vec<&Column> = columns.iter().collect();
        let (sql, values) = insert(self.plan.at(), &columns, &values, &prepared.key);
        self.connection.execute(&sql, &values).await
    }

    /// The first row, while it can still be taken back.
    async fn check_uncommitted(
        &mut self,
        batch: &mut Batch<'_>,
        due: &Due,
    ) -> Result<(), RoundError> {
        let key = batch.prepared[due.index].key.clone();
        let rows = self.read(std::slice::from_ref(&key)).await?;
        let expires_at = batch.prepared[due.index].pair.expires_at;
        let differs = match rows.first().map(Vec::as_slice) {
            Some([row]) => difference(self.plan, &due.new, row, expires_at),
            _ => Some("the row is not found again by its key".to_owned()),
        };
        let Some(differs) = differs else { return Ok(()) };
        self.connection.rollback().await?;
        batch.settle(due.index, StoreOutcome::Refused, &differs);
        Err(StoreFault::Gone(format!(
            "{}: {differs}. The first row was taken back, and nothing is changed",
            self.plan.table
        ))
        .into())
    }

    /// Compares a row that was written with what reads back after the commit.
    async fn check(
        &mut self,
        batch: &mut Batch<'_>,
        due: &Due,
        rows: &[ReadRow],
        is_proven: bool,
    ) -> Result<(), RoundError> {
        let prepared = batch.prepared[due.index].clone();
        let outcome = if due.is_new_row { StoreOutcome::Inserted } else { StoreOutcome::Replaced };
        let differs = match rows {
            [row] => difference(self.plan, &due.new, row, prepared.pair.expires_at),
            rows => Some(format!("{} rows are found by its key", rows.len())),
        };
        let stored: Vec<_> =
            rows.iter().map(|row| stored_row(self.plan, row, prepared.pair, self.known)).collect();
        let is_newer = matches!(decide(&prepared.new_pair(self.plan), &stored), Decision::Newer(_));
        match differs {
            None => batch.settle(due.index, outcome, ""),
            // Somebody has refreshed it since.
            Some(_) if is_newer => {
                batch.settle(due.index, outcome, "and refreshed by the app since");
            }
            Some(differs) if !is_proven => {
                let put_back = match rows {
                    [row] => self.put_back(&prepared.key, due, row).await?,
                    _ => false,
                };
                batch.settle(due.index, StoreOutcome::Refused, &differs);
                let after = if put_back {
                    "The first row was put back as it was, and nothing else is changed"
                } else {
                    "The first row could not be put back: its old content is in replaced.jsonl"
                };
                return Err(
                    StoreFault::Gone(format!("{}: {differs}. {after}", self.plan.table)).into()
                );
            }
            Some(differs) => {
                batch.settle(due.index, StoreOutcome::Refused, &differs);
                return Err(StoreFault::Mismatch(format!(
                    "{}, row of {}: {differs}. Its old content is in replaced.jsonl",
                    self.plan.table, prepared.pair.installation.id
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Puts the old content back, if the row is still as it was written.
    async fn put_back(&mut self, key: &Key, due: &Due, row: &ReadRow) -> Result<bool, SqlError> {
        if due.is_new_row {
            return Ok(false);
        }
        let (written, compared) = (self.plan.written_columns(), self.plan.compared());
        let new = written.iter().zip(&due.new).map(|(column, new)| match new {
            NewValue::Kept => NewValue::Kept,
            NewValue::Set(_) => NewValue::Set(as_it_was(&due.row.cell(&column.name))),
        });
        let change = Change {
            key: key.clone(),
            old: compared.iter().map(|column| row.cell(&column.name).text).collect(),
            new: new.collect(),
        };
        let (sql, values) = update_one(self.plan.at(), &written, &compared, &change);
        let (sql, values) = match self.plan.dialect {
            Dialect::Postgres => update_many(self.plan.at(), &written, &compared, &[change]),
            Dialect::MySql | Dialect::Sqlite => (sql, values),
        };
        self.connection.begin(Access::Write).await?;
        let rows = match self.plan.dialect {
            Dialect::Postgres => self.connection.rows(&sql, &values).await?.len() as u64,
            Dialect::MySql | Dialect::Sqlite => self.connection.execute(&sql, &values).await?,
        };
        self.connection.commit().await?;
        Ok(rows == 1)
    }

    /// The rows of each key, in a transaction of their own.
    async fn read_apart(&mut self, keys: &[Key]) -> Result<Vec<Vec<ReadRow>>, SqlError> {
        read_apart(self.plan, self.connection, self.scope, keys).await
    }

    /// The rows of each key.
    async fn read(&mut self, keys: &[Key]) -> Result<Vec<Vec<ReadRow>>, SqlError> {
        read(self.plan, self.connection, self.scope, keys).await
    }
}

/// The rows of each key, in a transaction of their own.
pub async fn read_apart(
    plan: &StorePlan,
    connection: &mut Connection,
    scope: Scope,
    keys: &[Key],
) -> Result<Vec<Vec<ReadRow>>, SqlError> {
    connection.begin(Access::Read).await?;
    let rows = read(plan, connection, scope, keys).await?;
    connection.commit().await?;
    Ok(rows)
}

async fn read(
    plan: &StorePlan,
    connection: &mut Connection,
    scope: Scope,
    keys: &[Key],
) -> Result<Vec<Vec<ReadRow>>, SqlError> {
    let columns = plan.read_columns(scope);
    let selected: Vec<&Column> = columns.iter().collect();
    let size = if plan.dialect == Dialect::Postgres { keys.len().max(1) } else { AT_ONCE };
    let mut found = vec![Vec::new(); keys.len()];
    let mut begin = 0;
    for some in keys.chunks(size) {
        let (sql, values) = by_keys(plan.at(), some, &selected);
        let places = places(some, begin);
        for row in connection.rows(&sql, &values).await? {
            let row = ReadRow::new(&columns, cells(plan.dialect, &selected, &row));
            let texts = texts_of(&row, some);
            for place in places.get(&texts).into_iter().flatten() {
                found[*place].push(row.clone());
            }
        }
        begin += some.len();
    }
    Ok(found)
}

/// The places of keys by their texts.
fn places(keys: &[Key], begin: usize) -> std::collections::HashMap<Vec<String>, Vec<usize>> {
    let mut places: std::collections::HashMap<Vec<String>, Vec<usize>> =
        std::collections::HashMap::default();
    for (index, key) in keys.iter().enumerate() {
        let texts = key.texts().map(str::to_owned).collect();
        places.entry(texts).or_default().push(begin + index);
    }
    places
}

/// The texts that a row has in the columns of the keys.
fn texts_of(row: &ReadRow, keys: &[Key]) -> Vec<String> {
    let parts = keys.first().map(|key| key.parts.as_slice()).unwrap_or_default();
    let is_text = |value: &KeyValue| matches!(value, KeyValue::Is(_));
    let columns = parts.iter().filter(|(_, value)| is_text(value)).map(|(column, _)| column);
    columns.map(|column| row.cell(&column.name).text.unwrap_or_default()).collect()
}

/// The columns of a new row with their values: those of the key, those that are always written, and
/// those that only a new row gets.
fn new_row_values(
    plan: &StorePlan,
    prepared: &Prepared<'_>,
    new: &[NewValue],
) -> (Vec<Column>, Vec<Value>) {
    let (mut columns, mut values): (Vec<Column>, Vec<Value>) = (Vec::new(), Vec::new());
    let mut add = |column: &Column, value: Value| {
        if !columns.iter().any(|known| known.name == column.name) {
            columns.push(column.clone());
            values.push(value);
        }
    };
    for (column, value) in &prepared.key.parts {
        if let KeyValue::Is(text) = value {
            add(column, Value::Text(text.clone()));
        }
    }
    let always = |written: &WrittenColumn| written.instead_of.is_empty() && written.with.is_none();
    for (written, new) in plan.written.iter().zip(new) {
        if let (true, NewValue::Set(value)) = (always(written), new) {
            add(&written.column, value.clone());
        }
    }
    let empty = Cell { text: None, family: Family::Other };
    for (index, written) in plan.insert.iter().flatten().enumerate() {
        let place = plan.written.len() + index;
        if let NewValue::Set(value) = prepared.value(place, written, &empty, clock::now()) {
            add(&written.column, value);
        }
    }
    (columns, values)
}
