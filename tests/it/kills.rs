//! Kills and power cuts on every route: nothing that was granted is lost, and what nobody holds is told.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use ghl_reconnect::{
    exit::Exit,
    installation::Scope,
    journal::{
        disk::{Disk, Operation},
        spill,
    },
    sandbox::{AccessLife, Options, RefreshLife, StoredPair},
};
use serde_json::json;

use crate::support::{
    MockServer, Ran, Work, company,
    in_process::{inside, left},
    lines, location, start_silent, wait_until,
};

/// How tokens come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Reconnect,
    Refresh,
    Agency,
}

const ROUTES: [Route; 3] = [Route::Reconnect, Route::Refresh, Route::Agency];

impl Route {
    fn name(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
            Self::Refresh => "refresh,reconnect",
            Self::Agency => "agency",
        }
    }
}

/// A list with what its route needs, and the sandbox that knows it.
struct World {
    work: Work,
    server: MockServer,
    list: String,
    agency_tokens: String,
    route: Route,
}

impl World {
    fn new(route: Route, count: usize, seed: u64, latency_ms: u64) -> Self {
        let work = Work::new();
        let agency_token = "the-access-token-of-the-one-agency";
        let refresh_token = |n: usize| format!("the-refresh-token-of-{n:06}");
        let agency = StoredPair::new(Scope::Company, company(1));
        let mut stored = vec![agency.access(agency_token, AccessLife::Alive)];
        stored.extend((0..count).filter(|_| route == Route::Refresh).map(|n| {
            let pair = StoredPair::new(Scope::Location, location(n)).company(company(1));
            pair.refresh(refresh_token(n), RefreshLife::Good)
        }));
        let latency = Duration::from_millis(latency_ms);
        let server = MockServer::with(Options { latency, seed, stored, ..Options::default() });
        let csv = (0..count).fold("location_id,company_id,refresh_token\n".to_owned(), |csv, n| {
            server.list_location(&location(n), &company(1));
            let refresh = if route == Route::Refresh { refresh_token(n) } else { String::new() };
            csv + &format!("{},{},{refresh}\n", location(n), company(1))
        });
        let tokens = json!({
            "userType": "Company", "companyId": company(1), "access_token": agency_token,
        });
        let path = |path: std::path::PathBuf| path.into_os_string().into_string().unwrap();
        let list = path(work.file("list.csv", csv));
        let agency_tokens = path(work.file("agencies.jsonl", tokens.to_string()));
        Self { work, server, list, agency_tokens, route }
    }

    fn options(&self) -> Vec<&str> {
        let mut options = vec!["--via", self.route.name()];
        if self.route == Route::Agency {
            options.extend(["--agency-tokens", &self.agency_tokens]);
        }
        options
    }

    /// The next execution: the first one, or one that resumes.
    fn command(&self) -> crate::support::Run {
        let url = self.server.url();
        if self.work.path("run").exists() {
            self.work.resume(&url).args(self.options()).arg("--retry-failed")
        } else {
            self.work.run(&self.list, &url).args(self.options())
        }
    }

    /// Ends execution after execution by kill -9 within so many requests; the kills.
    fn kill(&self, most: usize, random: &mut fastrand::Rng) -> usize {
        let mut kills = 0;
        while kills < most {
            let mut child = start_silent(self.command().command());
            let until = self.server.requests() + random.usize(0..40);
            let mut has_ended = false;
            wait_until("some progress", || {
                has_ended = child.try_wait().unwrap().is_some();
                has_ended || self.server.requests() >= until
            });
            child.kill().unwrap();
            child.wait().unwrap();
            if has_ended {
                break;
            }
            kills += 1;
        }
        kills
    }

