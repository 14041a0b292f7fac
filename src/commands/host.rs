//! What an execution runs on: Tokio's runtime and, for a rehearsal, the embedded sandbox.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, anyhow};
use tokio::runtime::Runtime;

use super::planning::Request;
use crate::{
    engine::session::{Calls, Session},
    exit::{Exit, Fault, OrExit},
    route::Route,
    sandbox::Sandbox,
    settings::{self, Settings, args::RehearsalArgs},
    terminal::{console::Console, next::Next},
    views::summary::Summary,
};

/// What an execution runs on: the runtime, and the sandbox of a rehearsal.
pub struct Host {
    runtime: Runtime,
    sandbox: Option<Sandbox>,
}

impl Host {
    /// Starts the runtime, and the sandbox for a rehearsal.
    pub fn start(
        args: &RehearsalArgs,
        is_rehearsal: bool,
        console: Console,
    ) -> Result<Self, Fault> {
        let runtime = Runtime::new().context("cannot start the runtime").or_exit(Exit::Local)?;
        let mut host = Self { runtime, sandbox: None };
        if is_rehearsal {
            let options = settings::sandbox::rehearsal(args).or_exit(Exit::Usage)?;
            let sandbox = host.runtime.block_on(Sandbox::start(options)).or_exit(Exit::Local)?;
            host.sandbox = Some(sandbox);
            console.print(
                "SANDBOX: this is a rehearsal against the embedded sandbox; nothing leaves this machine.",
            );
        }
        Ok(host)
    }

    /// Where the sandbox is called; `None` without one.
    pub fn sandbox_url(&self) -> Option<String> {
        self.sandbox.as_ref().map(Sandbox::base_url)
    }

    /// Lets the sandbox know the refresh tokens of the list, and take them for good.
    pub fn give_tokens_to_sandbox(&self, request: &Request) {
        if let Some(sandbox) = &self.sandbox
            && request.settings.via.include(Route::Refresh)
        {
            sandbox.store(request.list.tokens().stored_pairs().collect());
        }
    }

    /// Does something on the runtime.
    pub fn block_on<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Does the work of a session, and ends what it has left running, the sandbox last. An error says
    /// how to continue.
    pub fn work(self, session: Session, calls: Calls, console: Console) -> Result<Summary, Fault> {
        let (folder, settings) = (session.folder.clone(), session.settings.clone());
        let begun = Instant::now();
        let done = session.work(&self.runtime, calls, Arc::new(console));
        console.ring_after(begun.elapsed());
        if let Some(sandbox) = self.sandbox {
            self.runtime.block_on(sandbox.stop());
        }
        self.runtime.shutdown_background();
        done.map_err(|Fault { exit, error }| {
            let recorded = recorded(&settings);
            let next = Next { folder: folder.path(), settings: &settings, recorded: &recorded };
            Fault { exit, error: anyhow!("{error:#}\n{}", next.after_a_fault()) }
        })
    }
}

/// The settings as the journal has them: without files that can be read once only.
fn recorded(settings: &Settings) -> Settings {
    let read_back = settings.written().and_then(|written| Settings::read(&written));
    read_back.unwrap_or_else(|_| settings.clone())
}
