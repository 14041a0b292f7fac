//! What a column is for, told by the whole words of its name: the one table of names.

/// What a column, or a member of an object, is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
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
    /// When a webhook's event happened.
    Time,
    /// Tokens or another secret; no output has it.
    Hidden(Holds),
    /// Perhaps tokens among other things: looked into, and carried if there are none.
    Container,
    /// Nothing that this program needs.
    Carried,
}

/// What a hidden column holds of an installation's tokens.
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

/// HighLevel's own names.
const VENDOR: &str = "ghl hl gohighlevel highlevel leadconnector lc oauth oauths";

/// Words for a place or a state that may stand beside `refresh` or `rt` without making it another
/// thing.
const PLACES: &str = "auth crm credential credentials creds session sessions data old current new my raw live prod \
    value val str string text plain info json body payload response result";

/// More of them, beside which `access` is likelier a right than a token.
const OWNERS: &str = "user app api location company agency account sub client install installation";

const TOKENS: &str = "token tokens tok toks jwt jwts bearer";

const SECRETS: &str = "secret secrets password passwords passwd passphrase passcode pwd credential credentials \
    creds cookie cookies otp totp";

/// Two words that are a secret together.
const PAIRS: &[(&str, &str)] = &[
    ("key", "api private secret signing encryption access service sso"),
    ("keys", "api private secret signing encryption access service"),
    ("code", "auth authorization oauth authentication"),
];

/// Words that make a column one about a secret, without the secret.
const ABOUT: &str = "expire expires expired expiry expiration exp ttl valid validity until type issued issuer \
    status state count scope scopes in on date time timestamp ts url uri endpoint host level \
    group role error message reason name length size limit used usage updated created refreshed \
    rotated obtained generated is has enabled needed required missing revoked version policy \
    consent accepted";

const CIPHERS: &str = "encrypted enc cipher ciphertext sealed hash hashed encryption";

/// Words that are known besides, so that `refreshtokenid` falls into its words.
const OTHERS: &str = "access refresh rt at auth authorization id ids key code set";

/// Lower-case letters and digits of a name, so that `Location ID`, `location_id` and `locationId`
/// are one.
pub(super) fn normalise(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What a name says of a token that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenName {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// A token.
    Token,
    /// An encrypted token, or its hash.
    Ciphertext,
    /// Another secret, perhaps a token of another service.
    Other,
}

/// What a name says of a token that it names; `None` if it names none.
pub fn token_name(name: &str) -> Option<TokenName> {
    match role(name).0 {
        Role::Hidden(Holds::Access) => Some(TokenName::Access),
        Role::Hidden(Holds::Refresh) => Some(TokenName::Refresh),
        Role::Hidden(Holds::Tokens) if normalise(name).ends_with("token") => Some(TokenName::Token),
        Role::Hidden(Holds::Ciphertext) => Some(TokenName::Ciphertext),
        Role::Hidden(Holds::OtherToken | Holds::Tokens) => Some(TokenName::Other),
        _ => None,
    }
}

/// The words of a name in lower case: `ghlAccessToken`, `GHL access-token` and `ghlaccesstoken` have
/// the same three.
pub fn name_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in split_at_case(name) {
        let joined = words.last().map(|last| format!("{last}{word}"));
        let is_one = |joined: &String| {
            matches!(&**joined, "oauth" | "gohigh" | "highlevel" | "gohighlevel" | "leadconnector")
        };
        match joined.filter(is_one) {
            Some(joined) => words.splice(words.len() - 1.., [joined]).for_each(drop),
            None => words.push(word),
        }
    }
    words.iter().flat_map(|word| known_words(word)).collect()
}

