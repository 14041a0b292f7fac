//! What a mapping file says.

use super::{
    postgres::SUPABASE,
    recovered::Recovered,
    schema::{App, Schema, assert_same},
};

/// One table for the tokens of several apps.
const APPS: Schema = Schema {
    setup: "create table tokens (app_id text, location_id text, access_token text,
        refresh_token text, expires_at timestamptz, primary key (app_id, location_id))",
    row: "insert into tokens values (:app, :id, :access_token, :refresh_token, :expires_iso),
        ('76c1a6f5e4b0a1b2c3d4e5f6', :id, 'x' || :access_token, 'x' || :refresh_token,
        :expires_iso)",
    save: "update tokens set access_token = :access_token, refresh_token = :refresh_token,
        expires_at = :expires_iso where location_id = :id and app_id = :app",
    map: r#"
        [store]
        table = "public.tokens"
        where = { location_id = "id", app_id = "app" }
        [store.set]
        access_token = "access_token"
        refresh_token = "refresh_token"
        expires_at = "expires_at"
    "#,
    ..Schema::postgres()
};

#[test]
fn several_apps_in_one_table() {
    APPS.is_written();
}

#[test]
fn several_apps_are_told_apart_without_a_mapping() {
    Schema { map: "", ..APPS }.is_written();
}

/// Encrypted by the app, under names that say so.
const ENCRYPTED: Schema = Schema {
    setup: "create table ghl_installations (location_id text primary key,
        access_token_encrypted text not null, refresh_token_encrypted text not null,
        token_expires_at bigint, updated_at timestamptz, connection_status text,
        refresh_error text)",
    row: "insert into ghl_installations values (:id, 'v1.' || :access_token,
        'v1.' || :refresh_token, :expires_ms, '2025-05-05', 'needs_reauth', 'invalid_grant')",
    save: "update ghl_installations set access_token_encrypted = 'v1.' || :access_token,
        refresh_token_encrypted = 'v1.' || :refresh_token, token_expires_at = :expires_ms,
        updated_at = now(), connection_status = 'connected', refresh_error = null
        where location_id = :id",
    now: &["updated_at"],
    map: r#"
        [store]
        url_env = "DATABASE_URL"
        table = "public.ghl_installations"
        where = { location_id = "id" }
        [store.set]
        access_token_encrypted = { field = "access_token", through = ["sed", "-u", "s/^/v1./"] }
        refresh_token_encrypted = { field = "refresh_token", through = ["sed", "-u", "s/^/v1./"] }
        token_expires_at = { field = "expires_at", as = "epoch_ms" }
        updated_at = "now"
        connection_status = { value = "connected" }
        refresh_error = { value = "null" }
    "#,
    ..Schema::postgres()
};

#[test]
fn ciphertext_through_a_program_of_the_app() {
    ENCRYPTED.is_written();
}

