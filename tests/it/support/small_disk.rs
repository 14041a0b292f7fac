//! A disk that fills up.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::Launch;

/// A small file system of its own, gone with the value. Making one takes root.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nobody may mount one.
    pub(crate) fn mount(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "small"]).arg(&at);
        let mounted = command.capture().is_ok_and(|mounted| mounted.status.success());
        mounted.then_some(Self(at))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).capture();
    }
}
