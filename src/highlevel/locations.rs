//! A page of an agency's locations, in the shape of either version.

use serde_json::{Map, Value};

use super::{answer, client::PageCursor, reply::Reply};
use crate::failure::{Failure, Stage};
use crate::{installation::Id, text::SafeText};

/// A location as the agency's list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `_id`.
    pub id: Id,
    /// Its display name.
    pub name: SafeText,
    /// Whether the app is installed there, if the answer says so.
    pub is_installed: Option<bool>,
    /// When it was installed, as the API writes it.
    pub installed_at: SafeText,
    /// The version of the app.
    pub version_id: SafeText,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its locations.
    pub locations: Vec<Location>,
    /// Entries without a usable id.
    pub odd: u64,
    /// The number of locations on all pages, as the API reports.
    pub count: Option<u64>,
    /// What follows this page.
    pub next: NextPage,
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextPage {
    /// Version 2: perhaps a page after this many more locations.
    Behind(u64),
    /// Version 3: a page that begins there.
    At(PageCursor),
    /// Nothing.
    End,
}

/// Reads an answer. Its failures have stage `agency`: the agency's token made the request.
pub fn page_of(reply: &Reply) -> Result<Page, Failure> {
    let answer = answer::object_of(Stage::Agency, reply)?;
    let bad = |why| answer::bad_answer(Stage::Agency, reply, why);
    let listed = answer::field(&answer, "locations", "items").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| bad("the answer has neither locations nor items"))?;
    let locations: Vec<Location> = listed.iter().filter_map(location_of).collect();
    let (rows, usable) = (listed.len() as u64, locations.len() as u64);
    let pagination = answer.get("pagination").and_then(Value::as_object);
    let next = match pagination {
        Some(pagination) => next_of(pagination)
            .ok_or_else(|| bad("the answer says that a page follows, and not where"))?,
        None if rows == 0 => NextPage::End,
        None => NextPage::Behind(rows),
    };
    let total = || pagination?.get("totalRecords");
    let count = answer.get("count").or_else(total).and_then(whole);
    Ok(Page { locations, odd: rows - usable, count, next })
}

/// `None` if a page follows and the answer does not say where.
fn next_of(pagination: &Map<String, Value>) -> Option<NextPage> {
    let token = answer::text(pagination, "next_page_token", "nextPageToken");
    let follows = answer::field(pagination, "has_next_page", "hasNextPage");
    match (follows.and_then(Value::as_bool), token) {
        (Some(false), _) | (None, None) => Some(NextPage::End),
        (_, Some(token)) => Some(NextPage::At(PageCursor::Token(token.to_owned()))),
        (Some(true), None) => None,
    }
}

fn location_of(value: &Value) -> Option<Location> {
    let entry = value.as_object()?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = ["_id", "id", "locationId"].into_iter().map(text).find(|id| !id.is_empty())?;
    Some(Location {
        id: Id::new(id)?,
        name: SafeText::new(text("name")),
        is_installed: entry.get("isInstalled").and_then(Value::as_bool),
        installed_at: SafeText::identifier(text("installedAt")),
        version_id: SafeText::identifier(text("versionId")),
    })
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn a_page_is_read_in_the_shape_of_either_version() {
        let one = r#"{"_id":"ve9EPM428h8vShlRW1KT","name":"A\u001b\nB","isInstalled":true}"#;
        let at = |token: &str| NextPage::At(PageCursor::Token(token.into()));
        for (body, usable, odd, count, next) in [
            (format!(r#"{{"locations":[{one}],"count":7}}"#), 1, 0, Some(7), NextPage::Behind(1)),
            (
                format!(r#"{{"locations":[{one},{{}}],"count":"7"}}"#),
                1,
                1,
                Some(7),
                NextPage::Behind(2),
            ),
            (r#"{"locations":[],"count":7}"#.into(), 0, 0, Some(7), NextPage::End),
            (
                format!(
                    r#"{{"items":[{one}],"pagination":{{"hasNextPage":true,"nextPageToken":"t","totalRecords":9}}}}"#
                ),
                1,
                0,
                Some(9),
                at("t"),
            ),
            (
                format!(
                    r#"{{"items":[{one}],"pagination":{{"hasNextPage":false,"nextPageToken":"t"}}}}"#
                ),
                1,
                0,
                None,
                NextPage::End,
            ),
        ] {
            let page = page_of(&Reply::of(200, &body)).unwrap();
            assert_eq!(page.locations.len(), usable, "{body}");
            assert_eq!((page.odd, page.count, page.next), (odd, count, next), "{body}");
            assert!(page.locations.iter().all(|location| !location.name.as_str().contains('\n')));
        }
        for body in
            ["{}", r#"{"locations":7}"#, r#"{"items":[],"pagination":{"hasNextPage":true}}"#]
        {
            let class = page_of(&Reply::of(200, body)).unwrap_err().class;
            assert_eq!(class, Class::BadAnswer, "{body}");
        }
    }
}
