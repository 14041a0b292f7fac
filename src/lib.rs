//! Bulk recovery of HighLevel Marketplace app installations whose OAuth tokens died.

pub mod input;
pub mod installation;
pub mod secret;
