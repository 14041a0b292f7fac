//! Bulk recovery of HighLevel Marketplace app installations whose OAuth tokens died.
//!
//! Data flows one way: a list is read ([`input`]) and judged ([`plan`]); [`batch`] takes all of its
//! installations through [`recover`], which speaks to [`highlevel`] at the [`pace`] allowed; what
//! happens is [`event`]s, which the [`journal`] makes durable and from which [`views`] makes files.

pub mod agency_tokens;
pub mod apps;
pub mod batch;
pub mod checksum;
pub mod cli;
pub mod client_id;
pub mod clock;
pub mod commands;
pub mod config;
pub mod discover;
pub mod env_file;
pub mod event;
pub mod exit;
pub mod fingerprint;
pub mod formula;
pub mod gauge;
pub mod highlevel;
pub mod input;
pub mod installation;
pub mod journal;
pub mod jwt;
pub mod known;
pub mod leaks;
pub mod pace;
pub mod plan;
pub mod progress;
pub mod record;
pub mod recover;
pub mod recoveries;
pub mod run_log;
pub mod sandbox;
pub mod secret;
pub mod signals;
pub mod state_folder;
pub mod stop;
pub mod stored_tokens;
pub mod text;
pub mod trials;
pub mod views;
pub mod watchdog;
pub mod way;
