//! How many installations are open and in flight, for whoever wants to know it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// GaugeCounts installations. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gauge {
    counts: Arc<GaugeCounts>,
    /// The counts of which these are a part.
    whole: Option<Arc<GaugeCounts>>,
}

#[derive(Debug)]
struct GaugeCounts {
    open: AtomicU32,
    in_flight: AtomicU32,
}

/// An installation is in flight as long as this lives; while it waits it is not.
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
    /// So many installations are to be worked on.
    pub fn new(open: u32) -> Self {
        let (open, in_flight) = (AtomicU32::new(open), AtomicU32::new(0));
        Self { counts: Arc::new(GaugeCounts { open, in_flight }), whole: None }
    }

    /// So many of them make a part, which is counted by itself too.
    #[must_use]
    pub fn part(&self, open: u32) -> Self {
        Self { whole: Some(self.counts.clone()), ..Self::new(open) }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<GaugeCounts>> {
        [&self.counts].into_iter().chain(&self.whole)
    }

    /// One of them holds a slot.
    pub fn begin(&self) -> InFlight {
        for counts in self.all() {
            counts.in_flight.fetch_add(1, Ordering::Relaxed);
        }
        InFlight(self.clone())
    }

    /// One of them is done.
    pub fn done(&self) {
        for counts in self.all() {
            counts.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many are not done yet, those in flight among them.
    pub fn open(&self) -> u32 {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// How many hold a slot.
    pub fn in_flight(&self) -> u32 {
        self.counts.in_flight.load(Ordering::Relaxed)
    }
}