fn split_at_case(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if begins || !c.is_alphabetic() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The known words that a word is written of, or the word itself.
fn known_words(word: &str) -> Vec<String> {
    fn fewest(rest: &str, most: usize) -> Option<Vec<String>> {
        if rest.is_empty() {
            return Some(Vec::new());
        }
        let lists = [VENDOR, PLACES, OWNERS, TOKENS, SECRETS, ABOUT, CIPHERS, OTHERS];
        let known = lists.into_iter().flat_map(|list| list.split(' '));
        let known = known.filter(|known| rest.starts_with(*known));
        let routes = known.filter(|_| most > 0).filter_map(|known| {
            let mut words = fewest(&rest[known.len()..], most - 1)?;
            words.insert(0, known.to_owned());
            Some(words)
        });
        routes.min_by_key(Vec::len)
    }
    fewest(word, 5).unwrap_or_else(|| vec![word.to_owned()])
}

/// Whether a word is one of a list.
fn is_of(word: &str, list: &str) -> bool {
    list.split(' ').any(|one| one == word)
}

/// What is left of words when others are taken off both ends.
fn stripped<'a>(mut words: &'a [String], lists: &[&str]) -> &'a [String] {
    let is_known = |word: &String| lists.iter().any(|list| is_of(word, list));
    while let [first, rest @ ..] = words
        && is_known(first)
    {
        words = rest;
    }
    while let [rest @ .., last] = words
        && is_known(last)
    {
        words = rest;
    }
    words
}

/// What a hidden column of these words holds; `None` if it is none.
fn hidden(words: &[String]) -> Option<Holds> {
    let has = |list: &str| words.iter().any(|word| is_of(word, list));
    let is_about = has(ABOUT) || words.len() > 1 && words.last().is_some_and(|word| word == "at");
    let bare: Vec<_> = stripped(words, &[VENDOR]).iter().map(String::as_str).collect();
    match bare[..] {
        ["access", "token" | "tok"] | ["access"] => return Some(Holds::Access),
        // Alone it is the time of an event.
        ["at"] if words.len() > 1 => return Some(Holds::Access),
        ["refresh", "token" | "tok"] | ["refresh" | "rt"] => return Some(Holds::Refresh),
        [
            "tokens" | "token" | "credentials" | "credential" | "creds" | "auth" | "authorization",
        ]
        | ["token", "set" | "data" | "response"] => return Some(Holds::Tokens),
        [] => return has("oauth oauths").then_some(Holds::Tokens),
        _ => {}
    }
    if is_about {
        return None;
    }
    let named = has(TOKENS) || has(SECRETS) || is_pair(words);
    if named || has("access refresh") && has("encrypted ciphertext") {
        return Some(if has(CIPHERS) { Holds::Ciphertext } else { Holds::OtherToken });
    }
    let alone = |lists: &[&str]| match stripped(words, lists) {
        [word] => word.clone(),
        _ => String::new(),
    };
    let is_token = alone(&[VENDOR, PLACES]) == "access"
        || matches!(&*alone(&[VENDOR, PLACES, OWNERS]), "refresh" | "rt");
    is_token.then_some(Holds::OtherToken)
}

fn is_pair(words: &[String]) -> bool {
    words
        .windows(2)
        .any(|two| PAIRS.iter().any(|(second, firsts)| two[1] == *second && is_of(&two[0], firsts)))
}

/// Takes `ghl` and the like off a normalised name.
fn unprefixed(name: &str) -> Option<&str> {
    const PREFIXES: [&str; 5] = ["gohighlevel", "highlevel", "leadconnector", "ghl", "hl"];
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    (!bare.is_empty()).then_some(bare)
}

/// The role of a column and its rank among those of the same role, the lowest first.
pub(super) fn role(original: &str) -> (Role, u8) {
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
        "locationurl" | "locationlink" | "subaccounturl" | "subaccountlink" => (Role::Fallback, 3),
        "url" | "link" => (Role::Fallback, 4),
        "usertype" => (Role::Kind, 0),
        "installtype" | "installationtype" => (Role::Kind, 1),
        "authclass" => (Role::Kind, 2),
        "scope" => (Role::Kind, 3),
        "kind" => (Role::Kind, 5),
        "type" => (Role::Event, 4),
        "event" | "eventtype" | "eventname" | "webhooktype" | "webhookevent" => (Role::Event, 6),
        "timestamp" | "eventtime" | "eventtimestamp" | "occurredat" | "receivedat" => {
            (Role::Time, 0)
        }
        "createdat" | "time" | "date" => (Role::Time, 1),
        _ => (role_of_words(&name_words(original)), 0),
    }
}

fn role_of_words(words: &[String]) -> Role {
    let is_place = |word: &String| is_of(word, VENDOR) || is_of(word, PLACES);
    match hidden(words) {
        Some(holds) => Role::Hidden(holds),
        None if !words.is_empty() && words.iter().all(is_place) => Role::Container,
        None => Role::Carried,
    }
}

