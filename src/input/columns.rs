//! What each column of a list is for, told by its name.

use std::collections::HashMap;
use std::fmt;

use super::formula;

use super::redact::{escape, is_secret_name, look};
use super::{Encoding, Format};

/// The most columns that a list may have.
pub(super) const MOST_COLUMNS: usize = 1000;

/// Names that can hold ids, for the message that none of them is there.
pub(super) const WANTED: &str =
    "locationId, sub_account_id, ghl_location_id, resourceId, agency_id, id, _id, document_id";

/// What a list turned out to be. For JSON it grows while records bring new keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How the records are written.
    pub format: Format,
    /// How the characters are written.
    pub encoding: Encoding,
    /// The columns carried on into failures.csv, in the list's own spelling and order.
    pub columns: Vec<String>,
    /// Every column name found, in the list's own spelling and order.
    pub found: Vec<String>,
    /// Columns that are not carried on, since they hold tokens or other secrets by their name.
    pub left_out: Vec<String>,
    /// The columns that location ids are read from, the preferred one first.
    pub location_columns: Vec<String>,
    /// The columns that company ids are read from, the preferred one first.
    pub company_columns: Vec<String>,
    /// Columns of general names (`id`, `location`) that ids are read from for want of a better one.
    pub fallback_columns: Vec<String>,
    /// Whether the list is a failures.csv of an earlier run, whose counts are taken up.
    pub continues: Continues,
}

/// Whether a list goes on from an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continues {
    /// An ordinary list.
    Nothing,
    /// The failures.csv of an earlier run.
    EarlierRun,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.format, self.encoding)?;
        let show = |names: &[String]| names.join(" and ");
        if !self.location_columns.is_empty() {
            write!(f, ", location ids in {}", show(&self.location_columns))?;
        }
        if !self.company_columns.is_empty() {
            write!(f, ", company ids in {}", show(&self.company_columns))?;
        }
        if self.location_columns.is_empty() && !self.fallback_columns.is_empty() {
            let names = show(&self.fallback_columns);
            write!(f, ", ids taken from {names} for want of a location_id column")?;
        }
        if self.continues == Continues::EarlierRun {
            f.write_str(", the failures of an earlier run")?;
        }
        Ok(())
    }
}

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A location id.
    Location,
    /// The SDK's `resourceId`: of a location or of a company.
    Resource,
    /// A general name that holds an id only if no better column is there.
    Fallback,
    /// A company id.
    Company,
    /// The kind: `userType` and the like.
    Kind,
    /// `type`: the kind, or a webhook's event.
    Event,
    /// Nothing that this program needs.
    Other,
}

/// What a column may hold of an installation's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// Tokens by name, in an object.
    Tokens,
    /// A token that the name says is encrypted.
    Ciphertext,
    /// A secret that is perhaps a token; it is looked into and not used.
    OtherToken,
}

/// What a column of this name may hold of an installation's tokens.
pub(super) fn holds(original: &str) -> Option<Holds> {
    let name = normalise(original);
    let base = unprefixed(&name).unwrap_or(&name);
    let base = base.strip_prefix("oauth2").or(base.strip_prefix("oauth")).unwrap_or(base);
    match base {
        "accesstoken" | "access" | "at" => Some(Holds::Access),
        "refreshtoken" | "refresh" | "rt" => Some(Holds::Refresh),
        // What is left of "oauth" and "oauth2".
        "" | "tokens" | "token" | "tokenset" | "tokendata" | "tokenresponse" | "credentials"
        | "credential" | "auth" | "authdata" | "session" | "data" | "ghl" | "highlevel"
        | "gohighlevel" | "leadconnector" => (!name.is_empty()).then_some(Holds::Tokens),
        _ if is_encrypted_name(base) => Some(Holds::Ciphertext),
        _ => (is_secret_name(&name) || is_of_a_container(&name)).then_some(Holds::OtherToken),
    }
}

/// Whether a column of this name, or a member of an object, may hold a secret, so that no output has
/// it: every one that tokens are read from, and every one that is named like a secret.
pub(super) fn is_left_out(original: &str) -> bool {
    let is_of_tokens = matches!(
        holds(original),
        Some(Holds::Access | Holds::Refresh | Holds::Ciphertext | Holds::OtherToken)
    );
    is_of_tokens || is_secret_name(&normalise(original))
}

