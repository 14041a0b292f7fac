//! Who calls, and where: the settings with the secrets that they name.

use std::{collections::HashSet, path::Path};

use anyhow::{Context, bail, ensure};

use super::{
    agency_tokens::{AgencyTokens, Owner},
    app_credentials::{self, NamedApp, SecretsFrom},
    env_file,
    execution::{Place, Settings},
    known_messages::KnownMessages,
    secret_text::{Stdin, check_pair, check_value, odd_client_id, odd_secret, secret_in},
    variables::{AGENCY_TOKEN, CLIENT_ID, CLIENT_SECRET, Variables},
};
use crate::{
    app::{self, AppName, AppOfRun, Directory},
    highlevel::{client::Credentials, client_id::application, endpoint::Endpoint, table::Answers},
    installation::Id,
    plan::OwnApp,
    sandbox,
    secret::{ClientSecret, Secret},
};

const NO_CLIENT_ID: &str =
    "no client id: give --client-id, or set GHL_CLIENT_ID in the environment or in an --env-file";

const NO_CLIENT_SECRET: &str = "no client secret: set GHL_CLIENT_SECRET in the environment or in an --env-file, or give --client-secret-file";

/// Who is calling and where, as far as it is known.
#[derive(Debug)]
pub struct App {
    /// Where the calls go.
    pub endpoint: Endpoint,
    /// The client id, when one was given.
    pub client_id: Option<String>,
    client_secret: Option<ClientSecret>,
    redirect_uri: Option<String>,
    /// What its answers mean.
    pub answers: Answers,
    /// Tokens of agencies that are at hand.
    pub agency_tokens: AgencyTokens,
    /// The apps of `--apps`; none without it.
    pub named: Vec<NamedApp>,
    /// What looks odd and is used all the same.
    pub warnings: Vec<String>,
}

/// An app at work: with `--apps`, one of several.
#[derive(Debug)]
pub struct AppContext {
    /// Its name among several.
    pub app: Option<AppName>,
    /// Its credentials.
    pub credentials: Credentials,
    /// Tokens of agencies that have it.
    pub agency_tokens: AgencyTokens,
}

impl AppContext {
    /// Its secrets, for the search for leaks.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut secrets = self.agency_tokens.secrets();
        secrets.push(self.credentials.client_secret.0.clone());
        secrets
    }
}

impl App {
    /// Puts the app together. What is there is checked; what is missing is missing.
    pub fn of(settings: &Settings, variables: &Variables, stdin: Stdin) -> anyhow::Result<Self> {
        let app = match settings.place {
            Place::Real => Self::of_account(settings, variables, stdin)?,
            Place::Sandbox => Self::of_sandbox(settings)?,
        };
        match &settings.secrets.apps {
            None => Ok(app),
            Some(file) => app.with_apps(file, settings, variables),
        }
    }

    fn of_account(
        settings: &Settings,
        variables: &Variables,
        stdin: Stdin,
    ) -> anyhow::Result<Self> {
        check_variable(settings, variables)?;
        let Settings { client_id, redirect_uri, secrets, .. } = settings;
        let client_secret = match &secrets.client_secret_file {
            Some(file) => Some(secret_in(file, stdin)?),
            None => variables.get(CLIENT_SECRET),
        };
        for (name, value) in [
            ("the client id", client_id),
            ("the client secret", &client_secret),
            ("the redirect URI", redirect_uri),
        ] {
            value.as_deref().map_or(Ok(()), |value| check_value(name, value))?;
        }
        check_pair(client_id.as_deref(), client_secret.as_deref())?;
        let mut app = Self::without_secrets(settings, variables.get(AGENCY_TOKEN).as_deref())?;
        app.warnings.splice(0..0, open_secrets(settings));
        app.warnings.extend(client_secret.as_deref().and_then(odd_secret));
        app.client_secret = client_secret.map(|text| ClientSecret(Secret::new(text)));
        app.redirect_uri.clone_from(redirect_uri);
        Ok(app)
    }

