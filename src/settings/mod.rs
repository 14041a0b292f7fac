//! What was typed, and what was meant by it: checked once, before anything is sent.

pub mod agency_tokens;
pub mod app_credentials;
pub mod apps_file;
pub mod args;
pub mod config;
pub mod env_file;
