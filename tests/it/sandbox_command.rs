//! sandbox_command
