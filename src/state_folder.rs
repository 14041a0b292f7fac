//! The folder in which the program keeps what outlives a run: `$XDG_STATE_HOME/ghl-reconnect`, else
//! `~/.local/state/ghl-reconnect` (`%LOCALAPPDATA%` on Windows).

use std::{fs, io, path::PathBuf};

use etcetera::BaseStrategy;

/// Where it is; `None` where this user has no home.
pub fn path() -> Option<PathBuf> {
    let user = etcetera::choose_base_strategy().ok()?;
    // Windows has no folder for state, and its local one is called cache.
    let parent = user.state_dir().unwrap_or_else(|| user.cache_dir());
    Some(parent.join("ghl-reconnect"))
}

/// Makes it where it is not there yet, for this user alone under any umask.
pub fn create() -> io::Result<PathBuf> {
    let path = path().ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "this user has no home: set HOME")
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
