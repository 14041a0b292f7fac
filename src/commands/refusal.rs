//! What a command line that cannot be read leads to.

use std::ffi::OsString;

use super::Console;
use crate::{
    exit::Exit,
    settings::args::{LogFormat, Recognised},
    terminal::{
        output,
        verbosity::{Colors, Verbosity},
    },
};

/// Says why a command line is refused, in the forms that it asks for as far as they can be told; or
/// prints the help or the version that it asks for.
pub fn refuse(refused: &clap::Error, words: &[OsString]) -> Exit {
    let Recognised { json, log_format } = Recognised::in_words(words);
    let text = refused.to_string();
    let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    if refused.use_stderr() && log_format == LogFormat::Json {
        let (verbosity, colors) = (Verbosity::Normal, Colors::Off);
        Console { verbosity, colors, format: log_format }.error(message);
    } else {
        // Nobody may be there to read it.
        let _ = refused.print();
    }
    if !refused.use_stderr() {
        return Exit::Recovered;
    }
    output::refuse(json, message.lines().next().unwrap_or_default());
    Exit::Usage
}
