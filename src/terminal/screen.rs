//! The terminal as an execution knows it: the console, which begins progress.

use std::{io, sync::Arc};

use super::{console::Console, progress::Progress};
use crate::{
    engine::{
        gauge::Gauge,
        screen::{self, AskOutlook, Screen},
    },
    event::Observer,
};

impl Screen for Console {
    fn print(&self, line: &str) {
        (*self).print(line);
    }

    fn begin(&self, gauge: Gauge, outlook: AskOutlook) -> io::Result<Arc<dyn screen::Progress>> {
        Ok(Arc::new(Progress::begin(*self, gauge, outlook)?))
    }
}

impl Observer for Progress {
    fn note(&self, line: &str) {
        self.print(line);
    }
}

impl screen::Progress for Progress {
    fn ending(&self) {
        Self::ending(self);
    }

    fn end(&self) {
        Self::end(self);
    }
}
