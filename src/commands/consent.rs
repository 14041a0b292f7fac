//! Asks the person in the terminal before the first call.

use std::io::{self, BufRead};

use super::Console;

/// What the person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Go.
    Given,
    /// Anything else.
    Refused,
}

/// Asks whether to start.
pub fn consent(console: Console) -> Consent {
    console.ask("Start? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" if read.is_ok() => Consent::Given,
        _ => Consent::Refused,
    }
}
