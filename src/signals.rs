//! Ctrl-C and its kin: the first asks the run to end, the second ends it at once.

use crate::{
    event::Interrupt,
    exit::Exit,
    progress::Progress,
    stop::{Cause, Stop},
};

/// Listens until the second signal; returns the exit code that it means.
pub async fn listen(stop: Stop, progress: Progress) -> Exit {
    let first = next().await;
    stop.request(Cause::Interrupted(first));
    progress.say(
        "Interrupted: no new code is asked for, codes in hand are exchanged. Once more ends at once.",
    );
    match next().await {
        Interrupt::Interrupt => Exit::Interrupted,
        Interrupt::Terminate => Exit::Terminated,
    }
}

#[cfg(unix)]
async fn next() -> Interrupt {
    use tokio::signal::unix::{SignalKind, signal};
    let streams = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    );
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = streams else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Interrupt::Interrupt,
        _ = terminate.recv() => Interrupt::Terminate,
        _ = hangup.recv() => Interrupt::Terminate,
    }
}

#[cfg(windows)]
async fn next() -> Interrupt {
    use tokio::signal::windows;
    let (Ok(mut close), Ok(mut shutdown)) = (windows::ctrl_close(), windows::ctrl_shutdown())
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Interrupt::Interrupt,
        _ = close.recv() => Interrupt::Terminate,
        _ = shutdown.recv() => Interrupt::Terminate,
    }
}
