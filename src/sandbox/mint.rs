//! Codes, tokens and ids, each a pure function of the seed and a serial number, so that a million
//! of them need not be kept.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use crate::installation::Scope;

/// The header of every token.
const HEADER: &[u8] = br#"{"alg":"RS256","typ":"JWT"}"#;

/// What a number is drawn for: keeps the sequences apart.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Code,
    Trace,
    Access,
    Refresh,
    RefreshId,
    User,
}

/// Makes what the sandbox hands out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mint {
    pub(super) seed: u64,
}

/// Whom a token pair is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) scope: Scope,
    pub(super) company: String,
    pub(super) location: Option<String>,
}

impl Holder {
    /// The id that `authClassId` names.
    pub(super) fn id(&self) -> &str {
        self.location.as_deref().unwrap_or(&self.company)
    }
}

/// What the claims of a token say.
pub(super) struct Claims<'a> {
    pub(super) holder: &'a Holder,
    /// None where nobody knows whose the tokens are.
    pub(super) client: Option<&'a str>,
    /// Epoch seconds.
    pub(super) issued: i64,
    /// How long the access token lives, in seconds.
    pub(super) life: i64,
    pub(super) serial: u64,
}

impl Mint {
    fn rng(self, purpose: Purpose, serial: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(mix(&[self.seed, purpose as u64, serial]))
    }

    /// A code: 40 hex digits, as observed.
    pub(super) fn code(self, serial: u64) -> [u8; 20] {
        let mut rng = self.rng(Purpose::Code, serial);
        std::array::from_fn(|_| rng.u8(..))
    }

    /// A trace id: a UUID, as observed.
    pub(super) fn trace(self, ordinal: u64) -> String {
        let mut rng = self.rng(Purpose::Trace, ordinal);
        let (a, b) = (rng.u64(..), rng.u64(..));
        let (head, mid, version) = (a >> 32, (a >> 16) & 0xffff, a & 0x0fff);
        let (variant, tail) = ((b >> 48) & 0x3fff | 0x8000, b & 0xffff_ffff_ffff);
        format!("{head:08x}-{mid:04x}-4{version:03x}-{variant:04x}-{tail:012x}")
    }

    /// An access token: shaped like a JWT, signed by nobody.
    pub(super) fn access(self, claims: &Claims<'_>) -> String {
        self.token(claims, Purpose::Access, claims.life)
    }

    /// A refresh token: shaped like a JWT, signed by nobody. It lives a year.
    pub(super) fn refresh(self, claims: &Claims<'_>) -> String {
        self.token(claims, Purpose::Refresh, 31_536_000)
    }

    /// The `refreshTokenId`: 24 hex digits.
    pub(super) fn refresh_id(self, serial: u64) -> String {
        let mut rng = self.rng(Purpose::RefreshId, serial);
        hex(&std::array::from_fn::<u8, 12, _>(|_| rng.u8(..)))
    }

    /// The user who installed the app: one for each tenant.
    pub(super) fn user(self, id: &str) -> String {
        alphanumeric(self.rng(Purpose::User, digest(id)))
    }

    fn token(self, claims: &Claims<'_>, purpose: Purpose, life: i64) -> String {
        let mut payload = serde_json::json!({
            "authClass": claims.holder.scope.user_type(),
            "authClassId": claims.holder.id(),
            "source": "INTEGRATION",
            "sourceId": claims.client,
            "channel": "OAUTH",
            "primaryAuthClassId": claims.holder.id(),
            "iat": claims.issued,
            "exp": claims.issued.saturating_add(life),
        });
        if claims.client.is_none()
            && let Some(claims) = payload.as_object_mut()
        {
            claims.shift_remove("sourceId");
        }
        let mut rng = self.rng(purpose, claims.serial);
        let mut signature: [u8; 32] = std::array::from_fn(|_| rng.u8(..));
        signature[..8].copy_from_slice(&self.masked(purpose, claims.serial).to_be_bytes());
        let [header, payload] = [HEADER, payload.to_string().as_bytes()].map(|b| BASE64.encode(b));
        format!("{header}.{payload}.{}", BASE64.encode(signature))
    }

    /// The serial number in the signature of a token of this purpose. Whether the token is indeed
    /// that one has to be seen by making it again.
    pub(super) fn serial(self, token: &str, purpose: Purpose) -> Option<u32> {
        let signature = BASE64.decode(token.rsplit('.').next()?).ok()?;
        let masked = u64::from_be_bytes(signature.get(..8)?.try_into().ok()?);
        u32::try_from(self.masked(purpose, masked)).ok()
    }

    /// Masks a serial number, and lays a masked one open.
    fn masked(self, purpose: Purpose, serial: u64) -> u64 {
        serial ^ mix(&[self.seed, purpose as u64])
    }
}

/// The agency of a sub-account where the options name none: one of seven, settled by the id.
pub fn company_of(location: &str) -> String {
    alphanumeric(fastrand::Rng::with_seed(mix(&[0xa6e, digest(location) % 7])))
}

/// Another tenant's id, settled by this one's.
pub(super) fn stranger(id: &str) -> String {
    alphanumeric(fastrand::Rng::with_seed(mix(&[0x57a, digest(id)])))
}

fn alphanumeric(mut rng: fastrand::Rng) -> String {
    (0..20).map(|_| rng.alphanumeric()).collect()
}

/// A stable digest of a text: FNV-1a, 64 bits.
pub(super) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Stirs numbers into one.
pub(super) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |mixed, part| {
        let stirred = (mixed ^ part).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (stirred ^ (stirred >> 32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53) ^ (stirred >> 29)
    })
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