/// `oauth_data_refresh`, `session.rt`, `refresh_ghl`: what is left when the words for the place are
/// taken off is a name for a token.
fn is_of_a_container(name: &str) -> bool {
    const PLACES: [&str; 14] = [
        "gohighlevel",
        "highlevel",
        "leadconnector",
        "ghl",
        "hl",
        "oauth2",
        "oauth",
        "auth",
        "credentials",
        "credential",
        "session",
        "data",
        "old",
        "current",
    ];
    let mut rest = name;
    while let Some(less) = PLACES.iter().find_map(|place| rest.strip_prefix(place)) {
        rest = less;
    }
    while let Some(less) = PLACES.iter().find_map(|place| rest.strip_suffix(place)) {
        rest = less;
    }
    rest.len() < name.len() && matches!(rest, "access" | "refresh" | "rt")
}

/// `access_token_encrypted`, `encryptedRefreshToken`, `refresh_token_enc`.
fn is_encrypted_name(name: &str) -> bool {
    let of_token = name.contains("accesstoken") || name.contains("refreshtoken");
    let marked = name.contains("encrypted") || name.contains("cipher");
    of_token && (marked || name.starts_with("enc") || name.ends_with("enc"))
}

/// Lower-case letters and digits of a name, so that `Location ID`, `location_id` and `locationId`
/// are one.
pub(super) fn normalise(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Takes `ghl` and the like off a normalised name.
fn unprefixed(name: &str) -> Option<&str> {
    const PREFIXES: [&str; 5] = ["gohighlevel", "highlevel", "leadconnector", "ghl", "hl"];
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    (!bare.is_empty()).then_some(bare)
}

/// The role of a column and its rank among those of the same role, the lowest first.
fn role(original: &str) -> (Role, u8) {
    let name = normalise(original);
    let (base, own) = unprefixed(&name).map_or((name.as_str(), 1), |bare| (bare, 0));
    let base = base.strip_suffix("ghl").filter(|rest| rest.ends_with("id")).unwrap_or(base);
    match base {
        _ if original.trim().eq_ignore_ascii_case("__id__") => (Role::Fallback, 1),
        "locationid" | "subaccountid" | "sublocationid" | "locid" => (Role::Location, own),
        "resourceid" => (Role::Resource, own),
        "companyid" | "agencyid" => (Role::Company, own),
        "location" | "subaccount" => (Role::Fallback, own),
        "documentid" | "docid" => (Role::Fallback, 1),
        "id" => (Role::Fallback, 2 * own),
        "usertype" => (Role::Kind, 0),
        "installtype" | "installationtype" => (Role::Kind, 1),
        "authclass" => (Role::Kind, 2),
        "scope" => (Role::Kind, 3),
        "kind" => (Role::Kind, 5),
        "type" => (Role::Event, 4),
        "event" | "eventtype" | "webhooktype" => (Role::Event, 6),
        _ => (Role::Other, 0),
    }
}

/// Whether a text is the name of an id column.
pub(super) fn is_id_name(name: &str) -> bool {
    matches!(role(name).0, Role::Location | Role::Resource | Role::Company | Role::Fallback)
}

/// Whether a text is the name of a column that holds location ids and nothing else.
fn is_location_name(name: &str) -> bool {
    matches!(role(name).0, Role::Location | Role::Resource)
}

/// The columns of an earlier run's failures.csv that are ours, normalised.
const OURS: [&str; 10] = [
    "status",
    "errorclass",
    "stage",
    "httpstatus",
    "message",
    "retry",
    "attemptstotal",
    "firstfailedat",
    "failedat",
    "traceids",
];

/// Where an earlier run's counts stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct HistoryColumns {
    pub(super) attempts_total: usize,
    pub(super) first_failed_at: usize,
    pub(super) trace_ids: usize,
}

/// The columns of a list by what they are for. A column is known by its place in `names`.
pub(super) struct Layout {
    pub(super) shape: Shape,
    names: Vec<String>,
    by_name: HashMap<String, usize>,
    ranked: Vec<(Role, u8, usize)>,
    carried: Vec<usize>,
    tokens: Vec<(Holds, usize)>,
    history: Option<HistoryColumns>,
    elsewhere: Elsewhere,
}

/// Whether a location column is known to come, though no record has brought it yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    NoLocation,
    Location,
}

