//! What was meant: arguments, files and environment put together and checked, once.

use std::{
    collections::{HashMap, HashSet},
    env, fs, io,
    io::Read,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use super::{
    agency_tokens::{self, AgencyTokens, Owner},
    args::{AppArgs, AppsArgs, EscalationArgs, PaceArgs, RehearsalArgs, RouteArgs, SandboxArgs},
    env_file,
};
use crate::{
    app::{self, AppName, AppOfRun, Directory, NamedApp, SecretsFrom},
    event::Escalation,
    highlevel::{
        client::Credentials,
        client_id::{ClientId, application},
        endpoint::{Endpoint, HIGHLEVEL, RECONNECT_PATH},
        table::Answers,
        token_checks::{OldTokens, TokenChecks},
    },
    installation::Id,
    pace::{AskedRate, Pacing, Rate},
    plan::{OwnApp, max_failures::MaxFailures},
    sandbox::{self, FaultPlan, InstalledLocation, SeedError, StoredPair},
    secret::{ClientSecret, Secret, is_uuid},
};

const CLIENT_ID: &str = "GHL_CLIENT_ID";
const CLIENT_SECRET: &str = "GHL_CLIENT_SECRET";
const REDIRECT_URI: &str = "GHL_REDIRECT_URI";
const BASE_URL: &str = "GHL_BASE_URL";
const AGENCY_TOKEN: &str = agency_tokens::VARIABLE;

const NO_CLIENT_ID: &str =
    "no client id: give --client-id, or set GHL_CLIENT_ID in the environment or in an --env-file";

/// The variables that matter, as the environment and `--env-file` give them.
#[derive(Default)]
pub struct Variables {
    environment: HashMap<String, String>,
    file: HashMap<String, String>,
}

impl Variables {
    /// Reads the environment, and the file if there is one.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let environment = [CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, BASE_URL, AGENCY_TOKEN]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), env::var(name).ok()?)))
            .collect();
        let file = file.map(env_file::read).transpose()?.unwrap_or_default();
        Ok(Self { environment, file })
    }

    /// The file, which somebody named just now, goes before the environment.
    fn get(&self, name: &str) -> Option<String> {
        let set = |variables: &HashMap<String, String>| {
            variables.get(name).filter(|value| !value.is_empty()).cloned()
        };
        set(&self.file).or_else(|| set(&self.environment))
    }
}

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

/// Where a run calls: a rehearsal is no link of a chain of real runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The embedded stand-in.
    Rehearsal,
    /// Somewhere else.
    Real,
}

/// Where the calls go and for which app, unless somebody says otherwise now.
#[derive(Clone, Debug, Default)]
pub struct AppBefore {
    /// Scheme and host.
    pub base_url: Option<String>,
    /// Path of the Reconnect API.
    pub reconnect_path: Option<String>,
    /// The app.
    pub client_id: Option<String>,
}

impl App {
    /// Puts the app together. What is there is checked; what is missing is missing.
    pub fn of(args: &AppArgs, before: AppBefore, stdin: Stdin) -> anyhow::Result<Self> {
        let variables = Variables::read(args.env_file.as_deref())?;
        let base_url = args.base_url.clone().or_else(|| variables.get(BASE_URL));
        let base_url = base_url.or(before.base_url).unwrap_or_else(|| HIGHLEVEL.to_owned());
        let path = args.reconnect_path.clone().or(before.reconnect_path);
        let endpoint = Endpoint::new(&base_url, path.as_deref().unwrap_or(RECONNECT_PATH))?
            .with_version(args.api_version.unwrap_or_default());
        let client_id = args.client_id.clone().or_else(|| variables.get(CLIENT_ID));
        let client_id = client_id.or(before.client_id);
        let client_secret = match &args.client_secret_file {
            Some(file) => Some(secret_in(file, stdin)?),
            None => variables.get(CLIENT_SECRET),
        };
        let redirect_uri = args.redirect_uri.clone().or_else(|| variables.get(REDIRECT_URI));
        for (name, value) in [
            ("the client id", &client_id),
            ("the client secret", &client_secret),
            ("the redirect URI", &redirect_uri),
        ] {
            value.as_deref().map_or(Ok(()), |value| check_value(name, value))?;
        }
        check_pair(client_id.as_deref(), client_secret.as_deref())?;
        let agency_token = variables.get(AGENCY_TOKEN);
        let agency_tokens =
            AgencyTokens::load(args.agency_tokens.as_deref(), agency_token.as_deref())?;
        let odd = client_id.iter().filter_map(|id| odd_client_id(id));
        let odd = odd.chain(client_secret.iter().filter_map(|secret| odd_secret(secret)));
        let open = open_secrets(args);
        Ok(Self {
            endpoint,
            warnings: open.chain(odd).chain(agency_tokens.notes().iter().cloned()).collect(),
            agency_tokens,
            named: Vec::new(),
            client_id,
            client_secret: client_secret.map(|text| ClientSecret(Secret::new(text))),
            redirect_uri,
            answers: answers(args.known_messages.as_deref())?,
        })
    }

