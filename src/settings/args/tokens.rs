//! What is typed after `tokens`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `tokens`.
#[derive(Debug, Args)]
#[command(after_help = "\
Columns of the CSV: app (the client id before the dash), kind (location or company), id, company_id,
location_id, user_id, access_token, refresh_token, token_type, oauth_scope, user_type, expires_at,
expires_in, granted_at (times are ISO 8601, UTC). What comes from HighLevel stands there byte for byte:
import the file, a spreadsheet may change it. Columns of the list follow as they stand in the other CSV
files; one whose name is taken is called list_NAME.

Lines of env, for each installation, quoted for a shell: GHL_ACCESS_TOKEN_<id>, GHL_REFRESH_TOKEN_<id>,
GHL_TOKEN_EXPIRES_AT_<id>; a dash in an id is written as _.

Exit codes: 0, 2 wrong usage (nothing printed), 4 a run is in use, or pairs are damaged or missing (the
others are printed).")]
pub struct TokensArgs {
    /// The run folders; the earlier runs of their chains are taken in by themselves
    #[arg(required = true, value_name = "RUN_DIR")]
    pub run_dirs: Vec<PathBuf>,
    /// How the pairs are printed
    #[arg(long, value_enum, default_value_t = TokensFormat::Csv)]
    pub format: TokensFormat,
    /// Columns of the list to print beside each pair, in CSV
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub columns: Vec<String>,
}

/// How pairs are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TokensFormat {
    /// A table with a header.
    Csv,
    /// The lines of tokens.jsonl as they stand there.
    Jsonl,
    /// NAME=value for a shell, where the installations are few.
    Env,
}
