//! How many installations are open and in flight.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Counts installations. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gauge {
    counts: Arc<GaugeCounts>,
    /// The counts of the whole run, where these are one app's.
    whole: Option<Arc<GaugeCounts>>,
}

#[derive(Debug)]
struct GaugeCounts {
    open: AtomicU32,
    in_flight: AtomicU32,
}

/// An installation in flight, until this is dropped. One that waits is not in flight.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        for counts in self.0.all() {
            counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Gauge {
    /// Begins with this many open installations.
    pub fn new(open: u32) -> Self {
        let (open, in_flight) = (AtomicU32::new(open), AtomicU32::new(0));
        Self { counts: Arc::new(GaugeCounts { open, in_flight }), whole: None }
    }

    /// Counts a part of them by itself too.
    #[must_use]
    pub fn part(&self, open: u32) -> Self {
        Self { whole: Some(self.counts.clone()), ..Self::new(open) }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<GaugeCounts>> {
        [&self.counts].into_iter().chain(&self.whole)
    }

    /// An installation takes a slot.
    pub fn begin(&self) -> InFlight {
        for counts in self.all() {
            counts.in_flight.fetch_add(1, Ordering::Relaxed);
        }
        InFlight(self.clone())
    }

    /// An installation is done.
    pub fn done(&self) {
        for counts in self.all() {
            counts.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Installations that are not done yet, those in flight included.
    pub fn open(&self) -> u32 {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Installations that hold a slot.
    pub fn in_flight(&self) -> u32 {
        self.counts.in_flight.load(Ordering::Relaxed)
    }
}