#[test]
fn a_cipher_that_is_killed_or_says_too_little_writes_nothing() {
    for cipher in [r#"["sh", "-c", "exit 3"]"#, r#"["head", "-n1"]"#, r#"["no-such-cipher"]"#] {
        let Some(app) = ENCRYPTED.open() else { return };
        let map = ENCRYPTED.map.replace(r#"["sed", "-u", "s/^/v1./"]"#, cipher);
        let map = app.work.file("other.toml", map);
        let before = app.database.contents();
        let url = app.database.url();
        let run = app.work.program(["store".as_ref(), app.run.as_os_str()]).arg("--map").arg(map);
        let run = run.args(["--to", "env:DATABASE_URL", "--yes"]).env("DATABASE_URL", url);
        let ran = run.go();
        assert!((1..=4).contains(&ran.code), "{cipher}: {}: {}", ran.code, ran.stderr);
        // `head` gives one line and ends: at most one pair can be whole, and only with two of them.
        assert_same(&app.database.contents(), &before, &[]);
        app.assert_safe(&ran);
    }
}

#[test]
fn a_statement_joins_what_the_token_table_has_no_id_for() {
    Schema {
        setup: r#"create table locations (id serial primary key, ghl_location_id text unique);
            create table tokens (id serial primary key,
            "locationId" int not null unique references locations (id), access_token text,
            refresh_token text, expires_at timestamptz)"#,
        row: r#"with l as (insert into locations (ghl_location_id) values (:id) returning id)
            insert into tokens ("locationId", access_token, refresh_token, expires_at)
            select id, :access_token, :refresh_token, :expires_iso from l"#,
        save: r#"update tokens set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_iso from locations l
            where l.id = tokens."locationId" and l.ghl_location_id = :id"#,
        map: r#"
            [store]
            statement = """update tokens set access_token = :access_token, refresh_token = :refresh_token,
                expires_at = :expires_at from locations l
                where l.id = tokens."locationId" and l.ghl_location_id = :id"""
        "#,
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn a_statement_that_calls_a_function() {
    Schema {
        setup: "create table history (location_id text, access_token text,
                refresh_token text, expires_at timestamptz);
            create function store_ghl(id text, access text, refresh text, expires timestamptz)
                returns integer language sql as $$
                insert into history (location_id, access_token, refresh_token, expires_at)
                values (id, access, refresh, expires) returning 1 $$",
        row: "insert into history (location_id, access_token, refresh_token, expires_at)
            values (:id, :access_token, :refresh_token, :expires_iso)",
        save: "select store_ghl(:id, :access_token, :refresh_token, :expires_iso)",
        map: r#"
            [store]
            statement = "select store_ghl(:id, :access_token, :refresh_token, :expires_at)"
        "#,
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn columns_with_other_names() {
    Schema {
        setup: "create table crm_accounts (account_key text primary key, secret_a text,
            secret_b text, valid_until text, doc text, seconds int)",
        row: "insert into crm_accounts values (:id, :access_token, :refresh_token, :expires_iso,
            '{}', :expires_s)",
        save: "update crm_accounts set secret_a = :access_token, secret_b = :refresh_token,
            valid_until = :expires_iso, seconds = :expires_s where account_key = :id",
        map: r#"
            [store]
            table = "crm_accounts"
            where = { account_key = "id" }
            [store.set]
            secret_a = "access_token"
            secret_b = "refresh_token"
            valid_until = { field = "expires_at", as = "iso" }
            seconds = { field = "expires_at", as = "epoch_s" }
        "#,
        run: Recovered::Locations,
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn the_mapping_that_is_printed_does_the_same_when_it_is_given_back() {
    let open = || -> Option<App> { SUPABASE.open() };
    let Some(app) = open() else { return };
    let expected = app.saved_by_the_app().contents();
    let before = app.database.contents();
    let printed = app.store().args(["--dry-run", "--print-map"]).go();
    assert_same(&app.database.contents(), &before, &[]);
    assert!(printed.stdout.contains("[store]"), "{}{}", printed.stdout, printed.stderr);
    app.assert_safe(&printed);
    let map = app.work.file("printed.toml", &printed.stdout);
    let ran = app.store().arg("--map").arg(map).go();
    app.assert_outcomes(&ran, |_| "replaced");
    assert_same(&app.database.contents(), &expected, SUPABASE.now);
}

#[test]
fn a_mapping_with_a_mistake_is_refused_by_name() {
    for (map, words) in [
        (
            "[store]\ntable='ghl_connections'\nwhere={location='id'}\nset={access_token='access_token'}",
            "location",
        ),
        (
            "[store]\ntable='no_such'\nwhere={location_id='id'}\nset={access_token='access_token'}",
            "no_such",
        ),
        ("[store]\ntabel = 'ghl_connections'", "tabel"),
        ("[store", "store.toml"),
        (
            "[store]\ntable='ghl_connections'\nwhere={location_id='id'}\n[store.set]\naccess_token='acess_token'",
            "acess_token",
        ),
        (
            "[store]\nstatement = 'update ghl_connections set access_token = :acces_token'",
            "acces_token",
        ),
    ] {
        Schema { map, ..SUPABASE }.is_refused(&[words]);
    }
}
