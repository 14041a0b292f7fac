//! What a column of a token store is for, told by the words of its name. The data decides in the end.

use crate::input::{TokenName, name_words, token_name};

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// One of two tokens, for something that its name says besides: `agency_access_token`.
    OtherAccess,
    /// The same of a refresh token.
    OtherRefresh,
    /// When the access token dies.
    ExpiresAt,
    /// For how many seconds it was granted.
    ExpiresIn,
    /// When the pair was granted: the clock from which `expires_in` counts.
    GrantedAt,
    /// When the row was changed.
    UpdatedAt,
    /// When the row was made.
    CreatedAt,
    /// OAuth scopes.
    Scope,
    /// `Bearer`.
    TokenType,
    /// Location or Company.
    UserType,
    /// A location id.
    LocationId,
    /// A location id or a company id.
    ResourceId,
    /// A company id.
    CompanyId,
    /// A user id.
    UserId,
    /// The app, by its id or its client id.
    App,
    /// Whether the connection is good.
    Status,
    /// What went wrong with it.
    Error,
    /// Nothing that is known.
    Unknown,
}

const EXPIRY: &str = "expire expires expired expiry expiration exp";
const BESIDE_EXPIRY: &str = "token tokens access oauth at on date time timestamp ts ms utc unix epoch seconds \
    ghl hl gohighlevel highlevel leadconnector lc auth crm";
const GRANTED: &str = "issued obtained granted acquired received fetched";
const CHANGED: &str = "updated update modified changed refreshed refresh";
const BESIDE_CHANGED: &str = "last token tokens access oauth at on date time timestamp ts ms utc row auth \
    ghl hl gohighlevel highlevel leadconnector lc crm";
const STATUSES: &str = "status state";
const BESIDE_STATUS: &str = "connection token tokens oauth auth sync integration account install installation refresh \
    ghl hl gohighlevel highlevel leadconnector lc crm";
const ERRORS: &str = "error errors err";
const NO_ERROR: &str = "count counts counter retries attempts number total";
const OTHER_PAIRS: &str = "user app api location company agency account sub subaccount client install installation old new \
    previous prev backup current original";

/// The role of a column by its name.
pub fn role(name: &str) -> Role {
    let words = name_words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    role_of_tokens(name, &words)
        .or_else(|| role_of_id(name))
        .or_else(|| role_of_time(&words))
        .unwrap_or_else(|| role_of_rest(&words))
}

fn is_of(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == word)
}

fn role_of_tokens(name: &str, words: &[&str]) -> Option<Role> {
    let has = |word: &str| words.contains(&word);
    match token_name(name)? {
        TokenName::Access => Some(Role::Access),
        TokenName::Refresh => Some(Role::Refresh),
        // A key beside a token is none: `refreshTokenId`.
        _ if words.last().is_some_and(|word| is_of(word, "id ids key type")) => None,
        TokenName::Ciphertext if has("refresh") || has("rt") => Some(Role::Refresh),
        TokenName::Ciphertext if has("access") || has("at") => Some(Role::Access),
        TokenName::Token => Some(Role::Access),
        TokenName::Other | TokenName::Ciphertext => {
            let is_ours = words.iter().any(|word| is_of(word, OTHER_PAIRS));
            match () {
                () if is_ours && has("refresh") => Some(Role::OtherRefresh),
                () if is_ours && has("access") => Some(Role::OtherAccess),
                () => None,
            }
        }
    }
}

fn role_of_id(name: &str) -> Option<Role> {
    let letters: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let prefixes = ["gohighlevel", "highlevel", "leadconnector", "ghl", "hl", "crm", "oauth"];
    let bare = prefixes.iter().find_map(|prefix| letters.strip_prefix(prefix));
    match bare.filter(|bare| !bare.is_empty()).unwrap_or(&letters) {
        "locationid" | "subaccountid" | "locid" | "sublocationid" | "location" | "subaccount" => {
            Some(Role::LocationId)
        }
        "resourceid" | "externalid" | "externalaccountid" | "provideraccountid" => {
            Some(Role::ResourceId)
        }
        "companyid" | "agencyid" => Some(Role::CompanyId),
        "userid" => Some(Role::UserId),
        "appid" | "applicationid" | "clientid" | "oauthclientid" | "marketplaceappid"
        | "appclientid" => Some(Role::App),
        "usertype" | "authclass" | "installtype" | "installationtype" => Some(Role::UserType),
        "tokentype" => Some(Role::TokenType),
        "scope" | "scopes" | "tokenscope" | "tokenscopes" | "oauthscope" | "oauthscopes"
        | "grantedscopes" | "grantedscope" => Some(Role::Scope),
        _ => None,
    }
}

