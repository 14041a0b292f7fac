//! Who calls the API.

use crate::secret::ClientSecret;

/// The app as HighLevel knows it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `client_id`, which the Reconnect API calls `clientKey`.
    pub client_id: String,
    /// `client_secret`, which the Reconnect API calls `clientSecret`.
    pub client_secret: ClientSecret,
    /// Sent with the exchange when given.
    pub redirect_uri: Option<String>,
}
