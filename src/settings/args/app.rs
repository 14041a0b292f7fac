//! Which app, and where HighLevel is, as it is typed.

use std::path::PathBuf;

use clap::Args;

use crate::highlevel::{
    endpoint::{HIGHLEVEL, RECONNECT_PATH},
    version::ApiVersion,
};

/// Which app, and where HighLevel is.
#[derive(Debug, Args)]
#[command(next_help_heading = "App")]
pub struct AppArgs {
    /// The app's client id ("clientKey") [env: GHL_CLIENT_ID]
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// File with the client secret; - reads standard input [env: GHL_CLIENT_SECRET, the secret itself]
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// File of KEY=VALUE lines with the GHL_… variables; goes before the environment. The run folder
    /// has its path, never its content: resume reads the file again
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Sent with the exchange when given [env: GHL_REDIRECT_URI]
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    #[arg(long, value_name = "URL", help = format!("Where HighLevel is: https, or http on loopback [env: GHL_BASE_URL] [default: {HIGHLEVEL}]"))]
    /// Where HighLevel is.
    pub base_url: Option<String>,
    #[arg(long, value_name = "PATH", help = format!("Path of the Reconnect API, should it move [default: {RECONNECT_PATH}]"))]
    /// Path of the Reconnect API.
    pub reconnect_path: Option<String>,
    /// Tokens of agencies, in the shape of tokens.jsonl, for --via agency and for discover
    /// [env: GHL_AGENCY_TOKEN, the token itself]
    #[arg(long, value_name = "FILE")]
    pub agency_tokens: Option<PathBuf>,
    /// Version of the API for tokens, locations and token checks; the Reconnect API has none [default: v2]
    #[arg(long, value_name = "VERSION", value_enum)]
    pub api_version: Option<ApiVersion>,
    /// TOML file of answer rows that say what HighLevel's answers mean, before the built-in ones
    #[arg(long, value_name = "FILE")]
    pub known_messages: Option<PathBuf>,
}

/// Which apps, where the list has rows of several.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "App")]
pub struct AppsArgs {
    /// TOML file of several apps, a table each with client_id, client_secret_env or
    /// client_secret_file, and perhaps redirect_uri; the list's column app names the table
    #[arg(long, value_name = "FILE")]
    pub apps: Option<PathBuf>,
}
