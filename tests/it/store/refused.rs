//! What is refused before the first write, with a word on what to do.

use super::{postgres::SUPABASE, recovered::Recovered, schema::Schema};
use crate::support::servers::GUEST;

/// A plain table, to spoil in one way.
const PLAIN: Schema = Schema {
    setup: "create table ghl_tokens (location_id text, access_token text, refresh_token text,
        expires_at timestamptz)",
    row: "insert into ghl_tokens values (:id, :access_token, :refresh_token, :expires_iso)",
    save: "update ghl_tokens set access_token = :access_token, refresh_token = :refresh_token,
        expires_at = :expires_iso where location_id = :id",
    ..Schema::postgres()
};

#[test]
fn a_plain_table_is_written() {
    PLAIN.is_written();
}

/// The formats that apps encrypt in, as SQL over the plain token.
#[test]
fn ciphertext_under_a_plain_name() {
    for (_, encrypt) in [
        (
            "hex of iv, tag and text",
            "left(md5(t), 24) || ':' || md5(t) || ':' || repeat(md5(t), 12)",
        ),
        ("hex of iv and text", "md5(t) || ':' || repeat(md5(t), 12)"),
        (
            "base64 of all in one",
            "translate(encode(sha512(t::bytea) || sha512(t::bytea) || sha512(t::bytea), 'base64'), E'\\n', '')",
        ),
        (
            "Fernet",
            "'gAAAAABm' || translate(encode(sha512(t::bytea) || sha512(t::bytea), 'base64'), E'\\n+/=', '-_')",
        ),
        ("with a version", "'enc:v1:' || repeat(md5(t), 12)"),
        (
            "Laravel's",
            "translate(encode(convert_to('{\"iv\":\"' || md5(t) || '\",\"value\":\"' || repeat(md5(t), 8) || '\",\"mac\":\"' || repeat(md5(t), 2) || '\",\"tag\":\"\"}', 'utf8'), 'base64'), E'\\n', '')",
        ),
        ("pgcrypto's armour", "'\\xc30d0407' || repeat(md5(t), 12)"),
    ] {
        let then: &'static str = Box::leak(
            format!(
                "update ghl_tokens set access_token = {}, refresh_token = {}",
                encrypt.replace("(t", "(access_token"),
                encrypt.replace("(t", "(refresh_token"),
            )
            .into_boxed_str(),
        );
        Schema { then, ..PLAIN }.is_refused(&["through", "access_token"]);
    }
}

#[test]
fn a_column_too_short_for_the_pair() {
    Schema {
        setup: "create table ghl_tokens (location_id text, access_token varchar(255),
            refresh_token varchar(2000), expires_at timestamptz)",
        row: "insert into ghl_tokens values (:id, left(:access_token, 255), :refresh_token,
            :expires_iso)",
        ..PLAIN
    }
    .is_refused(&["access_token", "255"]);
}

#[test]
fn rows_that_match_doubly() {
    Schema {
        row: "insert into ghl_tokens values
            (:id, 'older ' || :access_token, :refresh_token, timestamptz :expires_iso - interval '1 day'),
            (:id, :access_token, :refresh_token, :expires_iso)",
        ..PLAIN
    }
    .is_refused(&["ghl_tokens", "location_id", "--map|twice|several|more than one|two"]);
}

#[test]
fn two_tables_that_match() {
    let two = Schema {
        setup: "create table ghl_tokens (location_id text, access_token text, refresh_token text,
                expires_at timestamptz);
            create table ghl_tokens_backup (like ghl_tokens)",
        row: "insert into ghl_tokens values (:id, :access_token, :refresh_token, :expires_iso);
            insert into ghl_tokens_backup values (:id, :access_token, :refresh_token,
            :expires_iso)",
        ..PLAIN
    };
    two.is_refused(&["ghl_tokens", "ghl_tokens_backup", "--table"]);
    Schema { args: &["--table", "ghl_tokens"], ..two }.is_written();
    Schema { args: &["--table", "public.ghl_tokens"], ..two }.is_written();
    Schema { args: &["--table", "ghl_token"], ..two }.is_refused(&["ghl_token"]);
}

