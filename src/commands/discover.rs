//! `discover`: the installed locations of agencies as a list that `run` takes.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use tokio::{runtime::Runtime, time::timeout};

use crate::{
    clock,
    engine::discover::{
        agency_walk::{AgencyWalk, under_signals},
        cursor::Question,
        list_writer::ListWriter,
        pager::Pager,
        words::NEW_TOKEN,
    },
    exit::{Exit, Fault, OrExit},
    highlevel::{
        client::{Client, Listing},
        client_id::application,
    },
    installation::Id,
    journal::disk::Disk,
    pace::{Pacer, memory::Memory},
    settings::{
        Settings, Stdin, agency_tokens::Held, app::App, args::DiscoverArgs, options,
        variables::Variables,
    },
    terminal::{console::Console, next::shell_line},
};

/// Lists the locations of every agency whose token is at hand.
pub fn discover(args: &DiscoverArgs, console: Console) -> Result<Exit, Fault> {
    let variables = Variables::read(args.app.env_file.as_deref()).or_exit(Exit::Usage)?;
    let settings = Settings::of_discover(args, &variables).or_exit(Exit::Usage)?;
    let app = App::of(&settings, &variables, Stdin::Free).or_exit(Exit::Usage)?;
    app.warnings.iter().for_each(|warning| console.print(&format!("warning: {warning}")));
    let companies = companies(args, &app).or_exit(Exit::Usage)?;
    let listing = if args.installed_only { Listing::Installed } else { Listing::All };
    let credentials = app.credentials_to_read().or_exit(Exit::Usage)?;
    let question = Question {
        base_url: app.endpoint.base().to_owned(),
        app: application(&credentials.client_id).to_owned(),
        api_version: app.endpoint.version(),
        listing,
    };
    let list = match &args.out {
        None => ListWriter::on_stdout(question.clone()).or_exit(Exit::Local)?,
        Some(out) => ListWriter::in_file(out, question.clone(), Disk::default())?,
    };
    // Whoever names the agencies does not miss those of other lines.
    let nameless = if args.company.is_empty() { app.agency_tokens.unusable_lines() } else { 0 };
    let again = shell_line(&options::of_discover(args, &settings));
    let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
    let ended = runtime.block_on(async {
        let memory = Memory::of(app.endpoint.base(), &credentials.client_id);
        let (pacer, pacing) = Pacer::start(settings.pacing(), Some(memory))
            .context("cannot start a thread")
            .or_exit(Exit::Local)?;
        let client = Client::new(app.endpoint, credentials, settings.timeout, app.answers)
            .or_exit(Exit::Local)?;
        let (tokens, app, attempts) = (app.agency_tokens, question.app, settings.attempts);
        let pages = Pager { client, pacer, tokens, app, listing, attempts };
        let print = &|line: &str| console.print(line);
        let ended =
            under_signals(AgencyWalk { pager: pages, companies, nameless, list, print, again })
                .await;
        // The tour is over and with it the pacer, which remembers its starts for the run that follows.
        let _ = timeout(Duration::from_secs(1), pacing).await;
        ended
    });
    runtime.shutdown_background();
    ended
}

/// The agencies that are asked, in a steady order. None that could be asked is an error, since
/// nothing would be sent.
fn companies(args: &DiscoverArgs, app: &App) -> anyhow::Result<Vec<Id>> {
    let tokens = &app.agency_tokens;
    let mut companies = args.company.clone();
    if companies.is_empty() {
        companies.extend(tokens.known());
    }
    companies.sort();
    companies.dedup();
    ensure!(
        !companies.is_empty() || !tokens.has_one_for_all(),
        "the agency token does not say of which agency it is: give --company ID"
    );
    ensure!(
        !companies.is_empty(),
        "no agency token: give --agency-tokens FILE (lines as in tokens.jsonl, userType Company), or set GHL_AGENCY_TOKEN in the environment or in an --env-file"
    );
    let held: Vec<_> = companies.iter().map(|company| tokens.get(company)).collect();
    if held.iter().any(|held| matches!(held, Held::Usable(_))) {
        return Ok(companies);
    }
    let why = companies.iter().zip(&held).map(|(company, held)| match held {
        Held::Expired(at) => {
            format!("the token of agency {company} is past its life since {}", clock::stamp(*at))
        }
        _ => format!("there is no token of agency {company}"),
    });
    let why: Vec<_> = why.collect();
    Err(anyhow!("{}. {NEW_TOKEN}", why.join("; ")))
}
