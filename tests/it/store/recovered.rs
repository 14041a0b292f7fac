//! Finished runs, for `store` to store, and the pairs in them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, MockServer, Work, company, lines, location};

/// How many pairs a run of these tests has.
pub(super) const PAIRS: usize = 40;

/// Which installations a run has recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovered {
    /// Sub-accounts of four agencies.
    Locations,
    /// Every tenth is one of the four agencies instead.
    Both,
    /// Two thousand sub-accounts.
    Many,
}

/// A token pair.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// Its place in the list, from 0.
    pub(super) n: usize,
    pub(super) id: String,
    pub(super) is_agency: bool,
    pub(super) company: String,
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) expires_at: Timestamp,
    pub(super) expires_in: i64,
    /// The session document.
    pub(super) document: Value,
}

impl Recovered {
    /// Such a run.
    ///
    /// The run itself is made once a process. It takes a [`Work`], so that this has to be called
    /// before the test takes its own.
    pub(super) fn prepared(self) -> &'static Finished {
        static LOCATIONS: OnceLock<Finished> = OnceLock::new();
        static BOTH: OnceLock<Finished> = OnceLock::new();
        static MANY: OnceLock<Finished> = OnceLock::new();
        match self {
            Self::Locations => LOCATIONS.get_or_init(|| Finished::run(&list(PAIRS, self))),
            Self::Both => BOTH.get_or_init(|| Finished::run(&list(PAIRS, self))),
            Self::Many => MANY.get_or_init(|| Finished::run(&list(2000, self))),
        }
    }

    fn is_agency(self, n: usize) -> bool {
        self == Self::Both && n % 10 == 9
    }
}

/// (location, company) of each installation; an agency has no location.
fn list(count: usize, of: Recovered) -> Vec<(Option<String>, String)> {
    let installation = |n: usize| {
        let is_agency = of.is_agency(n);
        ((!is_agency).then(|| location(n)), company(n / 10 % 4))
    };
    (0..count).map(installation).collect()
}

/// The files of a run that went well.
pub(super) struct Finished {
    files: BTreeMap<String, Vec<u8>>,
    pub(super) pairs: Vec<Pair>,
}

impl Finished {
    fn run(list: &[(Option<String>, String)]) -> Self {
        let server = MockServer::good();
        let mut csv = "location_id,company_id\n".to_owned();
        for (location, company) in list {
            if let Some(location) = location {
                server.list_location(location, company);
            }
            csv.push_str(location.as_deref().unwrap_or_default());
            csv.extend([",", company, "\n"]);
        }
        let work = Work::new();
        let ran = work.run(work.file("list.csv", csv), &server.url()).go().expect(0);
        let folder = fs::read_dir(&ran.folder).unwrap().map(|entry| entry.unwrap());
        let files = folder
            .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
        let files = files.collect();
        let places: BTreeMap<&str, usize> = list
            .iter()
            .enumerate()
            .map(|(n, (location, company))| (location.as_deref().unwrap_or(company), n))
            .collect();
        let tokens = lines(&ran.file("tokens.jsonl"));
        let mut pairs: Vec<_> = tokens
            .into_iter()
            .map(|document| Pair::of(places[document["resourceId"].as_str().unwrap()], document))
            .collect();
        pairs.sort_by_key(|pair| pair.n);
        assert_eq!(pairs.len(), list.len());
        Self { files, pairs }
    }

    /// Writes the run folder.
    pub(super) fn write_to(&self, folder: &Path) -> PathBuf {
        fs::create_dir(folder).unwrap();
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes).unwrap();
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let set = |path: &Path, mode| {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            };
            set(folder, 0o700);
            self.files.keys().for_each(|name| set(&folder.join(name), 0o600));
        }
        folder.to_owned()
    }
}

impl Pair {
    fn of(n: usize, document: Value) -> Self {
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        let expires_at = document["expire_at"].as_i64().unwrap();
        Self {
            n,
            id: text("resourceId"),
            is_agency: document["userType"] == "Company",
            company: text("companyId"),
            access: text("access_token"),
            refresh: text("refresh_token"),
            expires_at: Timestamp::from_millisecond(expires_at).unwrap(),
            expires_in: document["expires_in"].as_i64().unwrap(),
            document,
        }
    }

    /// The pair that the app had for it until the incident, dead for a month.
    pub(super) fn old(&self) -> Self {
        let life = SignedDuration::from_secs(self.expires_in);
        let expires_at = self.expires_at - SignedDuration::from_hours(24 * 31);
        let access = self.token("access", expires_at - life, expires_at);
        let refresh =
            self.token("refresh", expires_at - life, expires_at + SignedDuration::from_hours(8760));
        self.with(access, refresh, expires_at)
    }

    /// A pair that the app's own refresher got for it an hour after the run.
    pub(super) fn newer(&self) -> Self {
        let hour = SignedDuration::from_hours(1);
        let expires_at = self.expires_at + hour;
        let issued = expires_at - SignedDuration::from_secs(self.expires_in);
        let access = self.token("newer access", issued, expires_at);
        let refresh =
            self.token("newer refresh", issued, expires_at + SignedDuration::from_hours(8760));
        self.with(access, refresh, expires_at)
    }

    /// The same for another installation, under another number.
    pub(super) fn of_another(&self, n: usize) -> Self {
        let id = format!("Oth{n:017}");
        let mut document = self.document.clone();
        let name = if self.is_agency { "companyId" } else { "locationId" };
        document["resourceId"] = json!(id);
        document[name] = json!(id);
        let company = if self.is_agency { id.clone() } else { self.company.clone() };
        Self { n, id, company, document, ..self.clone() }.old()
    }

    fn with(&self, access: String, refresh: String, expires_at: Timestamp) -> Self {
        let mut document = self.document.clone();
        document["access_token"] = json!(access);
        document["refresh_token"] = json!(refresh);
        document["expire_at"] = json!(expires_at.as_millisecond());
        Self { access, refresh, expires_at, document, ..self.clone() }
    }

    /// A token of HighLevel's shape, signed by nobody.
    fn token(&self, what: &str, issued: Timestamp, expires: Timestamp) -> String {
        let claims = json!({
            "authClass": self.document["userType"], "authClassId": self.id, "source": "INTEGRATION",
            "sourceId": CLIENT_ID, "channel": "OAUTH", "primaryAuthClassId": self.id,
            "iat": issued.as_second(), "exp": expires.as_second(),
        });
        let parts = [r#"{"alg":"RS256","typ":"JWT"}"#.to_owned(), claims.to_string()];
        let signature = URL_SAFE_NO_PAD.encode(format!("{what} of {:0>20}", self.id));
        parts.map(|part| URL_SAFE_NO_PAD.encode(part) + ".").concat() + &signature
    }
}
