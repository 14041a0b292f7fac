//! MariaDB, where it is installed.

use super::{
    super::{Access, Connection, SqlErrorKind},
    row, rows, run,
    server::Server,
    started, text,
};
use crate::store::target::{Dialect, Place, SqlTarget, Tls, sql_target::TlsFiles};

fn target(place: Place, user: &str, password: Option<&str>) -> SqlTarget {
    SqlTarget {
        dialect: Dialect::MySql,
        place,
        user: user.into(),
        password: password.map(|password| crate::secret::Secret::new(password.into())),
        database: "app".into(),
        ..SqlTarget::sqlite("".as_ref())
    }
}

#[tokio::test]
async fn mariadb_is_spoken_to_strictly() {
    let Some(server) = Server::mariadb() else {
        return;
    };
    let tcp = Place::Host { name: "127.0.0.1".into(), port: server.port };
    let target_tcp = target(tcp.clone(), "app", Some("hunter2"));
    started(&target_tcp).await;
    let socket = Place::Socket { path: server.folder.path().join("socket"), port: 0 };
    let target_socket = target(socket, "root", None);
    for target in [&target_tcp, &target_socket] {
        let connection = Connection::open(target).await.unwrap();
        assert!(connection.server().as_str().starts_with("MariaDB 10."));
    }
    let create = "CREATE TABLE t (id VARCHAR(24) PRIMARY KEY, token VARCHAR(8) NOT NULL, j JSON, \
        b VARBINARY(9), ci TIMESTAMP NULL, n INT NOT NULL DEFAULT 0) ENGINE=InnoDB";
    run(
        &target_tcp,
        &[create, "INSERT INTO t (id, token, ci) VALUES ('SECRET', 'old', '2026-01-02 03:04:05')"],
    )
    .await;
    settings(&target_tcp).await;
    values(&target_tcp).await;
    locks(&target_tcp).await;
    certificates(&server).await;
    for (user, password, mark) in [("app", Some("wrong"), "wrong"), ("app", None, "MYSQL_PWD")] {
        let error = Connection::open(&target(tcp.clone(), user, password)).await.err().unwrap();
        assert_eq!(error.kind, SqlErrorKind::Denied);
        assert!(error.to_string().contains(mark), "{error}");
    }
    let none = SqlTarget { database: "none".into(), ..target_socket.clone() };
    let error = Connection::open(&none).await.err().unwrap();
    assert!(error.to_string().contains("no database none"), "{error}");
}

/// The certificate is for `localhost`, by a CA of its own.
async fn certificates(server: &Server) {
    let at = |name: &str, tls: Tls, roots: Option<&str>| {
        let place = Place::Host { name: name.into(), port: server.port };
        let roots = roots.map(|roots| server.folder.path().join(roots));
        let tls_files = TlsFiles { roots, client: None };
        SqlTarget { tls, tls_files, ..target(place, "app", Some("hunter2")) }
    };
    for target in [
        at("localhost", Tls::Full, Some("ca.crt")),
        at("127.0.0.1", Tls::Issuer, Some("ca.crt")),
        at("127.0.0.1", Tls::Unchecked, None),
    ] {
        let mut connection = Connection::open(&target).await.unwrap();
        let select = "SELECT variable_name FROM information_schema.session_status \
            WHERE variable_name = 'SSL_CIPHER' AND variable_value <> ''";
        assert_eq!(rows(&mut connection, select, &[]).await.unwrap(), row(&["SSL_CIPHER"]));
    }
    for (target, mark) in [
        (at("localhost", Tls::Full, Some("other.crt")), "ssl-ca=FILE"),
        (at("localhost", Tls::Full, None), "ssl-ca=FILE"),
        (at("127.0.0.1", Tls::Full, Some("ca.crt")), "another name"),
    ] {
        let error = Connection::open(&target).await.err().unwrap();
        assert!(error.to_string().contains(mark), "{error}");
    }
}

async fn settings(target: &SqlTarget) {
    let mut connection = Connection::open(target).await.unwrap();
    let select = "SELECT @@sql_mode, @@tx_isolation, CAST(@@max_statement_time AS CHAR), \
        @@time_zone, @@character_set_client, CAST(@@innodb_lock_wait_timeout AS CHAR)";
    let found = rows(&mut connection, select, &[]).await.unwrap();
    let expected =
        ["IGNORE_SPACE,STRICT_ALL_TABLES", "READ-COMMITTED", "30.000000", "+00:00", "utf8mb4", "5"];
    assert_eq!(found, row(&expected));
}

async fn values(target: &SqlTarget) {
    let mut connection = Connection::open(target).await.unwrap();
    connection.begin(Access::Write).await.unwrap();
    let update = "UPDATE t SET token = ?, j = ?, b = X'78FF' WHERE id = ? AND token = ?";
    let values = [text("new"), text("{\"a\":1}"), text("SECRET"), text("old")];
    assert_eq!(connection.execute(update, &values).await.unwrap(), 1);
    let unchanged = "UPDATE t SET token = ? WHERE id = ?";
    let touched = connection.execute(unchanged, &[text("new"), text("SECRET")]).await.unwrap();
    assert_eq!(touched, 1, "a row that is found counts");
    connection.commit().await.unwrap();
    let select = "SELECT id, token, CAST(j AS CHAR), b, CAST(ci AS CHAR), CAST(n AS CHAR) FROM t";
    let found = rows(&mut connection, select, &[]).await.unwrap();
    let expected = ["SECRET", "new", "{\"a\":1}", "x\u{fffd}", "2026-01-02 03:04:05", "0"];
    assert_eq!(found, row(&expected));
    for (sql, value, message) in [
        (unchanged, "SECRETSECRET", "a value is too long for its column (1406), column token"),
        (
            "INSERT INTO t (token, id) VALUES (?, ?)",
            "x",
            "a value must be unique and is there already (1062), constraint PRIMARY",
        ),
        (
            "UPDATE t SET n = ? WHERE id = ?",
            "SECRET",
            "a value does not have the form of its column's type (1366), column n",
        ),
    ] {
        connection.begin(Access::Write).await.unwrap();
        let error = connection.execute(sql, &[text(value), text("SECRET")]).await.unwrap_err();
        assert_eq!(error.to_string(), message);
        connection.rollback().await.unwrap();
    }
}

async fn locks(target: &SqlTarget) {
    let mut one = Connection::open(target).await.unwrap();
    let mut other = Connection::open(target).await.unwrap();
    let update = "UPDATE t SET n = n + 1 WHERE id = 'SECRET'";
    one.begin(Access::Write).await.unwrap();
    one.execute(update, &[]).await.unwrap();
    other.begin(Access::Write).await.unwrap();
    let error = other.execute(update, &[]).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (SqlErrorKind::Again, "1205"));
    other.rollback().await.unwrap();
    one.rollback().await.unwrap();
}
