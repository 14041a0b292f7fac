//! Tables of apps in SQLite, where a declared type means nothing.

use super::schema::Schema;

#[test]
fn python_with_iso_text() {
    Schema {
        setup: "create table tokens (location_id TEXT PRIMARY KEY, access_token TEXT NOT NULL,
            refresh_token TEXT NOT NULL, expires_at TEXT, created_at TEXT, updated_at TEXT)",
        row: "insert into tokens values (:id, :access_token, :refresh_token, :expires_py,
            '2025-01-01T00:00:00.123456+00:00', '2025-01-02T03:04:05.678901+00:00')",
        save: "update tokens set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_py, updated_at = :now_py where location_id = :id",
        now: &["updated_at"],
        ..Schema::sqlite()
    }
    .is_written();
}

#[test]
fn python_with_a_float_of_seconds() {
    Schema {
        setup: "create table ghl_tokens (location_id TEXT PRIMARY KEY, access_token TEXT,
            refresh_token TEXT, expires_at REAL, updated_at REAL)",
        row: "insert into ghl_tokens values (:id, :access_token, :refresh_token, :expires_real,
            1735787045.678901)",
        save: "update ghl_tokens set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_real, updated_at = :now_real
            where location_id = :id",
        now: &["updated_at"],
        ..Schema::sqlite()
    }
    .is_written();
}

#[test]
fn javascript_with_milliseconds_in_a_column_of_no_type() {
    Schema {
        setup: r#"create table sessions ("locationId" primary key, "accessToken", "refreshToken",
            "expiresAt", "updatedAt") without rowid"#,
        row: "insert into sessions values (:id, :access_token, :refresh_token, :expires_ms,
            :expires_iso)",
        save: r#"update sessions set "accessToken" = :access_token,
            "refreshToken" = :refresh_token, "expiresAt" = :expires_ms, "updatedAt" = :now_iso
            where "locationId" = :id"#,
        now: &["updatedAt"],
        ..Schema::sqlite()
    }
    .is_written();
}

#[test]
fn seconds_in_a_column_that_is_declared_a_time() {
    Schema {
        setup: "create table installations (id integer primary key, location_id varchar(10),
            access_token varchar(255), refresh_token varchar(255), token_expiry DATETIME,
            updated_at DATETIME default current_timestamp)",
        row: "insert into installations (location_id, access_token, refresh_token, token_expiry,
            updated_at) values (:id, :access_token, :refresh_token, :expires_s,
            '2025-01-02 03:04:05')",
        save: "update installations set access_token = :access_token,
            refresh_token = :refresh_token, token_expiry = :expires_s,
            updated_at = current_timestamp where location_id = :id",
        now: &["updated_at"],
        ..Schema::sqlite()
    }
    .is_written();
}

#[test]
fn naive_text_and_a_json_copy() {
    Schema {
        setup: "create table tokens (location_id TEXT, user_type TEXT, access_token TEXT,
            refresh_token TEXT, expires_at TIMESTAMP, raw TEXT, status TEXT DEFAULT 'ok'
            CHECK (status IN ('ok', 'expired')))",
        row: "insert into tokens values (:id, 'Location', :access_token, :refresh_token,
            :expires_php, :document, 'expired')",
        save: "update tokens set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_php, raw = :document, status = 'ok' where location_id = :id",
        ..Schema::sqlite()
    }
    .is_written();
}

#[test]
fn a_trigger_that_changes_the_token_costs_no_row() {
    Schema {
        setup: "create table tokens (location_id TEXT, access_token TEXT, refresh_token TEXT)",
        row: "insert into tokens values (:id, :access_token, :refresh_token)",
        then: "create trigger change after update on tokens begin
            update tokens set access_token = substr(new.access_token, 1, 100)
            where location_id = new.location_id; end",
        ..Schema::sqlite()
    }
    .is_put_back(&["access_token"]);
}

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let plain = Schema {
        setup: "create table tokens (location_id TEXT, access_token TEXT, refresh_token TEXT)",
        row: "insert into tokens values (:id, :access_token, :refresh_token)",
        ..Schema::sqlite()
    };
    let Some(app) = plain.open() else { return };
    let other = app.work.path("other.db");
    let ran = app.store_to(other.to_str().unwrap()).go().expect(2);
    assert!(ran.stderr.contains("other.db"), "{}", ran.stderr);
    assert!(!other.exists());
    let other = app.work.file("text.db", "location_id,access_token\n".repeat(100));
    let ran = app.store_to(other.to_str().unwrap()).go().expect(2);
    assert!(ran.stderr.contains("text.db"), "{}", ran.stderr);
}
