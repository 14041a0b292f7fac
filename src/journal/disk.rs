//! What the disk is asked to do, in the order in which it makes things durable.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::NamedTempFile;

/// Makes a folder that only its owner can enter (on Windows: with the permissions that the parent
/// folder hands down). It must not exist yet.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Makes a new file that only its owner can read, to append to.
pub fn create_file(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().append(true).create_new(true)).open(path)
}

/// Opens a file to read and write, and makes it if it is not there, for its owner only.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes the entries of a folder durable. Windows does that with the files themselves.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// A file that replaces another one as a whole: written aside, synced, renamed. A crash leaves the
/// old one or the new one, never a part.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    aside: io::BufWriter<NamedTempFile>,
}

impl Replacement {
    /// Begins a replacement; until it is put in place the old file stands.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let aside = NamedTempFile::new_in(folder_of(path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), aside: io::BufWriter::with_capacity(1 << 16, aside) })
    }

    /// Makes the new file durable under its name.
    pub fn put_in_place(self) -> anyhow::Result<()> {
        let Self { path, aside } = self;
        let placed = aside.into_inner().map_err(io::IntoInnerError::into_error).and_then(|aside| {
            aside.as_file().sync_all()?;
            aside.persist(&path).map_err(|error| error.error)?;
            sync_folder(folder_of(&path))
        });
        placed.with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.aside.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.aside.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
