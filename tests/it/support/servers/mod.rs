//! Real servers: started once a test process, shared by its tests, and gone with the process however
//! that ends. Each test has a database of its own.

pub(crate) use self::{
    database::Database, mariadb::MariaDb, pgbouncer::PgBouncer, postgres::Postgres, redis::Redis,
    table::Table, tls::Certificates,
};

mod database;
mod find;
mod mariadb;
mod pgbouncer;
mod postgres;
mod redis;
mod session;
mod supervised;
mod table;
mod tls;

/// The user whose database it is.
pub(crate) const OWNER: &str = "app";

/// A user who owns nothing and may do what a test grants.
pub(crate) const GUEST: &str = "guest";

/// The password of both, which has every character that has a meaning in a URL.
pub(crate) const PASSWORD: &str = "p#4s:w@rd/of%a?test";

/// The same as it stands in a URL.
pub(crate) const PASSWORD_IN_URL: &str = "p%234s%3Aw%40rd%2Fof%25a%3Ftest";
