//! Whether a refusal at `/oauth/locationToken` concerns one sub-account or its whole agency.

use super::normalised_message::NormalisedMessage;
use crate::failure::{Class, Failure};

/// Whom a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// The agency's token: no sub-account of this agency gets anything with it.
    Agency,
    /// The sub-account that was asked for, or the call alone.
    Location,
}

/// Texts of refusals that every sub-account of the agency would get.
const OF_THE_AGENCY: [&str; 3] =
    ["not authorized for this scope", "do not have access to this feature", "version header"];

/// Whom a failure at stage `agency` (or of a discovery) concerns.
pub fn concern(failure: &Failure) -> Concern {
    let error_text = NormalisedMessage::of(failure.message.as_str());
    match failure.class {
        Class::GrantRefused | Class::WrongKind => Concern::Agency,
        Class::InvalidRequest | Class::LocationInactive
            if OF_THE_AGENCY
                .iter()
                .any(|words| error_text.contains_words(&NormalisedMessage::of(words))) =>
        {
            Concern::Agency
        }
        _ => Concern::Location,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        failure::Stage,
        highlevel::{answer, reply::Reply},
    };

    #[test]
    fn only_a_refused_token_concerns_the_agency() {
        for (status, body, concerns) in [
            (401, r#"{"message":"Invalid JWT"}"#, Concern::Agency),
            (401, r#"{"message":"Unauthorized"}"#, Concern::Agency),
            (401, r#"{"message":"This token's user type is not yet supported!"}"#, Concern::Agency),
            (401, r#"{"message":"The token is not authorized for this scope."}"#, Concern::Agency),
            (
                401,
                r#"{"message":"You do not have access to this feature! Please"}"#,
                Concern::Agency,
            ),
            (401, r#"{"message":"version header was not found."}"#, Concern::Agency),
            (400, r#"{"message":"Location not found"}"#, Concern::Location),
            (400, r#"{"message":"Location is not active"}"#, Concern::Location),
            (422, r#"{"message":["locationId must be a string"]}"#, Concern::Location),
            (
                403,
                r#"{"message":"The token does not have access to this location."}"#,
                Concern::Location,
            ),
            (429, r#"{"message":"Too Many Requests"}"#, Concern::Location),
            (500, "", Concern::Location),
        ] {
            let failure = answer::refusal(Stage::Agency, &Reply::of(status, body));
            assert_eq!(concern(&failure), concerns, "{status} {body}");
        }
    }
}