fn role_of_time(words: &[&str]) -> Option<Role> {
    let has = |list: &str| words.iter().any(|word| is_of(word, list));
    let all = |lists: &[&str]| words.iter().all(|word| lists.iter().any(|list| is_of(word, list)));
    if has(EXPIRY) && words.contains(&"in") && all(&[EXPIRY, BESIDE_EXPIRY, "in"]) {
        return Some(Role::ExpiresIn);
    }
    if has("ttl lifetime") && all(&["ttl lifetime", BESIDE_EXPIRY]) {
        return Some(Role::ExpiresIn);
    }
    if has(EXPIRY) && all(&[EXPIRY, BESIDE_EXPIRY]) {
        return Some(Role::ExpiresAt);
    }
    if has(GRANTED) && all(&[GRANTED, BESIDE_CHANGED]) {
        return Some(Role::GrantedAt);
    }
    if has("token tokens") && has("created") && all(&["created", BESIDE_CHANGED]) {
        return Some(Role::GrantedAt);
    }
    let is_time = has("at on date time timestamp ts last") || words == ["updated"];
    if has(CHANGED) && is_time && all(&[CHANGED, BESIDE_CHANGED]) {
        return Some(Role::UpdatedAt);
    }
    let is_created = has("created inserted") && all(&["created inserted", BESIDE_CHANGED]);
    is_created.then_some(Role::CreatedAt)
}

fn role_of_rest(words: &[&str]) -> Role {
    let has = |list: &str| words.iter().any(|word| is_of(word, list));
    let all = |lists: &[&str]| words.iter().all(|word| lists.iter().any(|list| is_of(word, list)));
    if has(STATUSES) && all(&[STATUSES, BESIDE_STATUS]) {
        Role::Status
    } else if has(ERRORS) && !has(NO_ERROR) || words == ["failure", "reason"] {
        Role::Error
    } else if FLAGS.contains(&words) {
        Role::Status
    } else {
        Role::Unknown
    }
}

/// Flags that say whether the connection is good.
const FLAGS: [&[&str]; 10] = [
    &["needs", "reauth"],
    &["needs", "reconnect"],
    &["requires", "reauth"],
    &["requires", "reconnect"],
    &["reauth", "required"],
    &["reconnect", "required"],
    &["is", "connected"],
    &["connected"],
    &["token", "valid"],
    &["token", "invalid"],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_by_their_words() {
        for (names, expected) in [
            ("access_token accessToken ghl_access_token hl_at", Role::Access),
            ("access_token_encrypted encrypted_access_token accessTokenEnc", Role::Access),
            ("refresh_token refreshToken ghlRefreshToken", Role::Refresh),
            ("refresh_token_encrypted", Role::Refresh),
            ("agency_access_token location_access_token old_access_token", Role::OtherAccess),
            ("agency_refresh_token companyRefreshToken", Role::OtherRefresh),
            (
                "expires_at token_expires_at expiresAt access_token_expires_at expiry token_expiry \
                 expires expire_at token_expiration expiration_date ghl_token_expires_at exp \
                 tokenExpiresAt expiry_date",
                Role::ExpiresAt,
            ),
            ("expires_in expiresIn token_expires_in token_ttl", Role::ExpiresIn),
            ("issued_at obtained_at token_created_at token_issued_at", Role::GrantedAt),
            (
                "updated_at updatedAt last_updated modified_at token_updated_at refreshed_at \
                 last_refreshed_at last_refresh_at last_token_refresh updated",
                Role::UpdatedAt,
            ),
            ("created_at createdAt inserted_at", Role::CreatedAt),
            ("scope scopes oauth_scopes", Role::Scope),
            ("location_id ghl_location_id locationId sub_account_id", Role::LocationId),
            ("resource_id resourceId", Role::ResourceId),
            ("company_id agency_id ghlCompanyId", Role::CompanyId),
            ("app_id client_id applicationId", Role::App),
            ("user_type userType", Role::UserType),
            ("status connection_status token_status oauth_status state", Role::Status),
            ("needs_reauth is_connected needsReconnect", Role::Status),
            ("last_error refresh_error error_message last_error_at error", Role::Error),
            (
                "refresh_token_expires_at subscription_expires_at trial_expires_at error_count \
                 order_status slack_access_token name refresh_token_id state_code id email \
                 last_synced_at version payment_status",
                Role::Unknown,
            ),
        ] {
            for name in names.split_ascii_whitespace() {
                assert_eq!(role(name), expected, "{name}");
            }
        }
    }
}
