//! A pair as a document of the SDKs: what is set, in the types that are there.

use ::mongodb::bson::{Bson, DateTime, Document, serialize_to_bson};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    decide::Stored,
    shape::{Names, Shape},
    times,
};
use crate::{installation::Scope, secret::Secret, store::pair::Pair};

/// A field of the old document in a format that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnknownFormat(pub(super) &'static str);

/// Fields that are no part of an SDK's document, or its key.
const OURS: [&str; 2] = ["applicationId", "resourceId"];

/// Fields of `tokens.jsonl` that every SDK writes, and their names in a shape.
fn session_fields(names: &'static Names) -> [(&'static str, &'static str); 9] {
    [
        ("access_token", "access_token"),
        ("refresh_token", "refresh_token"),
        ("token_type", "token_type"),
        ("expires_in", "expires_in"),
        ("scope", "scope"),
        ("userType", names.user_type),
        ("companyId", names.company),
        ("locationId", names.location),
        ("userId", names.user),
    ]
}

/// What is set in a document that is there. A field that it does not have is added only if every SDK
/// writes it.
pub(super) fn update(
    pair: &Pair,
    shape: Shape,
    old: &Document,
    now: Timestamp,
) -> Result<Document, UnknownFormat> {
    let names = shape.names();
    let mut set = Document::new();
    for (ours, theirs) in session_fields(names) {
        let Some(value) = pair.document.get(ours).filter(|value| !value.is_null()) else {
            continue;
        };
        let before = old.get(theirs).filter(|before| **before != Bson::Null);
        if theirs == names.user_type && before.is_some_and(|before| is_of(before, pair)) {
            continue;
        }
        let value = like(before, value).ok_or(UnknownFormat(theirs))?;
        set.insert(theirs, value);
    }
    // What the API has answered beyond that, where the SDK has kept it before.
    let besides = |name: &str| {
        session_fields(names).iter().all(|(ours, _)| *ours != name)
            && !OURS.contains(&name)
            && name != "expire_at"
    };
    for (name, value) in pair.document.iter().filter(|(name, _)| besides(name)) {
        if let Some(before) = old.get(name)
            && let Some(value) = like(Some(before).filter(|b| **b != Bson::Null), value)
        {
            set.insert(name, value);
        }
    }
    if let Some(at) = pair.expires_at {
        let expiry = times::like(old.get("expire_at"), at, expiry_of(shape, at));
        set.insert("expire_at", expiry.ok_or(UnknownFormat("expire_at"))?);
    }
    let date = DateTime::from_millis(now.as_millisecond()).into();
    let updated = times::like(old.get(names.updated), now, date);
    set.insert(names.updated, updated.ok_or(UnknownFormat(names.updated))?);
    Ok(set)
}

/// The whole document as the SDK would have written it.
pub(super) fn insertion(pair: &Pair, shape: Shape, now: Timestamp) -> Document {
    let names = shape.names();
    let fields = session_fields(names);
    let mut document = Document::new();
    for (ours, value) in &pair.document {
        let theirs = fields.iter().find(|(name, _)| name == ours).map(|(_, theirs)| *theirs);
        // The SDK for PHP keeps those fields alone, the others keep the whole answer.
        let name = theirs.or_else(|| (shape != Shape::Php).then_some(ours.as_str()));
        if let Some(name) = name
            && !OURS.contains(&name)
            && let Some(value) = like(None, value)
        {
            document.insert(name, value);
        }
    }
    if let Some(at) = pair.expires_at {
        document.insert("expire_at", expiry_of(shape, at));
    }
    let now = DateTime::from_millis(now.as_millisecond());
    document.insert(names.created, now);
    document.insert(names.updated, now);
    document
}

/// The row as the decision sees it.
pub(super) fn stored(document: &Document, shape: Shape) -> Stored {
    let names = shape.names();
    let text = |name: &str| document.get_str(name).ok().filter(|text| !text.is_empty());
    let secret = |name: &str| text(name).map(|text| Secret::new(text.to_owned()));
    let implied = || match (text(names.location), text(names.company)) {
        (Some(_), _) => Some(Scope::Location),
        (None, Some(_)) => Some(Scope::Company),
        (None, None) => None,
    };
    Stored {
        access: secret("access_token"),
        refresh: secret("refresh_token"),
        expires_at: document.get("expire_at").and_then(times::read_expiry),
        updated_at: document.get(names.updated).and_then(times::read),
        scope: text(names.user_type).and_then(Scope::from_user_type).or_else(implied),
    }
}

/// Milliseconds since 1970 in the type that the SDK's language gives them.
fn expiry_of(shape: Shape, at: Timestamp) -> Bson {
    match shape {
        Shape::Node => times::double(at.as_millisecond()),
        Shape::Python | Shape::Php => Bson::Int64(at.as_millisecond()),
    }
}

/// Whether the kind of a document is that of the pair, in whatever spelling.
fn is_of(user_type: &Bson, pair: &Pair) -> bool {
    let scope = user_type.as_str().and_then(Scope::from_user_type);
    scope == Some(pair.installation.scope)
}

/// A value of the answer in the type of the one that it replaces.
fn like(before: Option<&Bson>, value: &Value) -> Option<Bson> {
    let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    match (before, number) {
        (Some(before), Some(number)) if times::number_like(before, number).is_some() => {
            match (before, value) {
                // A text stays as it was sent.
                (Bson::String(_), Value::String(text)) => Some(Bson::String(text.clone())),
                _ => times::number_like(before, number),
            }
        }
        (None, Some(number)) if value.is_number() => {
            Some(i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32))
        }
        (Some(before), _) => {
            let value = serialize_to_bson(value).ok()?;
            (value.element_type() == before.element_type()).then_some(value)
        }
        (None, _) => serialize_to_bson(value).ok(),
    }
}
