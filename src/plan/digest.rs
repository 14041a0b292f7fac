//! What names an installation of an app wherever it is looked at.

use sha2::{Digest, Sha256};

use crate::installation::Scope;

/// SHA-256 over app, scope and id, a line each without the last line's end. The app is what stands
/// before the dash of its client id.
pub fn digest(application: &str, scope: Scope, id: &str) -> [u8; 32] {
    Sha256::digest(format!("{application}\n{scope}\n{id}")).into()
}
