//! SQLite.

use std::fs;

use super::{
    super::{Access, Connection, SqlErrorKind, Value},
    row, rows, run, text,
};
use crate::store::target::SqlTarget;

/// A database with a table; SQLite makes files elsewhere, never here.
async fn database(folder: &tempfile::TempDir) -> SqlTarget {
    let path = folder.path().join("app.db");
    // A page of an empty database.
    let made = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut made = sqlx::ConnectOptions::connect(&made).await.unwrap();
    sqlx::raw_sql("CREATE TABLE t (id TEXT UNIQUE, n INTEGER NOT NULL, b BLOB, r REAL)")
        .execute(&mut made)
        .await
        .unwrap();
    SqlTarget::sqlite(&path)
}

#[tokio::test]
async fn values_keep_their_kind_and_come_back_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let target = database(&folder).await;
    let mut connection = Connection::open(&target).await.unwrap();
    assert!(connection.server().as_str().starts_with("SQLite 3."), "{}", connection.server());
    connection.begin(Access::Write).await.unwrap();
    let values = [text("a"), Value::Int(7), Value::Real(1.5), Value::Null];
    let insert = "INSERT INTO t SELECT ?1, ?2, X'78FF', ?3 WHERE ?4 IS NULL";
    assert_eq!(connection.execute(insert, &values).await.unwrap(), 1);
    connection.commit().await.unwrap();
    let select = "SELECT typeof(id), typeof(n), typeof(b), typeof(r), CAST(n AS TEXT), b FROM t";
    let found = rows(&mut connection, select, &[]).await.unwrap();
    assert_eq!(found, row(&["text", "integer", "blob", "real", "7", "x\u{fffd}"]));
    let unchanged = "UPDATE t SET n = n WHERE id = ?1";
    connection.begin(Access::Write).await.unwrap();
    assert_eq!(connection.execute(unchanged, &[text("a")]).await.unwrap(), 1);
    connection.rollback().await.unwrap();
}

#[tokio::test]
async fn another_writer_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let target = database(&folder).await;
    let mut one = Connection::open(&target).await.unwrap();
    let mut other = Connection::open(&target).await.unwrap();
    one.begin(Access::Write).await.unwrap();
    let start = std::time::Instant::now();
    let error = other.begin(Access::Write).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SqlErrorKind::Again, "SQLITE_BUSY"));
    assert!(start.elapsed().as_secs() >= 4, "{:?}", start.elapsed());
    one.rollback().await.unwrap();
    other.begin(Access::Write).await.unwrap();
    other.commit().await.unwrap();
}

#[tokio::test]
async fn an_error_leaves_nothing_half_done_and_names_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let target = database(&folder).await;
    run(&target, &["INSERT INTO t (id, n) VALUES ('SECRET', 1)"]).await;
    let mut connection = Connection::open(&target).await.unwrap();
    connection.begin(Access::Write).await.unwrap();
    connection.execute("UPDATE t SET n = 2", &[]).await.unwrap();
    let insert = "INSERT INTO t (id, n) VALUES (?1, 1)";
    let error = connection.execute(insert, &[text("SECRET")]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "a value must be unique and is there already (SQLITE_CONSTRAINT_UNIQUE), constraint t.id"
    );
    assert!(connection.commit().await.is_err(), "a failed transaction is not committed");
    let found = rows(&mut connection, "SELECT CAST(n AS TEXT) FROM t", &[]).await.unwrap();
    assert_eq!(found, row(&["1"]));
}

#[tokio::test]
async fn what_is_no_database_and_what_is_read_only_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = database(&folder).await;
    let path = folder.path().join("app.db");
    let missing = SqlTarget::sqlite(&folder.path().join("none.db"));
    let error = Connection::open(&missing).await.err().unwrap();
    assert!(error.to_string().ends_with("none.db: no such file"), "{error}");
    assert!(!folder.path().join("none.db").exists());
    let damaged = folder.path().join("damaged.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..].fill(0x5a);
    fs::write(&damaged, bytes).unwrap();
    let error = Connection::open(&SqlTarget::sqlite(&damaged)).await.err().unwrap();
    assert_eq!(error.kind, SqlErrorKind::Refused, "{error}");
    let mut connection = Connection::open(&target).await.unwrap();
    connection.execute("PRAGMA query_only = 1", &[]).await.unwrap();
    let error = connection.begin(Access::Write).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SqlErrorKind::Denied, "SQLITE_READONLY"));
    connection.begin(Access::Read).await.unwrap();
    connection.rollback().await.unwrap();
}
