//! How many installations are open and in flight, for whoever wants to know it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Counts installations. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    open: AtomicU32,
    in_flight: AtomicU32,
}

/// An installation is in flight as long as this lives.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gauge {
    /// So many installations are to be worked on.
    pub fn new(open: u32) -> Self {
        let (open, in_flight) = (AtomicU32::new(open), AtomicU32::new(0));
        Self(Arc::new(Counts { open, in_flight }))
    }

    /// The work on one of them begins.
    pub fn begin(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    /// How many are not done yet, those in flight among them.
    pub fn open(&self) -> u32 {
        self.0.open.load(Ordering::Relaxed)
    }

    /// How many are being worked on.
    pub fn in_flight(&self) -> u32 {
        self.0.in_flight.load(Ordering::Relaxed)
    }
}
