//! PostgreSQL, where it is installed: directly, with TLS, and behind pgbouncer.

use futures::future::join_all;

use super::{
    super::{Access, Connection, SqlErrorKind, Value},
    row, rows, run,
    server::Server,
    started, text,
};
use crate::{
    secret::Secret,
    store::target::{Dialect, Place, SqlTarget, Tls, sql_target::TlsFiles},
};

fn at(name: &str, port: u16) -> SqlTarget {
    SqlTarget {
        dialect: Dialect::Postgres,
        place: Place::Host { name: name.into(), port },
        user: "postgres".into(),
        password: Some(Secret::new("hunter2".into())),
        database: "postgres".into(),
        ..SqlTarget::sqlite("".as_ref())
    }
}

#[tokio::test]
async fn postgres_is_spoken_to_directly_and_behind_a_pooler() {
    let Some(server) = Server::postgres() else {
        return;
    };
    let direct = at("127.0.0.1", server.port);
    started(&direct).await;
    let create = "CREATE TABLE t (id text PRIMARY KEY, token varchar(8), at timestamptz, \
        n int NOT NULL DEFAULT 0)";
    let insert = "INSERT INTO t VALUES ('SECRET', 'old', '2026-01-02 03:04:05+00')";
    run(&direct, &[create, insert]).await;
    let socket = Place::Socket { path: server.folder.path().into(), port: server.port };
    let socket = SqlTarget { place: socket, ..direct.clone() };
    for target in [&direct, &socket] {
        let connection = Connection::open(target).await.unwrap();
        assert!(connection.server().as_str().starts_with("PostgreSQL 1"));
    }
    values(&direct).await;
    errors(&direct).await;
    hidden_rows(&direct).await;
    locks(&direct).await;
    refusals(&direct, &server).await;
    if let Some(pooler) = Server::pgbouncer(&server) {
        let pooled = at("127.0.0.1", pooler.port);
        values(&pooled).await;
        errors(&pooled).await;
        together(&pooled).await;
    }
    restart(&direct, server).await;
}

async fn values(target: &SqlTarget) {
    let mut connection = Connection::open(target).await.unwrap();
    connection.begin(Access::Write).await.unwrap();
    let update = "UPDATE t SET token = $1, n = $2 WHERE id = $3 AND token IS NOT DISTINCT FROM $4";
    let values = [text("new"), Value::Null, text("SECRET"), text("old")];
    let update = update.replace("$2", "coalesce($2::int, n)");
    assert_eq!(connection.execute(&update, &values).await.unwrap(), 1);
    assert_eq!(connection.execute(&update, &values).await.unwrap(), 0);
    connection.rollback().await.unwrap();
    let select = "SELECT id, token, at::text, n::text, current_setting('lock_timeout'), \
        current_setting('statement_timeout'), current_setting('row_security') FROM t WHERE id = $1";
    let found = rows(&mut connection, select, &[text("SECRET")]).await.unwrap();
    let expected = ["SECRET", "old", "2026-01-02 03:04:05+00", "0", "5s", "30s", "off"];
    assert_eq!(found, row(&expected));
}

async fn errors(target: &SqlTarget) {
    let mut connection = Connection::open(target).await.unwrap();
    for (sql, kind, message) in [
        (
            "UPDATE t SET token = $1",
            SqlErrorKind::Refused,
            "a value is too long for its column (22001)",
        ),
        (
            "INSERT INTO t (id) SELECT 'SECRET' WHERE $1 <> ''",
            SqlErrorKind::Refused,
            "a value must be unique and is there already (23505), constraint t_pkey",
        ),
        (
            "INSERT INTO t (id, n) VALUES ($1, NULL)",
            SqlErrorKind::Refused,
            "a column must not be NULL (23502), column n",
        ),
        (
            "SELECT ($1::text)::int::text",
            SqlErrorKind::Refused,
            "a value does not have the form of its column's type (22P02)",
        ),
        ("SELECT $1 FROM none", SqlErrorKind::Refused, "no such table (42P01)"),
    ] {
        connection.begin(Access::Write).await.unwrap();
        let error = connection.execute(sql, &[text("SECRETSECRET")]).await.unwrap_err();
        assert_eq!((error.kind, error.to_string().as_str()), (kind, message));
        assert!(connection.commit().await.is_err(), "a failed transaction is not committed");
    }
    assert_eq!(rows(&mut connection, "SELECT 'a'", &[]).await.unwrap(), row(&["a"]));
}

/// Row level security that would hide rows is an error.
async fn hidden_rows(direct: &SqlTarget) {
    run(
        direct,
        &[
            "CREATE ROLE app LOGIN PASSWORD 'hunter2'",
            "CREATE TABLE secured (id text, token text)",
            "GRANT SELECT ON secured TO app",
            "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
        ],
    )
    .await;
    let app = SqlTarget { user: "app".into(), ..direct.clone() };
    let mut connection = Connection::open(&app).await.unwrap();
    for (sql, mark) in [
        ("SELECT id FROM secured", "row level security"),
        ("UPDATE t SET token = 'x'", "no right to do this (42501)"),
    ] {
        let error = rows(&mut connection, sql, &[]).await.unwrap_err();
        assert_eq!(error.kind, SqlErrorKind::Denied);
        assert!(error.to_string().contains(mark), "{error}");
    }
}

