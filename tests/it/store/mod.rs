//! `store`: recovered pairs into the tables of apps, on real servers.
//!
//! A schema is a value of [`Schema`](schema::Schema) and a word on what is expected of it. Where it has
//! to be written, the whole database is compared with a copy in which the app saved the pairs itself.

mod connections;
mod faults;
mod leaks;
mod mapped;
mod mariadb;
mod postgres;
mod recovered;
mod refused;
mod schema;
mod servers;
mod sqlite;
mod template;
mod usage;
