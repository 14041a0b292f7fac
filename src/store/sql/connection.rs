//! One connection to a SQL database: transactions, statements, and rows of text.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection as _, MySql, MySqlConnection, PgConnection, Postgres, Sqlite,
    SqliteConnection, raw_sql,
};

use super::{
    access::Access,
    error::{SqlError, SqlErrorKind},
    failed::{failed, without_code},
    mysql,
    open_error::OpenError,
    postgres,
    query::{query, texts},
    sqlite,
    value::{Row, Value},
};
use crate::{
    store::target::{Dialect, SqlTarget},
    text::SafeText,
};

/// The time limit for making a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// The time limit for an answer. The server's own limits are shorter; this is for a server that
/// no longer says anything.
const ANSWER_PATIENCE: Duration = Duration::from_mins(1);

/// Where a connection is between `begin` and `commit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// A statement failed: all that is left is to roll back.
    Failed,
}

enum Link {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// A connection to a SQL database.
///
/// Everything goes on between [`begin`](Self::begin) and [`commit`](Self::commit): behind a pooler
/// each transaction may have another server connection, and nothing of a session outlives it.
/// After an error of a statement a transaction can only be rolled back.
pub struct Connection {
    link: Link,
    server: SafeText,
    transaction: Transaction,
    is_lost: bool,
}

impl Connection {
    /// Connects.
    pub async fn open(target: &SqlTarget) -> Result<Self, OpenError> {
        let opened = tokio::time::timeout(CONNECT_PATIENCE, Self::connect(target)).await;
        match opened {
            Ok(Ok((link, server))) => {
                Ok(Self { link, server, transaction: Transaction::None, is_lost: false })
            }
            Ok(Err(error)) => Err(OpenError::explain(target, &error).await),
            Err(_) => Err(OpenError::silent(target).await),
        }
    }

    async fn connect(target: &SqlTarget) -> Result<(Link, SafeText), sqlx::Error> {
        Ok(match target.dialect {
            Dialect::Postgres => {
                let connection = postgres::connect(target).await?;
                let server = postgres::server(&connection);
                (Link::Postgres(connection), server)
            }
            Dialect::MySql => {
                let (connection, server) = mysql::connect(target).await?;
                (Link::MySql(connection), server)
            }
            Dialect::Sqlite => {
                let (connection, server) = sqlite::connect(target).await?;
                (Link::Sqlite(connection), server)
            }
        })
    }

    /// The kind of database.
    pub fn dialect(&self) -> Dialect {
        match self.link {
            Link::Postgres(_) => Dialect::Postgres,
            Link::MySql(_) => Dialect::MySql,
            Link::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Name and version of the server, such as `PostgreSQL 15.18`.
    pub fn server(&self) -> &SafeText {
        &self.server
    }

    /// Begins a transaction, with limits that end with it. One that is still open is rolled back.
    pub async fn begin(&mut self, access: Access) -> Result<(), SqlError> {
        let statement = match self.link {
            Link::Postgres(_) => postgres::BEGIN,
            Link::MySql(_) => mysql::BEGIN,
            Link::Sqlite(_) => sqlite::begin(access),
        };
        self.rollback().await?;
        self.transaction = Transaction::Open;
        let begun = self.command(statement).await;
        if begun.is_err() && !self.is_lost {
            self.rollback().await?;
        }
        begun
    }

    /// Commits. A transaction in which a statement failed is rolled back, and that is an error: a
    /// server would not say so.
    pub async fn commit(&mut self) -> Result<(), SqlError> {
        if self.transaction != Transaction::Open {
            self.rollback().await?;
            return Err(without_code(SqlErrorKind::Refused, "the transaction failed before"));
        }
        let done = self.command("COMMIT").await;
        if done.is_err() && !self.is_lost {
            // SQLite keeps a transaction open that it could not commit.
            let _ = self.rollback().await;
        }
        self.transaction = Transaction::None;
        done
    }

    /// Takes everything back since [`begin`](Self::begin).
    pub async fn rollback(&mut self) -> Result<(), SqlError> {
        let was = std::mem::replace(&mut self.transaction, Transaction::None);
        if was == Transaction::None {
            return Ok(());
        }
        match self.command("ROLLBACK").await {
            // After some errors SQLite has rolled back by itself.
            Err(error) if was == Transaction::Failed && error.kind == SqlErrorKind::Refused => {
                Ok(())
            }
            done => done,
        }
    }

    /// The rows of a statement. Every column that it selects is text: it casts what is not.
    pub async fn rows(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, SqlError> {
        self.answer(async |link| match link {
            Link::Postgres(link) => {
                let query = query::<Postgres>(sql, values).persistent(false);
                query.fetch_all(link).await?.iter().map(texts).collect()
            }
            Link::MySql(link) => {
                let query = query::<MySql>(sql, values);
                query.fetch_all(link).await?.iter().map(texts).collect()
            }
            Link::Sqlite(link) => {
                let query = query::<Sqlite>(sql, values);
                query.fetch_all(link).await?.iter().map(texts).collect()
            }
        })
        .await
    }

    /// Executes a statement and counts the rows it touched. A row that it found and left as it was
    /// counts.
    pub async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        self.answer(async |link| {
            Ok(match link {
                Link::Postgres(link) => {
                    let query = query::<Postgres>(sql, values).persistent(false);
                    query.execute(link).await?.rows_affected()
                }
                Link::MySql(link) => {
                    query::<MySql>(sql, values).execute(link).await?.rows_affected()
                }
                Link::Sqlite(link) => {
                    query::<Sqlite>(sql, values).execute(link).await?.rows_affected()
                }
            })
        })
        .await
    }

    /// Says goodbye. A connection that is dropped instead is closed all the same.
    pub async fn close(self) {
        let closing = async {
            match self.link {
                Link::Postgres(link) => link.close().await,
                Link::MySql(link) => link.close().await,
                Link::Sqlite(link) => link.close().await,
            }
        };
        let _ = tokio::time::timeout(CONNECT_PATIENCE, closing).await;
    }

    /// A statement without parameters and rows, in the simple protocol.
    async fn command(&mut self, sql: &'static str) -> Result<(), SqlError> {
        self.answer(async |link| {
            let sql = raw_sql(AssertSqlSafe(sql));
            match link {
                Link::Postgres(link) => sql.execute(link).await.map(|_| ()),
                Link::MySql(link) => sql.execute(link).await.map(|_| ()),
                Link::Sqlite(link) => sql.execute(link).await.map(|_| ()),
            }
        })
        .await
    }

    /// Waits for an answer, and notes what an error means for the transaction and the connection.
    async fn answer<T>(
        &mut self,
        ask: impl AsyncFnOnce(&mut Link) -> Result<T, sqlx::Error>,
    ) -> Result<T, SqlError> {
        if self.is_lost {
            return Err(without_code(SqlErrorKind::Lost, "the connection was lost"));
        }
        // Until the answer is here, the connection counts as lost: whoever stops waiting leaves an
        // answer behind that the next question would take for its own.
        self.is_lost = true;
        let answer = tokio::time::timeout(ANSWER_PATIENCE, ask(&mut self.link)).await;
        let error = match answer {
            Ok(Ok(answer)) => {
                self.is_lost = false;
                return Ok(answer);
            }
            Ok(Err(error)) => failed(&error),
            Err(_) => without_code(SqlErrorKind::Lost, "the database does not answer any more"),
        };
        self.is_lost = error.kind == SqlErrorKind::Lost;
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
        Err(error)
    }
}
