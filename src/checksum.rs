//! Short checksums that show whether a line is as it was written.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};

/// The first 32 bits of a SHA-256, as eight hexadecimal digits. Damage goes unnoticed once in four
/// billion times, and the checksum of a secret reveals nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checksum(u32);

impl Checksum {
    /// The checksum of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self(u32::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        u32::from_str_radix(&digits, 16)
            .ok()
            .map(Self)
            .filter(|checksum| checksum.to_string() == digits)
            .ok_or_else(|| D::Error::custom("eight hexadecimal digits are expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_reads_back_as_it_was_written() {
        let checksum = Checksum::of(b"abc");
        assert_eq!(checksum.to_string(), "ba7816bf");
        let text = serde_json::to_string(&checksum).unwrap();
        assert_eq!(serde_json::from_str::<Checksum>(&text).unwrap(), checksum);
        for odd in ["\"BA7816BF\"", "\"ba7816b\"", "\"+a7816bf\"", "\"\"", "1"] {
            assert!(serde_json::from_str::<Checksum>(odd).is_err(), "{odd}");
        }
    }
}
