//! What was typed, and what was meant by it: checked once, before anything is sent.

pub mod agency_tokens;
pub mod app;
pub mod app_credentials;
pub mod apps_file;
pub mod args;
mod duration;
pub mod env_file;
pub mod execution;
pub mod known_messages;
pub mod options;
pub mod path;
pub mod sandbox;
mod secret_text;
mod text;
pub mod typed;
pub mod variables;

pub use self::execution::Settings;
pub use self::secret_text::Stdin;
