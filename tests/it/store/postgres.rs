//! Tables of apps in PostgreSQL whose pairs are written.

use super::{recovered::Recovered, schema::Schema};

/// As many a Supabase app has it: a status that its refresher selects by, and the last error.
pub(super) const SUPABASE: Schema = Schema {
    setup: "create table ghl_connections (
        id uuid primary key, user_id uuid not null, location_id text not null unique,
        company_id text, access_token text not null, refresh_token text not null,
        token_type text default 'Bearer', scope text, expires_at timestamptz not null,
        connection_status text not null default 'connected'
            check (connection_status in ('connected', 'error', 'disconnected')),
        last_error text, created_at timestamptz not null default now(),
        updated_at timestamptz not null default now())",
    row: "insert into ghl_connections values (:uuid, gen_random_uuid(), :id, :company_id,
        :access_token, :refresh_token, 'Bearer', :scope, :expires_iso, 'error',
        'invalid_grant: this refresh token is invalid', '2025-11-03 10:00:00Z', :expires_iso)",
    save: "update ghl_connections set access_token = :access_token, refresh_token = :refresh_token,
        expires_at = :expires_iso, scope = :scope, connection_status = 'connected',
        last_error = null, updated_at = now() where location_id = :id",
    now: &["updated_at"],
    ..Schema::postgres()
};

#[test]
fn supabase_with_a_status_and_an_error() {
    SUPABASE.is_written();
}

#[test]
fn supabase_keeps_its_status_where_it_is_told_to() {
    Schema {
        args: &["--keep-status"],
        save: "update ghl_connections set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_iso, scope = :scope,
            updated_at = now() where location_id = :id",
        ..SUPABASE
    }
    .is_written();
}

#[test]
fn a_status_that_is_not_known_to_be_bad_stays() {
    Schema {
        then: "alter table ghl_connections drop constraint ghl_connections_connection_status_check;
            update ghl_connections set connection_status = 'trial_paused'",
        save: "update ghl_connections set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_iso, scope = :scope,
            updated_at = now() where location_id = :id",
        ..SUPABASE
    }
    .is_written();
}

#[test]
fn a_row_that_is_missing_is_told() {
    Schema { outcome: |pair| if pair.n % 8 == 3 { "missing" } else { "replaced" }, ..SUPABASE }
        .is_written();
}

#[test]
fn prisma_in_camel_case() {
    Schema {
        setup: r#"create table "GhlToken" ("id" text primary key, "locationId" text not null unique,
            "companyId" text, "accessToken" text not null, "refreshToken" text not null,
            "expiresAt" timestamp(3) not null,
            "createdAt" timestamp(3) not null default current_timestamp,
            "updatedAt" timestamp(3) not null)"#,
        row: r#"insert into "GhlToken" values ('clx' || :n, :id, :company_id, :access_token,
            :refresh_token, :expires_sql, '2025-01-01', '2025-01-02 03:04:05.678')"#,
        save: r#"update "GhlToken" set "accessToken" = :access_token,
            "refreshToken" = :refresh_token, "expiresAt" = :expires_sql, "updatedAt" = :now_sql
            where "locationId" = :id"#,
        now: &["updatedAt"],
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn typeorm_with_epoch_milliseconds() {
    Schema {
        setup: r#"create table "oauth_token_entity" ("id" serial primary key,
            "locationId" varchar not null, "accessToken" varchar not null,
            "refreshToken" varchar not null, "expiresAt" bigint not null,
            "createdAt" timestamp not null default '2025-05-05',
            "updatedAt" timestamp not null default '2025-05-06 07:08:09.123456')"#,
        row: r#"insert into "oauth_token_entity" ("locationId", "accessToken", "refreshToken",
            "expiresAt") values (:id, :access_token, :refresh_token, :expires_ms)"#,
        save: r#"update "oauth_token_entity" set "accessToken" = :access_token,
            "refreshToken" = :refresh_token, "expiresAt" = :expires_ms,
            "updatedAt" = now() at time zone 'utc' where "locationId" = :id"#,
        now: &["updatedAt"],
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn django_with_expires_in_and_the_clock_that_it_counts_from() {
    Schema {
        setup: "create table integrations_ghltoken (id bigserial primary key,
            location_id varchar(64) not null unique, access_token text not null,
            refresh_token text not null, token_type varchar(32) not null,
            expires_in integer not null, scope text not null,
            created_at timestamptz not null, obtained_at timestamptz not null)",
        row: "insert into integrations_ghltoken (location_id, access_token, refresh_token,
            token_type, expires_in, scope, created_at, obtained_at) values (:id, :access_token,
            :refresh_token, 'Bearer', :expires_in, :scope, '2025-01-01',
            timestamptz :expires_iso - :expires_in * interval '1 second')",
        save: "update integrations_ghltoken set access_token = :access_token,
            refresh_token = :refresh_token, expires_in = :expires_in, scope = :scope,
            token_type = :token_type,
            obtained_at = timestamptz :expires_iso - :expires_in * interval '1 second'
            where location_id = :id",
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn epoch_seconds_and_no_other_time() {
    Schema {
        setup: "create table tokens (location text primary key, access_token text,
            refresh_token text, expires_at integer)",
        row: "insert into tokens values (:id, :access_token, :refresh_token, :expires_s)",
        save: "update tokens set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_s where location = :id",
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn the_whole_answer_once_more_as_json() {
    Schema {
        setup: "create table ghl_sessions (location_id text primary key, access_token text,
            refresh_token text, expires_at timestamptz, session_data jsonb)",
        row: "insert into ghl_sessions values (:id, :access_token, :refresh_token, :expires_iso,
            :document)",
        save: "update ghl_sessions set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_iso, session_data = :document
            where location_id = :id",
        ..Schema::postgres()
    }
    .is_written();
}

