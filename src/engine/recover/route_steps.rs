//! What a route does for an installation. A new route is a file that implements [`RouteSteps`], and a
//! line in [`super::routes`].

use futures::future::BoxFuture;

use super::{
    open_routes::OpenRoutes,
    recovery::{AttemptError, Granted, Recovery},
};
use crate::{engine::job::Job, failure::Failure, installation::Scope};

/// The tokens of an attempt, or why there are none.
pub(super) type Attempt<'a> = BoxFuture<'a, Result<Granted, AttemptError>>;

/// One route.
pub(super) trait RouteSteps: Sync {
    /// Waits for whatever decides whether the route is open to an installation.
    fn prepare<'a>(&self, _recovery: &'a mut Recovery<'_>) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether the route is open to an installation; an error says why not.
    fn check_open(&self, _routes: &OpenRoutes, _job: &Job) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a person can open the route to an installation for which the list, or the options,
    /// lack something.
    fn can_be_opened(&self, _scope: Scope) -> bool {
        true
    }

    /// One attempt, up to a token pair.
    fn attempt<'a>(&self, recovery: &'a mut Recovery<'_>) -> Attempt<'a>;
}
