//! What to do with a pair, by the rows that the store has for its installation.

use jiff::{SignedDuration, Timestamp};

use crate::{clock, highlevel::jwt, installation::Scope};

/// A row of the store, as far as it matters for the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRow {
    /// What stands for the access token.
    pub access: Option<String>,
    /// What stands for the refresh token.
    pub refresh: Option<String>,
    /// When the stored access token dies, by the row.
    pub expires_at: Option<Timestamp>,
    /// When the row was changed, by itself.
    pub updated_at: Option<Timestamp>,
    /// Whose row it is, where it says so.
    pub kind: Option<Scope>,
    /// Whether the row was found by a company id and names a location as well.
    pub is_of_a_location: bool,
    /// Whether what stands there is what an earlier `store` has written for this pair.
    pub is_written_by_us: bool,
    /// Whether what stands there are the tokens that the list has, if it has any.
    pub is_of_the_list: Option<bool>,
}

/// The pair, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct NewPair<'a> {
    /// The access token as it would stand in the store; `None` where a program changes it.
    pub access: Option<&'a str>,
    /// The refresh token as it would stand there.
    pub refresh: Option<&'a str>,
    /// When the access token dies.
    pub expires_at: Option<Timestamp>,
    /// The expiry in the token itself.
    pub own_expiry: Option<Timestamp>,
    /// When it was granted.
    pub granted_at: Option<Timestamp>,
    /// Whose pair it is.
    pub scope: Scope,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Write it in the place of what is there.
    Replace,
    /// Nothing: it is there.
    Already,
    /// Nothing: a newer one is there. Why it is newer.
    Newer(String),
    /// There is no row.
    Missing,
    /// There are so many rows.
    Ambiguous(usize),
    /// The row is not for this pair. Why.
    NotOurs(&'static str),
}

/// How the beginning of a Private Integration Token looks.
const PRIVATE: &str = "pit-";

/// Decides about one pair.
pub fn decide(pair: &NewPair<'_>, rows: &[StoredRow]) -> Decision {
    let row = match rows {
        [] => return Decision::Missing,
        [row] => row,
        rows => return Decision::Ambiguous(rows.len()),
    };
    let is_private = |text: &Option<String>| {
        text.as_deref().is_some_and(|text| text.trim_start().starts_with(PRIVATE))
    };
    if is_private(&row.access) || is_private(&row.refresh) {
        return Decision::NotOurs("the row holds a Private Integration Token");
    }
    if pair.scope == Scope::Company && row.is_of_a_location {
        return Decision::NotOurs("the row is a sub-account's, and the pair is its agency's");
    }
    if row.kind.is_some_and(|kind| kind != pair.scope) {
        return Decision::NotOurs("the row's user type is not that of the pair");
    }
    let is_equal = pair.access.is_some()
        && row.access.as_deref() == pair.access
        && row.refresh.as_deref().unwrap_or_default() == pair.refresh.unwrap_or_default();
    if is_equal || row.is_written_by_us {
        return Decision::Already;
    }
    let has_tokens = [&row.access, &row.refresh].into_iter().flatten().any(|text| !text.is_empty());
    if !has_tokens || row.is_of_the_list == Some(true) {
        return Decision::Replace;
    }
    newer(pair, row).map_or(Decision::Replace, Decision::Newer)
}

