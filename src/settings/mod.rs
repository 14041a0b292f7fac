//! What was typed, and what was meant by it: checked once, before anything is sent.

pub(crate) mod agency_tokens;
pub(crate) mod app;
pub(crate) mod app_credentials;
pub(crate) mod apps_file;
pub mod args;
pub(crate) mod asked_shard;
mod duration;
pub(crate) mod env_file;
pub(crate) mod execution;
pub(crate) mod known_messages;
pub(crate) mod options;
pub(crate) mod path;
pub(crate) mod sandbox;
mod secret_text;
pub mod store_choice;
mod text;
pub(crate) mod typed;
pub(crate) mod variables;

pub use self::execution::Settings;
pub use self::secret_text::Stdin;
