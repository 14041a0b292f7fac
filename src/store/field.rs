//! The fields of a pair, by the names that a mapping file has for them.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::pair::Pair;
use crate::{installation::Scope, secret::Secret};

/// A field of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The location id of a sub-account, the company id of an agency.
    Id,
    /// `location` or `company`.
    Kind,
    /// The client id before the dash.
    App,
    /// The whole client id.
    ClientId,
    /// The access token.
    AccessToken,
    /// The refresh token.
    RefreshToken,
    /// `Bearer`.
    TokenType,
    /// OAuth scopes, separated by blanks.
    Scope,
    /// `Location` or `Company`.
    UserType,
    /// The company id.
    CompanyId,
    /// The location id; none of an agency.
    LocationId,
    /// The id of the user who installed the app.
    UserId,
    /// When the access token dies.
    ExpiresAt,
    /// For how many seconds it was granted.
    ExpiresIn,
    /// When it was granted.
    GrantedAt,
    /// The whole session document.
    Document,
    /// The moment of writing.
    Now,
}

/// Every field by its name.
pub const FIELDS: [(&str, Field); 17] = [
    ("id", Field::Id),
    ("kind", Field::Kind),
    ("app", Field::App),
    ("client_id", Field::ClientId),
    ("access_token", Field::AccessToken),
    ("refresh_token", Field::RefreshToken),
    ("token_type", Field::TokenType),
    ("scope", Field::Scope),
    ("user_type", Field::UserType),
    ("company_id", Field::CompanyId),
    ("location_id", Field::LocationId),
    ("user_id", Field::UserId),
    ("expires_at", Field::ExpiresAt),
    ("expires_in", Field::ExpiresIn),
    ("granted_at", Field::GrantedAt),
    ("document", Field::Document),
    ("now", Field::Now),
];

/// What a field of a pair holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// A text.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// A whole number.
    Number(i64),
    /// A document.
    Document(Map<String, Value>),
}

impl Field {
    /// The field of a name.
    pub fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        FIELDS.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| *name)
    }

    /// Whether it is one of the two tokens.
    pub fn is_token(self) -> bool {
        matches!(self, Self::AccessToken | Self::RefreshToken)
    }

    /// Whether it is made of letters, digits and signs that need no quoting, and no secret.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Id | Self::Kind | Self::UserType | Self::CompanyId | Self::LocationId)
            || self.is_time()
    }

    /// Whether it is the id of an installation of this kind.
    pub fn is_id_of(self, scope: Scope) -> bool {
        match self {
            Self::Id => true,
            Self::LocationId => scope == Scope::Location,
            Self::CompanyId => scope == Scope::Company,
            _ => false,
        }
    }

    /// Whether it is a moment.
    pub fn is_time(self) -> bool {
        matches!(self, Self::ExpiresAt | Self::GrantedAt | Self::Now)
    }

    /// What it holds of a pair that is written now.
    pub fn of(self, pair: &Pair, now: Timestamp) -> Content {
        let text =
            |text: Option<&str>| text.map_or(Content::Nothing, |t| Content::Text(t.to_owned()));
        let time = |time: Option<Timestamp>| time.map_or(Content::Nothing, Content::Time);
        let installation = &pair.installation;
        match self {
            Self::Id => text(Some(installation.id.as_str())),
            Self::Kind => Content::Text(installation.scope.to_string()),
            Self::App => text(Some(&pair.app)),
            Self::ClientId => text(Some(&pair.client_id)),
            Self::AccessToken => text(Some(pair.access_token.expose())),
            Self::RefreshToken => text(pair.refresh_token.as_ref().map(Secret::expose)),
            Self::TokenType => text(pair.text("token_type")),
            Self::Scope => text(pair.text("scope")),
            Self::UserType => text(Some(installation.scope.user_type())),
            Self::CompanyId => match installation.scope {
                Scope::Company => text(Some(installation.id.as_str())),
                Scope::Location => text(pair.text("companyId")),
            },
            Self::LocationId => match installation.scope {
                Scope::Location => text(Some(installation.id.as_str())),
                Scope::Company => Content::Nothing,
            },
            Self::UserId => text(pair.text("userId")),
            Self::ExpiresAt => time(pair.expires_at),
            Self::ExpiresIn => pair.expires_in().map_or(Content::Nothing, Content::Number),
            Self::GrantedAt => time(pair.granted_at),
            Self::Document => Content::Document(pair.document.clone()),
            Self::Now => Content::Time(now),
        }
    }
}
