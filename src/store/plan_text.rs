//! A plan in words, in lines of 80 columns.

use std::fmt;

use super::{
    encode::{Form, ListForm},
    mapping::{KeySource, KeyTerm, Source},
    plan::{StorePlan, WrittenColumn},
};

/// Ids and words that are shown of a list.
const SHOWN: usize = 3;

/// The plan, a line a thing.
pub struct InWords<'a>(pub &'a StorePlan);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.0;
        writeln!(f, "Table          {}", plan.table)?;
        writeln!(f, "Row            {}", key(&plan.mapping.key))?;
        if let Some(of_agency) = &plan.mapping.company_key {
            writeln!(f, "Agency's row   {}", key(of_agency))?;
        }
        writeln!(f, "Found          {}", plan.seen)?;
        for (count, ids, what) in [
            (plan.seen.missing_count, &plan.seen.missing, missing(plan)),
            (plan.seen.several_count, &plan.seen.several, "with several rows: left alone"),
        ] {
            if count > 0 {
                let ids = ids.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                writeln!(f, "               {count} {what}, such as\n               {ids}")?;
            }
        }
        for (index, written) in plan.written.iter().enumerate() {
            let label = if index == 0 { "Writes" } else { "" };
            writeln!(f, "{label:<15}{}", InWordsColumn(written))?;
        }
        for note in &plan.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn missing(plan: &StorePlan) -> &'static str {
    match plan.insert {
        Some(_) => "without a row: inserted",
        None => "without a row: not written (--insert makes rows)",
    }
}

fn key(terms: &[KeyTerm]) -> String {
    let term = |term: &KeyTerm| match &term.source {
        KeySource::Field(field) => format!("{} = {}", term.column, field.name()),
        KeySource::Value(value) => format!("{} = '{value}'", term.column),
        KeySource::Empty => format!("{} is empty", term.column),
    };
    terms.iter().map(term).collect::<Vec<_>>().join(" and ")
}

struct InWordsColumn<'a>(&'a WrittenColumn);

impl fmt::Display for InWordsColumn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WrittenColumn { column, source, form, through, instead_of, with } = self.0;
        write!(f, "{:<26} ", column.name)?;
        match source {
            Source::Null => f.write_str("NULL")?,
            Source::Value(value) => write!(f, "{value}")?,
            Source::Field(field, _) => write!(f, "{}{}", field.name(), form_in_words(*form))?,
        }
        if !through.is_empty() {
            write!(f, ", through {}", through.join(" "))?;
        }
        if !instead_of.is_empty() {
            let shown = instead_of.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            write!(f, ", where it is {shown}")?;
        }
        if let Some(with) = with {
            write!(f, ", where {with} changes")?;
        }
        Ok(())
    }
}

fn form_in_words(form: Form) -> String {
    match form {
        Form::Time(form) => format!(", {form}"),
        Form::List(ListForm::Commas) => ", separated by commas".to_owned(),
        Form::List(ListForm::Json) => ", as a list".to_owned(),
        Form::Document => ", in the shape that it has".to_owned(),
        Form::Number | Form::NumberText => ", in seconds".to_owned(),
        Form::Plain | Form::JsonText | Form::List(ListForm::Blanks) => String::new(),
    }
}
