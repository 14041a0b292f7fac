//! One installation, start to end: the routes to a token pair, one after the other, until one of them
//! gives tokens that are on disk. [`attempts`] is the place to begin.

mod agency;
mod attempts;
mod departure;
mod no_route;
mod observe;
mod open_routes;
mod outcome;
mod reconnect;
mod recovery;
mod refresh;
pub mod retry;
mod route_steps;
mod routes;
mod token_check;
mod wait;

pub(crate) use self::observe::continued;
pub use self::{
    attempts::recover,
    open_routes::{AgencyInWork, OpenRoutes},
    recovery::{Ending, Tools},
};
