//! `explain` and `classes`: what the table of classes says, in words.

use std::{fmt::Write as _, num::NonZeroU32};

use clap::ValueEnum;

use super::print;
use crate::{
    exit::Exit,
    failure::Class,
    highlevel::table::{self, About, Halts, Row},
};

/// Explains a class, or lists all of them.
pub fn explain(class: Option<Class>) -> Exit {
    print(&class.map_or_else(list, in_words));
    Exit::Recovered
}

/// Prints every class and every row of the table.
pub fn table() -> Exit {
    let classes = Class::value_variants().iter().map(|class| in_words(*class) + "\n");
    let rows = table::rows().enumerate().map(|(index, row)| row_in_words(index + 1, row));
    print(
        &classes
            .chain(["ROWS, the first match wins\n\n".to_owned()])
            .chain(rows)
            .collect::<String>(),
    );
    Exit::Recovered
}

fn list() -> String {
    let classes = Class::value_variants();
    let width = classes.iter().map(|class| class.name().len()).max().unwrap_or_default();
    let lines =
        classes.iter().map(|class| format!("{:width$}  {}\n", class.name(), class.about().means));
    lines.chain(["\nghl-reconnect explain CLASS says more.\n".to_owned()]).collect()
}

fn in_words(class: Class) -> String {
    let About { means, reach, halts, retry, todo, told, next_steps, .. } = class.about();
    let mut text = format!("{class}: {}\n\n", wrapped(means, 4));
    for (title, what) in [
        ("How it is told", told.clone()),
        (
            "Whom it concerns",
            format!("{}{}", reach.name(), halts.map(halts_in_words).unwrap_or_default()),
        ),
        ("retry", retry.name().to_owned()),
        ("What to do", todo.clone()),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {title:<17} {}", wrapped(&what, 20));
    }
    if !next_steps.is_empty() {
        let _ = writeln!(text, "\nWhen the run halts for it:\n\n{}", indented(next_steps.trim()));
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The text in lines of a terminal's width, all but the first indented so far.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines.last().is_some_and(|line| line.len() + word.len() + indent > WIDTH);
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.extend([if line.is_empty() { "" } else { " " }, word]);
        }
    }
    lines.join(&format!("\n{:indent$}", ""))
}

/// Characters in a line.
const WIDTH: usize = 98;

fn halts_in_words(halts: Halts) -> String {
    let at = halts.at.map(|stage| format!(" at the {stage}")).unwrap_or_default();
    let how = "in a row that had not failed before";
    let later = match halts.later {
        Some(later) => format!("; later {later} {how}"),
        None => "; later none does".to_owned(),
    };
    let first = match halts.first {
        1 => "the first".to_owned(),
        first => format!("{first} {how}"),
    };
    format!("; as long as nothing was recovered, {first}{at} halts the run{later}")
}

fn row_in_words(number: usize, row: &Row) -> String {
    let listed = |items: Vec<String>| items.join(", ");
    let mut text = format!("{number:>3}  {}\n", row.class);
    for (title, what) in [
        ("stage", listed(row.stage.0.iter().map(ToString::to_string).collect())),
        ("status", listed(row.status.0.iter().map(ToString::to_string).collect())),
        ("body", row.body.map(|body| format!("{body:?}").to_lowercase()).unwrap_or_default()),
        ("message", row.message.0.join(" | ")),
        ("names", row.names.0.join(" | ")),
        ("for all", row.concerns_all.map(for_all_in_words).unwrap_or_default()),
        ("example", examples(row)),
        ("source", row.source.clone()),
    ] {
        if !what.is_empty() {
            let _ = writeln!(text, "       {title:<8} {what}");
        }
    }
    text + "\n"
}

fn for_all_in_words(count: NonZeroU32) -> String {
    format!(
        "{count} installations in a row that are answered so, without a recovery between, halt the run"
    )
}

fn examples(row: &Row) -> String {
    let shown = row.example.0.iter().map(|body| if body.is_empty() { "(nothing)" } else { body });
    shown.collect::<Vec<_>>().join(&format!("\n{:16}", ""))
}
