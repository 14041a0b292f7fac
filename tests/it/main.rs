//! The program from outside: the real binary against stand-ins for HighLevel's API.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod again;
mod apps;
mod chain;
mod classes;
mod credentials;
mod custody;
mod cuts;
mod damage;
mod discover;
mod disk;
mod escalation;
mod faults;
mod folder;
mod halts;
mod in_the_end;
mod interrupts;
mod lists;
mod options;
mod outage;
mod outcomes;
mod pace;
mod property;
mod readme;
mod recovery;
mod resume;
mod routes;
mod sandbox_command;
mod schemas;
mod secrets;
mod status;
mod stored;
mod support;
mod suspects;
mod talk;
mod terminal;
mod touched;
mod wire;
