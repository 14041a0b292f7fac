//! How `store` gets to a server: poolers, TLS, passwords, parameters of other tools.

use super::{
    postgres::SUPABASE,
    recovered::Recovered,
    schema::{App, Schema, assert_same},
};
use crate::support::servers::{MariaDb, OWNER, PASSWORD, PgBouncer, Postgres};

const MARIADB: Schema = Schema {
    setup: "create table tokens (location_id varchar(64) primary key, access_token text,
        refresh_token text)",
    row: "insert into tokens values (:id, :access_token, :refresh_token)",
    save: "update tokens set access_token = :access_token, refresh_token = :refresh_token
        where location_id = :id",
    ..Schema::mariadb()
};

#[test]
fn a_pooler_in_transaction_mode_is_as_good_and_nothing_of_the_session_stays() {
    let (Some(app), Some(pooler)) = (SUPABASE.open(), PgBouncer::shared()) else { return };
    let expected = app.saved_by_the_app().contents();
    let url = pooler.url(&app.database);
    let settings = || {
        let mut psql = std::process::Command::new("psql");
        let names = [
            "lock_timeout",
            "statement_timeout",
            "timezone",
            "row_security",
            "search_path",
            "application_name",
            "extra_float_digits",
        ];
        psql.args(["-X", "-A", "-t", &url]);
        for name in names {
            psql.args(["-c", &format!("show {name}")]);
        }
        let output = crate::support::Launch::capture(&mut psql).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let before = settings();
    for outcome in ["replaced", "already"] {
        let ran = app.store_to(&url).go();
        app.assert_outcomes(&ran, |_| outcome);
        assert_same(&app.database.contents(), &expected, SUPABASE.now);
        assert_eq!(settings(), before);
        app.assert_safe(&ran);
    }
    let prepared = "select count(*) from pg_prepared_statements";
    let mut psql = std::process::Command::new("psql");
    let asked =
        crate::support::Launch::capture(psql.args(["-X", "-A", "-t", &url, "-c", prepared]));
    assert_eq!(asked.unwrap().stdout, b"0\n");
    drop_connections(&app);
}

/// The pooler keeps its connections, and a database with connections cannot be copied.
fn drop_connections(app: &App) {
    let name = app.database.name();
    app.database.sql_as_admin(&format!(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = '{name}' and pid <> pg_backend_pid()"
    ));
}

#[test]
fn parameters_of_other_tools_do_no_harm() {
    let Some(app) = SUPABASE.open() else { return };
    let url = app.database.url();
    for (n, parameters) in [
        "pgbouncer=true&connection_limit=1&pool_timeout=10",
        "schema=public&channel_binding=prefer&supa=base-pooler.x",
        "sslmode=prefer&connect_timeout=15&application_name=app&target_session_attrs=any",
        "options=-c%20statement_timeout%3D0&statement_cache_size=0",
    ]
    .into_iter()
    .enumerate()
    {
        let url = format!("{url}?{parameters}").replace("postgresql:", "postgres:");
        let ran = app.store_to(&url).go();
        app.assert_outcomes(&ran, |_| if n == 0 { "replaced" } else { "already" });
        app.assert_safe(&ran);
        for name in ["supa=", "connection_limit", "channel_binding"] {
            assert!(!ran.stderr.contains(name), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_password_comes_from_the_environment_or_a_file_too() {
    let Some(app) = SUPABASE.open() else { return };
    let Some(server) = Postgres::shared() else { return };
    let (port, name) = (server.port(), app.database.name().to_owned());
    let bare = format!("postgresql://{OWNER}@127.0.0.1:{port}/{name}");
    let store = || {
        let run = app.work.program(["store".as_ref(), app.run.as_os_str()]);
        run.args(["--to", &bare, "--yes"])
    };
    let without = store().go();
    assert!(matches!(without.code, 2 | 3), "{}: {}", without.code, without.stderr);
    assert!(without.stderr.to_lowercase().contains("password"), "{}", without.stderr);
    app.assert_safe(&store().env("PGPASSWORD", PASSWORD).args(["--dry-run"]).go().expect(0));
    let escaped = PASSWORD.replace(':', "\\:");
    let file = app.work.file(".pgpass", format!("127.0.0.1:{port}:*:{OWNER}:{escaped}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let ran = store().env("PGPASSFILE", file).go();
    app.assert_outcomes(&ran, |_| "replaced");
    app.assert_safe(&ran);
    let env = app.work.file("app.env", format!("DATABASE_URL=\"{}\"\n", app.database.url()));
    let run = app.work.program(["store".as_ref(), app.run.as_os_str()]);
    let ran = run.args(["--to", "env:DATABASE_URL", "--yes", "--env-file"]).arg(env).go();
    app.assert_outcomes(&ran, |_| "already");
}

#[test]
fn a_wrong_password_is_told_without_it() {
    for schema in [SUPABASE, MARIADB] {
        let Some(app) = schema.open() else { continue };
        let url = app.database.url().replace("p%234s", "wrong-one");
        let ran = app.store_to(&url).go();
        assert!(matches!(ran.code, 2 | 3), "{}: {}", ran.code, ran.stderr);
        assert!(ran.stderr.to_lowercase().contains("password"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("wrong-one"), "{}", ran.stderr);
    }
}

#[test]
fn tls_is_checked_against_the_ca_that_is_named() {
    for schema in [SUPABASE, MARIADB] {
        let Some(app) = schema.open() else { continue };
        let (certificates, names) = match app.schema.on {
            super::schema::On::Postgres => {
                (Postgres::shared().unwrap().certificates(), ["sslmode=verify-full", "sslrootcert"])
            }
            _ => {
                (MariaDb::shared().unwrap().certificates(), ["ssl-mode=VERIFY_IDENTITY", "ssl-ca"])
            }
        };
        let [checked, root] = names;
        let with = |host: &str, parameters: &str| {
            let url = app.database.url().replace("127.0.0.1", host);
            let ran = app.store_to(&format!("{url}?{parameters}")).args(["--dry-run"]).go();
            app.assert_safe(&ran);
            ran
        };
        let ca = certificates.ca.display();
        with("localhost", &format!("{checked}&{root}={ca}")).expect(0);
        let unknown = with("localhost", checked);
        assert!(matches!(unknown.code, 2 | 3), "{}: {}", unknown.code, unknown.stderr);
        assert!(unknown.stderr.contains(root), "{}", unknown.stderr);
        let wrong =
            with("localhost", &format!("{checked}&{root}={}", certificates.wrong_ca.display()));
        assert!(matches!(wrong.code, 2 | 3), "{}: {}", wrong.code, wrong.stderr);
        let other_name = with("127.0.0.1", &format!("{checked}&{root}={ca}"));
        assert!(matches!(other_name.code, 2 | 3), "{}: {}", other_name.code, other_name.stderr);
    }
}

#[test]
fn tls_that_is_not_checked_is_told() {
    let Some(app) = SUPABASE.open() else { return };
    let url = app.database.url();
    let ran = app.store_to(&format!("{url}?sslmode=require")).args(["--dry-run"]).go().expect(0);
    assert!(ran.stderr.contains("certificate not checked"), "{}", ran.stderr);
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let Some(app) = (Schema { run: Recovered::Locations, ..SUPABASE }).open() else { return };
    let url = "postgresql://app:secretword@127.0.0.1:1/x";
    let ran = app.store_to(url).args(["--max-outage", "1s"]).go();
    assert!(matches!(ran.code, 2 | 3), "{}: {}", ran.code, ran.stderr);
    assert!(ran.stderr.contains("127.0.0.1"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("secretword"), "{}", ran.stderr);
}
