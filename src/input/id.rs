//! Whether a cell is an id, and if not, what it looks like.

use crate::{
    highlevel::{
        client_id::ClientId,
        token_shape::{Suspicion, holds_token, looks_opaque},
    },
    installation::{Id, Scope},
    secret::is_uuid,
};

use super::names::{is_id_name, normalise};
use super::show::{is_invisible, look};

/// Why a record is rejected. The text holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// No column of the record gives an id.
    #[error("no id: fill in a location id or a company id")]
    NoId,
    /// A sub-account, by its own word or by `--scope`, without a location id.
    #[error("no location id, though {named_by} makes it a sub-account")]
    NoLocationId {
        /// The column, or the option, that says so.
        named_by: String,
    },
    /// An agency, by its own word or by `--scope`, without a company id.
    #[error("no company id, though {named_by} makes it an agency")]
    NoCompanyId {
        /// The column, or the option, that says so.
        named_by: String,
    },
    /// More cells than the header has names: the cells may stand in the wrong columns.
    #[error(
        "{cells} cells, but the header has {columns}: a separator inside a cell needs quotes, so the columns may be shifted"
    )]
    TooManyCells {
        /// Cells in this record.
        cells: usize,
        /// Names in the header.
        columns: usize,
    },
    /// A line of JSON lines that cannot be read.
    #[error("not valid JSON at character {position}")]
    NotJson {
        /// Where in the line, in characters from 1.
        position: usize,
    },
    /// A JSON element that is neither an object nor a text.
    #[error("neither an object nor a text, but {what}")]
    NotAnObject {
        /// What it is: "a number", "a list" …
        what: &'static str,
    },
    /// A JWT, a private integration token or another credential.
    #[error("a token, not an id; take it out of the list")]
    Token,
    /// A Marketplace app's client id.
    #[error("the app's client id, not an installation's id")]
    ClientId,
    /// The number that HighLevel's support gives an agency.
    #[error("a relationship number, not an id; the company id is in the agency's settings")]
    RelationshipNumber,
    /// An e-mail address.
    #[error("an e-mail address, not an id")]
    Email,
    /// A URL; often the id is in it.
    #[error("a URL, not an id{}", named(names.as_ref()))]
    Url {
        /// The id that the URL names.
        names: Option<(Scope, Id)>,
    },
    /// A UUID, as a client secret is.
    #[error("a UUID, not an id; if it is the client secret, take it out of the list")]
    Uuid,
    /// 32, 40 or 64 hexadecimal digits: a hash, a key or an authorization code.
    #[error("a hash, a key or an authorization code, not an id")]
    Hash,
    /// A Mongo `ObjectId`.
    #[error("a database's own object id, not HighLevel's id")]
    ObjectId,
    /// Excel has rewritten the cell.
    #[error("Excel has turned it into a number; export the list again with the column as text")]
    Scientific,
    /// A day.
    #[error("a date, not an id")]
    Date,
    /// A telephone number.
    #[error("a phone number, not an id")]
    Phone,
    /// Digits only.
    #[error("a plain number, not an id")]
    Number,
    /// Nobody has put the id in.
    #[error("a placeholder, not an id; put the real id in its place")]
    Placeholder,
    /// The name of a column: a header in the middle of the list.
    #[error("a column name, not an id: the header is repeated here")]
    HeaderAgain,
    /// Characters that cannot be seen, inside the id.
    #[error("an invisible character stands inside it; copy the id again")]
    Invisible,
    /// Anything else.
    #[error("not an id: 6 to 64 letters, digits, - or _")]
    NotAnId,
}

fn named(names: Option<&(Scope, Id)>) -> String {
    names.map_or_else(String::new, |(scope, id)| format!("; the URL names the {scope} id {id}"))
}

/// The text of an id cell without what spreadsheets and people put around it: blanks, invisible
/// characters, quotes, Excel's `="…"`, a trailing comma. Words for "nothing" come out empty.
pub(super) fn clean(cell: &str) -> &str {
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = cell.as_bytes();
    if cell.len() == 20 && plain(bytes.first()) && plain(bytes.last()) {
        return cell;
    }
    let mut text = cell;
    loop {
        let inner = unwrap(text.trim_matches(is_padding));
        if inner.len() == text.len() {
            break;
        }
        text = inner;
    }
    if is_nothing(text) { "" } else { text }
}