/// What a member of an object is for by its path: its own name, with those around it where it says
/// too little: `location.id`, `data.installation.locationId`.
pub(super) fn role_of_path<'a>(path: impl DoubleEndedIterator<Item = &'a str>) -> (Role, u8) {
    let mut names = path.rev();
    let Some(own) = names.next() else { return (Role::Carried, 0) };
    let around = names.next().unwrap_or_default();
    match role(own) {
        (Role::Fallback, rank) => match role(&format!("{around}_{own}")) {
            known @ (Role::Location | Role::Company | Role::Resource, _) => known,
            _ => (Role::Fallback, rank),
        },
        known => known,
    }
}

/// Whether a text is the name of a column for secrets, which no output has.
pub fn is_for_secrets(name: &str) -> bool {
    matches!(role(name).0, Role::Hidden(_))
}

/// Whether a text is the name of an id column.
pub(super) fn is_id_name(name: &str) -> bool {
    matches!(role(name).0, Role::Location | Role::Resource | Role::Company | Role::Fallback)
}

/// What a name says of the value below it, where something around it is hidden: a column about a
/// secret, or an id beside it, is none itself.
pub(super) fn is_beside_secrets(name: &str) -> bool {
    let words = name_words(name);
    let is_about = |word: &String| is_of(word, ABOUT) || word == "at";
    words.iter().any(is_about)
        || words.last().is_some_and(|word| word == "id" || word == "ids")
        || !matches!(role(name).0, Role::Hidden(_) | Role::Container | Role::Carried)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("Location URL", Role::Fallback),
            ("user_type", Role::Kind),
            ("installType", Role::Kind),
            ("authClass", Role::Kind),
            ("scope", Role::Kind),
            ("type", Role::Event),
            ("location_name", Role::Carried),
            ("company", Role::Carried),
            ("app_id", Role::Carried),
            ("", Role::Carried),
        ] {
            assert_eq!(role(name).0, expected, "{name}");
        }
    }

    #[test]
    fn secrets_are_told_by_whole_words_in_any_spelling() {
        use Holds::{Access, Ciphertext, OtherToken, Refresh, Tokens};
        for (name, holds) in [
            ("access_token", Access),
            ("ghlAccessToken", Access),
            ("OAuth Access Token", Access),
            ("accesstoken", Access),
            ("accessTok", Access),
            ("oauth_access", Access),
            ("hl_at", Access),
            ("refreshToken", Refresh),
            ("hl_refresh_token", Refresh),
            ("ghl_refresh", Refresh),
            ("ghlRefresh", Refresh),
            ("refresh_ghl", Refresh),
            ("hl_rt", Refresh),
            ("rt", Refresh),
            ("tokens", Tokens),
            ("oauth", Tokens),
            ("token_data", Tokens),
            ("access_token_encrypted", Ciphertext),
            ("encRefreshToken", Ciphertext),
            ("refreshTokenId", OtherToken),
            ("refreshtokenid", OtherToken),
            ("slack_access_token", OtherToken),
            ("oauth.data.refresh", OtherToken),
            ("sessionAccess", OtherToken),
            ("old_rt", OtherToken),
            ("locationRefresh", OtherToken),
            ("client_secret", OtherToken),
            ("clientsecret", OtherToken),
            ("API Key", OtherToken),
            ("authorizationCode", OtherToken),
            ("Password", OtherToken),
            ("JWT", OtherToken),
        ] {
            assert_eq!(role(name).0, Role::Hidden(holds), "{name}");
        }
        let innocent = "Hot Prospect|Not Paid|Secretary|token_expires_at|refresh_token_expires_at|tokenType|token_url|last_refresh|refreshed_at|created_by|Access Level|\
            User Access|started|sort|Heart Rate|Status at|code|Passport|Tokyo Office|Authority|Data Plan|Chart|at";
        for name in innocent.split('|') {
            assert_eq!(role(name).0, Role::Carried, "{name}");
        }
    }

    #[test]
    fn a_member_is_told_by_its_path() {
        for (path, expected) in [
            (&["location", "id"][..], Role::Location),
            (&["company", "id"], Role::Company),
            (&["body", "installation", "locationId"], Role::Location),
            (&["owner", "id"], Role::Fallback),
            (&["data", "ghlRefresh"], Role::Hidden(Holds::Refresh)),
        ] {
            assert_eq!(role_of_path(path.iter().copied()).0, expected, "{path:?}");
        }
    }
}
