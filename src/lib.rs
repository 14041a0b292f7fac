//! Bulk recovery of HighLevel Marketplace app installations whose OAuth tokens died.
//!
//! Data flows one way: a list is read ([`input`]) and judged ([`plan`]); the [`engine`] takes all of
//! its installations through [`engine::recover`], which speaks to [`highlevel`] at the [`pace`]
//! allowed; what happens is [`event`]s, which the [`journal`] makes durable and from which [`views`]
//! makes files. The [`terminal`] shows it, and [`commands`] run the steps in order.

mod app;
pub mod checksum;
mod clock;
pub mod commands;
mod due;
pub mod engine;
pub mod event;
pub mod exit;
pub mod failure;
#[cfg(fuzzing)]
pub mod fuzz;
mod highlevel;
mod input;
pub mod installation;
pub mod journal;
mod pace;
mod plan;
mod route;
pub mod sandbox;
mod secret;
pub mod settings;
mod shard;
mod state_folder;
mod store;
pub mod terminal;
mod text;
mod views;