fn is_padding(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

fn unwrap(text: &str) -> &str {
    let text = text.strip_prefix('=').filter(|rest| rest.starts_with('"')).unwrap_or(text);
    let text = text.trim_start_matches(['"', '\'', '`', '“', '”', '‘', '’']);
    text.trim_end_matches(['"', '\'', '`', '“', '”', '‘', '’', ',', ';'])
}

fn is_nothing(text: &str) -> bool {
    const NOTHING: &str =
        "null (null) [null] <null> undefined n/a #n/a na nan nil none - -- – — \\n (blank) (empty)";
    text.len() <= 9 && NOTHING.split(' ').any(|word| word.eq_ignore_ascii_case(text))
}

/// A way to recognise what is not an id.
type LookAlike = fn(&str) -> Option<Reason>;

/// What is told apart from an id, in this order: several of these have an id's shape too.
const LOOK_ALIKES: &[LookAlike] = &[
    token,
    url,
    email,
    client_id,
    uuid,
    hash,
    opaque,
    date,
    relationship_number,
    scientific,
    number,
    placeholder,
    header_again,
    invisible,
];

/// Takes a cleaned text for an id, or says what it looks like.
pub(super) fn judge(text: &str) -> Result<Id, Reason> {
    if !is_plainly_an_id(text)
        && let Some(reason) = LOOK_ALIKES.iter().find_map(|look_alike| look_alike(text))
    {
        return Err(reason);
    }
    Id::new(text).ok_or(Reason::NotAnId)
}

/// The id of a sub-account or an agency: the text itself, or what a URL of HighLevel's pages names.
pub(super) fn judge_as(scope: Scope, text: &str) -> Result<Id, Reason> {
    match judge(text) {
        Err(Reason::Url { names: Some((named, id)) }) if named == scope => Ok(id),
        judged => judged,
    }
}

/// Whether a text is an id, or a URL that names one, beyond doubt.
pub(super) fn names_an_id(text: &str) -> bool {
    is_plainly_an_id(text) || matches!(url(text), Some(Reason::Url { names: Some(_) }))
}

/// A text that is no id.
#[derive(Debug)]
pub struct NotAnId {
    /// What it looks like, without anything secret.
    pub look: String,
    /// What it seems to be instead, where that can be told.
    pub reason: Option<Reason>,
}

/// Takes a text that somebody typed for an id, as a cell of a list is.
pub fn typed_id(text: &str) -> Result<Id, NotAnId> {
    judge_as(Scope::Location, clean(text)).map_err(|reason| {
        let is_specific = !matches!(reason, Reason::NotAnId | Reason::Url { names: None });
        NotAnId { look: look(text), reason: is_specific.then_some(reason) }
    })
}

/// Letters alone are an id when they are mixed as no name is.
fn is_mixed(text: &str) -> bool {
    let count = |is: fn(&u8) -> bool| text.bytes().filter(is).count();
    count(u8::is_ascii_uppercase) >= 5 && count(u8::is_ascii_lowercase) >= 5
}

/// The common case, told at once: 20 letters and digits, some of each, not beginning like a token.
pub(super) fn is_plainly_an_id(text: &str) -> bool {
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    text.len() == 20
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && ((3..20).contains(&letters) || is_mixed(text))
        && !["eyJhbGci", "eyJ0eXAi", "eyJraWQi"].iter().any(|start| text.starts_with(start))
}

fn when(is: impl FnOnce() -> bool, reason: Reason) -> Option<Reason> {
    is().then_some(reason)
}

fn token(text: &str) -> Option<Reason> {
    let lower = text.get(..7).unwrap_or_default().to_ascii_lowercase();
    let starts = text.starts_with("eyJ") || lower.starts_with("pit-") || lower == "bearer ";
    let is_url = text.contains("://");
    when(|| starts || (!is_url && holds_token(text)), Reason::Token)
}

fn opaque(text: &str) -> Option<Reason> {
    when(|| looks_opaque(text, Suspicion::Strict), Reason::Token)
}

fn email(text: &str) -> Option<Reason> {
    let (_, host) = text.split_once('@')?;
    when(|| host.contains('.'), Reason::Email)
}

fn url(text: &str) -> Option<Reason> {
    let address = text.split_once("://").map(|(_, rest)| rest).or_else(|| {
        let host = text.split_once('/')?.0;
        (host.contains('.') && !host.contains(char::is_whitespace)).then_some(text)
    })?;
    Some(Reason::Url { names: id_in_url(address) })
}

/// The id that a URL of HighLevel's own pages names: `/location/<id>/…`, `?location_id=<id>`.
fn id_in_url(address: &str) -> Option<(Scope, Id)> {
    let pieces: Vec<_> = address.split(['/', '?', '#', '&']).collect();
    let pairs = pieces.windows(2).map(|pair| (pair[0], pair[1]));
    let parameters = pieces.iter().filter_map(|piece| piece.split_once('='));
    pairs.chain(parameters).find_map(|(name, value)| {
        let scope = match normalise(name).as_str() {
            "location" | "locations" | "locationid" | "subaccountid" => Scope::Location,
            "company" | "companies" | "companyid" | "agency" | "agencyid" => Scope::Company,
            _ => return None,
        };
        Id::new(value).filter(|_| is_plainly_an_id(value)).map(|id| (scope, id))
    })
}

fn client_id(text: &str) -> Option<Reason> {
    when(|| ClientId::new(text).is_some(), Reason::ClientId)
}

fn uuid(text: &str) -> Option<Reason> {
    when(|| is_uuid(text), Reason::Uuid)
}

fn hash(text: &str) -> Option<Reason> {
    let hex = || text.bytes().all(|b| b.is_ascii_hexdigit());
    when(|| matches!(text.len(), 32 | 40 | 64) && hex(), Reason::Hash)
}

/// Whether a text is 24 hexadecimal digits: a Mongo `ObjectId`. Only a column that is not named after
/// the location is suspected of it.
pub(super) fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The groups of digits between hyphens, or `None` if anything else is in the text.
fn groups(text: &str) -> Option<Vec<usize>> {
    let groups = text.split('-');
    groups.map(|g| g.bytes().all(|b| b.is_ascii_digit()).then_some(g.len())).collect()
}

fn date(text: &str) -> Option<Reason> {
    let day = text.get(..10)?;
    when(|| groups(day).is_some_and(|g| g == [4, 2, 2]), Reason::Date)
}

fn relationship_number(text: &str) -> Option<Reason> {
    let groups = groups(text)?;
    when(|| matches!(groups[..], [1..=2, 3, 3]), Reason::RelationshipNumber)
}

fn scientific(text: &str) -> Option<Reason> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let mantissa = digits(&mantissa.trim_start_matches('-').replacen(['.', ','], "", 1));
    when(|| mantissa && digits(exponent.trim_start_matches(['+', '-'])), Reason::Scientific)
}

