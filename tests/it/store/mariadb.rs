//! Tables of apps in MariaDB.

use super::schema::Schema;
use crate::support::servers::GUEST;

/// As Laravel makes it.
const LARAVEL: Schema = Schema {
    setup: "create table ghl_oauth_tokens (id bigint unsigned auto_increment primary key,
        location_id varchar(255) not null unique, company_id varchar(255) null,
        access_token text not null, refresh_token text not null, expires_at timestamp null,
        created_at timestamp null, updated_at timestamp null)
        default charset utf8mb4 collate utf8mb4_unicode_ci",
    row: "insert into ghl_oauth_tokens (location_id, company_id, access_token, refresh_token,
        expires_at, created_at, updated_at) values (:id, :company_id, :access_token,
        :refresh_token, :expires_php, '2025-01-01 00:00:00', '2025-01-02 03:04:05')",
    save: "update ghl_oauth_tokens set access_token = :access_token,
        refresh_token = :refresh_token, expires_at = :expires_php, updated_at = :now_php
        where location_id = :id",
    now: &["updated_at"],
    ..Schema::mariadb()
};

#[test]
fn laravel_with_its_timestamps() {
    LARAVEL.is_written();
}

#[test]
fn laravel_encrypts_with_a_cast() {
    Schema {
        then: "update ghl_oauth_tokens set
            access_token = replace(to_base64(concat('{\"iv\":\"', md5(access_token), '\",\"value\":\"', repeat(md5(access_token), 8), '\",\"mac\":\"', sha2(access_token, 256), '\"}')), '\\n', ''),
            refresh_token = replace(to_base64(concat('{\"iv\":\"', md5(refresh_token), '\",\"value\":\"', repeat(md5(refresh_token), 8), '\",\"mac\":\"', sha2(refresh_token, 256), '\"}')), '\\n', '')",
        ..LARAVEL
    }
    .is_refused(&["through", "access_token"]);
}

#[test]
fn epoch_milliseconds_and_a_json_copy() {
    Schema {
        setup: "create table tokens (locationId varchar(64) primary key, accessToken mediumtext,
            refreshToken mediumtext, expiresAt bigint, raw json, enabled tinyint(1) default 1)",
        row: "insert into tokens values (:id, :access_token, :refresh_token, :expires_ms,
            :document, 1)",
        save: "update tokens set accessToken = :access_token, refreshToken = :refresh_token,
            expiresAt = :expires_ms, raw = :document where locationId = :id",
        ..Schema::mariadb()
    }
    .is_written();
}

#[test]
fn expires_in_with_the_second_it_was_obtained_in() {
    Schema {
        setup: "create table gohighlevel_auth (id int auto_increment primary key,
            location_id varchar(32) not null, access_token varchar(4096),
            refresh_token varchar(4096), expires_in int, obtained_at int)",
        row: "insert into gohighlevel_auth (location_id, access_token, refresh_token, expires_in,
            obtained_at) values (:id, :access_token, :refresh_token, :expires_in,
            :expires_s - :expires_in)",
        save: "update gohighlevel_auth set access_token = :access_token,
            refresh_token = :refresh_token, expires_in = :expires_in, 
            obtained_at = :expires_s - :expires_in where location_id = :id",
        ..Schema::mariadb()
    }
    .is_written();
}

#[test]
fn a_datetime_with_milliseconds_and_an_enum() {
    Schema {
        setup: "create table installs (id char(36) primary key, location_id varchar(64) not null,
            access_token longtext, refresh_token longtext, expires_at datetime(3),
            status enum('active', 'expired', 'uninstalled') not null default 'active',
            error_message text null,
            updated_at datetime(6) not null default current_timestamp(6) on update current_timestamp(6))",
        row: "insert into installs values (:uuid, :id, :access_token, :refresh_token,
            :expires_sql, 'expired', 'invalid_grant', '2025-05-06 07:08:09.123456')",
        save: "update installs set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_sql, status = 'active', error_message = null
            where location_id = :id",
        now: &["updated_at"],
        ..Schema::mariadb()
    }
    .is_written();
}

#[test]
fn a_column_too_short_is_refused_though_the_server_would_cut() {
    Schema {
        setup: "create table tokens (location_id varchar(64), access_token varchar(255),
            refresh_token varchar(255), expires_at datetime)",
        row: "insert into tokens values (:id, :access_token, :refresh_token, :expires_php)",
        ..Schema::mariadb()
    }
    .is_refused(&["access_token", "255"]);
}

#[test]
fn a_trigger_that_cuts_costs_no_row() {
    Schema {
        then: "create trigger cut before update on ghl_oauth_tokens for each row
            set new.access_token = left(new.access_token, 100)",
        ..LARAVEL
    }
    .is_put_back(&["access_token"]);
}

#[test]
fn no_right_to_update() {
    let Some(app) = LARAVEL.open() else { return };
    let name = app.database.name().to_owned();
    app.database.sql(&format!("grant select on {name}.* to '{GUEST}'@'%'"));
    let before = app.database.contents();
    let ran = app.store_to(&app.database.url_of(GUEST)).go().expect(2);
    assert!(ran.stderr.to_lowercase().contains("update"), "{}", ran.stderr);
    assert_eq!(app.database.contents(), before);
    app.assert_safe(&ran);
}

#[test]
fn tables_without_a_unique_id_that_match_once() {
    Schema {
        setup: "create table tokens (id int auto_increment primary key, `location-id` varchar(64),
            `access-token` text, `refresh-token` text) engine=InnoDB",
        row: "insert into tokens (`location-id`, `access-token`, `refresh-token`) values (:id,
            :access_token, :refresh_token)",
        save: "update tokens set `access-token` = :access_token,
            `refresh-token` = :refresh_token where `location-id` = :id",
        ..Schema::mariadb()
    }
    .is_written();
}
