//! MySQL and MariaDB.

use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, MySqlConnection, Row,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};

use super::{
    error::SqlErrorKind,
    failed::{failed, unreadable},
};
use crate::{
    store::target::{Place, SqlTarget, Tls},
    text::SafeText,
};

/// Begins a transaction.
pub const BEGIN: &str = "START TRANSACTION";

/// What must hold. Without `STRICT_ALL_TABLES` a token that is too long is cut silently; with `READ
/// COMMITTED` a transaction sees what others have committed, and locks alone the rows it finds.
const NEEDED: [&str; 2] = [
    "SET SESSION autocommit = 1, \
        SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'STRICT_ALL_TABLES')",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];

/// Time limits, as far as the server has them: the third is MySQL's, the fourth MariaDB's.
const TIME_LIMITS: [&str; 4] = [
    "SET SESSION innodb_lock_wait_timeout = 5",
    "SET SESSION lock_wait_timeout = 5",
    "SET SESSION max_execution_time = 30000",
    "SET SESSION max_statement_time = 30",
];

/// Connects and sets the session up. Also gives name and version of the server.
///
/// sqlx sets `utf8mb4` and the time zone, and counts rows that are found, not rows that are changed.
pub async fn connect(target: &SqlTarget) -> Result<(MySqlConnection, SafeText), sqlx::Error> {
    let mut connection = options(target)?.connect().await?;
    for setting in NEEDED {
        connection.execute(setting).await?;
    }
    for limit in TIME_LIMITS {
        match connection.execute(limit).await {
            Err(error) if failed(&error).kind == SqlErrorKind::Lost => return Err(error),
            _ => {}
        }
    }
    let row = connection.fetch_one(AssertSqlSafe("SELECT VERSION()")).await?;
    let server = server(&row.try_get_unchecked::<String, _>(0)?);
    Ok((connection, server))
}

fn options(target: &SqlTarget) -> Result<MySqlConnectOptions, sqlx::Error> {
    let mut options = MySqlConnectOptions::new()
        .username(&target.user)
        .database(&target.database)
        .charset("utf8mb4")
        .timezone("+00:00".to_owned())
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .ssl_ca_from_pem(target.roots().map_err(unreadable)?)
        .disable_statement_logging();
    options = match &target.place {
        Place::Host { name, port } => options.host(name).port(*port),
        Place::Socket { path, .. } => options.host("localhost").socket(path),
        Place::File(_) => return Err(sqlx::Error::Configuration("a file is no server".into())),
    };
    if let Some(password) = &target.password {
        options = options.password(password.expose());
    }
    if let Some((certificate, key)) = target.client_files().map_err(unreadable)? {
        options = options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key);
    }
    Ok(options.ssl_mode(match target.tls {
        Tls::Plain => MySqlSslMode::Disabled,
        Tls::Free => MySqlSslMode::Preferred,
        Tls::Unchecked => MySqlSslMode::Required,
        Tls::Issuer => MySqlSslMode::VerifyCa,
        Tls::Full => MySqlSslMode::VerifyIdentity,
    }))
}

/// Name and version of a server, from what it answers to `VERSION()`.
fn server(version: &str) -> SafeText {
    let number = version.split('-').next().unwrap_or_default();
    let name = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    SafeText::new(&format!("{name} {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_named_by_its_version() {
        for (version, name) in [
            ("10.11.14-MariaDB-0+deb12u2", "MariaDB 10.11.14"),
            ("8.0.36", "MySQL 8.0.36"),
            ("8.0.35-0ubuntu0.22.04.1", "MySQL 8.0.35"),
        ] {
            assert_eq!(server(version).as_str(), name);
        }
    }
}
