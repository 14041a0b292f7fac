//! What is said of an agency's list, and of a fault.

use std::fmt::Write as _;

use super::cursor::AgencyCursor;
use crate::{
    failure::{Class, Failure},
    highlevel::client::Listing,
    installation::Id,
};

/// How an agency's token is had.
pub const NEW_TOKEN: &str = "A new agency token: put the company id into a list, recover it with run, and give the tokens.jsonl of that run as --agency-tokens";

/// Whether as many locations came as the API counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// As many, or there is no count.
    Right,
    /// Fewer.
    Short,
}

/// What is said of an agency's list, and whether it falls short of the count.
pub fn in_words(company: &Id, place: &AgencyCursor, listing: Listing) -> (String, Tally) {
    let AgencyCursor { given, odd, count, .. } = *place;
    // Writing to a String cannot fail.
    let mut words = format!("Agency {company}: {given} locations");
    if odd > 0 {
        let _ = write!(words, ", and {odd} entries without a usable id, which are left out");
    }
    let mut tally = Tally::Right;
    if let Some(count) = count.filter(|count| *count != given + odd) {
        let _ = write!(
            words,
            ". HighLevel counts {count}: locations may have come or gone while they were listed; list them again to be sure"
        );
        // Which locations the count counts where only some are asked for is not documented.
        if count > given + odd && listing == Listing::All {
            tally = Tally::Short;
        }
    }
    (words, tally)
}

/// A failure and what to do about it.
pub fn in_full(failure: &Failure) -> String {
    let mut words = failure.class.to_string();
    if let Some(status) = failure.http_status {
        let _ = write!(words, ", HTTP {status}");
    }
    if !failure.message.is_empty() {
        let _ = write!(words, ": {}", failure.message);
    }
    if let Some(id) = &failure.trace_id {
        let _ = write!(words, " (trace id {id})");
    }
    let hint = hint(failure);
    if hint.is_empty() { words } else { format!("{words}. {hint}") }
}

fn hint(failure: &Failure) -> &'static str {
    let said = failure.message.as_str().to_lowercase();
    let says = |words: &str| said.contains(words);
    if says("authorized for this scope") {
        return "The token lacks the scope oauth.readonly: add it to the app, and have the agency install it again";
    }
    if says("version header") || says("not available in api version") {
        return "Give the other --api-version (v2 or v3)";
    }
    if says("do not have access to this feature") {
        return "The agency's plan has no API access";
    }
    if says("app") && says("not found") {
        return "HighLevel does not know the app: compare --client-id with the app's settings";
    }
    if says("does not have access to this location") {
        return "The token is of another agency: compare the company id with the token's";
    }
    match failure.class {
        Class::WrongKind => {
            "This is the token of a sub-account: give that of the agency (userType Company)"
        }
        Class::GrantRefused => NEW_TOKEN,
        Class::EndpointRemoved => {
            "The list of locations is not where it is looked for: check --base-url and --api-version"
        }
        class => class.about().todo.trim_end_matches('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_differs_is_told() {
        let company = Id::new("Com00000000000000001").unwrap();
        let place =
            |given, odd, count| AgencyCursor { given, odd, count, ..AgencyCursor::default() };
        for (place, listing, tally, says) in [
            (place(3, 0, Some(3)), Listing::All, Tally::Right, "3 locations"),
            (place(3, 0, None), Listing::All, Tally::Right, "3 locations"),
            (place(2, 1, Some(3)), Listing::All, Tally::Right, "1 entries without a usable id"),
            (place(2, 0, Some(3)), Listing::All, Tally::Short, "HighLevel counts 3"),
            (place(2, 0, Some(3)), Listing::Installed, Tally::Right, "HighLevel counts 3"),
            (place(4, 0, Some(3)), Listing::All, Tally::Right, "HighLevel counts 3"),
        ] {
            let (words, told) = in_words(&company, &place, listing);
            assert!(words.contains(says), "{words}");
            assert_eq!(told, tally, "{words}");
            assert_eq!(
                words.contains("counts"),
                place.count.is_some_and(|c| c != place.given + place.odd)
            );
        }
    }
}
