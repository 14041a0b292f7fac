//! Where a list comes from, so that it can be read more than once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{
    choice::{ColumnChoice, ScopeChoice},
    error::InputError,
    list::List,
    show,
    spool::{self, Limits, SpoolError},
    text,
};

/// Where a list comes from. It can be read more than once: a regular file is opened again, anything
/// that flows (standard input, a FIFO, `/dev/fd/N`) is first kept in an unnamed temporary file, as
/// long as it is not larger than any list.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Spool(Arc<File>),
}

impl Source {
    /// Finds the list; `-` is standard input, which is read to its end here.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        if path == Path::new("-") {
            return Self::spooled("standard input".to_owned(), &mut io::stdin().lock());
        }
        let name = show::escape(&path.display().to_string());
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Err(unopened(name, error)),
        };
        if metadata.is_dir() {
            return Err(InputError::Directory { name });
        }
        let mut file = File::open(path).map_err(|e| unopened(name.clone(), e))?;
        if metadata.is_file() && !is_descriptor(path) {
            return Ok(Self { name, place: Place::File(path.to_owned()) });
        }
        Self::spooled(name, &mut file)
    }

    /// What messages call it: the path as typed, or "standard input".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The full path of a list that can be read again later; `None` for what flowed in.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::File(path) => std::path::absolute(path).ok(),
            Place::Spool(_) => None,
        }
    }

    /// SHA-256 of the list's bytes, in hex, as [`List::digest`] gives it after the end.
    pub fn digest(&self) -> Result<String, InputError> {
        let mut hasher = Sha256::new();
        let mut bytes = self.bytes()?;
        let mut chunk = vec![0; 1 << 16];
        loop {
            match bytes.read(&mut chunk) {
                Ok(0) => return Ok(text::hex(&hasher.finalize())),
                Ok(count) => hasher.update(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unopened(self.name.clone(), error)),
            }
        }
    }

    /// Tells what the list is and stands before its first record.
    ///
    /// A list that cannot serve (empty, no id column, not text) is an error here already.
    pub fn read(&self, scope: ScopeChoice, columns: &ColumnChoice) -> Result<List, InputError> {
        List::open(&self.name, &|| self.bytes(), scope, columns)
    }

    /// Keeps what flows in aside, so that it can be read more than once.
    pub(crate) fn spooled(name: String, stream: &mut dyn Read) -> Result<Self, InputError> {
        match spool::spool(stream, Limits::default()) {
            Ok(file) => Ok(Self { name, place: Place::Spool(Arc::new(file)) }),
            Err(SpoolError::Io(source)) => Err(InputError::Spool { name, source }),
            Err(SpoolError::NotAList(looks)) => Err(InputError::NotAList { name, looks }),
            Err(SpoolError::LongLine { line, limit }) => {
                Err(InputError::TooLarge { name, line, limit })
            }
            Err(SpoolError::Endless(bound)) => Err(InputError::Endless { name, bound }),
        }
    }

    fn bytes(&self) -> Result<Box<dyn Read + Send>, InputError> {
        match &self.place {
            Place::Spool(file) => Ok(Box::new(Spooled { file: Arc::clone(file), offset: 0 })),
            Place::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(unopened(self.name.clone(), error)),
            },
        }
    }
}

fn unopened(name: String, source: io::Error) -> InputError {
    match source.kind() {
        io::ErrorKind::NotFound => InputError::Missing { name },
        _ => InputError::Unreadable { name, line: 1, source },
    }
}

/// Whether the path is another name of an open descriptor, which may give its bytes only once.
fn is_descriptor(path: &Path) -> bool {
    ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder))
}

/// One reading of a spooled list, with a position of its own.
struct Spooled {
    file: Arc<File>,
    offset: u64,
}

impl Read for Spooled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let count = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.offset)?;
        #[cfg(windows)]
        let count = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const LIST: &[u8] = b"location_id\nve9EPM428h8vShlRW1KT\ntDtDnQdgm2LXpyiqYvZ6\n";

    #[test]
    fn a_file_can_be_read_twice_with_the_same_digest() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(LIST).unwrap();
        let source = Source::open(file.path()).unwrap();
        let digests: Vec<_> = (0..2)
            .map(|_| {
                let mut list = source.read(ScopeChoice::Auto, &ColumnChoice::default()).unwrap();
                assert_eq!(list.by_ref().count(), 2);
                list.digest()
            })
            .collect();
        assert_eq!(digests[0], digests[1]);
        assert_eq!(digests[0].len(), 64);
    }

    #[test]
    fn a_stream_can_be_read_twice_even_interleaved() {
        let source = Source::spooled("standard input".into(), &mut &LIST[..]).unwrap();
        let mut first = source.read(ScopeChoice::Auto, &ColumnChoice::default()).unwrap();
        let mut second = source.read(ScopeChoice::Auto, &ColumnChoice::default()).unwrap();
        assert_eq!(first.by_ref().count(), 2);
        assert_eq!(second.by_ref().count(), 2);
        assert_eq!(first.digest(), second.digest());
    }

    #[test]
    fn what_is_not_there_or_not_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Source::open(folder.path()), Err(InputError::Directory { .. })));
        let absent = folder.path().join("absent.csv");
        let error = Source::open(&absent).unwrap_err();
        assert!(matches!(error, InputError::Missing { .. }));
        assert!(error.to_string().contains("absent.csv"));
    }

    #[test]
    fn a_descriptor_is_spooled() {
        assert!(is_descriptor(Path::new("/dev/fd/63")));
        assert!(is_descriptor(Path::new("/dev/stdin")));
        assert!(!is_descriptor(Path::new("list.csv")));
    }
}
