//! What `--to` names.

mod fault;
mod file;
mod lookup;
mod mongo;
mod parameters;
mod parse;
mod pass_file;
mod server;
pub(in crate::store) mod sql_target;
mod url;

pub use self::{
    mongo::MongoTarget,
    parse::{Target, parse},
    sql_target::{Dialect, Place, SqlTarget, Tls},
};
