//! The run in one sentence, and what is left to do.

use super::words::{count, counted};
use crate::{
    failure::Advice,
    views::summary::{RunEnd, Summary},
};

/// How a run ended, in a sentence.
pub(super) fn verdict(summary: &Summary) -> String {
    let books = &summary.books;
    let installations = books.installations();
    let of = format!(
        "{} of {} recovered",
        count(books.recovered),
        counted(installations.into(), "installation")
    );
    match summary.state {
        RunEnd::Unfinished => format!("The run has not ended in order: {of} so far."),
        RunEnd::Halted => format!("The run was halted with {of}."),
        RunEnd::Interrupted => format!("The run was interrupted with {of}."),
        RunEnd::Complete if installations == 0 => "There was nothing to recover.".into(),
        RunEnd::Complete if books.recovered == installations => match installations {
            1 => "The one installation has a fresh token pair.".into(),
            _ => {
                format!("All {} installations have fresh token pairs.", count(installations))
            }
        },
        RunEnd::Complete if books.recovered + books.skipped == installations => {
            format!("{of}; {} skipped.", count(books.skipped))
        }
        RunEnd::Complete if books.recovered == 0 => {
            format!("None of {} was recovered.", counted(installations.into(), "installation"))
        }
        RunEnd::Complete => {
            let open = match books.not_attempted {
                0 => String::new(),
                open => format!(", {} not attempted", count(open)),
            };
            format!("{of}; {} failed{open}.", count(books.failed))
        }
    }
}

/// What the installations that are not recovered need, a sentence for each `retry`.
pub(super) fn left_to_do(summary: &Summary) -> Vec<String> {
    let sentence = |(advice, one, several): &(Advice, &str, &str)| {
        let number = summary.open.failed.get(advice).copied().unwrap_or(0);
        match number {
            0 => None,
            1 => Some(format!("1 installation {one}.")),
            _ => Some(format!("{} {several}.", counted(number.into(), "installation"))),
        }
    };
    let mut sentences: Vec<String> = NEEDS.iter().filter_map(sentence).collect();
    let open = summary.books.not_attempted;
    if open > 0 {
        let verb = if open == 1 { "was" } else { "were" };
        let open = counted(open.into(), "installation");
        sentences.push(format!("{open} {verb} not attempted or not finished: resume the run."));
    }
    sentences
}

/// What each `retry` asks for: of one installation, and of several.
const NEEDS: [(Advice, &str, &str); 6] = [
    (Advice::Now, "can be tried again at once", "can be tried again at once"),
    (
        Advice::Later,
        "can be tried again once the outage or the limit is over",
        "can be tried again once the outage or the limit is over",
    ),
    (
        Advice::FixCredentials,
        "needs another client id or secret first",
        "need another client id or secret first",
    ),
    (
        Advice::FixInput,
        "needs its row in the list to be corrected first",
        "need their rows in the list to be corrected first",
    ),
    (
        Advice::NeedsReinstall,
        "needs the app to be installed again there",
        "need the app to be installed again there",
    ),
    (
        Advice::NeedsSupport,
        "needs HighLevel's support: escalation.md has the text for a ticket",
        "need HighLevel's support: escalation.md has the text for the tickets",
    ),
];
