//! `explain` and `classes`: the classes of failures and the topics of the program, in words.

pub mod topics;

use std::{fmt::Write as _, num::NonZeroU32};

use anyhow::bail;
use clap::ValueEnum;

use self::topics::TOPICS;
use crate::{
    exit::{Exit, Fault, OrExit},
    failure::Class,
    highlevel::table::{self, About, AnswerRow, Halts},
    terminal::console::print_data,
};

/// Explains a class or a topic, or lists all of them.
pub fn explain(name: Option<&str>) -> Result<Exit, Fault> {
    print_data(&match name {
        None => list(),
        Some(name) => explained(name).or_exit(Exit::Usage)?,
    });
    Ok(Exit::Recovered)
}

/// The names of all classes and topics.
fn names() -> Vec<&'static str> {
    let classes = Class::value_variants().iter().map(|class| class.name());
    classes.chain(TOPICS.iter().map(|topic| topic.name)).collect()
}

fn explained(name: &str) -> anyhow::Result<String> {
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        return Ok(topic.text().to_owned());
    }
    match Class::from_str(name, false) {
        Ok(class) => Ok(in_words(class)),
        Err(_) => {
            bail!("no class or topic is named {name:?}; there are {}", names().join(", "))
        }
    }
}

/// Prints every class and every row of the table.
pub fn table() -> Exit {
    let classes = Class::value_variants().iter().map(|class| in_words(*class) + "\n");
    let rows = table::rows().enumerate().map(|(index, row)| row_in_words(index + 1, row));
    print_data(
        &classes
            .chain(["ROWS, the first match wins\n\n".to_owned()])
            .chain(rows)
            .collect::<String>(),
    );
    Exit::Recovered
}

/// Every class and every topic, a line each.
fn list() -> String {
    let classes = Class::value_variants().iter();
    let classes = classes.map(|class| (class.name(), class.about().means.as_str()));
    let topics = TOPICS.iter().map(|topic| (topic.name, topic.title()));
    format!(
        "Classes of failures, as in the column error_class:\n\n{}\nTopics:\n\n{}\n\
         ghl-reconnect explain NAME says more.\n",
        table_of(classes),
        table_of(topics)
    )
}

fn table_of<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut table = String::new();
    for (name, text) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "  {name:<NAME_WIDTH$}{}", wrapped(text, NAME_WIDTH + 2));
    }
    table
}

/// Columns that the names of classes and topics take.
const NAME_WIDTH: usize = 18;

fn in_words(class: Class) -> String {
    let About { means, reach, halts, retry, todo, recognised_by, next_steps, .. } = class.about();
    let mut text = format!("{}\n\n", wrapped(&format!("{class}: {means}"), 4));
    for (title, what) in [
        ("How recognised", recognised_by.clone()),
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
const WIDTH: usize = 79;

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

fn row_in_words(number: usize, row: &AnswerRow) -> String {
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

fn examples(row: &AnswerRow) -> String {
    let shown = row.example.0.iter().map(|body| if body.is_empty() { "(nothing)" } else { body });
    shown.collect::<Vec<_>>().join(&format!("\n{:16}", ""))
}