    /// Grants that nobody holds and no summary tells, and the grants in all.
    fn untold(&self, ran: &Ran) -> (usize, usize) {
        let held: Vec<_> = ran.tokens().into_iter().chain(ran.quarantine()).collect();
        let is_held = |token: &str| held.iter().any(|line| line["access_token"] == token);
        let mut told: HashMap<String, usize> = HashMap::new();
        for grant in ran.summary()["lost_grants"]["first"].as_array().unwrap() {
            *told.entry(grant["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let mut untold = 0;
        let grants = self.server.audit().grants;
        for grant in grants.iter().filter(|grant| !is_held(&grant.access_token)) {
            match told.get_mut(&grant.id).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => untold += 1,
            }
        }
        (untold, grants.len())
    }
}

/// What kills or power cuts came to.
#[derive(Debug, Default)]
struct Figures {
    ends: usize,
    grants: usize,
    lost: usize,
    presented_twice: usize,
    untold: usize,
    rebuilt: usize,
}

impl Figures {
    fn add(&mut self, world: &World, ran: &Ran, ends: usize, count: usize) {
        ran.assert_books_balance();
        let (untold, grants) = world.untold(ran);
        self.ends += ends;
        self.grants += grants;
        self.lost += count - ran.count("recovered");
        self.presented_twice += world.server.audit().codes_presented_twice().len();
        self.untold += untold;
    }
}

/// Kills a run of so many rows so many times, and resumes it to its end.
fn kills(route: Route, count: usize, most: usize, seed: u64) -> Figures {
    let world = World::new(route, count, seed, 4);
    let kills = world.kill(most, &mut fastrand::Rng::with_seed(seed));
    let ran = world.command().go();
    let ran = Ran { folder: world.work.path("run"), ..ran };
    let mut figures = Figures::default();
    figures.add(&world, &ran, kills, count);
    figures
}

/// The sizes that files have after a power cut.
#[derive(Default)]
struct Durable {
    is_off: bool,
    token_syncs: usize,
    tokens: u64,
    journal: u64,
}

/// What the disk did not sync any more.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// Tokens, and the events that speak of them.
    Tokens,
    /// The events alone.
    Events,
}

/// Takes the power away when tokens are synced for the `at`th time, before them or before their events:
/// nothing that is not synced by then is there afterwards. Goes on to the end.
fn power_cut(route: Route, count: usize, (lost, at): (Lost, usize), seed: u64) -> Figures {
    let world = World::new(route, count, seed, 10);
    let run = world.work.path("run");
    let (let_go, hanging) = mpsc::channel::<()>();
    let hanging = Arc::new(Mutex::new(hanging));
    let still_open = Arc::downgrade(&hanging);
    let durable = Arc::new(Mutex::new(Durable::default()));
    let disk = {
        let (run, durable) = (run.clone(), durable.clone());
        let size = move |name: &str| fs::metadata(run.join(name)).map_or(0, |file| file.len());
        Disk::failing(move |operation| {
            let mut durable = durable.lock().unwrap();
            // Tokens are written and synced in one go, before the events that speak of them.
            let is_of_tokens = size("tokens.jsonl") > durable.tokens;
            if operation == Operation::Sync {
                durable.token_syncs += usize::from(is_of_tokens);
                let is_lost = match lost {
                    Lost::Tokens => is_of_tokens,
                    Lost::Events => !is_of_tokens,
                };
                durable.is_off |= is_lost && durable.token_syncs >= at;
            }
            if durable.is_off {
                // The machine is off: nobody hears anything of this disk again.
                drop(durable);
                if std::thread::current().name() == Some("journal") {
                    let _ = hanging.lock().unwrap().recv();
                }
                return Err(std::io::Error::other("off"));
            }
            if operation == Operation::Sync {
                if is_of_tokens {
                    durable.tokens = size("tokens.jsonl");
                } else {
                    durable.journal = size("journal.jsonl");
                }
            }
            Ok(())
        })
    };
    let unpaced = ["--rate", "unlimited"];
    let first = ["run", &world.list];
    let words: Vec<&str> = first.into_iter().chain(unpaced).chain(world.options()).collect();
    let disk = disk.with_patience(Duration::from_millis(300));
    let exit = inside(&world.work, &words, &world.server, disk);
    drop(let_go);
    wait_until("the end of its thread", || still_open.strong_count() == 0);
    let was_cut = exit != Exit::Recovered;
    let mut durable_lines = String::new();
    if was_cut {
        let Durable { tokens, journal, .. } = *durable.lock().unwrap();
        cut(&run.join("tokens.jsonl"), tokens);
        durable_lines = fs::read_to_string(run.join("tokens.jsonl")).unwrap();
        cut(&run.join("journal.jsonl"), journal);
        let events = lines(&run.join("journal.jsonl"));
        let run_id = events[0]["started"]["run_id"].as_str().unwrap();
        for (place, _) in spill::found(&run, run_id).unwrap() {
            fs::remove_file(place).unwrap();
        }
        let resume = ["resume", run.to_str().unwrap(), "--retry-failed"];
        let words: Vec<&str> = resume.into_iter().chain(unpaced).chain(world.options()).collect();
        inside(&world.work, &words, &world.server, Disk::default());
    }
    let ran = Ran { code: 0, ..left(&world.work, exit) };
    let tokens = ran.text("tokens.jsonl");
    for line in durable_lines.lines() {
        assert!(tokens.lines().any(|kept| kept == line), "recovered, and asked for once more");
    }
    let mut figures = Figures::default();
    figures.add(&world, &ran, usize::from(was_cut), count);
    figures.rebuilt = ran.events("reclaimed").len();
    figures
}

fn cut(file: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(length.min(file.metadata().unwrap().len())).unwrap();
}

#[test]
fn a_location_token_that_a_kill_lost_is_told() {
    let figures = kills(Route::Agency, 60, 5, 1);
    assert!(figures.ends >= 3, "{figures:?}");
    assert!(figures.grants > 60, "some were lost: {figures:?}");
    assert_eq!((figures.lost, figures.untold), (0, 0), "{figures:?}");
}

#[test]
fn a_location_token_that_a_power_cut_lost_is_told() {
    for at in [2, 3] {
        let figures = power_cut(Route::Agency, 40, (Lost::Tokens, at), 2);
        assert_eq!(figures.ends, 1, "{figures:?}");
        assert!(figures.grants > 40, "some were lost: {figures:?}");
        assert_eq!((figures.lost, figures.untold), (0, 0), "{figures:?}");
    }
}

#[test]
fn a_power_cut_takes_no_recovery_whose_tokens_are_synced() {
    for route in [Route::Reconnect, Route::Refresh] {
        let figures = power_cut(route, 40, (Lost::Events, 3), 3);
        assert_eq!(figures.ends, 1, "{route:?}: {figures:?}");
        assert_eq!((figures.lost, figures.presented_twice), (0, 0), "{route:?}: {figures:?}");
        assert!(figures.rebuilt > 0, "events are synced later than tokens: {route:?}: {figures:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_location_token_that_was_never_asked_for_is_no_lost_grant() {
    let world = World::new(Route::Agency, 20, 3, 0);
    let run = world.command().rate("4/s");
    let child = crate::support::start(run.command());
    wait_until("some requests", || world.server.requests() >= 2);
    crate::support::signal(&child, "-INT");
    let ran = world.work.end(child).expect(130);
    assert!(ran.events("requesting").len() > ran.count("recovered"), "some were waiting");
    assert_eq!(ran.summary()["lost_grants"]["count"], 0);
    assert_eq!(world.untold(&ran).0, 0);
}

/// The figures of many kills and power cuts: `cargo test --test it -- --ignored --nocapture
/// kills_in_figures`.
#[test]
#[ignore = "a measurement of some minutes"]
#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn kills_in_figures() {
    let mut random = fastrand::Rng::with_seed(2026);
    for route in ROUTES {
        let (mut killed, mut cut_off) = (Figures::default(), Figures::default());
        let join = |all: &mut Figures, one: Figures| {
            all.ends += one.ends;
            all.grants += one.grants;
            all.lost += one.lost;
            all.presented_twice += one.presented_twice;
            all.untold += one.untold;
        };
        for seed in 0..20 {
            join(&mut killed, kills(route, 150, 15, seed));
            let lost = if random.bool() { Lost::Tokens } else { Lost::Events };
            join(&mut cut_off, power_cut(route, 60, (lost, random.usize(1..5)), seed));
        }
        println!("{}: kill -9: {killed:?}", route.name());
        println!("{}: power cut: {cut_off:?}", route.name());
    }
}
