//! The folder in which the program keeps what outlives a run: `$XDG_STATE_HOME/ghl-reconnect`, else
//! `~/.local/state/ghl-reconnect` (`%LOCALAPPDATA%` on Windows).

use std::{env, fs, io, path::PathBuf};

/// Where it is; `None` where the environment names no place.
pub fn path() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let parent = if cfg!(windows) {
        named("LOCALAPPDATA")
    } else {
        named("XDG_STATE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(env::home_dir()?.join(".local").join("state")))
    };
    Some(parent?.join("ghl-reconnect"))
}

/// Makes it where it is not there yet, for this user alone under any umask.
pub fn create() -> io::Result<PathBuf> {
    let path = path().ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "neither XDG_STATE_HOME nor HOME is set")
    })?;
    fs::create_dir_all(&path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if path.metadata()?.permissions().mode() & 0o777 != 0o700 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(path)
}
