//! A connection that comes back: a server that restarts is waited for.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::{
    plan::in_words,
    store::{
        fault::StoreFault,
        sql::{Connection, SqlError},
        target::SqlTarget,
    },
};

/// Waits between two attempts to connect: the first and the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// See the module.
pub struct Link {
    target: SqlTarget,
    connection: Option<Connection>,
    /// How long a server may be away.
    patience: Duration,
    lost_since: Option<Instant>,
    stop: CancellationToken,
}

impl Link {
    /// Takes a connection that is open.
    pub fn new(
        target: SqlTarget,
        connection: Connection,
        patience: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self { target, connection: Some(connection), patience, lost_since: None, stop }
    }

    /// Gives the connection up after an error that says that it is gone.
    pub fn lost(&mut self, _error: &SqlError) {
        self.connection = None;
        self.lost_since.get_or_insert_with(Instant::now);
    }

    /// Notes that the server has done something.
    pub fn is_well(&mut self) {
        self.lost_since = None;
    }

    /// The connection, a new one where it was lost.
    pub async fn get(
        &mut self,
        note: &(dyn Fn(&str) + Sync),
    ) -> Result<&mut Connection, StoreFault> {
        let mut wait = FIRST;
        let mut is_said = false;
        while self.connection.is_none() {
            match Connection::open(&self.target).await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => {
                    let since = *self.lost_since.get_or_insert_with(Instant::now);
                    let away = since.elapsed();
                    if away >= self.patience || self.stop.is_cancelled() {
                        return Err(StoreFault::Gone(format!(
                            "the database is gone since {}: {error}",
                            in_words(away)
                        )));
                    }
                    if !is_said {
                        let patience = in_words(self.patience);
                        note(&format!("The database is gone ({error}); waiting up to {patience}."));
                        is_said = true;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => {}
                    }
                    wait = (wait * 2).min(LONGEST);
                }
            }
        }
        let gone = || StoreFault::Gone("the database is gone".to_owned());
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Closes the connection.
    pub async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }
}
