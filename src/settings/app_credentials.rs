//! The apps of `--apps` with their secrets, read once from where the file says that they are.

use std::{fs, path::Path};

use anyhow::anyhow;

use super::apps_file::{AppsError, Entry, Place, Wrong, parse};
use super::{
    agency_tokens::AgencyTokens,
    secret_text::{
        NOT_THE_SECRET_ALONE, check_pair, check_value, holds_variables, line_of_file, read_bounded,
    },
};
use crate::app::{AppName, AppOfRun};
use crate::{
    highlevel::{client::Credentials, client_id::application},
    secret::{ClientSecret, Secret},
};

/// An app of `--apps`.
#[derive(Debug)]
pub struct NamedApp {
    /// Its name and its client id.
    pub app: AppOfRun,
    /// Tokens of agencies that have this app.
    pub agency_tokens: AgencyTokens,
    /// The secret, or why it is not there: an app without a row in the list needs none.
    client_secret: Result<ClientSecret, String>,
    redirect_uri: Option<String>,
}

/// Where secrets are looked up.
#[derive(Clone, Copy)]
pub enum SecretsFrom<'a> {
    /// Where the file says.
    Places(&'a dyn Fn(&str) -> Option<String>),
    /// Nowhere: the sandbox of a rehearsal takes this one for every app.
    Sandbox(&'a str),
}

/// Reads the apps of a file.
pub fn load(path: &Path, secrets: SecretsFrom<'_>) -> anyhow::Result<Vec<NamedApp>> {
    let unreadable = |source| AppsError::Unreadable { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let wrong = |wrong| AppsError::Wrong { path: path.to_owned(), wrong };
    let apps = parse(&text).and_then(all_different).map_err(wrong)?;
    apps.into_iter()
        .map(|entry| {
            let named = format!("--apps: {}: [{}]", path.display(), entry.name);
            NamedApp::of(entry, path, secrets).map_err(|error| error.context(named))
        })
        .collect()
}

fn all_different(apps: Vec<Entry>) -> Result<Vec<Entry>, Wrong> {
    for (at, app) in apps.iter().enumerate() {
        let is_same = |other: &&Entry| application(&other.client_id) == application(&app.client_id);
        if let Some(same) = apps[..at].iter().find(is_same) {
            return Err(Wrong::SameApp(same.name.clone(), app.name.clone()));
        }
    }
    Ok(apps)
}

impl NamedApp {
    fn of(entry: Entry, file: &Path, from: SecretsFrom<'_>) -> anyhow::Result<Self> {
        let Entry { name, client_id, secret, redirect_uri } = entry;
        check_value("the client id", &client_id)?;
        redirect_uri.as_deref().map_or(Ok(()), |uri| check_value("the redirect URI", uri))?;
        let found = match from {
            SecretsFrom::Sandbox(secret) => Ok(secret.to_owned()),
            SecretsFrom::Places(variable) => look_up(&secret, file, variable),
        };
        if let Ok(secret) = &found {
            check_value("the client secret", secret)?;
            check_pair(Some(&client_id), Some(secret))?;
        }
        Ok(Self {
            app: AppOfRun { name, client_id },
            agency_tokens: AgencyTokens::default(),
            client_secret: found.map(|text| ClientSecret(Secret::new(text))),
            redirect_uri,
        })
    }

    /// Its name.
    pub fn name(&self) -> &AppName {
        &self.app.name
    }

    /// Its secret, if it is there.
    pub fn client_secret(&self) -> Option<&ClientSecret> {
        self.client_secret.as_ref().ok()
    }

    /// Its credentials; an error where the secret is missing.
    pub fn credentials(&self) -> anyhow::Result<Credentials> {
        let missing = |why| anyhow!("--apps: [{}]: {why}", self.app.name);
        Ok(Credentials {
            client_id: self.app.client_id.clone(),
            client_secret: self.client_secret.clone().map_err(missing)?,
            redirect_uri: self.redirect_uri.clone(),
        })
    }
}

/// Reads a secret. What was written in the place of a name may be the secret itself, so that no
/// error shows it.
fn look_up(
    place: &Place,
    file: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    match place {
        Place::Variable(name) => variable(name).ok_or_else(|| {
            "the variable that client_secret_env names is not set, in the environment or in --env-file"
                .to_owned()
        }),
        Place::File(name) => {
            let path = file.parent().unwrap_or(Path::new("")).join(name);
            let text = fs::File::open(path).and_then(|mut file| read_bounded(&mut file));
            let text = text
                .map_err(|error| format!("cannot read the file that client_secret_file names: {error}"))?;
            if holds_variables(&text) {
                return Err(format!("the file that client_secret_file names {NOT_THE_SECRET_ALONE}"));
            }
            Ok(line_of_file(&text).to_owned())
        }
    }
}
