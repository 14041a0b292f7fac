//! Who can mend a cause: HighLevel, or somebody on this side. Only the former is worth a ticket.

use crate::failure::{Class, Stage};

/// Who can mend a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// HighLevel.
    HighLevel,
    /// The developer of the app, so.
    Yours(&'static str),
    /// The customer whose account it is, so.
    Customers(&'static str),
    /// The makers of this program.
    Program,
}

impl Remedy {
    /// Whose it is and what to do, in words; `None` where it is HighLevel's.
    pub fn in_words(self) -> Option<String> {
        match self {
            Self::HighLevel => None,
            Self::Yours(todo) => Some(format!("Yours: {todo}")),
            Self::Customers(todo) => Some(format!("Your customer's: {todo}")),
            Self::Program => {
                Some("A fault of ghl-reconnect: please report it there, with run.log".to_owned())
            }
        }
    }
}

/// Who can mend a failure of this class at this stage.
pub fn remedy(stage: Stage, class: Class) -> Remedy {
    use Remedy::{Customers, HighLevel, Program, Yours};
    match (stage, class) {
        (Stage::Store, _) => Program,
        (Stage::Input, _) => Yours("give the list or the options what the message names"),
        (Stage::Refresh, Class::GrantRefused) => Customers(
            "the refresh token is dead: use another route, or have the app installed again",
        ),
        (Stage::Agency, Class::GrantRefused | Class::WrongKind) => {
            Yours("give a fresh token of the agency with --agency-tokens")
        }
        (_, Class::NotInstalled) => Customers("have the app installed again, or take the rows out"),
        (_, Class::LocationInactive) => Customers(
            "the account is paused, or its plan has no API access: run the rest when it has",
        ),
        (_, Class::UnknownId | Class::InvalidRequest) => {
            Yours("correct the rows or the option that the message names")
        }
        (_, Class::ClientRefused) => {
            Yours("give the client id and secret with which the app was installed")
        }
        (_, Class::CodeExpired) => Yours("run the rest with a lower --concurrency"),
        (_, Class::RateLimited) => Yours("run the rest later, with a lower --rate"),
        (_, Class::Network) => {
            Yours("check network, DNS and proxy of this machine, then run the rest")
        }
        (_, Class::Interrupted) => Yours("resume the run"),
        (_, Class::Halted) => Yours("look at what failed, then resume the run"),
        (
            _,
            Class::EndpointRemoved
            | Class::GrantRefused
            | Class::ServerError
            | Class::Blocked
            | Class::Redirected
            | Class::BadAnswer
            | Class::WrongTenant
            | Class::WrongKind
            | Class::OutcomeUnknown
            | Class::Unrecognised,
        ) => HighLevel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_highlevel_can_mend_is_worth_a_ticket() {
        for (stage, class, whose) in [
            (Stage::Reconnect, Class::EndpointRemoved, None),
            (Stage::Reconnect, Class::ServerError, None),
            (Stage::Exchange, Class::GrantRefused, None),
            (Stage::Verify, Class::GrantRefused, None),
            (Stage::Exchange, Class::WrongTenant, None),
            (Stage::Exchange, Class::WrongKind, None),
            (Stage::Agency, Class::WrongKind, Some("Yours")),
            (Stage::Agency, Class::GrantRefused, Some("Yours")),
            (Stage::Refresh, Class::GrantRefused, Some("Your customer's")),
            (Stage::Refresh, Class::OutcomeUnknown, None),
            (Stage::Reconnect, Class::NotInstalled, Some("Your customer's")),
            (Stage::Exchange, Class::LocationInactive, Some("Your customer's")),
            (Stage::Reconnect, Class::UnknownId, Some("Yours")),
            (Stage::Reconnect, Class::ClientRefused, Some("Yours")),
            (Stage::Input, Class::InvalidRequest, Some("Yours")),
            (Stage::Reconnect, Class::Unrecognised, None),
            (Stage::Store, Class::BadAnswer, Some("A fault of ghl-reconnect")),
        ] {
            let words = remedy(stage, class).in_words();
            let found = words.as_deref().and_then(|words| words.split(": ").next());
            assert_eq!(found, whose, "{class} at {stage}");
        }
    }
}
