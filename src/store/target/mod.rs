//! What `--to` names.

mod sql_target;

pub use self::sql_target::{Dialect, Place, SqlTarget, Tls, TlsFiles};