/// Why what stands there is newer than the pair: by the tokens' own expiry, else by the row's, else by
/// the time of its last change.
fn newer(pair: &NewPair<'_>, row: &StoredRow) -> Option<String> {
    let second = SignedDuration::from_secs(1);
    let stored = row.access.as_deref().and_then(jwt::look_into).and_then(|c| c.expires_at);
    let bounds = [(stored, pair.own_expiry.or(pair.expires_at)), (row.expires_at, pair.expires_at)];
    for (stored, ours) in bounds {
        let Some((stored, ours)) = stored.zip(ours) else { continue };
        let ahead = stored.duration_since(ours);
        if ahead > second {
            return Some(format!("what is there dies later, at {}", clock::stamp(stored)));
        }
        if ahead < -second {
            return None;
        }
    }
    let (changed, granted) = row.updated_at.zip(pair.granted_at)?;
    (changed > granted)
        .then(|| format!("the row was changed at {}, after the grant", clock::stamp(changed)))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    fn jwt(exp: i64) -> String {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{exp}}}"#));
        format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2ln")
    }

    fn row() -> StoredRow {
        StoredRow {
            access: Some("old-a".into()),
            refresh: Some("old-r".into()),
            ..StoredRow::default()
        }
    }

    const PAIR: NewPair<'static> = NewPair {
        access: Some("new-a"),
        refresh: Some("new-r"),
        expires_at: None,
        own_expiry: None,
        granted_at: None,
        scope: Scope::Location,
    };

    #[test]
    fn one_row_that_is_older_is_replaced_and_nothing_else() {
        let pair =
            NewPair { expires_at: at(2000), own_expiry: at(2000), granted_at: at(1000), ..PAIR };
        let opaque = NewPair { own_expiry: None, ..pair };
        let blind = NewPair { expires_at: None, ..opaque };
        let private = StoredRow { access: Some("pit-1".into()), ..row() };
        let equal =
            StoredRow { access: Some("new-a".into()), refresh: Some("new-r".into()), ..row() };
        let half = StoredRow { access: Some("new-a".into()), ..row() };
        let empty = StoredRow { updated_at: at(1500), ..StoredRow::default() };
        let by_token = |exp| StoredRow { access: Some(jwt(exp)), expires_at: at(9999), ..row() };
        let by_row = |expiry| StoredRow { expires_at: at(expiry), ..row() };
        let changed = |second| StoredRow { updated_at: at(second), ..row() };
        let known = |is| StoredRow { is_of_the_list: Some(is), ..changed(1500) };
        let ours = StoredRow { is_written_by_us: true, ..changed(1500) };
        let agency = NewPair { scope: Scope::Company, ..pair };
        let of_location = StoredRow { is_of_a_location: true, ..row() };
        let of_kind = |kind| StoredRow { kind: Some(kind), ..row() };
        for (name, pair, rows, expected) in [
            ("none", pair, vec![], "Missing"),
            ("two", pair, vec![row(), row()], "Ambiguous(2)"),
            ("private", pair, vec![private], "NotOurs"),
            ("equal", pair, vec![equal], "Already"),
            ("half", opaque, vec![half], "Replace"),
            ("empty", blind, vec![empty], "Replace"),
            ("older token in a row that dies late", pair, vec![by_token(1990)], "Replace"),
            ("newer token", pair, vec![by_token(2010)], "Newer"),
            ("newer token, ours opaque", opaque, vec![by_token(2010)], "Newer"),
            ("older row", pair, vec![by_row(1500)], "Replace"),
            ("newer row", pair, vec![by_row(2500)], "Newer"),
            ("changed before the grant", blind, vec![changed(900)], "Replace"),
            ("changed after the grant", blind, vec![changed(1500)], "Newer"),
            ("changed after, the list's tokens", blind, vec![known(true)], "Replace"),
            ("changed after, other tokens", blind, vec![known(false)], "Newer"),
            (
                "same expiry, changed after",
                pair,
                vec![StoredRow { expires_at: at(2000), ..changed(1500) }],
                "Newer",
            ),
            ("written before", blind, vec![ours], "Already"),
            ("agency by company id", agency, vec![of_location], "NotOurs"),
            ("agency's own row", agency, vec![of_kind(Scope::Company)], "Replace"),
            ("row of an agency", pair, vec![of_kind(Scope::Company)], "NotOurs"),
            ("nothing known", blind, vec![row()], "Replace"),
        ] {
            let decision = format!("{:?}", decide(&pair, &rows));
            assert!(decision.starts_with(expected), "{name}: {decision}");
        }
    }
}
