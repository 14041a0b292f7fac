//! `ghl-reconnect`: arguments in, exit code out.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use ghl_reconnect::{commands, engine::signals, exit::Fault, settings::args::Cli};

fn main() -> ExitCode {
    signals::ignore_file_size_limits();
    match commands::dispatch(&Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(Fault { exit, error }) => {
            // Standard error may be closed; the exit code reports it anyway.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            exit.into()
        }
    }
}
