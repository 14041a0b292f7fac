//! Codes, tokens and ids. Each is a pure function of the seed and a serial number, so that a million
//! of them need not be kept.

use std::fmt::Write;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use crate::installation::Scope;

/// The header of every token.
const HEADER: &[u8] = br#"{"alg":"RS256","typ":"JWT"}"#;

/// How long an access token lives: a day less a second, as observed.
pub(super) const ACCESS_LIFE: Duration = Duration::from_secs(86_399);

/// How long a refresh token says it lives: a year, as documented.
const REFRESH_LIFE: Duration = Duration::from_hours(8760);

/// What a number is drawn for: keeps the sequences apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    Code,
    Trace,
    Access,
    Refresh,
    RefreshId,
    User,
}

/// Whom tokens are issued to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    AsRequested,
    OtherTenant,
    OtherKind,
}

/// Whom a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) company: String,
    /// None for the tokens of an agency.
    pub(super) location: Option<String>,
}

impl Holder {
    pub(super) fn scope(&self) -> Scope {
        self.location.as_ref().map_or(Scope::Company, |_| Scope::Location)
    }

    /// The id that `authClassId` names.
    pub(super) fn id(&self) -> &str {
        self.location.as_deref().unwrap_or(&self.company)
    }
}

/// The tokens of a pair.
pub(super) struct Tokens {
    pub(super) holder: Holder,
    pub(super) access: String,
    pub(super) refresh: String,
}

/// What the tokens of a pair say.
pub(super) struct Claims<'a> {
    pub(super) holder: Holder,
    /// None where nobody knows whose the tokens are.
    pub(super) client: Option<&'a str>,
    /// Epoch seconds.
    pub(super) issued: i64,
    pub(super) serial: u32,
}

impl Claims<'_> {
    /// The tokens: shaped like JWTs, signed by nobody.
    pub(super) fn tokens(self, seed: u64) -> Tokens {
        let access = self.token(seed, Purpose::Access, ACCESS_LIFE);
        let refresh = self.token(seed, Purpose::Refresh, REFRESH_LIFE);
        Tokens { holder: self.holder, access, refresh }
    }

    fn token(&self, seed: u64, purpose: Purpose, life: Duration) -> String {
        let mut payload = serde_json::json!({
            "authClass": self.holder.scope().user_type(),
            "authClassId": self.holder.id(),
            "source": "INTEGRATION",
            "sourceId": self.client,
            "channel": "OAUTH",
            "primaryAuthClassId": self.holder.id(),
            "iat": self.issued,
            "exp": self.issued.saturating_add_unsigned(life.as_secs()),
        });
        if let (None, Some(map)) = (self.client, payload.as_object_mut()) {
            map.shift_remove("sourceId");
        }
        let signature = drawn::<32>(seed, purpose, self.serial.into());
        let [header, payload] = [HEADER, payload.to_string().as_bytes()].map(|b| BASE64.encode(b));
        format!("{header}.{payload}.{}", BASE64.encode(signature))
    }
}

/// A code: 40 hex digits, as observed.
pub(super) fn code(seed: u64, serial: u32) -> String {
    hex(&drawn::<20>(seed, Purpose::Code, serial.into()))
}

/// The `refreshTokenId`: 24 hex digits.
pub(super) fn refresh_id(seed: u64, serial: u32) -> String {
    hex(&drawn::<12>(seed, Purpose::RefreshId, serial.into()))
}

/// A trace id: a UUID, as observed.
pub(super) fn trace(seed: u64, ordinal: u64) -> String {
    let mut rng = rng(&[seed, Purpose::Trace as u64, ordinal]);
    let (a, b) = (rng.u64(..), rng.u64(..));
    let (head, mid, version) = (a >> 32, (a >> 16) & 0xffff, a & 0x0fff);
    let (variant, tail) = ((b >> 48) & 0x3fff | 0x8000, b & 0xffff_ffff_ffff);
    format!("{head:08x}-{mid:04x}-4{version:03x}-{variant:04x}-{tail:012x}")
}

/// The user who installed the app: one for each tenant.
pub(super) fn user(seed: u64, id: &str) -> String {
    alphanumeric(&[seed, Purpose::User as u64, digest(id)])
}

/// The agency of a sub-account of which nothing else is known: one of seven, settled by the id.
pub(super) fn company_of(location: &str) -> String {
    alphanumeric(&[0xa6e, digest(location) % 7])
}

/// Another tenant's id, settled by this one's.
pub(super) fn other_id(id: &str) -> String {
    alphanumeric(&[0x57a, digest(id)])
}

fn drawn<const N: usize>(seed: u64, purpose: Purpose, number: u64) -> [u8; N] {
    let mut rng = rng(&[seed, purpose as u64, number]);
    std::array::from_fn(|_| rng.u8(..))
}

fn alphanumeric(parts: &[u64]) -> String {
    let mut rng = rng(parts);
    (0..20).map(|_| rng.alphanumeric()).collect()
}

fn rng(parts: &[u64]) -> fastrand::Rng {
    fastrand::Rng::with_seed(mix(parts))
}

/// A stable digest of a text: FNV-1a, 64 bits.
pub(super) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Mixes numbers into one.
pub(super) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |mixed, part| {
        let next = (mixed ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (next ^ (next >> 32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) ^ (next >> 29)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