    /// The app of a rehearsal: the one that was given, or the stand-in's own. The stand-in takes its
    /// own secret from every client.
    pub fn of_sandbox(args: &AppArgs, base_url: &str, before: AppBefore) -> anyhow::Result<Self> {
        let path = args.reconnect_path.clone().or(before.reconnect_path);
        let agency_tokens = AgencyTokens::load(args.agency_tokens.as_deref(), None)?;
        let given = args.client_id.clone().or(before.client_id);
        given.as_deref().map_or(Ok(()), |id| check_value("the client id", id))?;
        let odd = given.iter().filter_map(|id| odd_client_id(id));
        Ok(Self {
            endpoint: Endpoint::new(base_url, path.as_deref().unwrap_or(RECONNECT_PATH))?
                .with_version(args.api_version.unwrap_or_default()),
            warnings: odd.chain(agency_tokens.notes().iter().cloned()).collect(),
            client_id: Some(given.unwrap_or_else(|| sandbox::CLIENT_ID.to_owned())),
            client_secret: Some(ClientSecret(Secret::new(sandbox::CLIENT_SECRET.to_owned()))),
            redirect_uri: None,
            answers: answers(args.known_messages.as_deref())?,
            agency_tokens,
            named: Vec::new(),
        })
    }

    /// Adds the apps of `--apps`; in a rehearsal, the stand-in takes its own secret for each.
    pub fn with_apps(
        mut self,
        args: &AppArgs,
        apps: &AppsArgs,
        place: Place,
    ) -> anyhow::Result<Self> {
        let Some(file) = &apps.apps else { return Ok(self) };
        let variables = Variables::read(args.env_file.as_deref())?;
        let variable = |name: &str| variables.get(name).or_else(|| env::var(name).ok());
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        self.named = app::load(
            file,
            match place {
                Place::Rehearsal => SecretsFrom::Sandbox(sandbox::CLIENT_SECRET),
                Place::Real => SecretsFrom::Places(&variable),
            },
        )?;
        let token = variables.get(AGENCY_TOKEN).filter(|_| place == Place::Real);
        let tokens_of = |client_id: &str| {
            let owner = Owner::App(application(client_id));
            AgencyTokens::load_of(owner, args.agency_tokens.as_deref(), token.as_deref())
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
        OwnApp {
            client_id: self.client_id.as_deref(),
            client_secret: self.client_secret.as_ref(),
            named: &self.named,
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
        let client_secret = self.client_secret.clone().context(
            "no client secret: set GHL_CLIENT_SECRET in the environment or in an --env-file, or give --client-secret-file",
        )?;
        Ok(Credentials { client_id, client_secret, redirect_uri: self.redirect_uri.clone() })
    }
}

/// The table of answers, with the rows of `--known-messages` before the built-in ones.
fn answers(file: Option<&Path>) -> anyhow::Result<Answers> {
    let Some(file) = file else { return Ok(Answers::default()) };
    let named = || format!("--known-messages: {}", file.display());
    let text = fs::read_to_string(file).with_context(named)?;
    Answers::parse(text.strip_prefix('\u{feff}').unwrap_or(&text)).with_context(named)
}

/// Whether standard input is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Nobody needs it.
    Free,
    /// The list comes from it.
    IsTheList,
}

/// Files of secrets that others can read.
fn open_secrets(args: &AppArgs) -> impl Iterator<Item = String> {
    let files = [
        ("--env-file", args.env_file.as_deref()),
        ("--client-secret-file", args.client_secret_file.as_deref()),
    ];
    files.into_iter().filter_map(|(option, file)| env_file::warning_about(option, file?))
}

fn secret_in(file: &Path, stdin: Stdin) -> anyhow::Result<String> {
    let (name, text) = if file == Path::new("-") {
        ensure!(
            stdin == Stdin::Free,
            "the list and the client secret cannot both come from standard input"
        );
        ("standard input".to_owned(), read_bounded(&mut io::stdin()))
    } else {
        let text = fs::File::open(file).and_then(|mut file| read_bounded(&mut file));
        (file.display().to_string(), text)
    };
    let text = text.with_context(|| format!("--client-secret-file: cannot read {name}"))?;
    ensure!(!holds_variables(&text), "--client-secret-file: {name} {NOT_THE_SECRET_ALONE}");
    Ok(line_of_file(&text).to_owned())
}

/// The most bytes that a file with a secret has, and many more than a secret.
const MOST_OF_A_SECRET: u64 = 1 << 16;

/// Reads a file with a secret. What has no end, or is no text, is none.
pub fn read_bounded(file: &mut dyn Read) -> io::Result<String> {
    let mut text = String::new();
    let read = file.take(MOST_OF_A_SECRET).read_to_string(&mut text)?;
    if read as u64 == MOST_OF_A_SECRET || text.contains('\0') {
        return Err(io::Error::other("it is no file with a secret in it"));
    }
    Ok(text)
}

/// What is said of a file with variables in it that was given as the secret's.
pub const NOT_THE_SECRET_ALONE: &str =
    "holds NAME=value, and the secret alone is asked for; give a file of variables with --env-file";

/// Whether a line of a file sets a variable. A secret may end in `=` itself.
pub fn holds_variables(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.any(|line| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { return false };
        let name = name.trim();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_name && !value.trim_matches('=').trim().is_empty()
    })
}

