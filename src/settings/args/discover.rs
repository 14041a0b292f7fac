//! What is typed after `discover`.

use std::path::PathBuf;

use clap::Args;

use super::{app::AppArgs, pace::ReadPaceArgs};
use crate::installation::Id;

/// Arguments of `discover`.
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// The agency, where its token does not say it; else of all tokens only these agencies'
    #[arg(long, value_name = "ID", value_parser = parse_id)]
    pub company: Vec<Id>,
    /// Leave out the locations in which the app is not installed
    #[arg(long)]
    pub installed_only: bool,
    /// Write the list to FILE, which must not exist yet; after a fault the same command continues
    /// [default: standard output]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    /// Which app.
    pub app: AppArgs,
    #[command(flatten)]
    /// How fast and how often.
    pub pace: ReadPaceArgs,
}

fn parse_id(text: &str) -> Result<Id, &'static str> {
    Id::new(text.trim()).ok_or("an id has 6 to 64 letters, digits, - or _")
}
