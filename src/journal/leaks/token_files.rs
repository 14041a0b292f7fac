//! The tokens of a run: those of its token files, those that its list has, and those that the app's
//! own store had.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::tails::{TAILS_OF_A_PAIR, TAILS_OF_ONE};
use crate::{input::RowSecrets, journal::folder::RunFolder};

/// The token fields of a session document.
#[derive(Deserialize)]
struct TokenFields {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// Tokens that are not in the files of the run, as those of the list. They are read anew each time, so
/// that none is kept.
pub type MoreTokens = Arc<dyn Fn(&mut dyn FnMut(&str)) + Send + Sync>;

/// A file that may have tokens, and what a line of it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HasTokens {
    /// A session document.
    Documents(PathBuf),
    /// A row of the app's own store as it was, whatever its columns are called.
    OldRows(PathBuf),
}

impl HasTokens {
    /// The files of a run that may have tokens.
    pub fn of(folder: &RunFolder) -> [Self; 3] {
        [
            Self::Documents(folder.tokens()),
            Self::Documents(folder.quarantine()),
            Self::OldRows(folder.replaced()),
        ]
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Documents(path) | Self::OldRows(path) => path,
        }
    }

    fn each(&self, take: &mut dyn FnMut(&str)) -> io::Result<()> {
        let mut secrets = RowSecrets::default();
        self.each_line(|line| match self {
            Self::Documents(_) => {
                if let Ok(tokens) = serde_json::from_slice::<TokenFields>(line) {
                    let both = [tokens.access_token, tokens.refresh_token];
                    both.iter().flatten().for_each(|token| take(token));
                }
            }
            Self::OldRows(_) => secrets.each(&String::from_utf8_lossy(line), take),
        })
    }

    /// A file that is not there has no lines.
    fn each_line(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let Some(file) = self.open()? else { return Ok(()) };
        let mut input = BufReader::with_capacity(1 << 17, file);
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line)? > 0 {
            take(&line);
            line.clear();
        }
        Ok(())
    }

    fn count_lines(&self) -> io::Result<usize> {
        let Some(mut file) = self.open()? else { return Ok(0) };
        let (mut lines, mut piece) = (0, vec![0; 1 << 17]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(lines),
                read => lines += memchr::memchr_iter(b'\n', &piece[..read]).count(),
            }
        }
    }

    fn open(&self) -> io::Result<Option<File>> {
        let path = self.path();
        path.exists().then(|| File::open(path)).transpose()
    }
}

/// The token files of a run, and what its list has.
pub(super) struct TokenFiles {
    files: Vec<HasTokens>,
    more: Option<MoreTokens>,
}

impl TokenFiles {
    pub(super) fn new(
        files: impl IntoIterator<Item = HasTokens>,
        more: Option<MoreTokens>,
    ) -> Self {
        Self { files: files.into_iter().collect(), more }
    }

    /// Calls `take` with each token.
    pub(super) fn each(&self, mut take: impl FnMut(&str)) -> io::Result<()> {
        for file in &self.files {
            file.each(&mut take)?;
        }
        if let Some(more) = &self.more {
            more(&mut take);
        }
        Ok(())
    }

    /// How many tails the tokens have, if all of them are plain and each line has a pair.
    pub(super) fn count_tails(&self) -> io::Result<usize> {
        // A last line without its end is a line as well.
        let mut lines = self.files.len();
        for file in &self.files {
            lines += file.count_lines()?;
        }
        Ok(lines * TAILS_OF_A_PAIR + self.count_more() * TAILS_OF_ONE)
    }

    fn count_more(&self) -> usize {
        let mut count = 0;
        if let Some(more) = &self.more {
            more(&mut |_| count += 1);
        }
        count
    }
}