    /// The app of a rehearsal: the one that was given, or the sandbox's own. The sandbox takes its own
    /// secret from every client.
    fn of_sandbox(settings: &Settings) -> anyhow::Result<Self> {
        settings.client_id.as_deref().map_or(Ok(()), |id| check_value("the client id", id))?;
        let mut app = Self::without_secrets(settings, None)?;
        app.client_id.get_or_insert_with(|| sandbox::CLIENT_ID.to_owned());
        app.client_secret = Some(ClientSecret(Secret::new(sandbox::CLIENT_SECRET.to_owned())));
        Ok(app)
    }

    fn without_secrets(settings: &Settings, agency_token: Option<&str>) -> anyhow::Result<Self> {
        let file = settings.secrets.agency_tokens.as_deref();
        let agency_tokens = AgencyTokens::load(file, agency_token)?;
        let odd = settings.client_id.as_deref().and_then(odd_client_id);
        let known = settings.known_messages.as_ref();
        Ok(Self {
            endpoint: settings.endpoint()?,
            client_id: settings.client_id.clone(),
            client_secret: None,
            redirect_uri: None,
            answers: known.map(KnownMessages::answers).transpose()?.unwrap_or_default(),
            warnings: odd.into_iter().chain(agency_tokens.notes().iter().cloned()).collect(),
            agency_tokens,
            named: Vec::new(),
        })
    }

    /// Adds the apps of `--apps`; in a rehearsal, the sandbox takes its own secret for each.
    fn with_apps(
        mut self,
        file: &Path,
        settings: &Settings,
        variables: &Variables,
    ) -> anyhow::Result<Self> {
        let place = settings.place;
        let variable = |name: &str| variables.get_any(name);
        self.named = app_credentials::load(
            file,
            match place {
                Place::Sandbox => SecretsFrom::Sandbox(sandbox::CLIENT_SECRET),
                Place::Real => SecretsFrom::Places(&variable),
            },
        )?;
        let token = variables.get(AGENCY_TOKEN).filter(|_| place == Place::Real);
        let agency_tokens = settings.secrets.agency_tokens.as_deref();
        let tokens_of = |client_id: &str| {
            let owner = Owner::App(application(client_id));
            AgencyTokens::load_of(owner, agency_tokens, token.as_deref())
        };
        if let Some(own) = &self.client_id {
            self.agency_tokens = tokens_of(own)?;
        }
        for named in &mut self.named {
            named.agency_tokens = tokens_of(&named.app.client_id)?;
            self.warnings.extend(odd_client_id(&named.app.client_id));
            let secret = named.client_secret().filter(|_| place == Place::Real);
            let odd = secret.and_then(|secret| odd_secret(secret.0.expose()));
            self.warnings.extend(odd.map(|odd| format!("--apps: [{}]: {odd}", named.app.name)));
        }
        self.check_other_pairs()?;
        Ok(self)
    }

    /// The usual client id may be one of the named ones, but no other pair of the same app.
    fn check_other_pairs(&self) -> anyhow::Result<()> {
        let Some(own) = &self.client_id else { return Ok(()) };
        let is_pair = |named: &&NamedApp| {
            named.app.client_id != *own && application(&named.app.client_id) == application(own)
        };
        if let Some(named) = self.named.iter().find(is_pair) {
            bail!(
                "--apps: [{}] and client id {own} are key pairs of the same app, whose installations \
                 have one token pair each; leave one out",
                named.name()
            );
        }
        Ok(())
    }

    /// The agencies of which a token is at hand, whichever app it is for.
    pub fn known_agencies(&self) -> HashSet<Id> {
        let mut known = self.agency_tokens.known();
        known.extend(self.named.iter().flat_map(|named| named.agency_tokens.known()));
        known
    }