impl Layout {
    pub(super) fn new(format: Format, encoding: Encoding) -> Self {
        let shape = Shape {
            format,
            encoding,
            columns: Vec::new(),
            found: Vec::new(),
            left_out: Vec::new(),
            location_columns: Vec::new(),
            company_columns: Vec::new(),
            fallback_columns: Vec::new(),
            continues: Continues::Nothing,
        };
        Self {
            shape,
            names: Vec::new(),
            by_name: HashMap::new(),
            ranked: Vec::new(),
            carried: Vec::new(),
            tokens: Vec::new(),
            history: None,
            elsewhere: Elsewhere::NoLocation,
        }
    }

    /// The columns of a table with this header.
    pub(super) fn of_header(format: Format, encoding: Encoding, header: &[String]) -> Self {
        let mut layout = Self::new(format, encoding);
        let ours = our_columns(header);
        for (index, name) in header.iter().enumerate() {
            let owner = if ours.contains(&index) { Owner::Run } else { Owner::List };
            // In the failures of an earlier run, a name may have an apostrophe of ours.
            layout.push(if ours.is_empty() { name } else { formula::unguarded(name) }, owner);
        }
        if !ours.is_empty() {
            layout.history = history_columns(header);
            layout.shape.continues = Continues::EarlierRun;
        }
        layout
    }

    /// The column of this name, made if it is new; `None` if there are too many.
    pub(super) fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(index) = self.by_name.get(name) {
            return Some(*index);
        }
        (self.names.len() < MOST_COLUMNS).then(|| {
            self.by_name.insert(name.to_owned(), self.names.len());
            self.push(name, Owner::List)
        })
    }

    /// Takes note of names that stand further on in the list: a general `id` is not taken for a
    /// location id where some records have a better one.
    pub(super) fn expect(&mut self, names: &[String]) {
        if names.iter().any(|name| is_location_name(name)) {
            self.elsewhere = Elsewhere::Location;
        }
    }

    fn push(&mut self, name: &str, owner: Owner) -> usize {
        let index = self.names.len();
        let shown = shown(name);
        self.names.push(shown.clone());
        self.shape.found.push(shown.clone());
        if owner == Owner::Run {
            return index;
        }
        self.tokens.extend(holds(name).map(|holds| (holds, index)));
        if is_left_out(name) {
            self.shape.left_out.push(shown);
            return index;
        }
        self.shape.columns.push(carried_name(name));
        self.carried.push(index);
        let (role, rank) = role(name);
        if role != Role::Other {
            self.ranked.push((role, rank, index));
            self.ranked.sort_by_key(|(_, rank, index)| (*rank, *index));
            self.describe();
        }
        index
    }

    fn describe(&mut self) {
        let names = |roles: &[Role]| -> Vec<String> {
            let chosen = self.ranked.iter().filter(|(role, ..)| roles.contains(role));
            chosen.map(|(_, _, index)| self.names[*index].clone()).collect()
        };
        let location = names(&[Role::Location, Role::Resource]);
        let company = names(&[Role::Company]);
        let fallback = names(&[Role::Fallback]);
        self.shape.location_columns = location;
        self.shape.company_columns = company;
        self.shape.fallback_columns = fallback;
    }

    fn with(&self, role: Role) -> impl Iterator<Item = usize> {
        let chosen = self.ranked.iter().filter(move |(other, ..)| *other == role);
        chosen.map(|(_, _, index)| *index)
    }

    pub(super) fn location(&self) -> impl Iterator<Item = usize> {
        self.with(Role::Location)
    }

    pub(super) fn resource(&self) -> impl Iterator<Item = usize> {
        self.with(Role::Resource)
    }

    pub(super) fn company(&self) -> impl Iterator<Item = usize> {
        self.with(Role::Company)
    }

    pub(super) fn event(&self) -> impl Iterator<Item = usize> {
        self.with(Role::Event)
    }

    /// The columns that may say what kind an installation is, the most trusted first.
    pub(super) fn kind(&self) -> impl Iterator<Item = usize> {
        let kinds = self.ranked.iter().filter(|(r, ..)| matches!(r, Role::Kind | Role::Event));
        kinds.map(|(_, _, index)| *index)
    }

    /// General columns, if ids may be read from them at all.
    pub(super) fn fallback(&self) -> impl Iterator<Item = usize> {
        let better = self.elsewhere == Elsewhere::Location
            || self.location().next().is_some()
            || self.resource().next().is_some();
        self.with(Role::Fallback).filter(move |_| !better)
    }

    fn has_company(&self) -> bool {
        self.company().next().is_some()
    }

    /// Whether a general column may hold a company id: no better one is there, and it is not named
    /// after the location.
    pub(super) fn may_hold_company(&self, column: usize) -> bool {
        let name = normalise(self.name(column));
        !self.has_company() && !name.contains("location") && !name.contains("subaccount")
    }

    pub(super) fn has_id_column(&self) -> bool {
        self.has_company()
            || self.location().next().is_some()
            || self.resource().next().is_some()
            || self.with(Role::Fallback).next().is_some()
    }

    pub(super) fn carried(&self) -> &[usize] {
        &self.carried
    }

    /// The columns that may hold tokens.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (Holds, usize)> {
        self.tokens.iter().copied()
    }

    /// Whether a row may be told by its ids, or by the tokens that name one.
    pub(super) fn can_serve(&self) -> bool {
        let is_token =
            |(holds, _): &(Holds, usize)| matches!(holds, Holds::Access | Holds::Refresh);
        self.has_id_column() || self.tokens.iter().any(is_token)
    }

    pub(super) fn history(&self) -> Option<HistoryColumns> {
        self.history
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// A column's name as it may be printed.
    pub(super) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// What to call the place of a location id that is not there.
    pub(super) fn location_name(&self) -> String {
        let column = self.location().chain(self.resource()).chain(self.fallback()).next();
        column.map_or("location_id", |index| self.name(index)).to_owned()
    }

    /// What to call the place of a company id that is not there.
    pub(super) fn company_name(&self) -> String {
        self.company().next().map_or("company_id", |index| self.name(index)).to_owned()
    }
}

