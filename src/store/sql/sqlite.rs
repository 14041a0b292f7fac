//! SQLite: a file that is there already.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions,
};

use super::access::Access;
use crate::{
    store::target::{Place, SqlTarget},
    text::SafeText,
};

/// How long another program may hold the file.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);

/// Begins a transaction. One that writes takes the lock at once: a lock that is asked for between
/// reading and writing is refused without waiting.
pub fn begin(access: Access) -> &'static str {
    match access {
        Access::Read => "BEGIN",
        Access::Write => "BEGIN IMMEDIATE",
    }
}

/// Opens the file. It is never created, and its journal mode stays as it is.
///
/// Foreign keys are checked. Updates touch none; an insert that breaks a reference is refused, also
/// where the app itself would not look.
pub async fn connect(target: &SqlTarget) -> Result<(SqliteConnection, SafeText), sqlx::Error> {
    let Place::File(path) = &target.place else {
        return Err(sqlx::Error::Configuration("a server is no file".into()));
    };
    // SQLite reads a name that begins with `file:` as a URL; an absolute path does not.
    let path = path.canonicalize()?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_PATIENCE)
        .disable_statement_logging();
    let mut connection = options.connect().await?;
    // The first look into the file: what is no database, or an encrypted one, shows here.
    connection.execute("SELECT count(*) FROM sqlite_schema").await?;
    let row = connection.fetch_one(AssertSqlSafe("SELECT sqlite_version()")).await?;
    let version = row.try_get::<String, _>(0)?;
    Ok((connection, SafeText::new(&format!("SQLite {version}"))))
}
