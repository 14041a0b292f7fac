//! The list that a discovery writes: to standard output as it comes, or to a file that has its name
//! only when it is complete.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use super::cursor::{AgencyCursor, Question, SavedCursor};
use crate::{
    exit::{Exit, Fault, OrExit},
    highlevel::locations::Location,
    installation::Id,
    journal::disk::{Disk, DiskFile},
    views::csv_writer,
};

/// The columns, under names that `run` reads.
const HEADER: [&str; 6] =
    ["location_id", "company_id", "location_name", "is_installed", "installed_at", "version_id"];

/// Where the list goes.
#[derive(Debug)]
pub struct ListWriter {
    cursor: SavedCursor,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Stdout,
    File(Box<Aside>),
}

/// A list that is not complete, and the position in it.
#[derive(Debug)]
struct Aside {
    disk: Disk,
    out: PathBuf,
    partial: PathBuf,
    cursor: PathBuf,
    file: DiskFile,
}

impl ListWriter {
    /// Begins a list on standard output.
    pub fn on_stdout(question: Question) -> anyhow::Result<Self> {
        let mut list = Self { cursor: SavedCursor::new(question), target: Target::Stdout };
        list.put(&header()?)?;
        Ok(list)
    }

    /// Begins a list in a file, or continues it.
    pub fn in_file(out: &Path, question: Question, disk: Disk) -> Result<Self, Fault> {
        let [partial, cursor] = ["partial", "position"].map(|end| beside(out, end));
        let earlier = earlier(out, &partial, &cursor, &question).or_exit(Exit::Usage)?;
        let file = disk
            .open_or_create(&partial)
            .with_context(|| format!("--out: cannot write {}", partial.display()))
            .or_exit(Exit::Usage)?;
        file.handle()
            .try_lock()
            .with_context(|| format!("{}: another discovery is at work on it", partial.display()))
            .or_exit(Exit::Local)?;
        let aside = Aside { disk, out: out.to_owned(), partial, cursor, file };
        aside.take_up(earlier, question).or_exit(Exit::Local)
    }

    /// The place in a company's list.
    pub fn place(&self, company: &Id) -> AgencyCursor {
        self.cursor.place(company)
    }

    /// The locations of a company that are in the list already.
    pub fn ids(&self, company: &Id) -> anyhow::Result<HashSet<Id>> {
        let Target::File(aside) = &self.target else { return Ok(HashSet::new()) };
        if !self.cursor.places.contains_key(company.as_str()) {
            return Ok(HashSet::new());
        }
        let mut rows = csv::Reader::from_path(&aside.partial)
            .with_context(|| format!("cannot read {}", aside.partial.display()))?;
        let mut ids = HashSet::new();
        for row in rows.records() {
            let row = row.with_context(|| format!("cannot read {}", aside.partial.display()))?;
            if row.get(1) == Some(company.as_str()) {
                ids.extend(row.get(0).and_then(|id| Id::new(crate::input::formula::unguarded(id))));
            }
        }
        Ok(ids)
    }

    /// Adds a page, and with it the place behind it.
    pub fn add(
        &mut self,
        company: &Id,
        page: &[&Location],
        place: &AgencyCursor,
    ) -> anyhow::Result<()> {
        let lines = lines_of(company, page)?;
        self.cursor.places.insert(company.as_str().into(), place.clone());
        self.put(&lines)
    }

    fn put(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        match &mut self.target {
            Target::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)
                    .and_then(|()| out.flush())
                    .context("cannot write to standard output")
            }
            Target::File(aside) => {
                aside
                    .file
                    .append(lines)
                    .and_then(|()| aside.file.sync())
                    .with_context(|| format!("cannot write {}", aside.partial.display()))?;
                self.cursor.bytes += lines.len() as u64;
                self.cursor.write(&aside.cursor, &aside.disk)
            }
        }
    }

    /// Gives a complete list its name.
    pub fn complete(self) -> anyhow::Result<()> {
        let Target::File(aside) = self.target else { return Ok(()) };
        ensure!(!aside.out.exists(), "{} has come into being meanwhile", aside.out.display());
        aside
            .disk
            .rename(&aside.partial, &aside.out)
            .with_context(|| format!("cannot write {}", aside.out.display()))?;
        // What is left behind would say that more is to come; the list itself is safe.
        let _ = std::fs::remove_file(&aside.cursor);
        Ok(())
    }

    /// Where the list is to stand; nowhere on standard output.
    pub fn out(&self) -> Option<&Path> {
        match &self.target {
            Target::Stdout => None,
            Target::File(aside) => Some(&aside.out),
        }
    }

    /// Where a list that is not complete stands; nowhere on standard output.
    pub fn partial(&self) -> Option<&Path> {
        match &self.target {
            Target::Stdout => None,
            Target::File(aside) => Some(&aside.partial),
        }
    }
}

impl Aside {
    /// Continues at an earlier position, as far as the file still has what belongs to it.
    fn take_up(
        mut self,
        earlier: Option<SavedCursor>,
        question: Question,
    ) -> anyhow::Result<ListWriter> {
        let length = self.file.length()?;
        let earlier = earlier.filter(|earlier| (1..=length).contains(&earlier.bytes));
        let cursor = earlier.unwrap_or_else(|| SavedCursor::new(question));
        self.file.cut(cursor.bytes)?;
        let is_new = cursor.bytes == 0;
        let mut list = ListWriter { cursor, target: Target::File(Box::new(self)) };
        if is_new {
            list.put(&header()?)?;
        }
        Ok(list)
    }
}

/// The position of an earlier call of the same command, if there was one.
fn earlier(
    out: &Path,
    partial: &Path,
    cursor: &Path,
    question: &Question,
) -> anyhow::Result<Option<SavedCursor>> {
    ensure!(!out.exists(), "--out: {} is there already and is not overwritten", out.display());
    let earlier = SavedCursor::read(cursor, question)?;
    ensure!(
        earlier.is_some() || is_ours(partial)?,
        "--out: {} is there, is no list of a discovery, and is not overwritten; remove it",
        partial.display()
    );
    Ok(earlier)
}

/// Whether a file without a position is a list that a discovery began, or nothing: without its
/// position, such a list is begun anew.
fn is_ours(partial: &Path) -> anyhow::Result<bool> {
    let header = header()?;
    let mut begin = Vec::new();
    match File::open(partial) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => Err(error),
        Ok(file) => file.take(header.len() as u64).read_to_end(&mut begin),
    }
    .with_context(|| format!("cannot read {}", partial.display()))?;
    Ok(header.starts_with(&begin))
}

fn beside(out: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(out);
    name.push(".");
    name.push(end);
    name.into()
}

fn header() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    csv_writer::CsvWriter::begin(&mut bytes, HEADER)?.end()?;
    Ok(bytes)
}

fn lines_of(company: &Id, page: &[&Location]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut list = csv_writer::CsvWriter::append(&mut bytes);
    for location in page {
        let is_installed = location.is_installed.map(|is| if is { "true" } else { "false" });
        list.line([
            location.id.as_str(),
            company.as_str(),
            location.name.as_str(),
            is_installed.unwrap_or_default(),
            location.installed_at.as_str(),
            location.version_id.as_str(),
        ])?;
    }
    list.end()?;
    Ok(bytes)
}