/// Whose column it is: the list's, or the earlier run's that wrote the list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    List,
    Run,
}

/// A column's name as it is carried on: exactly as it stands, unless a secret has slipped into it.
fn carried_name(name: &str) -> String {
    if super::redact::holds_secret(name) { look(name) } else { name.to_owned() }
}

/// A column's name as it may be printed: itself, unless a secret has slipped into the header.
fn shown(name: &str) -> String {
    if super::redact::holds_secret(name) || name.len() > 200 { look(name) } else { escape(name) }
}

/// The places of our own columns in the header of an earlier run's failures.csv: the last one of
/// each name, since the list's own columns come first. Empty for any other list.
fn our_columns(header: &[String]) -> Vec<usize> {
    if history_columns(header).is_none() {
        return Vec::new();
    }
    OURS.iter().filter_map(|name| last(header, name)).collect()
}

fn history_columns(header: &[String]) -> Option<HistoryColumns> {
    Some(HistoryColumns {
        attempts_total: last(header, "attemptstotal")?,
        first_failed_at: last(header, "firstfailedat")?,
        trace_ids: last(header, "traceids")?,
    })
}

fn last(header: &[String], name: &str) -> Option<usize> {
    header.iter().rposition(|other| normalise(other) == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Delimiter;

    fn layout(header: &[&str]) -> Layout {
        let header: Vec<_> = header.iter().map(|name| (*name).to_owned()).collect();
        Layout::of_header(Format::Csv(Delimiter::COMMA), Encoding::Utf8, &header)
    }

    #[test]
    fn names_are_read_without_regard_to_how_they_are_written() {
        for name in [
            "location_id",
            "locationId",
            "Location ID",
            "LOCATION-ID",
            "ghl_location_id",
            "ghlLocationId",
            "GHL Location ID",
            "highlevel.location.id",
            "hl_location_id",
            "\u{feff} Location ID\u{a0}",
            "sub_account_id",
            "subAccountId",
            "Sub-Account ID",
        ] {
            assert_eq!(role(name).0, Role::Location, "{name}");
        }
        for (name, expected) in [
            ("resourceId", Role::Resource),
            ("resource_id", Role::Resource),
            ("ghl_company_id", Role::Company),
            ("Agency ID", Role::Company),
            ("id", Role::Fallback),
            ("_id", Role::Fallback),
            ("__id__", Role::Fallback),
            ("Document ID", Role::Fallback),
            ("location", Role::Fallback),
            ("user_type", Role::Kind),
            ("installType", Role::Kind),
            ("authClass", Role::Kind),
            ("scope", Role::Kind),
            ("type", Role::Event),
            ("location_name", Role::Other),
            ("company", Role::Other),
            ("app_id", Role::Other),
            ("", Role::Other),
        ] {
            assert_eq!(role(name).0, expected, "{name}");
        }
    }

    #[test]
    fn a_prefixed_name_goes_before_a_plain_one() {
        let layout = layout(&["location_id", "ghl_location_id"]);
        assert_eq!(layout.location().collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn general_names_serve_only_where_no_better_one_is_there() {
        assert_eq!(layout(&["id", "name"]).fallback().count(), 1);
        assert_eq!(layout(&["id", "location_id"]).fallback().count(), 0);
        assert_eq!(layout(&["_id", "resourceId"]).fallback().count(), 0);
    }

    #[test]
    fn token_columns_are_left_out_and_named() {
        let shape =
            layout(&["location_id", "Access Token", "token_expires_at", "refresh_token"]).shape;
        assert_eq!(shape.columns, ["location_id", "token_expires_at"]);
        assert_eq!(shape.left_out, ["Access Token", "refresh_token"]);
        assert_eq!(shape.found.len(), 4);
    }

    #[test]
    fn every_column_that_tokens_are_read_from_is_left_out() {
        for name in [
            "ghl_refresh",
            "hl_rt",
            "oauth_access",
            "GHL Refresh",
            "refresh",
            "rt",
            "hl_at",
            "encRefreshToken",
            "refresh_ghl",
            "oauth.data.refresh",
            "sessionAccess",
            "old_rt",
        ] {
            assert!(is_left_out(name), "{name}");
        }
        for name in [
            "last_refresh",
            "refreshed_at",
            "refresh_token_expires_at",
            "created_at",
            "access_level",
            "data",
            "location_id",
            "name",
            "started",
            "sort",
            "",
        ] {
            assert!(!is_left_out(name), "{name}");
        }
    }

    #[test]
    fn columns_for_tokens_are_told_by_their_name() {
        for (name, expected) in [
            ("access_token", Some(Holds::Access)),
            ("ghlAccessToken", Some(Holds::Access)),
            ("OAuth Access Token", Some(Holds::Access)),
            ("refreshToken", Some(Holds::Refresh)),
            ("hl_refresh_token", Some(Holds::Refresh)),
            ("tokens", Some(Holds::Tokens)),
            ("oauth", Some(Holds::Tokens)),
            ("access_token_encrypted", Some(Holds::Ciphertext)),
            ("encRefreshToken", Some(Holds::Ciphertext)),
            ("refreshTokenId", Some(Holds::OtherToken)),
            ("slack_access_token", Some(Holds::OtherToken)),
            ("client_secret", Some(Holds::OtherToken)),
            ("token_expires_at", None),
            ("refresh_token_expires_at", None),
            ("location_id", None),
            ("name", None),
            ("", None),
        ] {
            assert_eq!(holds(name), expected, "{name}");
        }
    }

    #[test]
    fn the_last_column_of_each_of_our_names_is_ours() {
        let layout = layout(&[
            "location_id",
            "status",
            "message",
            "status",
            "error_class",
            "stage",
            "http_status",
            "message",
            "retry",
            "attempts_total",
            "first_failed_at",
            "failed_at",
            "trace_ids",
        ]);
        assert_eq!(layout.shape.columns, ["location_id", "status", "message"]);
        assert_eq!(layout.shape.continues, Continues::EarlierRun);
        assert_eq!(layout.history().unwrap().attempts_total, 9);
    }

    #[test]
    fn a_status_column_alone_is_the_lists_own() {
        let layout = layout(&["location_id", "status", "attempts_total"]);
        assert_eq!(layout.shape.columns.len(), 3);
        assert!(layout.history().is_none());
    }

    #[test]
    fn a_shape_is_told_in_a_line() {
        let known = layout(&["location_id", "company_id"]).shape.to_string();
        assert_eq!(
            known,
            "CSV, separated by commas, UTF-8, location ids in location_id, company ids in company_id"
        );
        assert!(layout(&["id"]).shape.to_string().contains("ids taken from id"));
    }

    #[test]
    fn a_token_in_the_header_is_not_shown() {
        let shape = layout(&["location_id", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"]).shape;
        assert!(!format!("{shape:?}").contains("eyJ"));
    }
}