/// Rows of both kinds: the company stands in those of its locations too.
const INSTALLS: Schema = Schema {
    setup: "create table ghl_installs (id serial primary key, company_id text not null,
        location_id text, user_type text not null, access_token text, refresh_token text,
        expires_at timestamptz, unique (company_id, location_id))",
    row: "insert into ghl_installs (company_id, location_id, user_type, access_token,
        refresh_token, expires_at) values (:company_id, nullif(:id, :company_id), :user_type,
        :access_token, :refresh_token, :expires_iso)",
    save: "update ghl_installs set access_token = :access_token, refresh_token = :refresh_token,
        expires_at = :expires_iso where company_id = :company_id
        and location_id is not distinct from nullif(:id, :company_id)",
    run: Recovered::Both,
    ..Schema::postgres()
};

#[test]
fn an_agency_is_the_row_without_a_location() {
    INSTALLS.is_written();
}

#[test]
fn an_agency_without_a_row_of_its_own_takes_none_of_its_locations() {
    Schema { outcome: |pair| if pair.is_agency { "missing" } else { "replaced" }, ..INSTALLS }
        .is_written();
}

#[test]
fn a_resource_id_is_of_both_kinds() {
    Schema {
        setup: "create table oauth_tokens (resource_id text, user_type text, company_id text,
            access_token text, refresh_token text, expires_at bigint,
            primary key (resource_id, user_type))",
        row: "insert into oauth_tokens values (:id, :user_type, :company_id, :access_token,
            :refresh_token, :expires_ms)",
        save: "update oauth_tokens set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_ms
            where resource_id = :id and user_type = :user_type",
        run: Recovered::Both,
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn an_enum_for_the_status() {
    Schema {
        setup: "create type token_status as enum ('ACTIVE', 'EXPIRED', 'REVOKED');
            create table crm_tokens (location_id text primary key, access_token text,
            refresh_token text, expires_at timestamp, status token_status not null
            default 'ACTIVE')",
        row: "insert into crm_tokens values (:id, :access_token, :refresh_token, :expires_sql,
            'EXPIRED')",
        save: "update crm_tokens set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_sql, status = 'ACTIVE'
            where location_id = :id",
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn columns_of_odd_types() {
    Schema {
        setup: "create extension citext;
            create domain secret as text check (length(value) > 20);
            create table tokens (location_id citext primary key, access_token secret not null,
            refresh_token varchar(2000), expires_at timestamptz(0), scopes text[],
            preview text generated always as (left(access_token, 3)) stored,
            serial bigint generated always as identity)",
        row: "insert into tokens values (:id, :access_token, :refresh_token, :expires_iso,
            string_to_array(:scope, ' '))",
        save: "update tokens set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_iso where location_id = :id",
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn a_partitioned_table_is_one_table() {
    Schema {
        setup: "create table tokens (location_id text, access_token text, refresh_token text,
            expires_at timestamptz) partition by hash (location_id);
            create table tokens_0 partition of tokens for values with (modulus 2, remainder 0);
            create table tokens_1 partition of tokens for values with (modulus 2, remainder 1)",
        row: "insert into tokens values (:id, :access_token, :refresh_token, :expires_iso)",
        save: "update tokens set access_token = :access_token, refresh_token = :refresh_token,
            expires_at = :expires_iso where location_id = :id",
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn a_view_is_no_second_table() {
    Schema {
        setup: "create schema private;
            create table private.tokens (location_id text primary key, access_token text,
            refresh_token text, expires_at timestamptz);
            create view public.ghl_tokens as select * from private.tokens",
        row: "insert into private.tokens values (:id, :access_token, :refresh_token, :expires_iso)",
        save: "update private.tokens set access_token = :access_token,
            refresh_token = :refresh_token, expires_at = :expires_iso where location_id = :id",
        ..Schema::postgres()
    }
    .is_written();
}

#[test]
fn private_integration_tokens_in_the_same_table_are_not_ours() {
    Schema {
        then: "update ghl_connections set access_token = 'pit-1a2b3c4d-0000-4000-8000-00' || right(location_id, 10),
            refresh_token = '' where location_id like '%5'",
        outcome: |pair| if pair.n % 10 == 5 { "not_ours" } else { "replaced" },
        ..SUPABASE
    }
    .is_written();
}

#[test]
fn a_year_far_ahead_is_no_expiry() {
    Schema {
        then: "update ghl_connections set expires_at = '2099-12-31' where location_id like '%7'",
        ..SUPABASE
    }
    .is_written();
}

#[test]
fn a_newer_pair_is_left_alone() {
    let Some(app) = SUPABASE.open() else { return };
    let newer: Vec<_> = app.pairs().iter().filter(|pair| pair.n % 4 == 1).collect();
    let newer: Vec<_> = newer.into_iter().map(super::recovered::Pair::newer).collect();
    app.sql_for(SUPABASE.save, newer.iter());
    let before = app.database.table("ghl_connections");
    let ran = app.store().go();
    app.assert_outcomes(&ran, |pair| if pair.n % 4 == 1 { "newer" } else { "replaced" });
    let after = app.database.table("ghl_connections");
    let untouched = |of: &crate::support::servers::Table| {
        let all = of.column("access_token").into_iter().map(str::to_owned);
        all.filter(|token| newer.iter().any(|pair| pair.access == *token)).count()
    };
    assert_eq!((untouched(&before), untouched(&after)), (10, 10));
    app.assert_safe(&ran);
}
