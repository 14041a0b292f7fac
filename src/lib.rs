//! Bulk recovery of HighLevel Marketplace app installations whose OAuth tokens died.

pub mod installation;
pub mod sandbox;
pub mod secret;
