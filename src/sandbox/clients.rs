//! The client pairs that came along, and which tokens are whose.

use super::CLIENT_ID;

/// A client.
struct Client {
    /// The client id; of stored tokens it may be only what stands before the dash.
    id: String,
    /// None where only the id is known.
    secret: Option<String>,
}

/// All clients.
#[derive(Default)]
pub(super) struct Clients {
    only: Option<(String, String)>,
    known: Vec<Client>,
}

impl Clients {
    /// Clients of which one pair is good, or every one.
    pub(super) fn new(only: Option<(String, String)>) -> Self {
        Self { only, known: Vec::new() }
    }

    /// The number of a client pair that may have codes and tokens; none for a wrong one.
    pub(super) fn accept(&mut self, id: &str, secret: &str) -> Option<u32> {
        if self.only.as_ref().is_some_and(|(good, key)| good != id || key != secret) {
            return None;
        }
        Some(self.number(id, Some(secret)))
    }

    /// The number of a client of which the id alone is known.
    pub(super) fn note(&mut self, id: &str) -> u32 {
        self.number(id, None)
    }

    fn number(&mut self, id: &str, secret: Option<&str>) -> u32 {
        let same = |client: &Client| client.id == id && client.secret.as_deref() == secret;
        let position = self.known.iter().position(same).unwrap_or_else(|| {
            self.known.push(Client { id: id.to_owned(), secret: secret.map(str::to_owned) });
            self.known.len() - 1
        });
        u32::try_from(position).unwrap_or(u32::MAX)
    }

    /// The number of a client pair that uses what belongs to this client; none where it may not.
    pub(super) fn acts_as(&mut self, owner: Option<u32>, id: &str, secret: &str) -> Option<u32> {
        let Some(number) = owner else { return self.accept(id, secret) };
        let client = self.known.get(number as usize)?;
        match &client.secret {
            Some(key) => (client.id == id && key == secret).then_some(number),
            None if client.id == id || client.id == app_of(id) => self.accept(id, secret),
            None => None,
        }
    }

    /// The client id that the tokens of this client name; none where nobody knows whose they are.
    pub(super) fn known_name(&self, client: Option<u32>) -> Option<&str> {
        let known = client.and_then(|number| self.known.get(number as usize));
        let only = || self.only.as_ref().map(|(id, _)| id.as_str());
        known.map(|client| client.id.as_str()).or_else(only)
    }

    fn name(&self, client: Option<u32>) -> &str {
        self.known_name(client).unwrap_or(CLIENT_ID)
    }

    /// The app id of this client.
    pub(super) fn app(&self, client: Option<u32>) -> &str {
        app_of(self.name(client))
    }

    /// Whether this is the app id of the client; where the client is not known, whether it has the
    /// shape of one.
    pub(super) fn is_app(&self, client: Option<u32>, app: &str) -> bool {
        match client.and_then(|number| self.known.get(number as usize)) {
            Some(client) => app_of(&client.id) == app,
            None => !app.contains('-'),
        }
    }
}

/// What stands before the dash of a client id.
fn app_of(client: &str) -> &str {
    client.split('-').next().unwrap_or_default()
}