/// The secret that a file has, without what an editor adds: a byte order mark and one line end.
pub fn line_of_file(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

/// Names what was pasted along with a value; the value itself is never shown.
pub fn check_value(name: &str, value: &str) -> anyhow::Result<()> {
    ensure!(!value.is_empty(), "{name} is empty");
    for (end, where_) in [(value.chars().next(), "begins"), (value.chars().last(), "ends")] {
        let what = match end {
            Some(',') => "a comma",
            Some(';') => "a semicolon",
            Some('"' | '\'' | '`' | '“' | '”' | '‘' | '’') => "a quote",
            Some(c) if c.is_whitespace() => "a blank",
            _ => continue,
        };
        bail!("{name} {where_} with {what}: remove it where {name} is set");
    }
    let odd = value.chars().any(|c| c.is_whitespace() || c.is_control());
    ensure!(
        !odd,
        "{name} has a blank or a line break within: only the value itself may stand there"
    );
    Ok(())
}

/// Finds out when id and secret were taken for each other, before either is shown or sent.
pub fn check_pair(client_id: Option<&str>, client_secret: Option<&str>) -> anyhow::Result<()> {
    let swapped = client_secret.is_some_and(|secret| ClientId::new(secret).is_some());
    ensure!(!swapped, "the client secret has the shape of a client id: are the two swapped?");
    ensure!(
        client_id.is_none() || client_id != client_secret,
        "the client id and the client secret are the same value"
    );
    Ok(())
}

fn odd_client_id(id: &str) -> Option<String> {
    ClientId::new(id).is_none().then(|| {
        format!(
            "client id {id} does not look like one (24 hexadecimal digits, a dash, 8 characters)"
        )
    })
}

/// What is said of a secret that has another shape than all that were seen; the secret itself is not.
fn odd_secret(secret: &str) -> Option<String> {
    (!is_uuid(secret)).then(|| "the client secret does not look like one (a UUID)".to_owned())
}

/// What a run is made of besides its list and its app.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Request starts.
    pub pacing: Pacing,
    /// Installations in flight.
    pub concurrency: u32,
    /// Conversations for one installation.
    pub attempts: u32,
    /// One request.
    pub timeout: Duration,
    /// How long an outage may last before the run halts.
    pub max_outage: Duration,
    /// How many installations may fail before the run halts.
    pub max_failures: MaxFailures,
    /// After so many failures without a recovery the run is given up; 0 is never.
    pub give_up_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pacing: Pacing {
                asked: AskedRate::Fixed(per_second(10)),
                max: per_second(50),
                burst: NonZeroU32::MIN,
            },
            concurrency: 16,
            attempts: 5,
            timeout: Duration::from_secs(30),
            max_outage: Duration::from_secs(600),
            max_failures: MaxFailures::Any,
            give_up_after: 20,
        }
    }
}

