//! A row ready to paste for an answer that no row knows.

use crate::{
    failure::{Class, Failure},
    highlevel::normalised_message,
    route::Route,
};

/// The row for an unrecognised failure; the user fills in the class. It contains words only, no ids
/// and no secrets. `None` if no answer came.
pub fn row_for(failure: &Failure) -> Option<String> {
    let status = failure.http_status.filter(|_| failure.class == Class::Unrecognised)?;
    let phrase = phrase_of(of_the_server(failure.message.as_str()));
    let message =
        if phrase.is_empty() { String::new() } else { format!("message = \"{phrase}\"\n") };
    Some(format!(
        "[[answer]]\nstage = \"{}\"\nstatus = {status}\n{message}\
         class = \"unrecognised\"  # put the right one: ghl-reconnect explain lists them\n",
        failure.stage
    ))
}

/// The message up to what was added about other routes, as in `; refresh: no token`.
fn of_the_server(message: &str) -> &str {
    let added = Route::ALL.iter().filter_map(|route| message.find(&format!("; {route}: ")));
    added.min().map_or(message, |end| &message[..end])
}

/// The words of a message; of one that was cut, without the last, which may be half an id.
fn phrase_of(message: &str) -> String {
    let whole = match message.strip_suffix('…') {
        Some(cut) => cut.rsplit_once(' ').map_or("", |(words, _)| words),
        None => message,
    };
    // A quote or a control character is no word, so that the text needs no escaping in TOML.
    normalised_message::phrase(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        failure::Stage,
        highlevel::{
            error_text::{BodyKind, error_text},
            table::Answers,
        },
        text::SafeText,
    };

    #[test]
    fn what_was_added_about_other_routes_is_not_in_the_row() {
        let text = "the teapot is closed; refresh: the list has no refresh token for it";
        assert_eq!(of_the_server(text), "the teapot is closed");
        assert_eq!(of_the_server("no tea; later"), "no tea; later");
    }

    #[test]
    fn a_row_as_it_is_shown_matches_the_answer_that_it_was_made_from() {
        let long = format!(r#"{{"message":"{}ve9EPM428h8vShlRW1KT x"}}"#, "word ".repeat(79));
        for body in [
            r#"{"message":"I'm a \"teapot\"\\ for ve9EPM428h8vShlRW1KT","statusCode":418}"#,
            r#"{"message":["first complaint","second: 42"],"error":"Bad Request"}"#,
            r#"{"error":{"code":"X","message":"The request [secret] could not be understood."}}"#,
            "plain text,\nof two lines",
            "<html><b>No</b> way</html>",
            "\"\u{1b}[2J größer\u{202e}\"",
            "",
            &long,
        ] {
            let (kind, error_text) = error_text(body.as_bytes());
            let message = SafeText::new(&error_text);
            let failure = Failure {
                http_status: Some(418),
                message,
                ..Failure::without_answer(Stage::Exchange, Class::Unrecognised, "")
            };
            let row = row_for(&failure).unwrap();
            assert!(!row.contains("ve9EPM"), "{row}");
            let row = row.replace("\"unrecognised\"", "\"not_installed\"");
            let answers = Answers::parse(&row).unwrap_or_else(|error| panic!("{error}: {row}"));
            let class = answers.class_of(Stage::Exchange, 418, kind, &error_text);
            assert_eq!(class, Class::NotInstalled, "{body}: {row}");
            let other = answers.class_of(Stage::Reconnect, 418, BodyKind::Json, &error_text);
            assert_eq!(other, Class::Unrecognised, "{body}: {row}");
        }
    }

    #[test]
    fn there_is_a_row_for_what_is_unrecognised_alone() {
        let nothing = Failure::without_answer(Stage::Store, Class::Unrecognised, "a bug");
        assert_eq!(row_for(&nothing), None);
        let known = Failure::without_answer(Stage::Exchange, Class::GrantRefused, "no");
        assert_eq!(row_for(&Failure { http_status: Some(400), ..known }), None);
    }
}
