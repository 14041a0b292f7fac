//! How a variable is looked up.

/// Looks up a variable that is set to something.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;