    /// Whether an agency's token is at hand that does not say of which agency it is.
    pub fn has_agency_token_for_all(&self) -> bool {
        let named = self.named.iter().map(|named| &named.agency_tokens);
        named.chain([&self.agency_tokens]).any(AgencyTokens::has_one_for_all)
    }

    /// The apps that rows may be of; `None` without `--apps`.
    pub fn directory(&self) -> Option<Directory> {
        if self.named.is_empty() {
            return None;
        }
        let mut apps: Vec<_> = self.named.iter().map(|named| named.app.clone()).collect();
        let rest = self.client_id.as_ref();
        let own = rest.filter(|own| !apps.iter().any(|app| app.client_id == **own));
        if let (Some(name), Some(own)) = (AppName::new(app::DEFAULT), own) {
            apps.push(AppOfRun { name, client_id: own.clone() });
        }
        Some(Directory::new(apps, rest.map(String::as_str)))
    }

    /// Who calls for the installations of these apps, each with credentials of its own; without
    /// `--apps`, one for all.
    pub fn app_contexts(&mut self, apps: &[AppOfRun]) -> anyhow::Result<Vec<AppContext>> {
        if apps.is_empty() {
            let agency_tokens = std::mem::take(&mut self.agency_tokens);
            return Ok(vec![AppContext {
                app: None,
                credentials: self.credentials()?,
                agency_tokens,
            }]);
        }
        apps.iter().map(|app| self.app_context(app)).collect()
    }

    fn app_context(&mut self, app: &AppOfRun) -> anyhow::Result<AppContext> {
        let named = self.named.iter_mut().find(|named| named.app.client_id == app.client_id);
        let (credentials, agency_tokens) = match named {
            Some(named) => (named.credentials()?, std::mem::take(&mut named.agency_tokens)),
            None => (self.credentials()?, std::mem::take(&mut self.agency_tokens)),
        };
        Ok(AppContext { app: Some(app.name.clone()), credentials, agency_tokens })
    }

    /// The app as far as it was given.
    pub fn own(&self) -> OwnApp<'_> {
        let named = self.named.iter().filter_map(NamedApp::client_secret);
        OwnApp {
            client_id: self.client_id.as_deref(),
            client_secrets: self.client_secret.iter().chain(named).collect(),
        }
    }

    /// The credentials for calls that need an agency's token and no client secret.
    pub fn credentials_to_read(&self) -> anyhow::Result<Credentials> {
        let none = || ClientSecret(Secret::new(String::new()));
        let client_secret = self.client_secret.clone().unwrap_or_else(none);
        let client_id = self.client_id.clone().context(NO_CLIENT_ID)?;
        Ok(Credentials { client_id, client_secret, redirect_uri: None })
    }

    /// The credentials; an error when some are missing.
    pub fn credentials(&self) -> anyhow::Result<Credentials> {
        let client_id = self.client_id.clone().context(NO_CLIENT_ID)?;
        let client_secret = self.client_secret.clone().context(NO_CLIENT_SECRET)?;
        Ok(Credentials { client_id, client_secret, redirect_uri: self.redirect_uri.clone() })
    }
}

/// A secret beside another app's client id is that app's.
fn check_variable(settings: &Settings, variables: &Variables) -> anyhow::Result<()> {
    let Some(own) = settings.client_id.as_ref().filter(|_| !settings.client_id_typed) else {
        return Ok(());
    };
    let other = variables.get(CLIENT_ID).filter(|id| id != own);
    ensure!(
        other.is_none(),
        "this run is for client id {own}, and {CLIENT_ID} is {}; its tokens belong to the first",
        other.unwrap_or_default()
    );
    Ok(())
}

/// Files of secrets that others can read.
fn open_secrets(settings: &Settings) -> impl Iterator<Item = String> {
    let files = [
        ("--env-file", settings.secrets.env_file.as_deref()),
        ("--client-secret-file", settings.secrets.client_secret_file.as_deref()),
    ];
    files.into_iter().filter_map(|(option, file)| env_file::warning_about(option, file?))
}
