//! The tokens of a run: those of its token files, and those that its list has.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    sync::Arc,
};

use serde::Deserialize;

use super::tails::{TAILS_OF_A_PAIR, TAILS_OF_ONE};

/// The token fields of a session document.
#[derive(Deserialize)]
struct TokenFields {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// Tokens that are not in the files of the run, as those of the list. They are read anew each time, so
/// that none is kept.
pub type MoreTokens = Arc<dyn Fn(&mut dyn FnMut(&str)) + Send + Sync>;

/// The token files of a run, and what its list has.
pub(super) struct TokenFiles {
    paths: Vec<PathBuf>,
    more: Option<MoreTokens>,
}

impl TokenFiles {
    pub(super) fn new(paths: impl IntoIterator<Item = PathBuf>, more: Option<MoreTokens>) -> Self {
        Self { paths: paths.into_iter().collect(), more }
    }

    /// Calls `take` with each token.
    pub(super) fn each(&self, mut take: impl FnMut(&str)) -> io::Result<()> {
        for file in self.open() {
            let mut input = BufReader::with_capacity(1 << 17, file?);
            let mut line = Vec::new();
            while input.read_until(b'\n', &mut line)? > 0 {
                if let Ok(tokens) = serde_json::from_slice::<TokenFields>(&line) {
                    let both = [tokens.access_token, tokens.refresh_token];
                    both.iter().flatten().for_each(|token| take(token));
                }
                line.clear();
            }
        }
        if let Some(more) = &self.more {
            more(&mut take);
        }
        Ok(())
    }

    /// How many tails the tokens have, if all of them are plain.
    pub(super) fn count_tails(&self) -> io::Result<usize> {
        // A last line without its end is a line as well.
        let lines = self.count_lines()? + self.paths.len();
        Ok(lines * TAILS_OF_A_PAIR + self.count_more() * TAILS_OF_ONE)
    }

    fn count_lines(&self) -> io::Result<usize> {
        let mut lines = 0;
        let mut piece = vec![0; 1 << 17];
        for file in self.open() {
            let mut file = file?;
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    read => lines += memchr::memchr_iter(b'\n', &piece[..read]).count(),
                }
            }
        }
        Ok(lines)
    }

    fn count_more(&self) -> usize {
        let mut count = 0;
        if let Some(more) = &self.more {
            more(&mut |_| count += 1);
        }
        count
    }

    fn open(&self) -> impl Iterator<Item = io::Result<File>> {
        self.paths.iter().filter(|path| path.exists()).map(File::open)
    }
}
