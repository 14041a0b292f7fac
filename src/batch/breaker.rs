//! Which failures concern all installations: a pure judgement over what has ended so far.

use crate::highlevel::failure::{Class, Failure, Stage};

/// So many blocked, redirected or misdirected answers stop the run.
const SUSPICIOUS: u32 = 3;

/// So many installations in a row whose client is refused stop the run. One text stands for a
/// wrong secret and for an authorization that one customer revoked.
const REFUSED_IN_A_ROW: u32 = 10;

/// Watches how installations end.
#[derive(Debug, Default)]
pub struct Breaker {
    proven: bool,
    suspicious: u32,
    refused_in_a_row: u32,
}

/// What the failure of one installation means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    ThisOne,
    /// It concerns all: the run stops.
    All,
}

impl Breaker {
    /// Whether a recovery has shown that the way is open.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// An installation was recovered.
    pub fn recovered(&mut self) {
        self.proven = true;
        self.refused_in_a_row = 0;
    }

    /// An installation was given up.
    pub fn failed(&mut self, failure: &Failure) -> Reach {
        match failure.class {
            Class::EndpointRemoved => Reach::All,
            Class::ClientRefused => {
                self.refused_in_a_row += 1;
                all_if(!self.proven || self.refused_in_a_row >= REFUSED_IN_A_ROW)
            }
            Class::Blocked | Class::Redirected => {
                self.suspicious += 1;
                all_if(!self.proven || self.suspicious >= SUSPICIOUS)
            }
            Class::WrongTenant | Class::WrongKind => {
                self.suspicious += 1;
                all_if(self.suspicious >= SUSPICIOUS)
            }
            Class::Network => all_if(!self.proven && failure.stage == Stage::Reconnect),
            _ => Reach::ThisOne,
        }
    }
}

fn all_if(concerns_all: bool) -> Reach {
    if concerns_all { Reach::All } else { Reach::ThisOne }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(proven: bool, classes: &[Class]) -> Vec<Reach> {
        let mut breaker = Breaker::default();
        if proven {
            breaker.recovered();
        }
        let failure = |class| Failure::without_answer(Stage::Reconnect, class, "");
        classes.iter().map(|class| breaker.failed(&failure(*class))).collect()
    }

    #[test]
    fn a_fault_of_all_stops_the_canary() {
        for class in [
            Class::EndpointRemoved,
            Class::ClientRefused,
            Class::Blocked,
            Class::Redirected,
            Class::Network,
        ] {
            assert_eq!(judge(false, &[class]), [Reach::All], "{class}");
        }
    }

    #[test]
    fn a_fault_of_one_does_not() {
        for class in
            [Class::NotInstalled, Class::UnknownId, Class::ServerError, Class::Unrecognised]
        {
            assert_eq!(judge(false, &[class; 20]), [Reach::ThisOne; 20], "{class}");
        }
    }

    #[test]
    fn three_misdirected_answers_stop_the_run_at_any_time() {
        use Reach::{All, ThisOne};
        for proven in [false, true] {
            assert_eq!(judge(proven, &[Class::WrongTenant; 3]), [ThisOne, ThisOne, All]);
        }
        assert_eq!(judge(true, &[Class::Blocked; 3]), [ThisOne, ThisOne, All]);
    }

    #[test]
    fn a_removed_endpoint_stops_the_run_at_any_time() {
        assert_eq!(judge(true, &[Class::EndpointRemoved]), [Reach::All]);
    }

    #[test]
    fn one_revoked_authorization_does_not_stop_a_proven_run() {
        let reach = judge(true, &[Class::ClientRefused; 10]);
        assert_eq!(reach[..9], [Reach::ThisOne; 9]);
        assert_eq!(reach[9], Reach::All);
    }
}
