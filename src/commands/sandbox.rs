//! `sandbox`: the mock API as a process of its own.

use std::fmt::Write as _;

use anyhow::Context;
use tokio::{net::TcpListener, runtime::Builder};

use crate::{
    engine::signals::Signals,
    exit::{Exit, Fault, OrExit},
    sandbox::{self, CATALOGUE, Sandbox},
    settings::{self, args::SandboxArgs},
    terminal::console::print_data,
};

/// Serves until Ctrl-C.
pub fn serve(args: &SandboxArgs) -> Result<Exit, Fault> {
    if args.list_faults {
        print_data(&catalogue());
        return Ok(Exit::Recovered);
    }
    let options = settings::sandbox::sandbox(args).or_exit(Exit::Usage)?;
    // It answers out of memory in microseconds: a second thread would cost more than it does.
    let runtime = Builder::new_current_thread().enable_all().build().or_exit(Exit::Local)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(args.listen)
            .await
            .with_context(|| format!("--listen: cannot listen on {}", args.listen))
            .or_exit(Exit::Local)?;
        let sandbox = Sandbox::serve_on(listener, options).or_exit(Exit::Local)?;
        // Installed before the address is printed.
        let mut signals = Signals::listen().or_exit(Exit::Local)?;
        print_data(&greeting(&sandbox.base_url()));
        signals.any().await;
        sandbox.stop().await;
        Ok(Exit::Recovered)
    })
}

fn greeting(base_url: &str) -> String {
    format!(
        "{base_url}\n\
         A mock of HighLevel's API, on this machine only. Any client id and secret will do, such as\n\
         \x20 GHL_BASE_URL={base_url} GHL_CLIENT_ID={} GHL_CLIENT_SECRET={}\n\
         What it saw: {base_url}/_sandbox/audit    Ctrl-C ends it.\n",
        sandbox::CLIENT_ID,
        sandbox::CLIENT_SECRET,
    )
}

fn catalogue() -> String {
    let mut text = String::new();
    for known in CATALOGUE {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<22} {}", known.name, known.meaning);
    }
    text + "\nA fault may name its step (exchange:reset), take a parameter (slow(500ms)), and last (reset*).\n"
}
