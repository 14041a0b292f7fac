//! The servers that the tests start are what the tests take them for.

use std::process::Command;

use super::{recovered::Recovered, schema::Schema};
use crate::support::{
    Launch, Work,
    servers::{MariaDb, PASSWORD, PgBouncer, Postgres, Redis},
};

const PLAIN: &str = "create table t (location_id varchar(64), access_token text, at varchar(40))";

#[test]
fn a_database_and_its_copy_hold_the_same_until_one_changes() {
    for schema in [Schema::postgres(), Schema::mariadb(), Schema::sqlite()] {
        let row = "insert into t values (:id, :access_token, :expires_iso)";
        let Some(app) = (Schema { setup: PLAIN, row, ..schema }).open() else { continue };
        let copy = app.database.copy();
        assert_eq!(app.database.contents(), copy.contents());
        assert_eq!(app.database.contents()[0].1.len(), app.pairs().len() + 3);
        copy.sql("update t set at = 'x' where location_id like '%7'");
        assert_ne!(app.database.contents(), copy.contents());
        assert_eq!(
            copy.contents()[0].1.column("at").iter().filter(|at| at.contains('x')).count(),
            5
        );
    }
}

#[test]
fn a_run_of_both_kinds_has_four_agencies_and_their_locations() {
    let pairs = &Recovered::Both.prepared().pairs;
    let agencies: Vec<_> = pairs.iter().filter(|pair| pair.is_agency).collect();
    assert_eq!(agencies.len(), 4);
    assert!(pairs.iter().all(|pair| agencies.iter().any(|agency| agency.id == pair.company)));
    let old = pairs[0].old();
    assert!(old.access != pairs[0].access && old.access.len() > 300);
    assert!(
        old.expires_at < pairs[0].expires_at && pairs[0].expires_at < pairs[0].newer().expires_at
    );
}

#[test]
fn postgres_asks_for_a_password_and_speaks_tls_for_its_ca() {
    let Some(server) = Postgres::shared() else { return };
    let database = server.database();
    let certificates = server.certificates();
    let ask = |password: &str, words: &str| {
        let mut psql = Command::new("psql");
        let (port, name) = (server.port(), database.name());
        psql.arg(format!("host=localhost port={port} user=app dbname={name} {words}"));
        let asked = psql.args(["-X", "-c", "select 1"]).env("PGPASSWORD", password).capture();
        asked.unwrap().status.success()
    };
    assert!(ask(PASSWORD, "sslmode=disable"));
    assert!(!ask("wrong", "sslmode=disable"));
    let with = |ca: &std::path::Path| format!("sslmode=verify-full sslrootcert={}", ca.display());
    assert!(ask(PASSWORD, &with(&certificates.ca)));
    assert!(!ask(PASSWORD, &with(&certificates.wrong_ca)));
}

#[test]
fn the_pooler_is_in_transaction_mode_and_refuses_what_it_does_not_know() {
    let (Some(server), Some(pooler)) = (Postgres::shared(), PgBouncer::shared()) else { return };
    let database = server.database();
    let url = pooler.url(&database);
    let ask = |sql: &str, options: &str| {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-A", "-t", &url, "-c", sql]).env("PGOPTIONS", options);
        psql.capture().unwrap()
    };
    assert_eq!(ask("set lock_timeout = 7", "").stdout, b"SET\n");
    assert_eq!(ask("show lock_timeout", "").stdout, b"7ms\n", "the next client gets it");
    assert!(!ask("select 1", "-c extra_float_digits=2").status.success());
}

#[test]
fn mariadb_asks_for_a_password_and_is_not_strict() {
    let Some(server) = MariaDb::shared() else { return };
    let database = server.database();
    let ask = |password: &str, words: &[&str]| {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "-h", "127.0.0.1", "-u", "app", "-D", database.name()]);
        command.arg(format!("-P{}", server.port())).arg(format!("-p{password}")).args(words);
        command.args(["-e", "select 1"]).capture().unwrap().status.success()
    };
    assert!(ask(PASSWORD, &[]));
    assert!(!ask("wrong", &[]));
    let ca = server.certificates().ca.display().to_string();
    assert!(ask(PASSWORD, &["--ssl", &format!("--ssl-ca={ca}")]));
    database.sql("create table t (a varchar(3)); insert into t values ('abcdef')");
    assert_eq!(database.sql("select a from t"), "abc");
}

#[test]
fn a_killed_server_comes_back_with_what_it_had() {
    let _work = Work::new();
    let (Some(postgres), Some(mariadb)) = (Postgres::own(), MariaDb::own()) else { return };
    let databases = [postgres.database(), mariadb.database()];
    for database in &databases {
        database.sql("create table t (a int); insert into t values (1)");
    }
    postgres.kill();
    mariadb.kill();
    assert!(std::net::TcpStream::connect(("127.0.0.1", mariadb.port())).is_err());
    postgres.start();
    mariadb.start();
    for database in &databases {
        assert_eq!(database.sql("select a from t"), "1");
    }
}

#[test]
fn redis_keeps_what_it_is_given() {
    let Some(server) = Redis::shared() else { return };
    assert!(server.url().starts_with("redis://127.0.0.1:"));
    assert_eq!(server.ask(&["set", "servers-test", "1"]), "OK");
    assert_eq!(server.ask(&["get", "servers-test"]), "1");
}
