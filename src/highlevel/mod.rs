//! HighLevel's API: the calls, what their answers say, and what kind of failure an answer is.
//!
//! Nothing here depends on lists, runs or files. Facts about the API come from its documentation
//! (<https://developers.gohighlevel.com/>), its OpenAPI files, and what developers have published.

pub mod agency;
pub mod allowance;
pub mod answer;
pub mod client;
pub mod client_id;
pub mod endpoint;
pub mod error_text;
pub mod grant;
pub mod header_times;
pub mod jwt;
pub mod known_secrets;
pub mod locations;
pub mod normalised_message;
pub mod reply;
pub mod secret_forms;
pub mod server_clock;
pub mod table;
pub mod token_check;
pub mod token_checks;
pub mod token_clients;
pub mod token_shape;
pub mod tokens;
pub mod version;
