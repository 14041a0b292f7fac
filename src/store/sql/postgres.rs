//! PostgreSQL, also behind a pooler: nothing that outlives a transaction.

use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::failed::unreadable;
use crate::{
    store::target::{Place, SqlTarget, Tls},
    text::SafeText,
};

/// The name under which the server lists the connection. Poolers take this parameter, and it keeps
/// `PGAPPNAME` out.
const APPLICATION: &str = "ghl-reconnect";

/// Begins a transaction. One message, so that a pooler gives one server connection for all of it;
/// `LOCAL`, so that nothing is left to whoever gets that connection next.
///
/// With `row_security` off, a row that row level security would hide is an error, not a row less.
pub const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL lock_timeout = '5s'; \
    SET LOCAL statement_timeout = '30s'; \
    SET LOCAL idle_in_transaction_session_timeout = '60s'; \
    SET LOCAL row_security = off; \
    SET LOCAL TimeZone = 'UTC'; \
    SET LOCAL DateStyle = 'ISO, MDY'; \
    SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL extra_float_digits = 1";

/// Connects. At the start only `DateStyle`, `client_encoding`, `TimeZone` and `application_name` are
/// sent, which poolers know; the rest comes with each transaction.
pub async fn connect(target: &SqlTarget) -> Result<PgConnection, sqlx::Error> {
    options(target)?.connect().await
}

fn options(target: &SqlTarget) -> Result<PgConnectOptions, sqlx::Error> {
    // Not from a URL: sqlx logs what it does not know in one, with the value.
    let mut options = PgConnectOptions::new_without_pgpass()
        .username(&target.user)
        .database(&target.database)
        .application_name(APPLICATION)
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .ssl_root_cert_from_pem(target.roots().map_err(unreadable)?)
        .disable_statement_logging();
    options = match &target.place {
        Place::Host { name, port } => options.host(name).port(*port),
        // The host names the server to TLS, which a socket does without.
        Place::Socket { path, port } => options.host("localhost").socket(path).port(*port),
        Place::File(_) => return Err(sqlx::Error::Configuration("a file is no server".into())),
    };
    options = options.password(target.password.as_ref().map_or("", |password| password.expose()));
    if let Some(endpoint) = &target.endpoint {
        options = options.options([("endpoint", endpoint)]);
    }
    if let Some((certificate, key)) = target.client_files().map_err(unreadable)? {
        options = options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key);
    }
    Ok(options.ssl_mode(match (target.tls, &target.place) {
        (Tls::Free, Place::Host { .. }) => PgSslMode::Prefer,
        (Tls::Plain | Tls::Free, _) => PgSslMode::Disable,
        (Tls::Unchecked, _) => PgSslMode::Require,
        (Tls::Issuer, _) => PgSslMode::VerifyCa,
        (Tls::Full, _) => PgSslMode::VerifyFull,
    }))
}

/// Name and version of the server.
pub fn server(connection: &PgConnection) -> SafeText {
    let version = connection.server_version_num().unwrap_or_default();
    SafeText::new(&match (version / 10_000, version % 10_000) {
        (0, _) => "PostgreSQL".to_owned(),
        (major @ ..10, rest) => format!("PostgreSQL {major}.{}.{}", rest / 100, rest % 100),
        (major, minor) => format!("PostgreSQL {major}.{minor}"),
    })
}
