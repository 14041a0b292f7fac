//! `ghl-reconnect`: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use ghl_reconnect::{
    commands::{self, Console},
    engine::signals,
    exit::Fault,
    settings::args::Cli,
};

fn main() -> ExitCode {
    signals::ignore_file_size_limits();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => {
            let words: Vec<_> = std::env::args_os().skip(1).collect();
            return commands::refuse(&refused, &words).into();
        }
    };
    match commands::dispatch(&cli) {
        Ok(exit) => exit.into(),
        Err(Fault { exit, error }) => {
            Console::of(cli.verbosity).error(&format!("{error:#}"));
            exit.into()
        }
    }
}
