//! The program from outside: the real binary against mock servers for HighLevel's API.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue has failed"
)]

mod after_store;
mod again;
mod apps;
mod chain;
mod changed_folders;
mod classes;
mod credentials;
mod cuts;
mod damage;
mod discover;
mod disk;
mod due;
mod escalation;
mod faults;
mod folder;
mod formats;
mod halts;
mod interrupts;
mod json_events;
mod kills;
mod last_failure;
mod lists;
mod options;
mod outage;
mod outcomes;
mod pace;
mod property;
mod provenance;
mod readme;
mod recovery;
mod report_page;
mod resume;
mod routes;
mod sandbox_command;
mod schemas;
mod secrets;
mod settings;
mod shards;
mod status;
mod store;
mod stored;
mod support;
mod suspects;
mod talk;
mod terminal;
mod tokens;
mod wire;