fn per_second(starts: u32) -> Rate {
    let starts = NonZeroU32::new(starts).unwrap_or(NonZeroU32::MIN);
    Rate::Limited { starts, window: Duration::from_secs(1) }
}

impl Limits {
    /// Takes the limits from the arguments; what they leave open is as `before`.
    pub fn of(args: &PaceArgs, before: Self) -> anyhow::Result<Self> {
        let timeout = args.timeout.unwrap_or(before.timeout);
        ensure!(timeout >= Duration::from_millis(10), "--timeout: must be at least 10ms");
        let pacing = Pacing {
            asked: args.rate.unwrap_or(before.pacing.asked),
            max: args.max_rate.unwrap_or(before.pacing.max),
            burst: args.burst.unwrap_or(before.pacing.burst),
        };
        ensure!(
            args.max_rate.is_none() || pacing.asked == AskedRate::Auto,
            "--max-rate: is the bound of --rate auto; without it, --rate itself is the bound"
        );
        check_burst(&pacing)?;
        Ok(Self {
            pacing,
            concurrency: args.concurrency.unwrap_or(before.concurrency),
            attempts: args.attempts.unwrap_or(before.attempts),
            timeout,
            max_outage: args.max_outage.unwrap_or(before.max_outage),
            max_failures: args.max_failures.unwrap_or(before.max_failures),
            give_up_after: args.give_up_after.unwrap_or(before.give_up_after),
        })
    }
}

/// A burst larger than what a window allows would be cut short without a word.
fn check_burst(pacing: &Pacing) -> anyhow::Result<()> {
    if let Rate::Limited { starts, .. } = pacing.bound() {
        ensure!(
            pacing.burst <= starts,
            "--burst: {} at once are more than {} allows; give the rate over a longer time, such as 100/10s",
            pacing.burst,
            pacing.bound()
        );
    }
    Ok(())
}

/// How tokens are tried; what the arguments leave open is as `before`.
pub fn token_checks(args: &RouteArgs, before: TokenChecks) -> TokenChecks {
    let is_on = args.verify || args.verify_path.is_some();
    let path = args.verify_path.clone().or_else(|| before.new.clone());
    TokenChecks {
        old: if args.skip_healthy { OldTokens::Tried } else { before.old },
        new: if is_on { Some(path.unwrap_or_default()) } else { before.new },
    }
}

/// The run folder that was named, or one named after the time that is not taken yet.
pub fn run_folder(out: Option<&Path>) -> PathBuf {
    if let Some(out) = out {
        return out.to_owned();
    }
    let name = crate::clock::now().strftime("ghl-reconnect-%Y%m%dT%H%M%SZ").to_string();
    let later = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone())
        .chain(later)
        .map(PathBuf::from)
        .find(|path| !path.exists())
        .unwrap_or_else(|| name.into())
}

/// A path that means the same from everywhere.
pub fn path_in_full(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The columns of a list by what may be done with them.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// They are carried along.
    pub carried: &'a [String],
    /// They hold tokens and go nowhere.
    pub left_out: &'a [String],
}

/// How the escalation is written; what the arguments leave open is as `before`.
pub fn escalation(
    args: &EscalationArgs,
    before: Escalation,
    columns: Columns<'_>,
) -> anyhow::Result<Escalation> {
    let named = args.escalate_columns.as_ref().map(|names| {
        let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        names.map(|name| column(name, columns)).collect::<anyhow::Result<Vec<_>>>()
    });
    Ok(Escalation {
        ticket_limit: args.ticket_limit.unwrap_or(before.ticket_limit),
        columns: named.transpose()?.unwrap_or(before.columns),
    })
}

/// A column in the list's own spelling.
fn column(name: &str, columns: Columns<'_>) -> anyhow::Result<String> {
    let is_it = |column: &&String| column.trim().eq_ignore_ascii_case(name);
    if let Some(column) = columns.carried.iter().find(is_it) {
        return Ok(column.clone());
    }
    ensure!(
        !columns.left_out.iter().any(|column| is_it(&column)),
        "--escalate-columns: {name} may hold secrets, so no output has it"
    );
    let known = columns.carried.join(", ");
    bail!("--escalate-columns: the list has no column {name}; it has {known}")
}

