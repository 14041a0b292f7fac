//! The list of routes.

use super::{
    agency::AgencyRoute, reconnect::ReconnectRoute, refresh::RefreshRoute, route_steps::RouteSteps,
};
use crate::route::Route;

/// What a route does.
pub(super) fn steps_of(route: Route) -> &'static dyn RouteSteps {
    match route {
        Route::Refresh => &RefreshRoute,
        Route::Reconnect => &ReconnectRoute,
        Route::Agency => &AgencyRoute,
    }
}