fn number(text: &str) -> Option<Reason> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let only = |also: &str| text.chars().all(|c| c.is_ascii_digit() || also.contains(c));
    if digits == 0 || !only("+-(). ,/") {
        return None;
    }
    let number = text.trim_start_matches(['-', '+']);
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',');
    let phone = text.starts_with('+') || !plain;
    Some(if phone && digits >= 6 { Reason::Phone } else { Reason::Number })
}

fn placeholder(text: &str) -> Option<Reason> {
    let enclosed = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    let name = normalise(text);
    let spoken = name.starts_with("your") && name.ends_with("id");
    let crossed = text.len() >= 6 && text.bytes().all(|b| matches!(b, b'x' | b'X' | b'-' | b'_'));
    when(
        || spoken || crossed || enclosed("<", ">") || enclosed("{", "}") || enclosed("${", "}"),
        Reason::Placeholder,
    )
}

fn header_again(text: &str) -> Option<Reason> {
    when(|| is_id_name(text), Reason::HeaderAgain)
}

fn invisible(text: &str) -> Option<Reason> {
    when(|| text.contains(is_invisible), Reason::Invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_an_id_is_taken_off() {
        let id = "ve9EPM428h8vShlRW1KT";
        for cell in [
            id.to_owned(),
            format!("  {id}\t"),
            format!("\u{a0}{id}\u{a0}"),
            format!("\u{feff}{id}\u{200b}"),
            format!("\"{id}\""),
            format!("=\"{id}\""),
            format!(" = \"{id}\"").replace(" = ", "="),
            format!("'{id}"),
            format!("“{id}”"),
            format!("{id},"),
            format!(" \" {id} \" "),
        ] {
            assert_eq!(clean(&cell), id, "{cell:?}");
        }
    }

    #[test]
    fn words_for_nothing_count_as_empty() {
        for cell in ["", "  ", "null", "NULL", "undefined", "N/A", "#N/A", "None", "-", "\u{200b}"]
        {
            assert_eq!(clean(cell), "", "{cell:?}");
        }
    }

    #[test]
    fn an_id_is_taken() {
        for text in [
            "ve9EPM428h8vShlRW1KT",
            "abc_d-1",
            "eyJx7PM428h8vShlRW1K",
            "Acme-Dental-2",
            "5f9a1b2c3d4e5f6a7b8c9d0e",
        ] {
            // A real id may begin with eyJ by chance.
            assert!(judge(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_an_id_is_named() {
        let url = |names: Option<(Scope, &str)>| Reason::Url {
            names: names.map(|(scope, id)| (scope, Id::new(id).unwrap())),
        };
        let location = Some((Scope::Location, "ve9EPM428h8vShlRW1KT"));
        for (text, reason) in [
            ("0-002-230", Reason::RelationshipNumber),
            ("5f9a1b2c3d4e5f6a7b8c9d0e-kx3v9a1b", Reason::ClientId),
            ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", Reason::Token),
            ("eyJhbGciOiJSUzI1NiIs", Reason::Token),
            ("kR7pQ2xv9TzL4mWc8YbN3hJd", Reason::Token),
            ("live-refresh-token-of-000001", Reason::Token),
            ("Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln", Reason::Token),
            ("pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", Reason::Token),
            ("jane@example.com", Reason::Email),
            (
                "https://app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT/dashboard",
                url(location),
            ),
            ("app.gohighlevel.com/locations/ve9EPM428h8vShlRW1KT", url(location)),
            ("https://x.example/a?b=1&location_id=ve9EPM428h8vShlRW1KT", url(location)),
            ("https://x.example/?locationId=ve9EPM428h8vShlRW1KT#top", url(location)),
            (
                "https://x.example/?companyId=ve9EPM428h8vShlRW1KT",
                url(Some((Scope::Company, "ve9EPM428h8vShlRW1KT"))),
            ),
            ("https://app.gohighlevel.com/location/settings", url(None)),
            ("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", Reason::Uuid),
            ("0123456789abcdef0123456789abcdef01234567", Reason::Hash),
            ("+1 (555) 010-9999", Reason::Phone),
            ("555-010-9999", Reason::Phone),
            ("123456789012345", Reason::Number),
            ("42", Reason::Number),
            ("1.23E+19", Reason::Scientific),
            ("1,23E+19", Reason::Scientific),
            ("2024-10-08", Reason::Date),
            ("<location_id>", Reason::Placeholder),
            ("YOUR_LOCATION_ID", Reason::Placeholder),
            ("{{location.id}}", Reason::Placeholder),
            ("xxxxxxxxxxxxxxxxxxxx", Reason::Placeholder),
            ("location_id", Reason::HeaderAgain),
            ("ve9EPM428h\u{200b}8vShlRW1KT", Reason::Invisible),
            ("Acme Dental", Reason::NotAnId),
            ("abc", Reason::NotAnId),
        ] {
            assert_eq!(judge(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn the_reason_says_which_id_a_url_names() {
        let reason =
            judge("https://app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT/dashboard");
        assert_eq!(
            reason.unwrap_err().to_string(),
            "a URL, not an id; the URL names the location id ve9EPM428h8vShlRW1KT"
        );
    }
}