/// Faults are the stand-in's: without it they would be forgotten, and the run a real one.
pub fn check_rehearsal(args: &RehearsalArgs) -> anyhow::Result<()> {
    let faults = args.sandbox_faults.is_some() || args.sandbox_fault_file.is_some();
    ensure!(args.sandbox || !faults, "--sandbox-faults and --sandbox-fault-file need --sandbox");
    Ok(())
}

/// What the stand-in of a rehearsal does.
pub fn rehearsal(args: &RehearsalArgs) -> anyhow::Result<sandbox::Options> {
    Ok(sandbox::Options {
        faults: faults(args.sandbox_faults.as_deref(), args.sandbox_fault_file.as_deref())?,
        seed: args.sandbox_seed,
        ..sandbox::Options::default()
    })
}

/// What the stand-in of the `sandbox` command does.
pub fn sandbox(args: &SandboxArgs) -> anyhow::Result<sandbox::Options> {
    ensure!(
        args.listen.ip().is_loopback(),
        "--listen: {} is not a loopback address; the stand-in serves this machine only",
        args.listen.ip()
    );
    Ok(sandbox::Options {
        faults: faults(args.faults.as_deref(), args.fault_file.as_deref())?,
        seed: args.seed,
        code_life: args.code_life,
        latency: args.latency,
        stored: seeded("--stored", args.stored.as_deref(), StoredPair::from_file)?,
        installed: seeded("--installed", args.installed.as_deref(), InstalledLocation::from_file)?,
        ..sandbox::Options::default()
    })
}

/// What a file of the flag lets the stand-in know from the start.
fn seeded<T>(
    flag: &'static str,
    file: Option<&Path>,
    read: impl Fn(&Path) -> Result<Vec<T>, SeedError>,
) -> anyhow::Result<Vec<T>> {
    file.map(read).transpose().context(flag).map(Option::unwrap_or_default)
}

fn faults(shares: Option<&str>, file: Option<&Path>) -> anyhow::Result<FaultPlan> {
    let shares: FaultPlan = shares.map(str::parse).transpose()?.unwrap_or_default();
    let file = file.map(FaultPlan::from_file).transpose()?.unwrap_or_default();
    Ok(shares.merge(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_along_is_named_and_the_value_is_not_shown() {
        for (value, named) in [
            ("abc,", "ends with a comma"),
            ("\"abc", "begins with a quote"),
            ("abc'", "ends with a quote"),
            (" abc", "begins with a blank"),
            ("abc\n", "ends with a blank"),
            ("abc;", "ends with a semicolon"),
            ("a bc", "has a blank"),
        ] {
            let error = check_value("the client secret", value).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert!(!error.contains("abc"), "{error}");
        }
        assert!(check_value("the client secret", "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f").is_ok());
    }

    #[test]
    fn an_id_and_a_secret_that_are_swapped_are_found_and_not_shown() {
        let (id, secret) =
            ("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f");
        assert!(check_pair(Some(id), Some(secret)).is_ok());
        for (one, other) in [(secret, id), (id, id), (secret, secret)] {
            let error = check_pair(Some(one), Some(other)).unwrap_err().to_string();
            assert!(!error.contains(one) && !error.contains(other), "{error}");
        }
    }

    #[test]
    fn a_client_id_of_another_shape_is_odd() {
        assert_eq!(odd_client_id("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef"), None);
        for odd in ["66c1a6f5e4b0a1b2c3d4e5f6", "x", "66c1a6f5e4b0a1b2c3d4e5f6-M1ABCDEF"] {
            assert!(odd_client_id(odd).is_some(), "{odd}");
        }
    }

    #[test]
    fn the_file_goes_before_the_environment_and_an_empty_value_is_none() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let variables = Variables {
            environment: map(&[("A", "environment"), ("B", "environment")]),
            file: map(&[("A", "file"), ("B", "")]),
        };
        assert_eq!(variables.get("A").as_deref(), Some("file"));
        assert_eq!(variables.get("B").as_deref(), Some("environment"));
        assert_eq!(variables.get("C"), None);
    }
}