async fn locks(direct: &SqlTarget) {
    let mut one = Connection::open(direct).await.unwrap();
    let mut other = Connection::open(direct).await.unwrap();
    let update = "UPDATE t SET n = n";
    one.begin(Access::Write).await.unwrap();
    one.execute(update, &[]).await.unwrap();
    other.begin(Access::Write).await.unwrap();
    let error = other.execute(update, &[]).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SqlErrorKind::Again, "55P03"));
    other.rollback().await.unwrap();
    one.rollback().await.unwrap();
}

async fn refusals(direct: &SqlTarget, server: &Server) {
    let full = |name: &str, roots: Option<&str>| SqlTarget {
        tls: Tls::Full,
        tls_files: TlsFiles {
            roots: roots.map(|roots| server.folder.path().join(roots)),
            client: None,
        },
        ..at(name, server.port)
    };
    let mut checked = Connection::open(&full("localhost", Some("ca.crt"))).await.unwrap();
    let ssl = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(rows(&mut checked, ssl, &[]).await.unwrap(), row(&["true"]));
    for tls in [Tls::Unchecked, Tls::Issuer, Tls::Free] {
        let target = SqlTarget { tls, ..full("127.0.0.1", Some("ca.crt")) };
        let mut connection = Connection::open(&target).await.unwrap();
        assert_eq!(rows(&mut connection, ssl, &[]).await.unwrap(), row(&["true"]), "{tls:?}");
    }
    fs_with_no_certificate(server);
    let wrong = SqlTarget { password: Some(Secret::new("WRONG".into())), ..direct.clone() };
    let none = SqlTarget { database: "none".into(), ..direct.clone() };
    for (target, kind, mark) in [
        (full("localhost", None), SqlErrorKind::Refused, "sslrootcert=FILE"),
        (full("localhost", Some("other.crt")), SqlErrorKind::Refused, "sslrootcert=FILE"),
        (full("127.0.0.1", Some("ca.crt")), SqlErrorKind::Refused, "another name"),
        (full("localhost", Some("none.crt")), SqlErrorKind::Refused, "cannot be read"),
        (full("localhost", Some("text.crt")), SqlErrorKind::Refused, "sslrootcert=FILE"),
        (wrong, SqlErrorKind::Denied, "password is wrong"),
        (none, SqlErrorKind::Refused, "no database none"),
        (at("127.0.0.1", 1), SqlErrorKind::Lost, "nothing listens there"),
        (at("no-such-host.invalid", 1), SqlErrorKind::Lost, "name is not known"),
    ] {
        let error = Connection::open(&target).await.err().unwrap();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(mark), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

fn fs_with_no_certificate(server: &Server) {
    std::fs::write(server.folder.path().join("text.crt"), "no certificate").unwrap();
}

/// More clients than the pooler has connections: each transaction is whole, and none leaves its
/// settings to the next.
async fn together(pooled: &SqlTarget) {
    let clients = (0..3).map(|client| async move {
        let mut connection = Connection::open(pooled).await.unwrap();
        for turn in 0..20 {
            connection.begin(Access::Write).await.unwrap();
            let add = "UPDATE t SET n = n + $1::int WHERE id = $2";
            connection.execute(add, &[Value::Int(1), text("SECRET")]).await.unwrap();
            let select = format!("SELECT $1::text, '{client} {turn}' -- {client} {turn}");
            let found = connection.rows(&select, &[text("x")]).await.unwrap();
            assert_eq!(found, row(&["x", &format!("{client} {turn}")]));
            connection.commit().await.unwrap();
        }
    });
    join_all(clients).await;
    let mut connection = Connection::open(pooled).await.unwrap();
    let found = rows(&mut connection, "SELECT n::text FROM t", &[]).await.unwrap();
    assert_eq!(found, row(&["60"]));
    let left = "SELECT current_setting('lock_timeout'), current_setting('row_security'), \
        (SELECT count(*)::text FROM pg_prepared_statements)";
    assert_eq!(connection.rows(left, &[]).await.unwrap(), row(&["0", "on", "0"]));
}

/// A server that goes away is a lost connection, and stays one.
async fn restart(target: &SqlTarget, server: Server) {
    let mut connection = Connection::open(target).await.unwrap();
    drop(server);
    for _ in 0..2 {
        let error = connection.begin(Access::Read).await.unwrap_err();
        assert_eq!(error.kind, SqlErrorKind::Lost, "{error}");
    }
    assert_eq!(Connection::open(target).await.err().unwrap().kind, SqlErrorKind::Lost);
}