#[test]
fn an_empty_table_of_that_name_is_no_match() {
    Schema {
        setup: "create table ghl_tokens (location_id text, access_token text, refresh_token text,
                expires_at timestamptz);
            create table ghl_oauth_tokens (like ghl_tokens)",
        ..PLAIN
    }
    .is_written();
    Schema { then: "delete from ghl_tokens", ..PLAIN }.is_refused(&["ghl_tokens"]);
    Schema { then: "update ghl_tokens set location_id = 'x' || location_id", ..PLAIN }
        .is_refused(&["ghl_tokens"]);
    Schema { row: "select :n", setup: "create table t (a int)", ..PLAIN }.is_refused(&["--map"]);
}

#[test]
fn two_pairs_in_a_row() {
    Schema {
        setup: "create table accounts (location_id text primary key, location_access_token text,
            location_refresh_token text, location_expires_at timestamptz,
            agency_access_token text, agency_refresh_token text, agency_expires_at timestamptz)",
        row: "insert into accounts values (:id, :access_token, :refresh_token, :expires_iso,
            'a' || :access_token, 'a' || :refresh_token, :expires_iso)",
        ..PLAIN
    }
    .is_refused(&["accounts", "--map"]);
}

#[test]
fn a_location_id_that_is_the_apps_own() {
    Schema {
        setup: r#"create table locations (id serial primary key, ghl_id text unique);
            create table tokens (id serial primary key, "locationId" int references locations (id),
            "accessToken" text, "refreshToken" text, "expiresAt" timestamp)"#,
        row: r#"with l as (insert into locations (ghl_id) values (:id) returning id)
            insert into tokens ("locationId", "accessToken", "refreshToken", "expiresAt")
            select id, :access_token, :refresh_token, :expires_sql from l"#,
        ..PLAIN
    }
    .is_refused(&["tokens", "--map|statement"]);
}

#[test]
fn no_right_to_update() {
    Schema { then: "grant select on ghl_tokens to guest", user: GUEST, ..PLAIN }
        .is_refused(&["update|permission|right|privilege", "ghl_tokens"]);
    Schema {
        then: "grant select, update (access_token, refresh_token) on ghl_tokens to guest",
        user: GUEST,
        ..PLAIN
    }
    .is_refused(&["update|permission|right|privilege", "expires_at"]);
    Schema { user: GUEST, ..PLAIN }.is_refused(&["ghl_tokens|permission|right|privilege|--map"]);
    Schema { then: "grant select, update on ghl_tokens to guest", user: GUEST, ..PLAIN }
        .is_written();
}

#[test]
fn row_level_security_that_hides_rows() {
    let guarded = Schema {
        then: "alter table ghl_tokens enable row level security;
            grant select, update on ghl_tokens to guest;
            create policy threes on ghl_tokens using (location_id like '%3')",
        user: GUEST,
        ..PLAIN
    };
    guarded.is_refused(&["row level security|row-level security|row_security", "ghl_tokens"]);
    // The owner sees everything.
    Schema { user: crate::support::servers::OWNER, ..guarded }.is_written();
}

#[test]
fn an_expiry_that_cannot_be_told_is_asked_for() {
    Schema {
        setup: "create table ghl_tokens (location_id text, access_token text, refresh_token text,
            expires_at text)",
        row: "insert into ghl_tokens values (:id, :access_token, :refresh_token,
            case :n % 2 when 0 then 'in a day' else 'tomorrow' end)",
        ..PLAIN
    }
    .is_refused(&["expires_at", "--map"]);
    // Half are seconds and half are milliseconds.
    Schema {
        setup: "create table ghl_tokens (location_id text, access_token text, refresh_token text,
            expires_at bigint)",
        row: "insert into ghl_tokens values (:id, :access_token, :refresh_token,
            case :n % 2 when 0 then :expires_s else :expires_ms end)",
        ..PLAIN
    }
    .is_refused(&["expires_at", "--map"]);
}

