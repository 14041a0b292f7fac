//! What the disk is asked to do, in the order in which it makes things durable.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tempfile::NamedTempFile;

/// How names of files begin that are written aside and not in place yet.
pub const ASIDE: &str = ".aside-";

/// A change to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file or folder is made.
    Create,
    /// Bytes are written.
    Write,
    /// A file, or a folder's entries, are made durable.
    Sync,
    /// A file takes the place of another one.
    Rename,
}

/// Called before each operation; its error is returned in place of the operation.
type Veto = Arc<dyn Fn(Operation) -> io::Result<()> + Send + Sync>;

/// The disk. Every change that a run makes goes through here, so that each can be made to fail.
#[derive(Clone)]
pub struct Disk {
    veto: Option<Veto>,
    patience: Duration,
}

/// How long a disk may take for one group of writes. After that it may never answer, and codes must
/// not grow old meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);

impl Default for Disk {
    fn default() -> Self {
        Self { veto: None, patience: PATIENCE }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("fails", &self.veto.is_some()).finish_non_exhaustive()
    }
}

impl Disk {
    /// A disk whose operations fail with the error that `veto` returns: for tests of what a full or
    /// broken disk does to a run.
    pub fn failing(veto: impl Fn(Operation) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { veto: Some(Arc::new(veto)), ..Self::default() }
    }

    /// The same disk, given up after another time than two minutes.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How long it may take over one group of writes.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    fn permit(&self, operation: Operation) -> io::Result<()> {
        self.veto.as_ref().map_or(Ok(()), |veto| veto(operation))
    }

    /// Makes a folder that only its owner can enter (on Windows: with the permissions that the
    /// parent folder hands down). It must not exist yet.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.permit(Operation::Create)?;
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(path)?;
        let made = only_for_its_owner(path).and_then(|()| self.sync_folder(folder_of(path)));
        if made.is_err() {
            // The folder is empty: if it stays, it does no harm.
            let _ = fs::remove_dir(path);
        }
        made
    }

    /// Makes a new file that only its owner can read.
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        self.open_with(OpenOptions::new().create_new(true), path)
    }

    /// Opens a file to append to; makes it, for its owner only, when it is not there.
    pub fn open_or_create(&self, path: &Path) -> io::Result<DiskFile> {
        self.open_with(OpenOptions::new().create(true), path)
    }

    fn open_with(&self, options: &mut OpenOptions, path: &Path) -> io::Result<DiskFile> {
        self.permit(Operation::Create)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        // Windows lets no file be shortened that is open for appending alone.
        let mut file = options.read(true).append(cfg!(unix)).write(true).open(path)?;
        file.seek(SeekFrom::End(0))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(DiskFile { disk: self.clone(), file })
    }

    /// Makes the entries of a folder durable. Windows does that with the files themselves.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.permit(Operation::Sync)?;
        #[cfg(unix)]
        File::open(path)?.sync_all()?;
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    }

    /// Gives a file another name in its folder, durably.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.permit(Operation::Rename)?;
        fs::rename(from, to)?;
        self.sync_folder(folder_of(to))
    }

    /// Begins to replace a file as a whole; until it is put in place the old one stands.
    pub fn replace(&self, path: &Path) -> anyhow::Result<Replacement> {
        let aside = self
            .permit(Operation::Create)
            .and_then(|()| tempfile::Builder::new().prefix(ASIDE).tempfile_in(folder_of(path)))
            .with_context(|| format!("cannot write {}", path.display()))?;
        let aside = AsideFile { disk: self.clone(), file: aside };
        Ok(Replacement {
            path: path.to_owned(),
            aside: io::BufWriter::with_capacity(1 << 16, aside),
        })
    }
}

/// An open file that is only appended to, by one process.
#[derive(Debug)]
pub struct DiskFile {
    disk: Disk,
    file: File,
}

impl DiskFile {
    /// Appends bytes.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.permit(Operation::Write)?;
        self.file.write_all(bytes)
    }

    /// Makes what was appended durable and returns the length of the file. A file that has no name
    /// any more does not outlive the run, so that is an error.
    pub fn sync(&self) -> io::Result<u64> {
        self.disk.permit(Operation::Sync)?;
        self.file.sync_data()?;
        let metadata = self.file.metadata()?;
        if has_name(&metadata) {
            Ok(metadata.len())
        } else {
            Err(io::Error::other("the file was deleted"))
        }
    }

    /// Whether any folder still has the file.
    pub fn has_name(&self) -> io::Result<bool> {
        Ok(has_name(&self.file.metadata()?))
    }

    /// Its length in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Cuts it to a length.
    pub fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.go_to_end()
    }

    /// The bytes from `start` to `end`, even when the file has no name any more.
    pub fn piece(&mut self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut piece = Vec::new();
        self.file.seek(SeekFrom::Start(start))?;
        (&self.file).take(end.saturating_sub(start)).read_to_end(&mut piece)?;
        self.go_to_end()?;
        Ok(piece)
    }

    /// Where the next bytes go: Windows appends at the place of the file, Unix at its end.
    fn go_to_end(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// The open file itself, for what need not be durable.
    pub fn into_handle(self) -> File {
        self.file
    }

    /// The open file, to lock it.
    pub fn handle(&self) -> &File {
        &self.file
    }
}

#[cfg(unix)]
fn has_name(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink() > 0
}

/// Windows does not let an open file be deleted.
#[cfg(not(unix))]
fn has_name(_: &fs::Metadata) -> bool {
    true
}

/// A file that replaces another one as a whole: written aside, synced, renamed. A crash leaves the
/// old one or the new one, never a part.
#[derive(Debug)]
pub struct Replacement {
    path: PathBuf,
    aside: io::BufWriter<AsideFile>,
}

#[derive(Debug)]
struct AsideFile {
    disk: Disk,
    file: NamedTempFile,
}

impl Replacement {
    /// Makes the new file durable under its name.
    pub fn put_in_place(self) -> anyhow::Result<()> {
        let Self { path, aside } = self;
        let placed = aside.into_inner().map_err(io::IntoInnerError::into_error).and_then(|aside| {
            let AsideFile { disk, file } = aside;
            disk.permit(Operation::Sync)?;
            file.as_file().sync_all()?;
            disk.permit(Operation::Rename)?;
            file.persist(&path).map_err(|error| error.error)?;
            disk.sync_folder(folder_of(&path))
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

impl Write for AsideFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.permit(Operation::Write)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Gives a folder its mode whatever the umask took away from it.
fn only_for_its_owner(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// The folder that a path is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
