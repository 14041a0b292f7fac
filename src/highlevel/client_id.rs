//! The shape of a client id, and what is in it: the app, and when the key pair was created.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A client id in the shape of all seen so far: the app's id (24 hexadecimal digits), a dash,
/// and 8 of `[0-9a-z]`. It is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Box<str>")]
pub struct ClientId(Box<str>);

impl ClientId {
    /// Takes a text that has the shape; anything else is `None`.
    pub fn new(text: &str) -> Option<Self> {
        let (app, key) = text.split_once('-')?;
        let shaped = app.len() == 24
            && app.bytes().all(|b| b.is_ascii_hexdigit())
            && key.len() == 8
            && key.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
        shaped.then(|| Self(text.into()))
    }

    /// As HighLevel writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The app's id, which all of its key pairs share.
    pub fn app(&self) -> &str {
        application(&self.0)
    }

    /// The UTC day on which the key pair was created. The suffix is that time in base 36, in
    /// milliseconds (inferred from all seen so far). `None` if it gives no plausible day.
    pub fn made_on(&self) -> Option<Date> {
        let key = self.0.rsplit('-').next()?;
        let made = Timestamp::from_millisecond(i64::from_str_radix(key, 36).ok()?).ok()?;
        let likely = Timestamp::from_second(EARLIEST).ok()?..crate::clock::now();
        likely.contains(&made).then(|| made.to_zoned(TimeZone::UTC).date())
    }
}

/// The part of a client id before the dash: the app, which may have several key pairs.
pub fn application(client_id: &str) -> &str {
    client_id.split('-').next().unwrap_or(client_id)
}

/// 2018-01-01: no Marketplace app is older.
const EARLIEST: i64 = 1_514_764_800;

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Box<str>> for ClientId {
    type Error = &'static str;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("a client id has 24 hexadecimal digits, a dash, 8 characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_is_the_day() {
        for (id, day) in [
            ("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", Some("2024-09-20")),
            ("66c1a6f5e4b0a1b2c3d4e5f6-00000000", None),
            ("66c1a6f5e4b0a1b2c3d4e5f6-zzzzzzzz", None),
        ] {
            let made = ClientId::new(id).unwrap().made_on().map(|date| date.to_string());
            assert_eq!(made.as_deref(), day, "{id}");
        }
    }

    #[test]
    fn a_client_id_has_one_shape() {
        for odd in ["", "x", "66c1a6f5e4b0a1b2c3d4e5f6", "66c1a6f5e4b0a1b2c3d4e5f6-M1ABCDEF"] {
            assert_eq!(ClientId::new(odd), None, "{odd}");
        }
        assert_eq!(
            ClientId::new("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef").unwrap().app(),
            "66c1a6f5e4b0a1b2c3d4e5f6"
        );
    }
}