#[test]
fn a_trigger_that_encrypts_costs_no_row() {
    Schema {
        then: "create function encrypt() returns trigger language plpgsql as $$ begin
                new.access_token := 'enc:' || md5(new.access_token); return new; end $$;
            create trigger encrypt before update on ghl_tokens for each row
                execute function encrypt()",
        ..PLAIN
    }
    .is_put_back(&["access_token"]);
}

#[test]
fn a_trigger_that_cuts_costs_no_row() {
    Schema {
        then: "create function cut() returns trigger language plpgsql as $$ begin
                new.refresh_token := left(new.refresh_token, 200); return new; end $$;
            create trigger cut before update on ghl_tokens for each row execute function cut()",
        ..PLAIN
    }
    .is_put_back(&["refresh_token"]);
}

#[test]
fn a_trigger_that_keeps_the_old_row_costs_no_row() {
    Schema {
        then: "create function keep() returns trigger language plpgsql as $$ begin
                return old; end $$;
            create trigger keep before update on ghl_tokens for each row execute function keep()",
        ..PLAIN
    }
    .is_put_back(&["ghl_tokens|trigger|access_token"]);
}

#[test]
fn a_bad_row_is_told_without_its_value() {
    let bad = Schema {
        then: "alter table ghl_tokens add constraint no_sevens
            check (location_id not like '%7' or expires_at < '2026-01-01') not valid",
        outcome: |pair| if pair.n % 10 == 7 { "failed" } else { "replaced" },
        ..PLAIN
    };
    bad.is_written();
    let Some(app) = bad.open() else { return };
    let ran = app.store().go();
    let rows = crate::support::rows(&ran.file("stored.csv"));
    for row in rows.iter().filter(|row| row["outcome"] == "failed") {
        let message = &row["message"];
        assert!(message.contains("23514") && message.contains("no_sevens"), "{message}");
        assert!(!message.contains("Failing row"), "{message}");
    }
}

#[test]
fn a_table_of_agencies_alone_has_no_row_for_a_location() {
    Schema {
        setup: "create table agency_tokens (company_id text primary key, access_token text,
            refresh_token text, expires_at timestamptz)",
        row: "insert into agency_tokens values (:company_id, :access_token, :refresh_token,
            :expires_iso) on conflict do nothing",
        ..PLAIN
    }
    .is_refused(&["agency_tokens|--map"]);
}

#[test]
fn pairs_that_are_in_no_column_are_refused() {
    Schema {
        setup: "create table connections (location_id text primary key, tokens jsonb)",
        row: "insert into connections values (:id, :document)",
        ..PLAIN
    }
    .is_refused(&["--map"]);
}

#[test]
fn a_url_is_refused_without_being_printed() {
    let Some(app) = SUPABASE.open() else { return };
    for (url, words) in [
        ("postgresql://app:secret#word@127.0.0.1/x", "%23"),
        ("postgresql://app:secretword@db.example.invalid/x?sslmode=disable", "plain|tls|ssl"),
        ("postgresql://app:secretword@127.0.0.1:port/x", "port"),
        ("mssql://app:secretword@127.0.0.1/x", "postgres://"),
        ("", "DATABASE_URL"),
    ] {
        let ran = app.store_to(url).go().expect(2);
        let said = ran.stderr.to_lowercase();
        let found = words.split('|').any(|word| said.contains(&word.to_lowercase()));
        assert!(found, "{words} for {url}: {said}");
        assert!(!said.contains("secretword") && !said.contains("secret#word"), "{said}");
    }
    let typed = app.work.program(["store".as_ref(), app.run.as_os_str()]);
    let ran = typed.args(["--to", &app.database.url(), "--yes"]).go().expect(2);
    app.assert_safe(&ran);
    assert!(ran.stderr.contains("env:"), "{}", ran.stderr);
    let unset = app.work.program(["store".as_ref(), app.run.as_os_str()]);
    let ran = unset.args(["--to", "env:NO_SUCH_VARIABLE", "--yes"]).go().expect(2);
    assert!(ran.stderr.contains("NO_SUCH_VARIABLE"), "{}", ran.stderr);
    let _ = Recovered::Locations;
}
